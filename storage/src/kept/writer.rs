//! Copies the entries of logs that stay offline out of the journals, before these are written over.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use ringlane_reactor::{Disk, File, OpenOptions};

use super::format::Head;
use super::path;
use crate::error::StorageError;
use crate::journal::{BLOCK_BYTES, Entry, GroupBuilder, Place, Reader, entry_bytes};
use crate::recovered::Recovered;
use crate::shard_checkpoint::{LogKey, journal_directory};

/// So many logs are written in one pass over the journals.
const LOGS_PER_PASS: usize = 64;
/// A group is at most so long, or holds one larger entry.
const GROUP_BYTES: usize = 256 << 10;

/// A log whose entries were kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptLog {
    /// Which log.
    pub key: LogKey,
    /// The file.
    pub path: PathBuf,
    /// Whether entries of the log are lost, so that it stays offline until the file is removed.
    pub is_lossy: bool,
}

/// Keeps, of each log in `offline` (with the reason), what the journals in `directory` hold and its record does not cover.
/// A log of which there is nothing to keep, and nothing lost to be remembered, gets no file. Durable when it returns.
///
/// # Errors
/// The disk's: the journals must not be written over then.
pub async fn keep(
    disk: &Disk,
    directory: &Path,
    recovered: &Recovered,
    offline: &BTreeMap<LogKey, String>,
) -> Result<Vec<KeptLog>, StorageError> {
    let mut kept = Vec::new();
    let logs: Vec<_> = offline.iter().collect();
    for logs in logs.chunks(LOGS_PER_PASS) {
        let mut writers = BTreeMap::new();
        for &(key, reason) in logs {
            // An earlier start has kept it, and the journals have had nothing of it since.
            if let Some(earlier) = recovered.kept(*key) {
                let (path, is_lossy) = (earlier.path.clone(), recovered.has_lost(*key));
                kept.push(KeptLog { key: *key, path, is_lossy });
                continue;
            }
            let is_lossy = recovered.has_lost(*key);
            let writer = Writer::create(disk, directory, *key, reason, is_lossy).await?;
            writers.insert(*key, writer);
        }
        copy(disk, directory, recovered, &mut writers).await?;
        for (_, writer) in writers {
            kept.extend(writer.finish(disk).await?);
        }
    }
    let dir = journal_directory(directory);
    disk.sync_dir(&dir).await.map_err(StorageError::io("sync", &dir))?;
    Ok(kept)
}

/// What of a log is to be kept while its shard runs.
pub(crate) struct Wanted {
    pub(crate) key: LogKey,
    /// Why it is offline.
    pub(crate) reason: String,
    /// The numbers of its entries that its record does not cover.
    pub(crate) entries: Range<u64>,
}

/// Keeps of each log in `wanted` what the journal (its shard, its id, the groups), which is written to meanwhile, holds. All of these groups are
/// durable, and none is written over. Durable when it returns.
///
/// # Errors
/// The disk's; `Corrupt` when not every entry is there: the journal must not be trimmed.
pub(crate) async fn keep_running(
    disk: &Disk,
    directory: &Path,
    journal: (u16, u64, Range<u64>),
    wanted: &[Wanted],
) -> Result<Vec<KeptLog>, StorageError> {
    let mut kept = Vec::new();
    for wanted in wanted.chunks(LOGS_PER_PASS) {
        let mut writers = BTreeMap::new();
        for log in wanted {
            let writer = Writer::create(disk, directory, log.key, &log.reason, false).await?;
            writers.insert(log.key, (writer, log.entries.clone()));
        }
        copy_running(disk, directory, &journal, &mut writers).await?;
        for (writer, missing) in writers.into_values() {
            if !missing.is_empty() {
                let reason =
                    format!("the journal does not have entry {} of the log", missing.start);
                return Err(StorageError::corrupt(&writer.log.path, reason));
            }
            kept.extend(writer.finish(disk).await?);
        }
    }
    let dir = journal_directory(directory);
    disk.sync_dir(&dir).await.map_err(StorageError::io("sync", &dir))?;
    Ok(kept)
}

/// Gives each of `writers` the entries that it misses, in their order.
async fn copy_running(
    disk: &Disk,
    directory: &Path,
    (shard, id, groups): &(u16, u64, Range<u64>),
    writers: &mut BTreeMap<LogKey, (Writer, Range<u64>)>,
) -> Result<(), StorageError> {
    let dir = journal_directory(directory);
    let mut reader = Reader::open(disk, &dir, *shard, Some(*id), groups.start).await?;
    while let Some(group) = reader.next().await? {
        if group.sequence >= groups.end {
            break;
        }
        for entry in &group.entries() {
            let key = (entry.head.topic_id, entry.head.partition);
            if let Some((writer, missing)) = writers.get_mut(&key)
                && !missing.is_empty()
                && entry.head.log_sequence == missing.start
            {
                writer.add(entry)?;
                missing.start += 1;
            }
        }
    }
    Ok(())
}

