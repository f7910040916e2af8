//! What a start would do with the logs of a data directory, without doing it: the checkpoints and journals are read as a
//! start reads them, and the journals' entries are laid over the segments in memory (`overlay.rs`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ringlane_batch::{Offset, PartitionIndex, TopicId};
use ringlane_reactor::Disk;

use super::overlay::{Overlay, Start};
use super::problem::unread_sentence;
use super::target::PartitionPath;
use super::writable;
use crate::error::StorageError;
use crate::journal::{Damage, Entry, Reader};
use crate::leader_epochs::LeaderEpochs;
use crate::log_directory::was_left_cleanly;
use crate::meta_properties::{self, MetaProperties};
use crate::names::{Kind, partition_directory_name};
use crate::partition_metadata;
use crate::recovered::{ACCEPTANCE, Basis, FoundLog, Recovered, misplaced};
use crate::recovery::missing::{start_lost, take_deleted};
use crate::recovery::refused::refused;
use crate::segment::{Entry as _, OffsetEntry, TimeEntry};
use crate::shard_checkpoint::{LogKey, Record, journal_directory};

const META_BYTES_MAX: u64 = 1 << 20;

/// What a start would do with one log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRecovery {
    /// The topic's name.
    pub topic: String,
    /// The partition's number.
    pub partition: PartitionIndex,
    /// The topic that the directory says it belongs to, if it does.
    pub topic_id: Option<TopicId>,
    /// How far it would come; `None` where its files cannot be read, or nobody wants to know.
    pub reach: Option<Reach>,
    /// Why the log would stay offline.
    pub problem: Option<String>,
}

/// How far a start would come with a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    /// The segment in which the check of the batches begins: the one that the shard's checkpoint names, else the first.
    pub file: PathBuf,
    /// So many bytes of it are known to be synced; the check begins behind them.
    pub position: u64,
    /// Every record before it is known to be synced.
    pub recovery_point: Offset,
    /// Where the log would end.
    pub log_end_offset: Offset,
    /// Bytes of the batches that the journal holds and no checkpoint covers.
    pub journal_bytes: u64,
    /// Where the log started by what was recorded, if its first segments are gone since and nothing deleted them.
    pub start_lost: Option<Offset>,
    /// The base offset of the segment in `file`.
    pub(super) base: Offset,
    /// Where the log would start.
    pub(super) log_start: Offset,
    /// The base offset of the first segment that would stay.
    pub first: Offset,
    /// A damaged snapshot from here on is written anew, or removed.
    pub(super) snapshots_from: Offset,
    /// So many bytes of the two indexes of that segment are known to be synced.
    pub(super) index_bytes: (u64, u64),
    /// The leader epochs up to the recovery point, where they are recorded.
    pub(super) epochs: LeaderEpochs,
}

impl LogRecovery {
    fn unfollowed(partition: &PartitionPath, topic_id: Option<TopicId>) -> Self {
        let (topic, partition) = (partition.topic.clone(), partition.partition);
        Self { topic, partition, topic_id, reach: None, problem: None }
    }

    fn unread(partition: &PartitionPath, topic_id: Option<TopicId>, problem: String) -> Self {
        Self { problem: Some(problem), ..Self::unfollowed(partition, topic_id) }
    }
}

