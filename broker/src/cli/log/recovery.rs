//! `ringlane log recovery`: what a start would do with each log, without doing it.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Args;
use ringlane::misnamed::{Claim, is_missing};
use ringlane_batch::{PartitionIndex, TopicId};
use ringlane_controller::{ClusterImage, DIRECTORY_NAME, image_on_disk};
use ringlane_reactor::Reactor;
use ringlane_storage::LogKey;
use ringlane_storage::inspect::{LogRecovery, PartitionPath, Target, log_recoveries};
use serde_json::{Value, json};

use super::progress::Progress;
use super::{on_shard, warn_if_in_use};
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
        let metadata = self.metadata.as_ref().unwrap_or(&self.dir).join(DIRECTORY_NAME);
        let image = image_on_disk(&disk, &metadata).await;
        let image = image.map_err(|error| Failure::Failed(error.to_string()))?;
        if self.metadata.is_some() && image.is_none() {
            let metadata = metadata.display();
            return Err(Failure::Usage(format!("{metadata} has no controller's data")));
        }
        let image = image.as_ref();
        let progress = Progress::new(&reactor, None);
        let add = |bytes| progress.add(bytes);
        let is_log = |path: &PartitionPath, id| {
            !matches!(claim(image, &path.topic, path.partition, id), Some(Claim::Misnamed(_)))
        };
        let mut logs = log_recoveries(&disk, &self.dir, &partitions, &is_log, &add).await?;
        drop(progress);
        let claims: Vec<_> = logs.iter().map(|log| claim_of(image, log)).collect();
        judge_misnamed(&mut logs, &claims);
        let told: Vec<Told<'_>> = logs.iter().zip(&claims).collect();
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

/// A log, and what its directory is to the cluster; `None` where nothing says what topics there are.
type Told<'a> = (&'a LogRecovery, &'a Option<Claim>);

fn claim(
    image: Option<&ClusterImage>,
    topic: &str,
    partition: PartitionIndex,
    id: TopicId,
) -> Option<Claim> {
    Some(Claim::of(image?, topic, partition, id))
}

fn claim_of(image: Option<&ClusterImage>, log: &LogRecovery) -> Option<Claim> {
    claim(image, &log.topic, log.partition, log.topic_id?)
}

fn key(log: &LogRecovery) -> Option<LogKey> {
    Some((log.topic_id?, log.partition))
}

/// A directory that is not the log that it says is set aside, unless it may be all that there is of that, or is in the way.
fn judge_misnamed(logs: &mut [LogRecovery], claims: &[Option<Claim>]) {
    let keys = logs.iter().zip(claims).filter(|(_, claim)| **claim == Some(Claim::Log));
    let there: BTreeSet<LogKey> = keys.filter_map(|(log, _)| key(log)).collect();
    for (log, claim) in logs.iter_mut().zip(claims) {
        let (Some(Claim::Misnamed(belongs)), Some(key)) = (claim, key(log)) else { continue };
        let right = &belongs.name;
        if is_missing(key, belongs, &there) {
            log.problem = Some(format!(
                "it says that it is {right}, which is not in this log directory: if no other has it, rename it to that while the broker is stopped"
            ));
        } else if belongs.is_in_the_way {
            log.problem = Some(format!("it says that it is {right}"));
        } else {
            // It is set aside unread, whether it can be read or not.
            log.problem = None;
        }
    }
}

/// Whether a start sets the directory aside.
fn is_stray((log, claim): &Told<'_>) -> Option<bool> {
    Some(match claim.as_ref()? {
        Claim::Log => false,
        Claim::Stray => true,
        Claim::Misnamed(_) => log.problem.is_none(),
    })
}

/// Why.
fn why_stray(claim: &Option<Claim>) -> String {
    match claim {
        Some(Claim::Misnamed(belongs)) => {
            format!("says that it is {}: a start sets it aside, unread", belongs.name)
        }
        _ => "belongs to a topic that the cluster does not have: a start sets it aside".into(),
    }
}

fn print_table(told: &[Told<'_>]) -> Result<(), Failure> {
    let head = ["LOG", "RECOVERY POINT", "LOG END", "JOURNAL BYTES", "SYNCED BYTES", "OF FILE"];
    let mut table = Table::new(&head);
    for (log, _) in told {
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
        let (log, claim) = told;
        if let Some(problem) = &log.problem {
            print(format!("{}: {problem}\n", name(log)))?;
        }
        if is_stray(told) == Some(true) {
            print(format!("{}: {}\n", name(log), why_stray(claim)))?;
        }
    }
    Ok(())
}

fn name(log: &LogRecovery) -> String {
    format!("{}-{}", log.topic, log.partition.0)
}

fn log_json(told: &Told<'_>) -> Value {
    let (log, _) = told;
    let reach = log.reach.as_ref();
    json!({
        "topic": log.topic,
        "partition": log.partition.0,
        "file": reach.map(|reach| reach.file.display().to_string()),
        "position": reach.map(|reach| reach.position),
        "recovery_point": reach.map(|reach| reach.recovery_point.0),
        "log_end_offset": reach.map(|reach| reach.log_end_offset.0),
        "journal_bytes": reach.map(|reach| reach.journal_bytes),
        "problem": log.problem,
        "stray": is_stray(told),
    })
}
