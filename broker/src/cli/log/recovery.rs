//! `ringlane log recovery`: what a start would do with each log, without doing it.

use std::path::PathBuf;

use clap::Args;
use ringlane_reactor::Reactor;
use ringlane_storage::inspect::{LogRecovery, Target, log_recoveries};
use serde_json::{Value, json};

use super::progress::Progress;
use super::{on_shard, warn_if_in_use};
use crate::cli::failure::Failure;
use crate::cli::output::{Table, print, print_json};

/// Say what a start would do with the logs of a data directory: what is synced, where each would end.
///
/// Nothing is changed. A start checks the batches of each log from the position in the file on, after it has written back
/// what the journals hold. Which topics there are the controller's log says, and only a start decides where that ends: the
/// log of a deleted topic is told like the others, where a start sets it aside.
#[derive(Args, Clone)]
pub(crate) struct Recovery {
    /// A broker's data directory.
    dir: PathBuf,
    /// As JSON, an array with an object for each log.
    #[arg(long)]
    json: bool,
}

impl Recovery {
    pub(crate) fn run(self) -> Result<(), Failure> {
        on_shard(move |reactor| self.clone().tell(reactor))
    }

    async fn tell(self, reactor: Reactor) -> Result<(), Failure> {
        let disk = reactor.disk();
        let Target::DataDirectory(partitions) = Target::of(&disk, &self.dir).await? else {
            let dir = self.dir.display();
            return Err(Failure::Usage(format!("{dir} is no broker's data directory")));
        };
        warn_if_in_use(&reactor, &self.dir).await;
        let progress = Progress::new(&reactor, None);
        let add = |bytes| progress.add(bytes);
        let logs = log_recoveries(&disk, &self.dir, &partitions, &add).await?;
        drop(progress);
        match self.json {
            true => print_json(&Value::Array(logs.iter().map(log_json).collect()))?,
            false => print_table(&logs)?,
        }
        match logs.iter().filter(|log| log.problem.is_some()).count() {
            0 => Ok(()),
            count => {
                Err(Failure::Failed(format!("{count} of {} logs would stay offline", logs.len())))
            }
        }
    }
}

fn print_table(logs: &[LogRecovery]) -> Result<(), Failure> {
    let head = ["LOG", "RECOVERY POINT", "LOG END", "JOURNAL BYTES", "SYNCED BYTES", "OF FILE"];
    let mut table = Table::new(&head);
    for log in logs {
        table.row(vec![
            name(log),
            log.recovery_point.to_string(),
            log.log_end_offset.to_string(),
            log.journal_bytes.to_string(),
            log.position.to_string(),
            log.file.display().to_string(),
        ]);
    }
    print(table.text())?;
    let problems = logs.iter().filter_map(|log| Some((name(log), log.problem.as_ref()?)));
    problems.into_iter().try_for_each(|(name, problem)| print(format!("{name}: {problem}\n")))
}

fn name(log: &LogRecovery) -> String {
    format!("{}-{}", log.topic, log.partition.0)
}

fn log_json(log: &LogRecovery) -> Value {
    json!({
        "topic": log.topic,
        "partition": log.partition.0,
        "file": log.file.display().to_string(),
        "position": log.position,
        "recovery_point": log.recovery_point.0,
        "log_end_offset": log.log_end_offset.0,
        "journal_bytes": log.journal_bytes,
        "problem": log.problem,
    })
}