async fn copy(
    disk: &Disk,
    directory: &Path,
    recovered: &Recovered,
    writers: &mut BTreeMap<LogKey, Writer>,
) -> Result<(), StorageError> {
    if writers.is_empty() {
        return Ok(());
    }
    let dir = journal_directory(directory);
    for (shard, journal) in recovered.journals() {
        let mut reader = Reader::open(disk, &dir, shard, journal.id, journal.first_group).await?;
        while let Some(group) = reader.next().await? {
            // Nothing of a torn group was acknowledged.
            let entries = if group.torn { Vec::new() } else { group.entries() };
            for entry in &entries {
                let key = (entry.head.topic_id, entry.head.partition);
                let covered = recovered.record(key).map_or(0, |record| record.log_sequence);
                if entry.head.log_sequence > covered
                    && let Some(writer) = writers.get_mut(&key)
                {
                    writer.add(entry)?;
                }
            }
        }
    }
    Ok(())
}

/// One file on its way.
struct Writer {
    log: KeptLog,
    reason: String,
    file: File,
    temporary: PathBuf,
    buffer: Vec<u8>,
    builder: GroupBuilder,
    /// Where the group goes.
    block: u32,
    groups: u32,
}

impl Writer {
    async fn create(
        disk: &Disk,
        directory: &Path,
        key: LogKey,
        reason: &str,
        is_lossy: bool,
    ) -> Result<Self, StorageError> {
        let path = path(directory, key);
        let temporary = path.with_extension("kept.tmp");
        let file = disk.open(&temporary, OpenOptions::CREATE_EMPTY).await;
        let file = file.map_err(StorageError::io("create", &temporary))?;
        let mut buffer = vec![0; BLOCK_BYTES];
        let builder = GroupBuilder::new(&mut buffer, (0, 0), 1, &[]);
        let log = KeptLog { key, path, is_lossy };
        let reason = reason.to_string();
        Ok(Self { log, reason, file, temporary, buffer, builder, block: 1, groups: 0 })
    }

    fn add(&mut self, entry: &Entry<'_>) -> Result<(), StorageError> {
        let wanted = self.builder.used_bytes() + entry_bytes(entry.payload.len());
        if wanted > GROUP_BYTES && self.builder.entries() > 0 {
            self.write_group()?;
        }
        let wanted = self.builder.used_bytes() + entry_bytes(entry.payload.len());
        self.buffer.resize(wanted.next_multiple_of(BLOCK_BYTES).max(self.buffer.len()), 0);
        self.builder.add(&mut self.buffer, &entry.head, entry.payload);
        Ok(())
    }

    fn write_group(&mut self) -> Result<(), StorageError> {
        if self.builder.entries() == 0 {
            return Ok(());
        }
        let len = self.builder.finish(&mut self.buffer, Place { file: 0, block: self.block });
        let at = u64::from(self.block) * BLOCK_BYTES as u64;
        let written = self.file.write_at(&self.buffer[..len], at);
        written.map_err(StorageError::io("write", &self.temporary))?;
        self.block += (len / BLOCK_BYTES) as u32;
        self.groups += 1;
        let next = self.builder.sequence() + 1;
        self.buffer.truncate(GROUP_BYTES);
        self.builder = GroupBuilder::new(&mut self.buffer, (0, 0), next, &[]);
        Ok(())
    }

    async fn finish(mut self, disk: &Disk) -> Result<Option<KeptLog>, StorageError> {
        self.write_group()?;
        if self.groups == 0 && !self.log.is_lossy {
            let removed = disk.remove_file(&self.temporary).await;
            removed.map_err(StorageError::io("remove", &self.temporary))?;
            return Ok(None);
        }
        let (groups, is_lossy) = (self.groups, self.log.is_lossy);
        let head = Head { groups, is_lossy, reason: self.reason };
        let written = self.file.write_at(&head.encode(), 0);
        written.map_err(StorageError::io("write", &self.temporary))?;
        let synced = self.file.sync_data().await;
        synced.map_err(StorageError::io("sync", &self.temporary))?;
        let renamed = disk.rename(&self.temporary, &self.log.path).await;
        renamed.map_err(StorageError::io("rename", &self.temporary))?;
        Ok(Some(self.log))
    }
}
