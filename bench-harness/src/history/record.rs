//! Measures the commit that is checked out: Ringlane is built from it and started, and runs each standing scenario a few
//! times, in turns, so that what disturbs the host for a while disturbs all.

use std::path::{Path, PathBuf};

use ringlane_reactor::{allowed_cpus, termination_requested};

use super::{Entry, Figures, Standing, standing};
use crate::brokers::{Broker, Commit, Kind, remove, settle_disk};
use crate::compare::{Placement, Run, pool};
use crate::generator::{Job, measure};
use crate::host::HostFacts;
use crate::page::date;
use crate::result::RunResult;
use crate::scenario::Scenario;
use crate::terminal::Live;

/// How it is to be measured.
pub(crate) struct Plan {
    pub(crate) rounds: usize,
    /// For the broker's data while it is measured.
    pub(crate) data: PathBuf,
    pub(crate) quiet: bool,
}

/// Measures `commit`.
///
/// # Errors
/// A sentence. A commit is measured whole or not at all.
pub(crate) fn record(plan: &Plan, commit: Commit) -> Result<Entry, String> {
    assert!(plan.rounds > 0, "what is measured is measured once at least");
    // From here on a request to end is not lost, whether a shard runs to hear it or not.
    let _ = termination_requested();
    let prepared = Kind::Ringlane.prepare();
    if termination_requested() {
        return Err("interrupted; nothing was recorded".into());
    }
    prepared?;
    // A line a commit has no room for every setting of the host.
    let host = HostFacts { tuning: None, ..HostFacts::read(&plan.data) };
    let placement = Placement::of(&allowed_cpus());
    remove(&plan.data);
    let started = Kind::Ringlane.start(&plan.data, &placement.brokers, &[]);
    let measured = started.and_then(|broker| plan.measure_all(&broker, &placement, &host));
    remove(&plan.data);
    let runs = measured?;
    let started_ms = runs[0].1[0].0.started_ms;
    Ok(Entry {
        commit: commit.hash,
        subject: commit.subject,
        date: date(started_ms),
        host,
        scenarios: runs.iter().map(|(standing, runs)| figures(standing, runs)).collect(),
    })
}

fn figures(standing: &Standing, runs: &[Run]) -> Figures {
    let rounds: Vec<&RunResult> = runs.iter().map(|(result, _)| result).collect();
    Figures::new(standing.name, &pool(runs), &rounds)
}

impl Plan {
    fn measure_all(
        &self,
        broker: &Broker,
        placement: &Placement,
        host: &HostFacts,
    ) -> Result<Vec<(Standing, Vec<Run>)>, String> {
        let mut all: Vec<(Standing, Vec<Run>)> =
            standing().into_iter().map(|standing| (standing, Vec::new())).collect();
        for round in 1..=self.rounds {
            for (standing, runs) in &mut all {
                let name = format!("round {round}/{} {:<20}", self.rounds, standing.name);
                let job = self.job(broker, placement, &standing.scenario, &name);
                settle_disk(&self.data)?;
                let measured = measure(&job)?;
                if let Some(stopped) = measured.stopped {
                    return Err(format!("{}: {stopped}; nothing was recorded", standing.name));
                }
                let result = RunResult::new(&broker.name, &job, &measured, host.clone());
                if !self.quiet {
                    eprintln!("{name}  {}", crate::compare::in_a_line(&result));
                }
                runs.push((result, measured));
            }
        }
        Ok(all)
    }

    fn job(&self, broker: &Broker, placement: &Placement, scenario: &Scenario, name: &str) -> Job {
        Job {
            target: broker.address.clone(),
            scenario: scenario.clone(),
            sample: None,
            cpus: placement.generator.clone(),
            server_pid: Some(broker.pid),
            live: if self.quiet { Live::quiet() } else { Live::only_on_terminal(name) },
        }
    }
}

/// Where the broker's data goes when nobody says: beside this program, which is on a disk, as a temporary folder may not be.
pub(crate) fn default_data(program: &Path) -> PathBuf {
    program.with_file_name(format!("ringlane-bench-history-{}", std::process::id()))
}
