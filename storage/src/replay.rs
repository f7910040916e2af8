//! Writing what a journal holds back into the segments, before any log is opened. Each entry says where in its log's files it
//! belongs, so a hole in a segment stops nothing. Entries that a checkpoint covers are passed over, and so are those of
//! logs whose directory is gone. What is missing in between is damage: the logs concerned must not be opened.

pub(crate) mod short;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use ringlane_batch::Offset;
use ringlane_reactor::{Disk, File, Instant, OpenOptions, Reactor};

use crate::error::StorageError;
use crate::journal::{Damage, Entry, EntryHead, EntryKind, Reader, journal_files};
use crate::log_directory::PartitionDirectory;
use crate::names::Kind;
use crate::recovered::{FoundJournal, Recovered, misplaced};
use crate::shard_checkpoint::{LogKey, journal_directory};
use short::Short;

/// Nobody likes to look at a silent start for longer.
const PROGRESS_INTERVAL: std::time::Duration = std::time::Duration::from_secs(2);

/// What a journal had for a log.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReplayedLog {
    pub(crate) log_sequence: u64,
    pub(crate) log_start: Option<Offset>,
    /// The lowest offset it was truncated to.
    pub(crate) cut: Option<Offset>,
    pub(crate) damage: Option<LogDamage>,
    /// The segment that the log's record names is not as long as the record says, by what was read so far.
    short: Option<Short>,
}

/// Why a log must not be opened.
#[derive(Clone, Debug)]
pub(crate) struct LogDamage {
    pub(crate) reason: String,
    /// Acknowledged entries of it are lost. Otherwise the disk did not take what the journal has, and may the next time.
    pub(crate) is_lossy: bool,
}

/// What the replay of one journal found and did.
#[derive(Clone, Debug)]
pub struct Replayed {
    pub(crate) shard: u16,
    pub(crate) journal: FoundJournal,
    pub(crate) logs: BTreeMap<LogKey, ReplayedLog>,
    pub(crate) damaged: Option<String>,
    /// Logs of which it has what no checkpoint covers, and whose directories are not here: deleted, or moved away.
    pub(crate) unplaced: BTreeSet<LogKey>,
    /// Batches that were written into segments.
    pub batches: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Writes the journal of `shard` back into the segments of `partitions`, of which at most `open_files_max` are open at a time.
///
/// # Errors
/// When the journal's files cannot be read. What cannot be written is the damage of the log concerned.
pub async fn replay(
    reactor: &Reactor,
    directory: &Path,
    recovered: &Recovered,
    partitions: &[PartitionDirectory],
    shard: u16,
    open_files_max: usize,
) -> Result<Replayed, StorageError> {
    let disk = reactor.disk();
    let found = recovered.journal(shard).expect("only journals that were found are replayed");
    let mut replay = Replay::new(&disk, recovered, partitions, (shard, found), open_files_max);
    replay.run(reactor, directory).await?;
    let Replayed { batches, bytes, .. } = replay.found;
    if batches > 0 {
        tracing::info!(shard, batches, bytes, "wrote what a journal held back into the logs");
    }
    Ok(replay.found)
}

/// The same with the files of kept entries (`kept.rs`) of logs of which the journals, all replayed before, have nothing.
///
/// # Errors
/// The disk's. What is wrong with a file is the damage of its log.
pub async fn replay_kept(
    disk: &Disk,
    recovered: &mut Recovered,
    partitions: &[PartitionDirectory],
) -> Result<(), StorageError> {
    let mut found = BTreeMap::new();
    let mut replay = Replay::new(disk, recovered, partitions, (0, FoundJournal::default()), 1);
    for (key, kept) in recovered.kept_logs() {
        if !replay.directories.contains_key(&key) {
            let path = kept.path.display();
            tracing::warn!("{path} keeps records of a log that is not served from this directory");
            replay.found.unplaced.insert(key);
            continue;
        }
        if let Some(lost) = &kept.lost {
            replay.lose(key, &kept.sentence(lost));
        } else {
            let taken = kept.entries(disk, async |entry| replay.take(entry).await).await;
            match taken {
                Err(StorageError::Corrupt { reason, .. }) => {
                    replay.lose(key, &kept.sentence(&reason));
                }
                taken => taken?,
            }
        }
        replay.judge_short();
        found.insert(key, replay.found.logs.remove(&key).unwrap_or_default());
    }
    let unplaced = replay.found.unplaced;
    recovered.take_kept(found, unplaced);
    Ok(())
}

struct Replay<'a> {
    disk: &'a Disk,
    recovered: &'a Recovered,
    directories: BTreeMap<LogKey, PathBuf>,
    open_files_max: usize,
    /// The segments that are open, by log and base.
    files: BTreeMap<(LogKey, Offset), File>,
    found: Replayed,
}

