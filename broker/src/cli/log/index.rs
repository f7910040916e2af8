//! `ringlane log index`: compares indexes with the batches, and builds those that are wrong anew.

use std::path::{Path, PathBuf};

use clap::Args;
use ringlane_reactor::{FileLock, Reactor};
use ringlane_storage::StorageError;
use ringlane_storage::inspect::{
    self, FileKind, IndexState, check_index, rebuild_index, unread_sentence,
};

use super::progress::Progress;
use super::verify::total_bytes;
use super::{on_shard, partitions, warn_if_in_use};
use crate::cli::failure::Failure;
use crate::cli::output::print;

/// Say which index files are missing or wrong; with --rebuild, build those anew from the batches.
#[derive(Args, Clone)]
pub(crate) struct Index {
    /// A broker's data directory, or the directory of one partition in it.
    dir: PathBuf,
    /// Build them anew. The broker must be stopped. Each file is replaced whole.
    #[arg(long)]
    rebuild: bool,
    /// Also those that are right.
    #[arg(long, requires = "rebuild")]
    all: bool,
    /// Bytes of batches between two entries, as index.interval.bytes of the topic.
    #[arg(long, value_name = "BYTES", default_value_t = 4096, requires = "rebuild")]
    interval_bytes: u32,
}

/// Keeps brokers away; what follows changes files.
async fn take_lock(reactor: &Reactor, dir: &Path) -> Result<Option<FileLock>, Failure> {
    inspect::lock(&reactor.disk(), dir).await.map_err(|error| match error {
        StorageError::InUse(dir) => Failure::Failed(format!(
            "a broker runs on {}: stop it before its indexes are rebuilt",
            dir.display()
        )),
        other => other.into(),
    })
}

/// What was done, or would be.
#[derive(Default)]
struct Tally {
    segments: u64,
    wrong: u64,
    /// Of which nothing could be read, or nothing written.
    failed: u64,
}

impl Tally {
    /// Tells why something is passed over: the others have their turn.
    fn fail(&mut self, error: &StorageError) -> Result<(), Failure> {
        self.failed += 1;
        print(format!("{}\n", unread_sentence(error)))
    }
}

impl Index {
    pub(crate) fn run(self) -> Result<(), Failure> {
        on_shard(move |reactor| self.clone().index(reactor))
    }

    async fn index(self, reactor: Reactor) -> Result<(), Failure> {
        let partitions = partitions(&reactor, &self.dir).await?;
        // Held to the end: a broker that starts meanwhile says that the directory is in use.
        let _lock = match self.rebuild {
            true => take_lock(&reactor, &self.dir).await?,
            false => {
                warn_if_in_use(&reactor, &self.dir).await;
                None
            }
        };
        let progress = Progress::new(&reactor, Some(total_bytes(&reactor, &partitions).await));
        let mut tally = Tally::default();
        for partition in &partitions {
            match partition.files(&reactor.disk()).await {
                Ok(files) => self.partition(&reactor, &files, &progress, &mut tally).await?,
                Err(error) => tally.fail(&error)?,
            }
        }
        drop(progress);
        let Tally { segments, wrong, failed } = tally;
        if failed > 0 {
            let dir = self.dir.display();
            let were = if self.rebuild { "were" } else { "are" };
            return Err(Failure::Failed(format!(
                "{dir}: {failed} could not be looked at or rebuilt; the indexes of {wrong} of {segments} other segments {were} wrong"
            )));
        }
        match (self.rebuild, wrong) {
            (true, _) => Ok(()),
            (false, 0) => {
                print(format!("the indexes of {segments} segments agree with the batches\n"))
            }
            (false, _) => Err(Failure::Failed(format!(
                "the indexes of {wrong} of {segments} segments are wrong: stop the broker and give --rebuild"
            ))),
        }
    }

    async fn partition(
        &self,
        reactor: &Reactor,
        files: &[(PathBuf, FileKind)],
        progress: &Progress,
        tally: &mut Tally,
    ) -> Result<(), Failure> {
        let segments: Vec<&Path> = files
            .iter()
            .filter(|(_, kind)| *kind == FileKind::Segment)
            .map(|(path, _)| path.as_path())
            .collect();
        for (index, path) in segments.iter().enumerate() {
            let is_complete = index + 1 < segments.len();
            let add = |bytes| progress.add(bytes);
            match check_index(&reactor.disk(), path, is_complete, &add).await {
                Ok(state) => self.segment(reactor, path, &state, tally).await?,
                Err(error) => tally.fail(&error)?,
            }
        }
        Ok(())
    }

    /// Tells what is wrong with the indexes of a segment, and builds them anew.
    async fn segment(
        &self,
        reactor: &Reactor,
        path: &Path,
        state: &IndexState,
        tally: &mut Tally,
    ) -> Result<(), Failure> {
        tally.segments += 1;
        tally.wrong += u64::from(!state.faults.is_empty());
        for fault in &state.faults {
            print(format!("{fault}\n"))?;
        }
        if state.damaged_bytes > 0 {
            print(format!(
                "{}: {} bytes are damaged and have no entries; see `ringlane log verify`\n",
                path.display(),
                state.damaged_bytes
            ))?;
        }
        if !self.rebuild || !self.all && state.faults.is_empty() {
            return Ok(());
        }
        match rebuild_index(&reactor.disk(), path, self.interval_bytes, &|_| ()).await {
            Ok([(_, offsets), (_, times)]) => print(format!(
                "{}: rebuilt with {offsets} offset and {times} time entries\n",
                path.with_extension("index").display()
            )),
            Err(error) => tally.fail(&error),
        }
    }
}
