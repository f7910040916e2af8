//! One scenario at one rate, or at the rates of a ladder, at each durability: which runs there are, in which order, and what
//! is measured again.

use std::time::Duration;

use ringlane_reactor::termination_requested;

use super::ladder::Ladder;
use super::{Comparison, End, Level, Plan, Run, pool, ratios, refuse_unequal};
use crate::brokers::{Broker, Stopwatch, settle_disk};
use crate::generator::measure;
use crate::host::HostFacts;
use crate::output;
use crate::result::RunResult;
use crate::units::Rate;
use crate::validity::blames_the_duration;
use crate::workload::Durability;

/// What a run takes beside its warm-up and its measured time: the disk before it, topics, the last records, verification,
/// files.
const OVERHEAD: Duration = Duration::from_secs(5);

/// One run of both brokers, over and over: what they are, and when it must be over.
pub(super) struct Measurement<'a> {
    pub(super) plan: &'a Plan,
    pub(super) brokers: &'a [Broker],
    pub(super) host: &'a HostFacts,
    pub(super) since: Stopwatch,
}

/// A rate at a durability, and when it should be over.
struct Aim {
    durability: Durability,
    rate: Rate,
    deadline: Duration,
    /// A rate below it held: that this one does not says where the limit is.
    is_higher: bool,
}