impl<'a> Replay<'a> {
    fn new(
        disk: &'a Disk,
        recovered: &'a Recovered,
        partitions: &[PartitionDirectory],
        (shard, journal): (u16, FoundJournal),
        open_files_max: usize,
    ) -> Self {
        let directories = partitions.iter().filter_map(|partition| {
            Some(((partition.topic_id?, partition.partition), partition.path.clone()))
        });
        let (logs, unplaced) = (BTreeMap::new(), BTreeSet::new());
        let found =
            Replayed { shard, journal, logs, damaged: None, unplaced, batches: 0, bytes: 0 };
        let directories = directories.collect();
        Self { disk, recovered, directories, open_files_max, files: BTreeMap::new(), found }
    }

    async fn run(&mut self, reactor: &Reactor, directory: &Path) -> Result<(), StorageError> {
        let dir = journal_directory(directory);
        let FoundJournal { id, first_group, extent, .. } = self.found.journal;
        // A group whose write a killed process did not see completed may be read now and not be on the device: nothing is
        // done on its word before it is.
        for path in journal_files(self.disk, &dir, self.found.shard).await? {
            let file = self.disk.open(&path, OpenOptions::WRITE).await;
            let file = file.map_err(StorageError::io("open", &path))?;
            file.sync_data().await.map_err(StorageError::io("sync", &path))?;
        }
        let mut reader = Reader::open(self.disk, &dir, self.found.shard, id, first_group).await?;
        let (found_id, next_group) = (reader.journal_id(), reader.next_sequence());
        self.found.damaged = misplaced(directory, self.found.shard, &self.found.journal, &reader);
        self.found.journal = FoundJournal { id: found_id, first_group, next_group, extent };
        if reader.foreign_groups() > 0 {
            let (shard, groups) = (self.found.shard, reader.foreign_groups());
            tracing::warn!(shard, groups, "passed over groups of another broker's journal");
        }
        // Without a checkpoint nobody knows where what is needed begins.
        let is_readable = id.is_some() && self.recovered.accepts_loss();
        if let Some(damage) = &self.found.damaged {
            // Of several journals each says its own.
            tracing::error!("{damage}");
            if !is_readable {
                return Ok(());
            }
        }
        let mut said: Instant = reactor.now();
        while let Some(group) = reader.next().await? {
            for damage in &group.damage {
                self.take_damage(damage);
            }
            // Nothing of a torn group was acknowledged.
            let entries = if group.torn { Vec::new() } else { group.entries() };
            for entry in entries {
                self.take(&entry).await;
            }
            if reactor.now() - said >= PROGRESS_INTERVAL {
                said = reactor.now();
                let (shard, batches, bytes) =
                    (self.found.shard, self.found.batches, self.found.bytes);
                tracing::info!(shard, batches, bytes, "writing a journal back into the logs");
            }
        }
        self.judge_short();
        Ok(())
    }

    /// Everything was read: nothing has explained why a segment is short.
    fn judge_short(&mut self) {
        let short =
            self.found.logs.iter().filter_map(|(key, log)| Some((*key, log.short.as_ref()?)));
        let damaged: Vec<_> = short.map(|(key, short)| (key, short.damage())).collect();
        damaged.into_iter().for_each(|(key, damage)| self.damage(key, damage));
    }

    fn take_damage(&mut self, damage: &Damage) {
        let (shard, groups) = (self.found.shard, &damage.groups);
        let reason = format!(
            "groups {} to {} of the journal of shard {shard} are damaged, and they were acknowledged",
            groups.start,
            groups.end - 1
        );
        tracing::error!("{reason}");
        match &damage.logs {
            None => _ = self.found.damaged.get_or_insert(reason),
            Some(logs) => {
                for log in logs.iter().filter(|log| !self.recovered.covers(log)) {
                    self.lose((log.topic_id, log.partition), &reason);
                }
            }
        }
    }

    /// Acknowledged entries of the log are lost.
    fn lose(&mut self, key: LogKey, reason: &str) {
        self.damage(key, LogDamage { reason: reason.to_string(), is_lossy: true });
    }

