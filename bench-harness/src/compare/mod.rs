//! Two brokers, one scenario, side by side: both started here, pinned to the same CPUs, warmed up, measured in turns A B A B
//! at equal durability, so that what disturbs the host disturbs both.

mod pool;
mod ratios;

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::brokers::{Broker, Kind, remove};
use crate::generator::{Job, Measured, measure};
use crate::host::HostFacts;
use crate::output;
use crate::result::RunResult;
use crate::scenario::Scenario;
use crate::terminal::Live;
use crate::units::{Size, Span};
use crate::workload::Durability;

pub use ratios::Ratio;

/// What is to be compared.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) kinds: Vec<Kind>,
    pub(crate) levels: Vec<Durability>,
    pub(crate) rounds: usize,
    /// Load on each broker before the first round, at the scenario's rate, that nobody measures.
    pub(crate) warm_up: Span,
    pub(crate) scenario: Scenario,
    pub(crate) sample: Option<Vec<u8>>,
    pub(crate) placement: Placement,
    pub(crate) out: PathBuf,
    pub(crate) quiet: bool,
}

/// Who runs where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Placement {
    /// The CPUs that both brokers are pinned to.
    pub brokers: Vec<usize>,
    /// The generator's.
    pub generator: Vec<usize>,
    /// What a reader must know of it.
    pub sentence: String,
}

impl Placement {
    /// Half of `cpus` for the brokers, the rest for the generator; all of them for both where there is only one.
    pub fn of(cpus: &[usize]) -> Self {
        assert!(!cpus.is_empty(), "a process runs somewhere");
        let (brokers, generator) = match cpus.len() {
            1 => (cpus, cpus),
            count => cpus.split_at(count / 2),
        };
        let sentence = match cpus.len() {
            1 => "the brokers and the load generator share the only CPU: latencies include waiting for each other".to_owned(),
            count => format!(
                "both brokers on CPU {}, the load generator on CPU {}{}",
                list(brokers),
                list(generator),
                if count == 2 { "; with two CPUs in all, what the host itself does disturbs either" } else { "" },
            ),
        };
        Self { brokers: brokers.to_vec(), generator: generator.to_vec(), sentence }
    }
}

fn list(cpus: &[usize]) -> String {
    cpus.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// What came of it, as `compare.json` holds it.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// Whether every run was valid.
    pub valid: bool,
    /// Why it ended early, if it did. What is here was measured before.
    pub stopped: Option<String>,
    /// Runs of each broker at each durability.
    pub rounds: usize,
    /// Who ran where.
    pub placement: Placement,
    /// Where it was measured.
    pub host: HostFacts,
    /// By durability.
    pub levels: Vec<Level>,
}

/// The comparison at one durability.
#[derive(Clone, Debug, Serialize)]
pub struct Level {
    /// `page-cache` or `disk`.
    pub durability: String,
    /// The brokers, over all rounds.
    pub sides: Vec<RunResult>,
    /// Of the second broker's figures to the first's.
    pub ratios: Vec<Ratio>,
}

/// A run with what was measured.
type Run = (RunResult, Measured);

/// Compares. What was measured is written as soon as it is known.
///
/// # Errors
/// A sentence, when nothing could be measured.
pub(crate) fn run(plan: &Plan) -> Result<Comparison, String> {
    for kind in &plan.kinds {
        kind.prepare()?;
    }
    let work = plan.out.join("brokers");
    remove(&work);
    let text = plan.scenario.write().into_bytes();
    output::write(&plan.out, vec![("scenario.toml".into(), text)])?;
    let host = HostFacts::read(&plan.out);
    let outcome = start(plan, &work).map(|brokers| {
        let mut comparison = Comparison {
            valid: false,
            stopped: None,
            rounds: plan.rounds,
            placement: plan.placement.clone(),
            host: host.clone(),
            levels: Vec::new(),
        };
        comparison.stopped = measure_all(plan, &brokers, &host, &mut comparison.levels).err();
        let mut sides = comparison.levels.iter().flat_map(|level| &level.sides);
        comparison.valid = comparison.stopped.is_none() && sides.all(|side| side.valid);
        comparison
    });
    remove(&work);
    outcome
}

fn start(plan: &Plan, work: &Path) -> Result<Vec<Broker>, String> {
    let start = |kind: &Kind| {
        plan.say(&format!("starting {} ...", kind.name()));
        let retention = if plan.scenario.retention.0 > 0 { kind.busy_retention() } else { &[] };
        kind.start(&work.join(kind.name()), &plan.placement.brokers, retention)
    };
    let brokers: Vec<Broker> = plan.kinds.iter().map(start).collect::<Result<_, _>>()?;
    for broker in &brokers {
        plan.say(&format!("{} serves after {:.1} s", broker.name, broker.start_s));
    }
    Ok(brokers)
}