impl Measurement<'_> {
    /// All of it. What was measured is in `comparison` also when something fails.
    pub(super) fn run(&self, comparison: &mut Comparison) -> Result<(), String> {
        for broker in self.brokers {
            self.plan.warm_up(broker)?;
        }
        for (number, &durability) in self.plan.levels.iter().enumerate() {
            let after = (self.plan.levels.len() - number - 1) as u32;
            match self.plan.rate {
                Some(rate) => {
                    let deadline =
                        self.plan.within.0.saturating_sub(self.length_of_a_rate() * after);
                    let aim = Aim { durability, rate, deadline, is_higher: false };
                    self.measure(&aim, comparison)?;
                }
                None => {
                    let left = self.plan.within.0.saturating_sub(self.since.elapsed());
                    self.climb(durability, self.since.elapsed() + left / (after + 1), comparison)?;
                }
            }
        }
        Ok(())
    }

    /// The rates of a ladder at one durability, as long as the next is over by `deadline`.
    fn climb(
        &self,
        durability: Durability,
        deadline: Duration,
        comparison: &mut Comparison,
    ) -> Result<(), String> {
        let (first, mut ladder) = (comparison.levels.len(), Ladder::default());
        let (mut problem, mut is_in_time, mut outcome) = (None, true, Ok(()));
        while let Some(rate) = ladder.next_rate().filter(|_| outcome.is_ok()) {
            let is_higher = ladder.highest().is_some();
            is_in_time = !is_higher || self.since.elapsed() + self.length_of_a_rate() <= deadline;
            if !is_in_time {
                break;
            }
            let aim = Aim { durability, rate: Rate::PerSecond(rate), deadline, is_higher };
            outcome = self.measure(&aim, comparison);
            let found = comparison.levels[first..].last().and_then(Level::problem);
            ladder.tried(outcome.is_ok() && found.is_none());
            problem = found.or(problem);
        }
        let rate = |level: &Level| level.sides[0].rates.asked_per_s.unwrap_or(0.0);
        comparison.levels[first..].sort_by(|one, other| rate(one).total_cmp(&rate(other)));
        outcome?;
        let time_up = (!is_in_time).then_some(self.plan.within);
        let sentence = ladder.sentence(problem.as_deref(), time_up);
        self.plan.say(&format!("{durability}: {sentence}"));
        comparison.ends.push(End { durability: durability.to_string(), sentence });
        Ok(())
    }

    /// Measures a rate: the level, if there is one, goes to `comparison`.
    ///
    /// # Errors
    /// Why there can be no other.
    fn measure(&self, aim: &Aim, comparison: &mut Comparison) -> Result<(), String> {
        let mut rounds =
            Rounds { runs: vec![Vec::new(); self.brokers.len()], repeated: Vec::new() };
        let mut outcome = self.rounds(aim, &mut rounds);
        // A target that goes under at a higher rate has shown where its limit is; whoever interrupts wants an end.
        let went_under = rounds.runs.iter().flatten().any(|(_, run)| run.stopped.is_some());
        if aim.is_higher && went_under && !termination_requested() {
            outcome = Ok(());
        }
        if let Some(mut level) = self.level(aim, rounds)? {
            let does_not_hold = level.problem().is_some() && !level.is_faulty(went_under);
            level.is_limit = aim.is_higher && outcome.is_ok() && does_not_hold;
            comparison.levels.push(level);
        }
        outcome
    }

    /// How long a rate takes.
    fn length_of_a_rate(&self) -> Duration {
        self.length_of_a_round() * self.plan.rounds as u32
    }

    fn length_of_a_round(&self) -> Duration {
        let scenario = &self.plan.scenario;
        (scenario.warm_up.0 + scenario.duration.0 + OVERHEAD) * self.brokers.len() as u32
    }

    /// The level that `rounds` make, written; none when there is none.
    fn level(&self, aim: &Aim, rounds: Rounds) -> Result<Option<Level>, String> {
        let Rounds { runs, repeated } = rounds;
        let measured: Vec<&Vec<Run>> = runs.iter().filter(|runs| !runs.is_empty()).collect();
        let sides: Vec<RunResult> = measured.iter().map(|runs| pool::pool(runs)).collect();
        for (side, runs) in sides.iter().zip(&measured) {
            let directory = self.plan.side(aim.durability, aim.rate, &side.target);
            output::write(&directory, output::files(side, &pool::measured(runs)))?;
        }
        if sides.is_empty() {
            return Ok(None);
        }
        refuse_unequal(&sides)?;
        let ratios = ratios::ratios(&runs);
        let (durability, rate) = (aim.durability.to_string(), aim.rate.to_string());
        Ok(Some(Level { durability, rate, is_limit: false, repeated, sides, ratios }))
    }

    /// The rounds of a rate; what was measured is in `rounds` also when one fails. One that is not valid is measured once more:
    /// it may have been the host's for a moment. Where a ladder's rate does not hold then, further rounds would show the same.
    fn rounds(&self, aim: &Aim, rounds: &mut Rounds) -> Result<(), String> {
        for round in 1..=self.plan.rounds {
            let mut outcome = self.round(aim, round, "", &mut rounds.runs);
            let is_worth_it = outcome.is_ok() && rounds.may_be_chance();
            let problem = rounds.problem().filter(|_| is_worth_it && self.may_repeat(aim, round));
            if let Some(problem) = problem {
                let (round, of) = (round, self.plan.rounds);
                self.plan.say(&format!("round {round}/{of} once more: {problem}"));
                let mut again = vec![Vec::new(); self.brokers.len()];
                outcome = self.round(aim, round, "-again", &mut again);
                rounds.replace_last(again, format!("round {round}, in which {problem}"));
            }
            outcome?;
            if self.plan.rate.is_none() && rounds.problem().is_some() {
                break;
            }
        }
        Ok(())
    }

    /// Whether there is time for `round` again, with those that are to follow.
    fn may_repeat(&self, aim: &Aim, round: usize) -> bool {
        let rounds = 1 + self.plan.rounds - round;
        self.since.elapsed() + self.length_of_a_round() * rounds as u32 <= aim.deadline
    }

    /// Every broker once.
    fn round(
        &self,
        aim: &Aim,
        round: usize,
        mark: &str,
        runs: &mut [Vec<Run>],
    ) -> Result<(), String> {
        let (plan, &Aim { durability, rate, .. }) = (self.plan, aim);
        for (broker, runs) in self.brokers.iter().zip(runs.iter_mut()) {
            let at = if plan.rate.is_none() { format!(" {rate}/s") } else { String::new() };
            let name =
                format!("{durability}{at} round {round}/{} {:<14}", plan.rounds, broker.name);
            let job = plan.job(broker, durability, rate, &name);
            settle_disk(&plan.out)?;
            let measured =
                measure(&job).map_err(|sentence| format!("{}: {sentence}", broker.name))?;
            let mut result = RunResult::new(&broker.name, &job, &measured, self.host.clone());
            if let Some(declared) = broker.declared {
                result.durability = declared.to_string();
            }
            plan.say(&format!("{name}  {}", ratios::in_a_line(&result)));
            let directory =
                plan.side(durability, rate, &broker.name).join(format!("round-{round}{mark}"));
            let files = output::files(&result, &measured);
            let stopped = measured.stopped.clone();
            runs.push((result, measured));
            output::write(&directory, files)?;
            if let Some(sentence) = stopped {
                return Err(format!("{}: {sentence}", broker.name));
            }
        }
        Ok(())
    }
}

/// The runs at a rate, of each broker, and which were measured again.
struct Rounds {
    runs: Vec<Vec<Run>>,
    repeated: Vec<String>,
}

impl Rounds {
    /// Why the last round of some broker is not valid.
    fn problem(&self) -> Option<String> {
        self.last().find_map(|(result, _)| result.problem())
    }

    /// Whether the last round's problem may have been the host's for a moment. Records that are missing or wrong are no chance,
    /// and a run that was too short would be so again.
    fn may_be_chance(&self) -> bool {
        let is_faulty =
            self.last().any(|(result, run)| result.records.is_faulty(run.stopped.is_some()));
        let is_short = self.problem().is_some_and(|problem| blames_the_duration(&problem));
        !is_faulty && !is_short
    }

    fn last(&self) -> impl Iterator<Item = &Run> {
        self.runs.iter().filter_map(|runs| runs.last())
    }

    /// Puts `again` in the place of the last round.
    fn replace_last(&mut self, again: Vec<Vec<Run>>, what: String) {
        for (runs, again) in self.runs.iter_mut().zip(again) {
            runs.pop();
            runs.extend(again);
        }
        self.repeated.push(what);
    }
}
