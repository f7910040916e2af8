//! What a start finds in a log directory besides the logs: the checkpoints of the shards that ran before, whatever their
//! number, and what their journals hold that no checkpoint covers. Plain data, for every shard of the new broker to share.

mod loss;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ringlane_batch::Offset;
use ringlane_reactor::Disk;

use crate::error::StorageError;
use crate::journal::{Extent, ListedLog, journals, remove_journal};
use crate::kept::{self, Kept};
use crate::leader_epochs::LeaderEpochs;
use crate::log_directory::is_missing;
use crate::replay::{Replayed, ReplayedLog};
use crate::shard_checkpoint::{
    LogKey, Record, ShardCheckpoint, journal_directory, parse_name, path,
};
use loss::acceptance;
pub(crate) use loss::{ACCEPTANCE, misplaced};

/// What is known of a log before its segments are looked at.
#[derive(Clone, Debug)]
pub(crate) struct FoundLog {
    pub(crate) basis: Basis,
    /// The number of its last journal entry.
    pub(crate) log_sequence: u64,
    pub(crate) log_start: Offset,
}

impl FoundLog {
    /// Of which a checkpoint has `record`, and its journal goes as far as `log_sequence`, with a start and the lowest offset
    /// it was truncated to.
    pub(crate) fn of(
        record: Option<&Arc<Record>>,
        log_sequence: u64,
        log_start: Option<Offset>,
        cut: Option<Offset>,
    ) -> Self {
        let recorded = record.map(|record| record.log_start.offset());
        let log_start = recorded.max(log_start).unwrap_or(Offset::ZERO);
        let basis = match record {
            None => Basis::Nothing,
            Some(record) if cut.is_some_and(|cut| cut < record.recovery_point.offset()) => {
                Basis::Truncation(record.epochs.clone())
            }
            Some(record) => Basis::Record(record.clone()),
        };
        Self { basis, log_sequence, log_start }
    }
}

/// What its recovery rests on.
#[derive(Clone, Debug)]
pub(crate) enum Basis {
    /// Nothing: no checkpoint has seen the log yet.
    Nothing,
    /// What the last checkpoint says.
    Record(Arc<Record>),
    /// It was truncated to before that; the epochs it had. The newest snapshot tells the producers.
    Truncation(LeaderEpochs),
}

/// The journal of a shard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct FoundJournal {
    /// Unknown where there are groups but no checkpoint.
    pub(crate) id: Option<u64>,
    /// Groups before it are covered by the checkpoint.
    pub(crate) first_group: u64,
    /// Behind the last one.
    pub(crate) next_group: u64,
    /// What the checkpoint says of its files.
    pub(crate) extent: Extent,
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Recovered {
    /// With the shard in whose file each was.
    records: BTreeMap<LogKey, (u16, Arc<Record>)>,
    journals: BTreeMap<u16, FoundJournal>,
    /// As many shards had each a checkpoint.
    shards: u16,
    replayed: BTreeMap<LogKey, ReplayedLog>,
    /// Files of logs that stayed offline at an earlier start.
    kept: BTreeMap<LogKey, Kept>,
    /// What is left of such a file that was not completed.
    unfinished: Vec<PathBuf>,
    /// Those of them whose logs the journals have, too: they count for nothing.
    superseded: BTreeSet<LogKey>,
    /// Logs of which the journals have more than their records cover, and which were not there to be replayed into.
    unplaced: BTreeSet<LogKey>,
    /// Why no log of the directory can be trusted.
    damaged: Option<String>,
    /// Somebody has seen it, and wants to go on with what there is.
    accepts_loss: bool,
}

impl Recovered {
    /// Reads the checkpoints in the log directory `directory`. The journals are replayed with [`crate::replay`].
    ///
    /// # Errors
    /// The disk's; `Corrupt` for a damaged checkpoint.
    pub async fn read(disk: &Disk, directory: &Path) -> Result<Self, StorageError> {
        let accepts_loss = !is_missing(disk, &acceptance(directory)).await?;
        let mut recovered = Self { accepts_loss, ..Self::default() };
        let dir = journal_directory(directory);
        for journal in journals(disk, &dir).await? {
            recovered.journals.insert(journal.shard, FoundJournal::default());
        }
        let names = match disk.list(&dir).await {
            Ok(names) => names,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(recovered),
            Err(error) => return Err(StorageError::io("list", &dir)(error)),
        };
        for shard in names.iter().filter_map(|entry| parse_name(&entry.name)) {
            let read = ShardCheckpoint::read(disk, &path(directory, shard), shard).await?;
            recovered.take_checkpoint(shard, read);
        }
        for entry in &names {
            if entry.name.ends_with(".kept.tmp") {
                recovered.unfinished.push(dir.join(&entry.name));
            }
            if let Some(key) = kept::parse_name(&entry.name) {
                let found = Kept::find(disk, &dir.join(&entry.name)).await?;
                recovered.kept.insert(key, found);
            }
        }
        Ok(recovered)
    }

