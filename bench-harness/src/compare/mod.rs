//! Two brokers, one scenario, side by side: both started here, pinned to the same CPUs, warmed up, measured in turns A B A B
//! at equal durability, so that what disturbs the host disturbs both.

mod climb;
mod ladder;
mod level;
mod pool;
mod ratios;
mod summary;

use std::path::{Path, PathBuf};

use ringlane_reactor::termination_requested;
use serde::{Deserialize, Serialize};

use crate::brokers::{Broker, Kind, Stopwatch, remove};
use crate::generator::{Job, Measured, measure};
use crate::host::HostFacts;
use crate::output;
use crate::result::RunResult;
use crate::scenario::Scenario;
use crate::terminal::Live;
use crate::units::{Rate, Size, Span};
use crate::workload::Durability;

use climb::Measurement;

pub use level::Level;
pub(crate) use pool::pool;
pub use ratios::Ratio;
pub(crate) use ratios::in_a_line;
pub(crate) use summary::picture;
pub use summary::summary;

/// What is to be compared.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) kinds: Vec<Kind>,
    pub(crate) levels: Vec<Durability>,
    /// The only one; none to climb to the highest that all brokers hold.
    pub(crate) rate: Option<Rate>,
    /// No rate but the first is begun, and no round repeated, when it would not be over by then.
    pub(crate) within: Span,
    /// What was typed to get this.
    pub(crate) command: String,
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    /// What was typed to get this.
    pub command: String,
    /// By durability, and by rate where there are several.
    pub levels: Vec<Level>,
    /// Where each ladder of rates ended, and why.
    pub ends: Vec<End>,
}

/// Where a ladder of rates ended.
#[derive(Clone, Debug, Serialize)]
pub struct End {
    /// At this durability.
    pub durability: String,
    /// Why there.
    pub sentence: String,
}

/// A run with what was measured.
pub(crate) type Run = (RunResult, Measured);

/// Compares. What was measured is written as soon as it is known.
///
/// # Errors
/// A sentence, when nothing could be measured.
pub(crate) fn run(plan: &Plan) -> Result<Comparison, String> {
    // From here on a request to end is not lost, whether a shard runs to hear it or not.
    interrupted()?;
    let since = Stopwatch::start();
    for kind in &plan.kinds {
        kind.check_offers(&plan.scenario)?;
    }
    for kind in &plan.kinds {
        kind.check()?;
    }
    for kind in &plan.kinds {
        let prepared = kind.prepare();
        // Who interrupts a build or a download is not told that it failed.
        interrupted()?;
        prepared?;
    }
    let work = plan.out.join("brokers");
    plan.remove_earlier();
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
            command: plan.command.clone(),
            levels: Vec::new(),
            ends: Vec::new(),
        };
        let measurement = Measurement { plan, brokers: &brokers, host: &host, since };
        comparison.stopped = measurement.run(&mut comparison).err();
        comparison.valid =
            comparison.stopped.is_none() && comparison.levels.iter().all(Level::is_usable);
        comparison
    });
    remove(&work);
    outcome
}

/// # Errors
/// When the program was asked to end.
fn interrupted() -> Result<(), String> {
    match termination_requested() {
        true => Err("interrupted before anything was measured".into()),
        false => Ok(()),
    }
}

fn start(plan: &Plan, work: &Path) -> Result<Vec<Broker>, String> {
    let start = |kind: &Kind| {
        plan.say(&format!("starting {} ...", kind.name()));
        let retention = if plan.scenario.retention.0 > 0 { kind.busy_retention() } else { &[] };
        kind.start(&work.join(kind.name()), &plan.placement.brokers, retention)
    };
    let brokers: Result<Vec<Broker>, String> = plan.kinds.iter().map(start).collect();
    interrupted()?;
    let brokers = brokers?;
    for broker in &brokers {
        plan.say(&format!("{} serves after {:.1} s", broker.name, broker.start_s));
    }
    Ok(brokers)
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
    fn side(&self, durability: Durability, rate: Rate, name: &str) -> PathBuf {
        let kind = name.split(' ').next().unwrap_or(name);
        let level = self.out.join(durability.to_string());
        match self.rate {
            Some(_) => level.join(kind),
            None => level.join(format!("rate-{rate}")).join(kind),
        }
    }

    /// Removes what an earlier comparison left: results of two must not be taken for one.
    fn remove_earlier(&self) {
        let is_ours = self.out.join("compare.json").exists();
        let levels = [Durability::PageCache, Durability::Disk].map(|level| level.to_string());
        for folder in levels.iter().filter(|_| is_ours) {
            remove(&self.out.join(folder));
        }
        remove(&self.out.join("brokers"));
    }

    fn job(&self, broker: &Broker, durability: Durability, rate: Rate, name: &str) -> Job {
        // A broker of which it is declared is not told.
        let durability = broker.declared.map_or(durability, |_| Durability::Target);
        Job {
            target: broker.address.clone(),
            scenario: Scenario { durability, rate, ..self.scenario.clone() },
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
        let name = format!("{} warm-up", broker.name);
        let mut job =
            self.job(broker, Durability::PageCache, self.rate.unwrap_or(self.scenario.rate), &name);
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
