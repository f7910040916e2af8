//! One scenario at one rate or at a ladder of them, at each durability: which runs there are, in which order, and where a
//! ladder ends.

use std::time::Duration;

use ringlane_reactor::termination_requested;

use super::{Comparison, End, Level, Plan, Run, pool, ratios, refuse_unequal};
use crate::brokers::{Broker, Stopwatch};
use crate::generator::measure;
use crate::host::HostFacts;
use crate::output;
use crate::result::RunResult;
use crate::terminal::micros;
use crate::units::Rate;
use crate::workload::Durability;

/// What a run takes beside its warm-up and its measured time: topics, the last records, verification, files.
const OVERHEAD: Duration = Duration::from_secs(3);

/// The rates of the full comparison, up to the highest that both sustain.
pub(crate) fn full_ladder() -> Vec<Rate> {
    let decades = [1e3, 1e4, 1e5].into_iter();
    decades
        .flat_map(|decade| [1.0, 2.0, 5.0].map(|digit| Rate::PerSecond(digit * decade)))
        .collect()
}

/// One run of both brokers, over and over: what they are, and when it must be over.
pub(super) struct Measurement<'a> {
    pub(super) plan: &'a Plan,
    pub(super) brokers: &'a [Broker],
    pub(super) host: &'a HostFacts,
    pub(super) since: Stopwatch,
}

impl Measurement<'_> {
    /// All of it. What was measured is in `comparison` also when something fails.
    pub(super) fn run(&self, comparison: &mut Comparison) -> Result<(), String> {
        for broker in self.brokers {
            self.plan.warm_up(broker)?;
        }
        for (number, &durability) in self.plan.levels.iter().enumerate() {
            let left = self.plan.within.0.saturating_sub(self.since.elapsed());
            let share = left / (self.plan.levels.len() - number) as u32;
            self.climb(durability, self.since.elapsed() + share, comparison)?;
        }
        Ok(())
    }

    /// The rates at one durability, until one does not hold or the next would not be over by `deadline`.
    fn climb(
        &self,
        durability: Durability,
        deadline: Duration,
        comparison: &mut Comparison,
    ) -> Result<(), String> {
        for (rung, &rate) in self.plan.rates.iter().enumerate() {
            if rung > 0 && self.since.elapsed() + self.length_of_a_rung() > deadline {
                let sentence = format!(
                    "higher rates than that were not tried: the time ({}) was up",
                    self.plan.within
                );
                self.end(comparison, durability, sentence);
                return Ok(());
            }
            let mut step = self.step(durability, rate, rung)?;
            if self.plan.rates.len() > 1 && step.is_worth_another(deadline, self) {
                self.plan.say(&format!("{durability} {rate}/s: once more, since it was not valid"));
                step = self.step(durability, rate, rung)?;
            }
            let Step { level, outcome, .. } = step;
            let problem = level.as_ref().and_then(Level::problem);
            comparison.levels.extend(level);
            outcome?;
            if let Some(problem) = problem {
                let sentence = format!("{rate} records/s did not hold: {problem}");
                self.end(comparison, durability, sentence);
                return Ok(());
            }
        }
        self.end(comparison, durability, "every rate that was tried held".into());
        Ok(())
    }

    /// Measures a rate: the level, if there is one, and why there can be no other.
    fn step(&self, durability: Durability, rate: Rate, rung: usize) -> Result<Step, String> {
        let mut runs: Vec<Vec<Run>> = self.brokers.iter().map(|_| Vec::new()).collect();
        let mut outcome = self.measure_level(durability, rate, &mut runs);
        // A target that goes under at a higher rate has shown where its limit is; whoever interrupts wants an end.
        let mut all = runs.iter().flatten();
        let went_under = all.any(|(_, measured)| measured.stopped.is_some());
        if rung > 0 && went_under && !termination_requested() {
            outcome = Ok(());
        }
        let mut level = self.level(durability, rate, &runs)?;
        let is_faulty = level.as_ref().is_some_and(|level| level.is_faulty(went_under));
        if let Some(level) = &mut level {
            level.is_limit = rung > 0 && outcome.is_ok() && level.problem().is_some() && !is_faulty;
        }
        Ok(Step { level, is_faulty, outcome })
    }

    fn end(&self, comparison: &mut Comparison, durability: Durability, sentence: String) {
        if self.plan.rates.len() > 1 {
            self.plan.say(&format!("{durability}: {sentence}"));
            comparison.ends.push(End { durability: durability.to_string(), sentence });
        }
    }

    fn length_of_a_rung(&self) -> Duration {
        let scenario = &self.plan.scenario;
        let run = scenario.warm_up.0 + scenario.duration.0 + OVERHEAD;
        run * (self.plan.rounds * self.brokers.len()) as u32
    }

    /// The level that `runs` make, written; none when there is none.
    fn level(
        &self,
        durability: Durability,
        rate: Rate,
        runs: &[Vec<Run>],
    ) -> Result<Option<Level>, String> {
        let measured: Vec<&Vec<Run>> = runs.iter().filter(|runs| !runs.is_empty()).collect();
        let sides: Vec<RunResult> = measured.iter().map(|runs| pool::pool(runs)).collect();
        for (side, runs) in sides.iter().zip(&measured) {
            let directory = self.plan.side(durability, rate, &side.target);
            output::write(&directory, output::files(side, &pool::measured(runs)))?;
        }
        if sides.is_empty() {
            return Ok(None);
        }
        refuse_unequal(&sides)?;
        let (durability, ratios) = (durability.to_string(), ratios::ratios(runs));
        Ok(Some(Level { durability, rate: rate.to_string(), is_limit: false, sides, ratios }))
    }

    /// The rounds at one durability and rate; what was measured is in `runs` also when one fails.
    fn measure_level(
        &self,
        durability: Durability,
        rate: Rate,
        runs: &mut [Vec<Run>],
    ) -> Result<(), String> {
        let plan = self.plan;
        for round in 1..=plan.rounds {
            for (broker, runs) in self.brokers.iter().zip(runs.iter_mut()) {
                let at = if plan.rates.len() > 1 { format!(" {rate}/s") } else { String::new() };
                let name =
                    format!("{durability}{at} round {round}/{} {:<14}", plan.rounds, broker.name);
                let job = plan.job(broker, durability, rate, &name);
                let measured =
                    measure(&job).map_err(|sentence| format!("{}: {sentence}", broker.name))?;
                let mut result = RunResult::new(&broker.name, &job, &measured, self.host.clone());
                if let Some(declared) = broker.declared {
                    result.durability = declared.to_string();
                }
                plan.say(&format!("{name}  {}", ratios::in_a_line(&result)));
                let directory =
                    plan.side(durability, rate, &broker.name).join(format!("round-{round}"));
                let files = output::files(&result, &measured);
                let stopped = measured.stopped.clone();
                runs.push((result, measured));
                output::write(&directory, files)?;
                if let Some(sentence) = stopped {
                    return Err(format!("{}: {sentence}", broker.name));
                }
            }
        }
        Ok(())
    }
}