    fn take_checkpoint(&mut self, shard: u16, checkpoint: ShardCheckpoint) {
        let ShardCheckpoint { journal_id, first_group, extent, shards, records } = checkpoint;
        self.shards = self.shards.max(shards);
        let (id, next_group) = (Some(journal_id), first_group);
        let journal = FoundJournal { id, first_group, next_group, extent };
        self.journals.insert(shard, journal);
        for (key, record) in records {
            let known = self.records.get(&key);
            if known.is_none_or(|(_, known)| record.is_newer_than(known)) {
                self.records.insert(key, (shard, record));
            }
        }
    }

    /// The shards whose journals `shard` of `shards` replays. After a clean stop (`was_left_cleanly`) a checkpoint covers
    /// all that its journal holds.
    pub fn journals_for(&self, shard: u16, shards: u16, was_left_cleanly: bool) -> Vec<u16> {
        assert!(shard < shards, "shards are dense");
        let unread = |journal: &FoundJournal| !was_left_cleanly || journal.id.is_none();
        let journals = self.journals.iter().filter(|(_, journal)| unread(journal));
        journals.map(|(number, _)| *number).filter(|number| number % shards == shard).collect()
    }

    /// Whether the last checkpoint covers what a group had of the log: then nothing of it is needed.
    pub(crate) fn covers(&self, listed: &ListedLog) -> bool {
        let record = self.record((listed.topic_id, listed.partition));
        record.is_some_and(|record| listed.last_log_sequence <= record.log_sequence)
    }

    /// As many shards had each a checkpoint, as far as the files say.
    pub(crate) fn shards(&self) -> u16 {
        self.shards
    }

    /// Adds what the replay of one journal found.
    pub fn merge(&mut self, replayed: Replayed) {
        self.journals.insert(replayed.shard, replayed.journal);
        self.unplaced.extend(replayed.unplaced);
        if self.damaged.is_none() {
            self.damaged = replayed.damaged;
        }
        for (key, log) in replayed.logs {
            let known = self.replayed.get(&key);
            // A partition that moved was checkpointed before: its entries are in one journal.
            if known.is_none_or(|known| log.log_sequence > known.log_sequence) {
                self.replayed.insert(key, log);
            }
        }
    }

    /// The kept files of logs of which the journals have nothing: an entry that both have is the same.
    pub(crate) fn kept_logs(&self) -> impl Iterator<Item = (LogKey, &Kept)> {
        let all = self.kept.iter().filter(|(key, _)| !self.replayed.contains_key(key));
        all.map(|(key, kept)| (*key, kept))
    }

    /// Adds what the replay of the kept files found.
    pub(crate) fn take_kept(
        &mut self,
        found: BTreeMap<LogKey, ReplayedLog>,
        unplaced: BTreeSet<LogKey>,
    ) {
        self.unplaced.extend(unplaced);
        let in_journals = self.kept.keys().filter(|key| self.replayed.contains_key(key));
        self.superseded = in_journals.copied().collect();
        self.replayed.extend(found);
    }

    /// The kept file that counts for the log.
    pub(crate) fn kept(&self, key: LogKey) -> Option<&Kept> {
        self.kept.get(&key).filter(|_| !self.superseded.contains(&key))
    }

    /// Logs that none of what was replayed could be written into: deleted ones, those that were left out, and those that were
    /// moved away after a crash.
    pub fn unplaced(&self) -> impl Iterator<Item = LogKey> {
        self.unplaced.iter().copied()
    }

    /// Whether the log has lived in the directory, by what checkpoints, journals and kept files say.
    pub fn knows(&self, key: LogKey) -> bool {
        self.records.contains_key(&key) || self.replayed.contains_key(&key)
    }

    /// The journals that were found, by shard.
    pub(crate) fn journals(&self) -> impl Iterator<Item = (u16, FoundJournal)> {
        self.journals.iter().map(|(shard, journal)| (*shard, *journal))
    }

    /// Whether acknowledged entries of the log are lost.
    pub(crate) fn has_lost(&self, key: LogKey) -> bool {
        let damage = self.replayed.get(&key).and_then(|log| log.damage.as_ref());
        damage.is_some_and(|damage| damage.is_lossy)
    }