    fn damage(&mut self, key: LogKey, damage: LogDamage) {
        let known = &mut self.found.logs.entry(key).or_default().damage;
        if known.as_ref().is_none_or(|known| damage.is_lossy && !known.is_lossy) {
            *known = Some(damage);
        }
    }

    /// One entry of the journal, in its order.
    async fn take(&mut self, entry: &Entry<'_>) {
        let key = (entry.head.topic_id, entry.head.partition);
        let recorded = self.recovered.record(key).map_or(0, |record| record.log_sequence);
        let sequence = entry.head.log_sequence;
        if sequence <= recorded {
            return;
        }
        let Some(dir) = self.directories.get(&key).cloned() else {
            self.found.unplaced.insert(key);
            return;
        };
        let log = self.found.logs.entry(key).or_default();
        let before = log.log_sequence.max(recorded);
        if log.damage.is_some() {
            return;
        }
        if sequence != before + 1 {
            let reason =
                format!("entry {sequence} of the log follows entry {before} in the journal");
            return self.lose(key, &reason);
        }
        log.log_sequence = sequence;
        if let Err(error) = self.apply(key, &dir, entry).await {
            let reason = format!("cannot write back what the journal holds: {error}");
            self.damage(key, LogDamage { reason, is_lossy: false });
        }
    }

    async fn apply(&mut self, key: LogKey, dir: &Path, entry: &Entry<'_>) -> std::io::Result<()> {
        let head = &entry.head;
        let log = self.found.logs.entry(key).or_default();
        match head.kind {
            EntryKind::LogStart => {
                log.log_start = log.log_start.max(Some(head.base_offset));
                // All that belongs there was deleted.
                log.short.take_if(|short| short.is_deleted_before(head.base_offset));
            }
            EntryKind::Truncate => {
                let cut = log.cut.map_or(head.base_offset, |cut| cut.min(head.base_offset));
                log.cut = Some(cut);
                log.short.take_if(|short| short.is_cut_at(head.segment_base, head.position));
                self.files.retain(|(open, _), _| *open != key);
                self.truncate(dir, head.segment_base, u64::from(head.position), head.base_offset)
                    .await?;
            }
            EntryKind::Batch => {
                let Some(file) = self.file(key, dir, head).await? else { return Ok(()) };
                file.write_at(entry.payload, u64::from(head.position))?;
                self.found.batches += 1;
                self.found.bytes += entry.payload.len() as u64;
            }
        }
        Ok(())
    }

    /// The segment that the batch of `head` belongs into; `None` when it is shorter than it was when it was synced.
    async fn file(
        &mut self,
        key: LogKey,
        dir: &Path,
        head: &EntryHead,
    ) -> std::io::Result<Option<File>> {
        let base = head.segment_base;
        let log = self.found.logs.entry(key).or_default();
        if log.short.as_mut().is_some_and(|short| short.takes(head)) {
            return Ok(None);
        }
        if let Some(file) = self.files.get(&(key, base)) {
            return Ok(Some(file.clone()));
        }
        if self.files.len() >= self.open_files_max {
            self.files.clear();
        }
        let path = Kind::Log.path(dir, base);
        if log.cut.is_none() {
            let record = self.recovered.record(key);
            if let Some(short) = Short::find(self.disk, dir, record, head).await? {
                log.short = Some(short);
                return Ok(None);
            }
        }
        let file = self.disk.open(&path, OpenOptions::CREATE).await?;
        self.files.insert((key, base), file.clone());
        Ok(Some(file))
    }

    /// Cuts the log's files as the truncation did: later segments and snapshots go, the one that holds the cut ends there.
    async fn truncate(
        &self,
        dir: &Path,
        base: Offset,
        position: u64,
        new_end: Offset,
    ) -> std::io::Result<()> {
        for entry in self.disk.list(dir).await? {
            let Some((kind, offset)) = Kind::parse(&entry.name) else { continue };
            let goes = match kind {
                Kind::ProducerSnapshot => offset > new_end,
                Kind::Log | Kind::OffsetIndex | Kind::TimeIndex => offset > base,
            };
            if goes {
                self.disk.remove_file(&dir.join(&entry.name)).await?;
            }
        }
        let path = Kind::Log.path(dir, base);
        let file = self.disk.open(&path, OpenOptions::CREATE).await?;
        match file.len()? > position {
            true => file.set_len(position),
            false => Ok(()),
        }
    }
}