/// A rate that was measured.
struct Step {
    level: Option<Level>,
    is_faulty: bool,
    outcome: Result<(), String>,
}

impl Step {
    /// Whether it may have been chance that it did not hold: the host's for a moment, not the rate's.
    fn is_worth_another(&self, deadline: Duration, of: &Measurement<'_>) -> bool {
        let Some(level) = &self.level else { return false };
        let is_over_in_time = of.since.elapsed() + of.length_of_a_rung() <= deadline;
        self.outcome.is_ok() && level.problem().is_some() && !self.is_faulty && is_over_in_time
    }
}

impl Level {
    /// Why it does not hold, if it does not.
    fn problem(&self) -> Option<String> {
        let side = self.sides.iter().find(|side| !side.valid)?;
        Some(format!("{}: {}", side.target, side.invalid.first().map_or("invalid", String::as_str)))
    }

    /// Whether records were lost, doubled, changed or out of order, which no rate excuses. Where a run was stopped, what is
    /// lost had merely not been read.
    fn is_faulty(&self, was_stopped: bool) -> bool {
        self.sides.iter().any(|side| {
            let records = &side.records;
            let lost = if was_stopped { 0 } else { records.lost };
            lost + records.duplicated + records.reordered + records.corrupted > 0
        })
    }

    /// Whether its figures may be used, or show no more than where a ladder ended.
    pub(crate) fn is_usable(&self) -> bool {
        self.is_limit || self.sides.iter().all(|side| side.valid)
    }

    /// In a line: the rate and the 99th percentiles.
    pub(crate) fn in_a_line(&self) -> String {
        let sides = self.sides.iter().map(|side| {
            let mark = if side.valid { "" } else { " (does not hold)" };
            format!("{} {}{mark}", side.target, micros(side.produce_latency_us.p99))
        });
        format!("{:>8} records/s: produce p99 {}", self.rate, sides.collect::<Vec<_>>().join(", "))
    }
}