    /// Why no log of the directory can be trusted: entries of the journals are lost, and nobody knows whose.
    pub(crate) fn damaged(&self) -> Option<&str> {
        self.damaged.as_deref()
    }

    /// Removes, durably, the kept files of logs that are not in `offline`: after what was in them is in the logs for good.
    ///
    /// # Errors
    /// The disk's.
    pub async fn remove_kept(
        &self,
        disk: &Disk,
        offline: &BTreeMap<LogKey, String>,
    ) -> Result<(), StorageError> {
        for path in &self.unfinished {
            match disk.remove_file(path).await {
                // It was written anew.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                removed => removed.map_err(StorageError::io("remove", path))?,
            }
        }
        for (key, kept) in &self.kept {
            let was_replayed = self.replayed.contains_key(key) && !self.has_lost(*key);
            if was_replayed && !offline.contains_key(key) {
                kept.remove(disk).await?;
                tracing::info!(file = %kept.path.display(), "kept records are in their log again");
            }
        }
        Ok(())
    }

    /// Removes, durably, what shards left that are no more: after every log has been settled.
    ///
    /// # Errors
    /// The disk's.
    pub async fn remove_leftovers(
        &self,
        disk: &Disk,
        directory: &Path,
        shards: u16,
    ) -> Result<(), StorageError> {
        let dir = journal_directory(directory);
        // First, all of them: of files that are removed one by one a start would take those that are left for a damaged
        // journal, and miss the others.
        for (&shard, journal) in self.journals.range(shards..) {
            let Some(journal_id) = journal.id else { continue };
            let first_group = journal.next_group.max(journal.first_group);
            let emptied = ShardCheckpoint { journal_id, first_group, ..ShardCheckpoint::default() };
            let path = path(directory, shard);
            let written = disk.replace(&path, &emptied.encode(shard)).await;
            written.map_err(StorageError::io("write", &path))?;
        }
        for &shard in self.journals.range(shards..).map(|(shard, _)| shard) {
            let path = path(directory, shard);
            remove_journal(disk, &dir, shard).await?;
            match disk.remove_file(&path).await {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                removed => removed.map_err(StorageError::io("remove", &path))?,
            }
            disk.sync_dir(&dir).await.map_err(StorageError::io("sync", &dir))?;
        }
        // What a killed shard that is no more was about to put in its file's place.
        let names = disk.list(&dir).await.map_err(StorageError::io("list", &dir))?;
        for name in names.into_iter().map(|entry| entry.name) {
            let shard = name.strip_suffix(".tmp").and_then(parse_name);
            if shard.is_some_and(|shard| shard >= shards) {
                let path = dir.join(name);
                disk.remove_file(&path).await.map_err(StorageError::io("remove", &path))?;
            }
        }
        Ok(())
    }

    /// Logs that a checkpoint or a journal names.
    pub fn log_count(&self) -> usize {
        let only_replayed = self.replayed.keys().filter(|key| !self.records.contains_key(key));
        self.records.len() + only_replayed.count()
    }

    pub(crate) fn journal(&self, shard: u16) -> Option<FoundJournal> {
        self.journals.get(&shard).copied()
    }

    pub(crate) fn record(&self, key: LogKey) -> Option<&Arc<Record>> {
        self.records.get(&key).map(|(_, record)| record)
    }

    /// The shard whose file has the log's record.
    pub(crate) fn file_of(&self, key: LogKey) -> Option<u16> {
        self.records.get(&key).map(|(file, _)| *file)
    }

    /// What the file of `shard` said, and no other file says better.
    pub(crate) fn records_of(&self, shard: u16) -> BTreeMap<LogKey, Arc<Record>> {
        let own = self.records.iter().filter(|(_, (file, _))| *file == shard);
        own.map(|(key, (_, record))| (*key, record.clone())).collect()
    }

    /// Why the log must not be opened.
    pub(crate) fn damage_of(&self, key: LogKey) -> Option<&str> {
        let own = self.replayed.get(&key).and_then(|log| log.damage.as_ref());
        own.map(|damage| damage.reason.as_str()).or(self.damaged.as_deref())
    }

    pub(crate) fn log(&self, key: LogKey) -> FoundLog {
        let (record, replayed) = (self.record(key), self.replayed.get(&key));
        let recorded = record.map_or(0, |record| record.log_sequence);
        let log_sequence = replayed.map_or(recorded, |log| log.log_sequence.max(recorded));
        let log_start = replayed.and_then(|log| log.log_start);
        FoundLog::of(record, log_sequence, log_start, replayed.and_then(|log| log.cut))
    }
}