/// What a start would do with `partitions`, all that lie in the log directory `directory`, of which those that are `wanted` are
/// followed to their ends. Nothing is written. Those for which
/// `is_log` says no are not the logs that their `partition.metadata` says: of them is told what their files hold, and nothing
/// that was recorded or journaled counts for them. One that cannot be read has a problem, and the others are told all the same.
/// `progress` is told of every so many bytes of segments read.
///
/// # Errors
/// The disk's; `Corrupt` for what would keep the broker from starting at all.
pub async fn log_recoveries(
    disk: &Disk,
    directory: &Path,
    partitions: &[PartitionPath],
    wanted: &dyn Fn(&PartitionPath) -> bool,
    is_log: &dyn Fn(&PartitionPath, TopicId) -> bool,
    progress: &dyn Fn(u64),
) -> Result<Vec<LogRecovery>, StorageError> {
    let is_new = !has_owner(disk, directory).await?;
    let mut recovered = Recovered::read(disk, directory).await?;
    let is_clean = was_left_cleanly(disk, directory).await?;
    let (mut whole, mut recoveries) = (Vec::with_capacity(partitions.len()), Vec::new());
    for partition in partitions {
        match partition_metadata::topic_of(disk, &partition.path).await {
            Ok(Some(topic_id)) => whole.push((partition, topic_id)),
            // A log that was never completely created is removed.
            Ok(None) => {}
            Err(error) => {
                let problem = unnamed_sentence(&error);
                recoveries.push(LogRecovery::unread(partition, None, problem));
            }
        }
    }
    if !is_clean {
        let logs = whole.iter().filter(|_| !is_new).map(|(partition, _)| &*partition.path);
        recovered.miss_checkpoints(disk, directory, logs).await?;
    }
    let mut named: BTreeMap<LogKey, Vec<&Path>> = BTreeMap::new();
    for (partition, topic_id) in whole.iter().filter(|(partition, id)| is_log(partition, *id)) {
        named.entry((*topic_id, partition.partition)).or_default().push(&partition.path);
    }
    let places = named.iter().map(|(key, paths)| (*key, paths[0])).collect();
    let mut journals = Journals::new(disk, &recovered, places);
    for shard in recovered.journals_for(0, 1, is_clean) {
        journals.read(directory, shard).await?;
    }
    journals.read_kept().await?;
    let refusal = match journals.refusal() {
        Some(refusal) => Some(refusal),
        None => writable::refused(disk, directory, &recovered).await?,
    };
    for (partition, topic_id) in whole {
        if !wanted(partition) {
            recoveries.push(LogRecovery::unfollowed(partition, Some(topic_id)));
            continue;
        }
        let (key, nothing) = ((topic_id, partition.partition), Overlay::default());
        let is_log = is_log(partition, topic_id);
        let overlay = journals.logs.get(&key).filter(|_| is_log).unwrap_or(&nothing);
        let record = recovered.record(key).filter(|_| is_log);
        let found = recovery(disk, partition, topic_id, record, overlay, progress).await;
        let mut found = found.unwrap_or_else(|error| {
            LogRecovery::unread(partition, Some(topic_id), unread_sentence(&error))
        });
        if is_log {
            let damage = overlay.problem().or_else(|| refusal.clone());
            let problem = damage.or_else(|| same_log(partition, &named[&key]));
            found.problem = problem.or(found.problem);
        }
        recoveries.push(found);
    }
    let name = |log: &LogRecovery| partition_directory_name(&log.topic, log.partition);
    recoveries.sort_by_key(name);
    Ok(recoveries)
}

/// Of a directory that does not say whose it is.
fn unnamed_sentence(error: &StorageError) -> String {
    match error {
        StorageError::Corrupt { .. } => {
            format!("{error}: a start leaves the directory as it is, and its partition offline")
        }
        _ => format!(
            "{}; a start that cannot read it either takes the whole log directory offline",
            unread_sentence(error)
        ),
    }
}

/// Nothing here tells which of two directories that say they are the same log is the one that a start serves.
fn same_log(partition: &PartitionPath, named: &[&Path]) -> Option<String> {
    let other = named.iter().find(|path| **path != partition.path)?.display();
    Some(format!("{other} says that it is the same log, and nothing here tells which of them is"))
}

/// Whether it says whose it is. Refuses the directory of another product or of a newer version, as a start does. Without the file a
/// start takes it.
async fn has_owner(disk: &Disk, directory: &Path) -> Result<bool, StorageError> {
    let path = meta_properties::path(directory);
    match disk.read(&path, META_BYTES_MAX).await {
        Ok(text) => MetaProperties::decode(&path, &text).map(|_| true),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(StorageError::io("read", &path)(error)),
    }
}

