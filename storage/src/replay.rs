//! Writing what a journal holds back into the segments, before any log is opened. Each entry says where in its log's files it
//! belongs, so a hole in a segment stops nothing. Entries that a checkpoint covers are passed over, and so are those of
//! logs whose directory is gone. What is missing in between is damage: the logs concerned must not be opened.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ringlane_batch::Offset;
use ringlane_reactor::{Disk, File, Instant, OpenOptions, Reactor};

use crate::error::StorageError;
use crate::journal::{Damage, Entry, EntryKind, Reader, journal_files};
use crate::log_directory::PartitionDirectory;
use crate::names::Kind;
use crate::recovered::{FoundJournal, Recovered};
use crate::shard_checkpoint::{LogKey, journal_directory};

/// So many segments are open at the same time while their entries are written: as many descriptors as the logs of a shard
/// keep open later.
const OPEN_FILES_MAX: usize = 3000;
/// Nobody likes to look at a silent start for longer.
const PROGRESS_INTERVAL: std::time::Duration = std::time::Duration::from_secs(2);

/// What a journal had for a log.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReplayedLog {
    pub(crate) log_sequence: u64,
    pub(crate) log_start: Option<Offset>,
    /// The lowest offset it was truncated to.
    pub(crate) cut: Option<Offset>,
    pub(crate) damage: Option<String>,
}

/// What the replay of one journal found and did.
#[derive(Clone, Debug)]
pub struct Replayed {
    pub(crate) shard: u16,
    pub(crate) journal: FoundJournal,
    pub(crate) logs: BTreeMap<LogKey, ReplayedLog>,
    pub(crate) damaged: Option<String>,
    /// Batches that were written into segments.
    pub batches: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Writes the journal of `shard` back into the segments of `partitions`.
///
/// # Errors
/// When the journal's files cannot be read. What cannot be written is the damage of the log concerned.
pub async fn replay(
    reactor: &Reactor,
    directory: &Path,
    recovered: &Recovered,
    partitions: &[PartitionDirectory],
    shard: u16,
) -> Result<Replayed, StorageError> {
    let disk = reactor.disk();
    let found = recovered.journal(shard).expect("only journals that were found are replayed");
    let directories = partitions.iter().filter_map(|partition| {
        Some(((partition.topic_id?, partition.partition), partition.path.clone()))
    });
    let mut replay = Replay {
        disk: &disk,
        recovered,
        directories: directories.collect(),
        files: BTreeMap::new(),
        found: Replayed {
            shard,
            journal: found,
            logs: BTreeMap::new(),
            damaged: None,
            batches: 0,
            bytes: 0,
        },
    };
    replay.run(reactor, directory).await?;
    let Replayed { batches, bytes, .. } = replay.found;
    if batches > 0 {
        tracing::info!(shard, batches, bytes, "wrote what a journal held back into the logs");
    }
    Ok(replay.found)
}

struct Replay<'a> {
    disk: &'a Disk,
    recovered: &'a Recovered,
    directories: BTreeMap<LogKey, PathBuf>,
    /// The segments that are open, by log and base.
    files: BTreeMap<(LogKey, Offset), File>,
    found: Replayed,
}

impl Replay<'_> {
    async fn run(&mut self, reactor: &Reactor, directory: &Path) -> Result<(), StorageError> {
        let dir = journal_directory(directory);
        let FoundJournal { id, first_group, .. } = self.found.journal;
        // A group whose write a killed process did not see completed may be read now and not be on the device: nothing is
        // done on its word before it is.
        for path in journal_files(self.disk, &dir, self.found.shard).await? {
            let file = self.disk.open(&path, OpenOptions::WRITE).await;
            let file = file.map_err(StorageError::io("open", &path))?;
            file.sync_data().await.map_err(StorageError::io("sync", &path))?;
        }
        let mut reader = Reader::open(self.disk, &dir, self.found.shard, id, first_group).await?;
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
        let shard = self.found.shard;
        if reader.foreign_groups() > 0 {
            let groups = reader.foreign_groups();
            tracing::warn!(shard, groups, "passed over groups of another broker's journal");
        }
        let (id, next_group) = (reader.journal_id(), reader.next_sequence());
        self.found.journal = FoundJournal { id, first_group, next_group };
        Ok(())
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
                for log in logs {
                    self.damage((log.topic_id, log.partition), &reason);
                }
            }
        }
    }

    fn damage(&mut self, key: LogKey, reason: &str) {
        let log = self.found.logs.entry(key).or_default();
        log.damage.get_or_insert_with(|| reason.to_string());
    }

    /// One entry of the journal, in its order.
    async fn take(&mut self, entry: &Entry<'_>) {
        let key = (entry.head.topic_id, entry.head.partition);
        let Some(dir) = self.directories.get(&key).cloned() else { return };
        let recorded = self.recovered.record(key).map_or(0, |record| record.log_sequence);
        let sequence = entry.head.log_sequence;
        if sequence <= recorded {
            return;
        }
        let log = self.found.logs.entry(key).or_default();
        let before = log.log_sequence.max(recorded);
        if log.damage.is_some() {
            return;
        }
        if sequence != before + 1 {
            let reason =
                format!("entry {sequence} of the log follows entry {before} in the journal");
            return self.damage(key, &reason);
        }
        log.log_sequence = sequence;
        if let Err(error) = self.apply(key, &dir, entry).await {
            let reason = format!("cannot write back what the journal holds: {error}");
            self.damage(key, &reason);
        }
    }

    async fn apply(&mut self, key: LogKey, dir: &Path, entry: &Entry<'_>) -> std::io::Result<()> {
        let head = &entry.head;
        let log = self.found.logs.entry(key).or_default();
        match head.kind {
            EntryKind::LogStart => log.log_start = log.log_start.max(Some(head.base_offset)),
            EntryKind::Truncate => {
                let cut = log.cut.map_or(head.base_offset, |cut| cut.min(head.base_offset));
                log.cut = Some(cut);
                self.files.retain(|(open, _), _| *open != key);
                self.truncate(dir, head.segment_base, u64::from(head.position), head.base_offset)
                    .await?;
            }
            EntryKind::Batch => {
                let file = self.file(key, dir, head.segment_base).await?;
                file.write_at(entry.payload, u64::from(head.position))?;
                self.found.batches += 1;
                self.found.bytes += entry.payload.len() as u64;
            }
        }
        Ok(())
    }

    async fn file(&mut self, key: LogKey, dir: &Path, base: Offset) -> std::io::Result<File> {
        if let Some(file) = self.files.get(&(key, base)) {
            return Ok(file.clone());
        }
        if self.files.len() >= OPEN_FILES_MAX {
            self.files.clear();
        }
        let file = self.disk.open(&Kind::Log.path(dir, base), OpenOptions::CREATE).await?;
        self.files.insert((key, base), file.clone());
        Ok(file)
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
