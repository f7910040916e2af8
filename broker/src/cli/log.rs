//! `ringlane log`: looks at a data directory offline. Each subcommand is a file; what is found comes from
//! `ringlane_storage::inspect`, here it is printed.

use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use ringlane_reactor::{Reactor, ShardConfig, run_shards};
use ringlane_storage::StorageError;
use ringlane_storage::inspect::{self, PartitionPath, Target};

use super::failure::Failure;
use super::output::tell;

mod dump;
mod index;
mod marker;
mod progress;
mod recovery;
mod row;
mod told;
mod verify;

/// Look at the files of a broker that is stopped: show what they hold, check them, say what a
/// start would do, rebuild indexes.
#[derive(Args)]
#[command(after_help = "Examples:
  ringlane log dump ringlane-data/orders-0/00000000000000000000.log --records
  ringlane log dump ringlane-data --topic orders --partition 3 --json
  ringlane log verify ringlane-data
  ringlane log recovery ringlane-data
  ringlane log index ringlane-data
  ringlane log index --rebuild ringlane-data")]
pub(crate) struct Log {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Dump(dump::Dump),
    Verify(verify::Verify),
    Recovery(recovery::Recovery),
    Index(index::Index),
}

impl Log {
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self.command {
            Command::Dump(dump) => dump.run(),
            Command::Verify(verify) => verify.run(),
            Command::Recovery(recovery) => recovery.run(),
            Command::Index(index) => index.run(),
        }
    }
}

/// Runs `command` on a shard of its own.
fn on_shard<F>(command: impl Fn(Reactor) -> F + Send + Clone + 'static) -> Result<(), Failure>
where
    F: Future<Output = Result<(), Failure>> + 'static,
{
    let main = move |reactor: Reactor| {
        let running = command(reactor);
        async move { running.await.map_err(io::Error::other) }
    };
    run_shards(&ShardConfig::single(), main).map_err(|error| match error.downcast::<Failure>() {
        Ok(failure) => failure,
        Err(error) => Failure::Failed(format!("the command cannot run: {error}")),
    })
}

impl From<StorageError> for Failure {
    fn from(error: StorageError) -> Self {
        Self::Failed(error.to_string())
    }
}

/// Where a path leads to that may be "." or go through links; itself where nothing is there.
fn resolved(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_path_buf())
}

/// The partitions at `path`: itself, or those of a data directory.
async fn partitions(reactor: &Reactor, path: &Path) -> Result<Vec<PartitionPath>, Failure> {
    match Target::of(&reactor.disk(), path).await? {
        Target::DataDirectory(partitions) => Ok(partitions),
        Target::Partition(partition) => Ok(vec![partition]),
        Target::File(..) => Err(Failure::Usage(format!(
            "{} is a file: name the directory of a partition or of a broker's data",
            path.display()
        ))),
    }
}

/// Says on standard error which directories in the data directory `dir` hold logs that no start serves.
async fn tell_unserved(reactor: &Reactor, dir: &Path) -> Result<(), Failure> {
    for (path, why) in inspect::unserved(&reactor.disk(), dir).await? {
        tell(format!("ringlane: {}: {why}", path.display()));
    }
    Ok(())
}

/// Says on standard error that a broker runs on the directory, if one does: its files change meanwhile. Gives back whether one does.
async fn warn_if_in_use(reactor: &Reactor, dir: &Path) -> bool {
    // Other errors do not matter: a directory of someone else's, or read-only, can be looked at all the same.
    let locked = inspect::lock(&reactor.disk(), dir).await;
    if let Err(StorageError::InUse(dir)) = &locked {
        tell(format!(
            "ringlane: a broker runs on {}: the newest batches and index entries may look incomplete",
            dir.display()
        ));
    }
    matches!(locked, Err(StorageError::InUse(_)))
}