/// What the journals hold of each log that no checkpoint covers.
struct Journals<'a> {
    disk: &'a Disk,
    recovered: &'a Recovered,
    /// Where each log is: entries of others count for nothing.
    places: BTreeMap<LogKey, &'a Path>,
    logs: BTreeMap<LogKey, Overlay>,
    /// Why no log can be trusted.
    damaged: Option<String>,
}

impl<'a> Journals<'a> {
    fn new(disk: &'a Disk, recovered: &'a Recovered, places: BTreeMap<LogKey, &'a Path>) -> Self {
        let damaged = recovered.damaged().map(str::to_string);
        Self { disk, recovered, places, logs: BTreeMap::new(), damaged }
    }

    /// Why a start refuses the directory, if it does.
    fn refusal(&self) -> Option<String> {
        let damage = self.damaged.as_ref().filter(|_| !self.recovered.accepts_loss())?;
        Some(format!(
            "{damage}: a start uses the log directory only when that is mended, or when {ACCEPTANCE} in it accepts the loss"
        ))
    }

    async fn read(&mut self, directory: &Path, shard: u16) -> Result<(), StorageError> {
        let dir = journal_directory(directory);
        let found = self.recovered.journal(shard).expect("only journals that were found are read");
        let mut reader = Reader::open(self.disk, &dir, shard, found.id, found.first_group).await?;
        let mut logs: BTreeMap<LogKey, Overlay> = BTreeMap::new();
        if let Some(reason) = misplaced(directory, shard, &found, &reader) {
            self.damaged.get_or_insert(reason);
            if found.id.is_none() || !self.recovered.accepts_loss() {
                return Ok(());
            }
        }
        while let Some(group) = reader.next().await? {
            for damage in &group.damage {
                self.take_damage(shard, damage, &mut logs);
            }
            // Nothing of a torn group was acknowledged.
            let entries = if group.torn { Vec::new() } else { group.entries() };
            for entry in entries {
                self.take(&entry, &mut logs).await;
            }
        }
        for (key, log) in logs {
            let known = self.logs.get(&key);
            if known.is_none_or(|known| log.log_sequence > known.log_sequence) {
                self.logs.insert(key, log);
            }
        }
        Ok(())
    }

    async fn take(&self, entry: &Entry<'_>, logs: &mut BTreeMap<LogKey, Overlay>) {
        let key = (entry.head.topic_id, entry.head.partition);
        let (record, place) = (self.recovered.record(key), self.places.get(&key));
        let recorded = record.map_or(0, |record| record.log_sequence);
        if let Some(dir) = place
            && entry.head.log_sequence > recorded
        {
            let log = logs.entry(key).or_insert_with(|| Overlay::behind(record));
            log.take(self.disk, dir, record, entry).await;
        }
    }

    /// Files of entries that an earlier start kept count for the logs of which the journals have nothing.
    async fn read_kept(&mut self) -> Result<(), StorageError> {
        for (key, kept) in self.recovered.kept_logs() {
            if self.logs.contains_key(&key) {
                continue;
            }
            let mut taken = BTreeMap::new();
            let read = kept.entries(self.disk, async |entry| self.take(entry, &mut taken).await);
            let damage = match read.await {
                Err(StorageError::Corrupt { reason, .. }) => Some(reason),
                read => read.map(|()| kept.lost.clone())?,
            };
            let mut log = taken.remove(&key).unwrap_or_default();
            if let Some(damage) = damage {
                log = Overlay::default();
                log.damage = Some(kept.sentence(&damage));
            }
            self.logs.insert(key, log);
        }
        Ok(())
    }

    fn take_damage(&mut self, shard: u16, damage: &Damage, logs: &mut BTreeMap<LogKey, Overlay>) {
        let (first, last) = (damage.groups.start, damage.groups.end - 1);
        let reason =
            format!("groups {first} to {last} of the journal of shard {shard} are damaged");
        match &damage.logs {
            None => _ = self.damaged.get_or_insert(reason),
            Some(listed) => {
                for log in listed.iter().filter(|log| !self.recovered.covers(log)) {
                    let log = logs.entry((log.topic_id, log.partition)).or_default();
                    log.damage.get_or_insert_with(|| reason.clone());
                }
            }
        }
    }
}

