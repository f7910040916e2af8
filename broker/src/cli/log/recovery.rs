//! `ringlane log recovery`: what a start would do with each log, without doing it.

use std::path::PathBuf;

use clap::Args;
use ringlane_controller::{ClusterImage, DIRECTORY_NAME, image_on_disk};
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
/// what the journals hold. The log of a topic that the cluster does not have it sets aside.
#[derive(Args, Clone)]
pub(crate) struct Recovery {
    /// A broker's data directory.
    dir: PathBuf,
    /// The log directory with the controller's data, which says what topics there are, if that is another one.
    #[arg(long, value_name = "DIR")]
    metadata: Option<PathBuf>,
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
        let metadata = self.metadata.as_ref().unwrap_or(&self.dir).join(DIRECTORY_NAME);
        let image = image_on_disk(&disk, &metadata).await;
        let image = image.map_err(|error| Failure::Failed(error.to_string()))?;
        if self.metadata.is_some() && image.is_none() {
            let metadata = metadata.display();
            return Err(Failure::Usage(format!("{metadata} has no controller's data")));
        }
        let told = logs.iter().map(|log| (log, is_stray(log, image.as_ref())));
        let told: Vec<Told<'_>> = told.collect();
        match self.json {
            true => print_json(&Value::Array(told.iter().map(log_json).collect()))?,
            false => print_table(&told)?,
        }
        match logs.iter().filter(|log| log.problem.is_some()).count() {
            0 => Ok(()),
            count => {
                Err(Failure::Failed(format!("{count} of {} logs would stay offline", logs.len())))
            }
        }
    }
}

/// A log, and whether the cluster has no topic for it; `None` where nothing says what topics there are.
type Told<'a> = (&'a LogRecovery, Option<bool>);

fn is_stray(log: &LogRecovery, image: Option<&ClusterImage>) -> Option<bool> {
    Some(image?.topic_by_id(log.topic_id).is_none())
}

fn print_table(told: &[Told<'_>]) -> Result<(), Failure> {
    let head = ["LOG", "RECOVERY POINT", "LOG END", "JOURNAL BYTES", "SYNCED BYTES", "OF FILE"];
    let mut table = Table::new(&head);
    for (log, _) in told {
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
    for (log, is_stray) in told {
        if let Some(problem) = &log.problem {
            print(format!("{}: {problem}\n", name(log)))?;
        }
        if *is_stray == Some(true) {
            let what = "belongs to a topic that the cluster does not have: a start sets it aside";
            print(format!("{}: {what}\n", name(log)))?;
        }
    }
    Ok(())
}

fn name(log: &LogRecovery) -> String {
    format!("{}-{}", log.topic, log.partition.0)
}

fn log_json((log, is_stray): &Told<'_>) -> Value {
    json!({
        "topic": log.topic,
        "partition": log.partition.0,
        "file": log.file.display().to_string(),
        "position": log.position,
        "recovery_point": log.recovery_point.0,
        "log_end_offset": log.log_end_offset.0,
        "journal_bytes": log.journal_bytes,
        "problem": log.problem,
        "stray": is_stray,
    })
}