fn measure_all(
    plan: &Plan,
    brokers: &[Broker],
    host: &HostFacts,
    levels: &mut Vec<Level>,
) -> Result<(), String> {
    for broker in brokers {
        plan.warm_up(broker)?;
    }
    for &durability in &plan.levels {
        let mut runs: Vec<Vec<Run>> = brokers.iter().map(|_| Vec::new()).collect();
        let outcome = measure_level(plan, brokers, host, durability, &mut runs);
        let sides: Vec<RunResult> =
            runs.iter().filter(|rounds| !rounds.is_empty()).map(|runs| pool::pool(runs)).collect();
        for (side, runs) in sides.iter().zip(&runs) {
            let measured = pool::measured(runs);
            let directory = plan.side(durability, &side.target);
            output::write(&directory, output::files(side, &measured))?;
        }
        if !sides.is_empty() {
            refuse_unequal(&sides)?;
            let ratios = ratios::ratios(&runs);
            levels.push(Level { durability: durability.to_string(), sides, ratios });
        }
        outcome?;
    }
    Ok(())
}

/// The rounds at one durability; what was measured is in `runs` also when one fails.
fn measure_level(
    plan: &Plan,
    brokers: &[Broker],
    host: &HostFacts,
    durability: Durability,
    runs: &mut [Vec<Run>],
) -> Result<(), String> {
    for round in 1..=plan.rounds {
        for (broker, runs) in brokers.iter().zip(runs.iter_mut()) {
            let name = format!("{durability} round {round}/{} {:<14}", plan.rounds, broker.name);
            let job = plan.job(broker, durability, &name);
            let measured =
                measure(&job).map_err(|sentence| format!("{}: {sentence}", broker.name))?;
            let result = RunResult::new(&broker.name, &job, &measured, host.clone());
            plan.say(&format!("{name}  {}", ratios::in_a_line(&result)));
            let directory = plan.side(durability, &broker.name).join(format!("round-{round}"));
            output::write(&directory, output::files(&result, &measured))?;
            let stopped = measured.stopped.clone();
            runs.push((result, measured));
            if let Some(sentence) = stopped {
                return Err(format!("{}: {sentence}", broker.name));
            }
        }
    }
    Ok(())
}

/// Figures of unequal durability are never set side by side.
fn refuse_unequal(sides: &[RunResult]) -> Result<(), String> {
    let first = &sides[0];
    let Some(other) = sides.iter().find(|side| side.durability != first.durability) else {
        return Ok(());
    };
    Err(format!(
        "{} acknowledges from {} and {} from {}: this would compare different promises",
        first.target, first.durability, other.target, other.durability
    ))
}

impl Plan {
    fn say(&self, line: &str) {
        if !self.quiet {
            eprintln!("{line}");
        }
    }

    /// The directory of a broker's results.
    fn side(&self, durability: Durability, name: &str) -> PathBuf {
        let kind = name.split(' ').next().unwrap_or(name);
        self.out.join(durability.to_string()).join(kind)
    }

    fn job(&self, broker: &Broker, durability: Durability, name: &str) -> Job {
        Job {
            target: broker.address.clone(),
            scenario: Scenario { durability, ..self.scenario.clone() },
            sample: self.sample.clone(),
            cpus: self.placement.generator.clone(),
            server_pid: Some(broker.pid),
            live: if self.quiet { Live::quiet() } else { Live::only_on_terminal(name) },
        }
    }

    fn warm_up(&self, broker: &Broker) -> Result<(), String> {
        if self.warm_up.0.is_zero() {
            return Ok(());
        }
        self.say(&format!("warming up {} ...", broker.name));
        let mut job = self.job(broker, Durability::PageCache, &format!("{} warm-up", broker.name));
        job.scenario.duration = self.warm_up;
        job.scenario.backlog = Span(std::time::Duration::ZERO);
        job.scenario =
            Scenario { history: Size(0), history_readers: 0, cold: false, ..job.scenario };
        let measured = measure(&job).map_err(|sentence| format!("{}: {sentence}", broker.name))?;
        measured.stopped.map_or(Ok(()), |stopped| Err(format!("{}: {stopped}", broker.name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brokers_and_generator_share_cpus_only_where_they_must() {
        let of = |cpus: &[usize]| {
            let placement = Placement::of(cpus);
            (placement.brokers, placement.generator)
        };
        assert_eq!(of(&[3]), (vec![3], vec![3]));
        assert_eq!(of(&[0, 1]), (vec![0], vec![1]));
        assert_eq!(of(&[0, 1, 2, 3, 4]), (vec![0, 1], vec![2, 3, 4]));
        assert!(Placement::of(&[3]).sentence.contains("share"));
    }
}
