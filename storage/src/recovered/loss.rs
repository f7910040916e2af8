//! What a crash does not explain: journals and checkpoints that were there and are gone. A start refuses a log directory of
//! which it cannot tell what is lost, until somebody takes the loss.

use std::path::{Path, PathBuf};

use ringlane_reactor::{DirEntry, Disk};

use super::Recovered;
use crate::error::StorageError;
use crate::journal::Reader;
use crate::names::Kind;
use crate::recovered::FoundJournal;
use crate::shard_checkpoint::{journal_directory, path};

/// The file in a log directory that says so.
pub(crate) const ACCEPTANCE: &str = "accept-journal-loss";

pub(super) fn acceptance(directory: &Path) -> PathBuf {
    directory.join(ACCEPTANCE)
}

impl Recovered {
    /// Takes note of checkpoints that are gone, their journals with them perhaps. `logs` are the directories of the logs in
    /// `directory`; none, where it is new. Not to be asked after a clean stop: nothing of them is needed then.
    ///
    /// # Errors
    /// The disk's.
    pub async fn miss_checkpoints(
        &mut self,
        disk: &Disk,
        directory: &Path,
        logs: impl IntoIterator<Item = &Path>,
    ) -> Result<(), StorageError> {
        let is_there =
            |shard: &u16| self.journals.get(shard).is_some_and(|found| found.id.is_some());
        let missing = if self.journals.is_empty() {
            let held = holds_records(disk, logs).await?;
            held.then(|| format!("nothing is in {}", journal_directory(directory).display()))
        } else {
            let shard = (0..self.shards).find(|shard| !is_there(shard));
            shard.map(|shard| format!("{} is missing", path(directory, shard).display()))
        };
        if self.damaged.is_none() {
            self.damaged = missing.map(|what| format!("{what}, and the last stop was not clean"));
        }
        Ok(())
    }

    /// Whether the loss of what journals held is accepted.
    pub(crate) fn accepts_loss(&self) -> bool {
        self.accepts_loss
    }

    /// Decides about what [`Recovered::damaged`] says, if anything.
    ///
    /// # Errors
    /// It is not accepted: what is lost, and how to go on.
    pub fn take_loss(&mut self, directory: &Path) -> Result<(), String> {
        let acceptance = acceptance(directory);
        let acceptance = acceptance.display();
        match self.damaged.take() {
            None => Ok(()),
            Some(damage) if self.accepts_loss => {
                tracing::warn!(
                    "{damage}: records that were acknowledged may be lost, which {acceptance} accepts"
                );
                Ok(())
            }
            Some(damage) => {
                let refusal = format!(
                    "{damage}: records that were acknowledged may be lost; put the right files back, or, to start without what only those held, create the empty file {acceptance}"
                );
                self.damaged = Some(damage);
                Err(refusal)
            }
        }
    }

    /// Removes, durably, the file that accepts a loss: after every log was settled, and before a journal is begun anew, since
    /// it is not meant for what that one will hold.
    ///
    /// # Errors
    /// The disk's.
    pub async fn end_acceptance(&self, disk: &Disk, directory: &Path) -> Result<(), StorageError> {
        if !self.accepts_loss {
            return Ok(());
        }
        let path = acceptance(directory);
        disk.remove_file(&path).await.map_err(StorageError::io("remove", &path))?;
        disk.sync_dir(directory).await.map_err(StorageError::io("sync", directory))?;
        tracing::info!("{} is removed: it holds for one start", path.display());
        Ok(())
    }
}

/// Whether any of the logs holds some: a journal is begun before there can be any.
async fn holds_records(
    disk: &Disk,
    logs: impl IntoIterator<Item = &Path>,
) -> Result<bool, StorageError> {
    for dir in logs {
        let names = disk.list(dir).await.map_err(StorageError::io("list", dir))?;
        let is_log = |entry: &DirEntry| matches!(Kind::parse(&entry.name), Some((Kind::Log, _)));
        if names.iter().any(|entry| is_log(entry) && entry.len > 0) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Why the journal of `shard` is not the one that the shard's checkpoint belongs to, or not all of it. The checkpoint
/// is written before the first group.
pub(crate) fn misplaced(
    directory: &Path,
    shard: u16,
    found: &FoundJournal,
    reader: &Reader,
) -> Option<String> {
    let checkpoint = path(directory, shard);
    let checkpoint = checkpoint.display();
    if found.id.is_none() {
        let holds_groups = reader.journal_id().is_some();
        return holds_groups
            .then(|| format!("{checkpoint} is missing, and the journal beside it holds records"));
    }
    let foreign = reader.foreign_groups();
    if foreign > 0 && !reader.has_own_groups() {
        return Some(format!(
            "the journal that {checkpoint} belongs to is not there, and {foreign} groups of another are, from another broker"
        ));
    }
    reader.lacks(&found.extent)
}
