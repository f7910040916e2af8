//! `ringlane log recovery`: what a start would do with each log, without doing it.

use std::path::PathBuf;

use clap::Args;
use ringlane_reactor::Reactor;
use ringlane_storage::inspect::{LogRecovery, Target};
use ringlane_storage::partition_directory_name;
use serde_json::{Value, json};

use super::progress::Progress;
use super::told::{Told, foretell, image};
use super::{on_shard, tell_unserved, warn_if_in_use};
use crate::cli::failure::Failure;
use crate::cli::output::{Table, print, print_json};

/// Say what a start would do with the logs of a data directory: what is synced, where each would end.
///
/// Nothing is changed. A start checks the batches of each log from the position in the file on, after it has written back
/// what the journals hold. The log of a topic that the cluster does not have it sets aside, and a copy of a log under another name.
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
        tell_unserved(&reactor, &self.dir).await?;
        let metadata = self.metadata.as_deref();
        let image = image(&disk, &self.dir, metadata).await?;
        let progress = Progress::new(&reactor, None);
        let add = |bytes| progress.add(bytes);
        let (image, all) = (image.as_ref(), |_: &_| true);
        let told = foretell(&disk, &self.dir, &partitions, &all, image, &add).await?;
        drop(progress);
        match self.json {
            true => print_json(&Value::Array(told.iter().map(log_json).collect()))?,
            false => print_table(&told)?,
        }
        match told.iter().filter(|told| told.log.problem.is_some()).count() {
            0 => Ok(()),
            count => {
                Err(Failure::Failed(format!("{count} of {} logs would stay offline", told.len())))
            }
        }
    }
}

fn print_table(told: &[Told]) -> Result<(), Failure> {
    let head = ["LOG", "RECOVERY POINT", "LOG END", "JOURNAL BYTES", "SYNCED BYTES", "OF FILE"];
    let mut table = Table::new(&head);
    for Told { log, .. } in told {
        let mut row = vec![name(log)];
        row.extend(match &log.reach {
            Some(reach) => vec![
                reach.recovery_point.to_string(),
                reach.log_end_offset.to_string(),
                reach.journal_bytes.to_string(),
                reach.position.to_string(),
                reach.file.display().to_string(),
            ],
            None => vec!["unknown".into(); head.len() - 1],
        });
        table.row(row);
    }
    print(table.text())?;
    for told in told {
        let name = name(&told.log);
        let reach = told.log.reach.as_ref();
        if let Some((was, first)) = reach.and_then(|reach| Some((reach.start_lost?, reach.first))) {
            print(format!(
                "{name}: the log started at {was}, and would start at {first}: its first segments are gone, and nothing here deleted them\n"
            ))?;
        }
        if let Some(problem) = &told.log.problem {
            print(format!("{name}: {problem}\n"))?;
        }
        if let Some(sentence) = told.stray_sentence() {
            print(format!("{name}: {sentence}\n"))?;
        }
    }
    Ok(())
}

fn name(log: &LogRecovery) -> String {
    partition_directory_name(&log.topic, log.partition)
}

fn log_json(told: &Told) -> Value {
    let log = &told.log;
    let reach = log.reach.as_ref();
    json!({
        "topic": log.topic,
        "partition": log.partition.0,
        "file": reach.map(|reach| reach.file.display().to_string()),
        "position": reach.map(|reach| reach.position),
        "recovery_point": reach.map(|reach| reach.recovery_point.0),
        "log_end_offset": reach.map(|reach| reach.log_end_offset.0),
        "journal_bytes": reach.map(|reach| reach.journal_bytes),
        "lost_log_start_offset": reach.and_then(|reach| reach.start_lost).map(|was| was.0),
        "problem": log.problem,
        "stray": told.is_stray(),
    })
}