async fn recovery(
    disk: &Disk,
    partition: &PartitionPath,
    topic_id: TopicId,
    record: Option<&Arc<Record>>,
    overlay: &Overlay,
    progress: &dyn Fn(u64),
) -> Result<LogRecovery, StorageError> {
    let dir = &partition.path;
    let names = disk.list(dir).await.map_err(StorageError::io("list", dir))?;
    let refused = refused(disk, dir, &names).await;
    let cut = overlay.lowest_cut.map(|cut| cut.offset);
    let found = FoundLog::of(record, overlay.log_sequence, overlay.log_start, cut);
    let log_start = found.log_start;
    let mut bases = overlay.bases(disk, dir).await?;
    // What lies wholly before the log's start was deleted.
    if let Some(first) = bases.range(..=log_start).next_back().copied() {
        bases = bases.split_off(&first);
    }
    let missing = take_deleted(&mut bases, &found).err();
    if matches!(found.basis, Basis::Truncation(_)) && overlay.is_all_deleted(log_start) {
        bases.retain(|base| *base >= log_start);
    }
    if missing.is_none() && bases.is_empty() {
        // A start makes the first one.
        bases.insert(log_start);
    }
    let first = bases.first().copied().unwrap_or(log_start);
    let start = start_of(&found.basis, overlay, first);
    let index_bytes = match &found.basis {
        Basis::Record(record) if start == start_at(record) => entries_bytes(record),
        _ => (0, 0),
    };
    let walked = overlay.end(disk, dir, &bases, start, progress).await?;
    let reach = Reach {
        file: Kind::Log.path(dir, start.base),
        position: start.position,
        recovery_point: start.offset,
        // A log that lost what lay behind its start goes on from there.
        log_end_offset: walked.end.max(log_start),
        journal_bytes: overlay.bytes,
        start_lost: start_lost(first, &found),
        base: start.base,
        log_start,
        first,
        snapshots_from: snapshots_from(&found.basis, start, first),
        index_bytes,
        epochs: match &found.basis {
            Basis::Record(record) => record.epochs.clone(),
            _ => LeaderEpochs::default(),
        },
    };
    Ok(LogRecovery {
        topic: partition.topic.clone(),
        partition: partition.partition,
        topic_id: Some(topic_id),
        reach: Some(reach),
        problem: refused.or(missing.map(str::to_string)).or(walked.problem),
    })
}

/// Where the check of a log begins whose first segment is `first`.
fn start_of(basis: &Basis, overlay: &Overlay, first: Offset) -> Start {
    match (basis, overlay.lowest_cut) {
        (Basis::Truncation(_), Some(cut)) if first <= cut.base => cut,
        // Otherwise retention has removed everything before the first one.
        (Basis::Record(record), _)
            if first < record.recovery_point.offset() || first <= record.segment_base =>
        {
            start_at(record)
        }
        _ => Start::of_segment(first),
    }
}

/// From where on damaged snapshots do not stay, where the check begins at `start` (`recovery/start.rs`).
fn snapshots_from(basis: &Basis, start: Start, first: Offset) -> Offset {
    match basis {
        // The newest that can be used is where it begins, and those behind it go.
        Basis::Truncation(_) => Offset::ZERO,
        Basis::Record(record) if start != start_at(record) => {
            if first == record.recovery_point.offset() { first } else { first.plus(1) }
        }
        _ => start.base.plus(1),
    }
}

fn start_at(record: &Record) -> Start {
    let (base, position) = (record.segment_base, record.position);
    Start { base, position, offset: record.recovery_point.offset() }
}

/// Of the index entries that were in the files.
fn entries_bytes(record: &Record) -> (u64, u64) {
    let bytes = |count: u32, entry_len: usize| u64::from(count) * entry_len as u64;
    (bytes(record.offset_entries, OffsetEntry::LEN), bytes(record.time_entries, TimeEntry::LEN))
}
