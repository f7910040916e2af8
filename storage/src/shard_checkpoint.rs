//! The checkpoint of a shard: `journal/shard-<n>.checkpoint` says of each of its logs what is on disk in full, and from
//! which group on its journal counts. One file for all logs, replaced whole: a round of checkpoints costs two syncs,
//! whatever the number of logs.
//!
//! ```text
//! magic u32 · CRC-32C u32 of all behind it · version i16 · shard u16 · journal id u64 · first group u64
//! · files of the journal u32 · bytes of each u64 · last group u64 · shards u16 · count u32
//! then for each log:
//! topic id 16 bytes · partition i32 · log sequence u64 · log start i64 · recovery point i64 · segment base i64 · position u64
//! · offset index entries u32 · time index entries u32 · first timestamp i64 · largest timestamp i64 · its offset i64 (-1: none)
//! · epochs u32, each i32 and i64 · bytes of producers u32, then these as in a `.snapshot` file · offset index entries behind
//! those u32, each as in a `.index` file · time index entries behind those u32, each as in a `.timeindex` file
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::{Buf, BufMut};
use ringlane_batch::{
    LeaderEpoch, LogStartOffset, Offset, PartitionIndex, RecoveryPoint, TimestampMs, TopicId,
};
use ringlane_reactor::Disk;

use crate::error::StorageError;
use crate::journal::Extent;
use crate::leader_epochs::LeaderEpochs;
use crate::segment::{Entry, OffsetEntry, TimeEntry};

/// Which log: its topic's id and its partition.
pub type LogKey = (TopicId, PartitionIndex);

const MAGIC: u32 = u32::from_be_bytes(*b"RLCK");
const VERSION: i16 = 3;
/// Said nothing of the journal's files.
const VERSION_WITHOUT_EXTENT: i16 = 2;
/// Had no index entries.
const VERSION_WITHOUT_ENTRIES: i16 = 1;
/// Magic and checksum.
const PREFIX_LEN: usize = 8;
/// No file is larger: 4 GiB name ten million logs.
const FILE_BYTES_MAX: u64 = 4 << 30;

/// What was on disk of a log when its shard last took a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// The log's last journal entry that this covers. Of two records of a log the one with the higher sequence counts,
    /// and of two with the same the one with the higher recovery point.
    pub(crate) log_sequence: u64,
    pub(crate) log_start: LogStartOffset,
    /// Every batch before it is on disk.
    pub(crate) recovery_point: RecoveryPoint,
    /// The segment that ends there, and where in its `.log` file that is.
    pub(crate) segment_base: Offset,
    pub(crate) position: u64,
    /// How many entries of its index files lie before it, and those that follow in memory.
    pub(crate) offset_entries: u32,
    pub(crate) time_entries: u32,
    pub(crate) offset_tail: Vec<OffsetEntry>,
    pub(crate) time_tail: Vec<TimeEntry>,
    pub(crate) first_timestamp: TimestampMs,
    pub(crate) max_timestamp: Option<TimeEntry>,
    pub(crate) epochs: LeaderEpochs,
    /// The producers, as a `.snapshot` file has them.
    pub(crate) producers: Vec<u8>,
}

impl Record {
    /// Whether this one tells more than `other`.
    pub(crate) fn is_newer_than(&self, other: &Self) -> bool {
        let rank = |record: &Self| (record.log_sequence, record.recovery_point.offset());
        rank(self) > rank(other)
    }
}

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ShardCheckpoint {
    /// Whose groups count: drawn when the journal was made.
    pub(crate) journal_id: u64,
    /// Groups before this one are covered by the records.
    pub(crate) first_group: u64,
    /// What there is of the journal.
    pub(crate) extent: Extent,
    /// As many shards have each such a file, from 0 on. 0: nobody needs them to.
    pub(crate) shards: u16,
    /// Shared with what the start found.
    pub(crate) records: BTreeMap<LogKey, Arc<Record>>,
}

/// The directory of the journals and checkpoints of all shards.
pub(crate) fn journal_directory(directory: &Path) -> PathBuf {
    directory.join("journal")
}

/// The file of `shard`.
pub(crate) fn path(directory: &Path, shard: u16) -> PathBuf {
    journal_directory(directory).join(format!("shard-{shard}.checkpoint"))
}

/// The shard whose file is called `name`.
pub(crate) fn parse_name(name: &str) -> Option<u16> {
    name.strip_prefix("shard-")?.strip_suffix(".checkpoint")?.parse().ok()
}

impl ShardCheckpoint {
    /// Reads the file at `path`, which is of `shard`.
    pub(crate) async fn read(disk: &Disk, path: &Path, shard: u16) -> Result<Self, StorageError> {
        let bytes = disk.read(path, FILE_BYTES_MAX).await;
        let bytes = bytes.map_err(StorageError::io("read", path))?;
        Self::decode(&bytes, shard).map_err(|reason| {
            StorageError::corrupt(
                path,
                format!(
                    "{reason}; restore it from a copy of this directory, or move it and the journal beside it away and create the empty file accept-journal-loss in the log directory: then its logs are checked from their beginning, without what only the journal holds (nothing, after a clean stop)"
                ),
            )
        })
    }

    /// The bytes of the file of `shard`.
    pub(crate) fn encode(&self, shard: u16) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(64 + self.records.len() * 160);
        bytes.put_u32(MAGIC);
        bytes.put_u32(0);
        bytes.put_i16(VERSION);
        bytes.put_u16(shard);
        bytes.put_u64(self.journal_id);
        bytes.put_u64(self.first_group);
        bytes.put_u32(self.extent.files);
        bytes.put_u64(self.extent.file_bytes);
        bytes.put_u64(self.extent.last_group);
        bytes.put_u16(self.shards);
        bytes.put_u32(u32::try_from(self.records.len()).expect("fewer logs than 2^32"));
        for (key, record) in &self.records {
            record.encode(*key, &mut bytes);
        }
        let crc = crc32c::crc32c(&bytes[PREFIX_LEN..]);
        bytes[4..PREFIX_LEN].copy_from_slice(&crc.to_be_bytes());
        bytes
    }

    fn decode(bytes: &[u8], shard: u16) -> Result<Self, &'static str> {
        let mut rest = bytes;
        let magic = rest.try_get_u32().map_err(|_| "the file is too short")?;
        let crc = rest.try_get_u32().map_err(|_| "the file is too short")?;
        if magic != MAGIC {
            return Err("this is no checkpoint of a shard");
        }
        if crc32c::crc32c(rest) != crc {
            return Err("the checksum does not match");
        }
        Self::decode_fields(&mut rest, shard).unwrap_or(Err("the file is cut short"))
    }

    /// The outer error: fields are missing.
    fn decode_fields(
        rest: &mut &[u8],
        shard: u16,
    ) -> Result<Result<Self, &'static str>, bytes::TryGetError> {
        let version = rest.try_get_i16()?;
        if !(VERSION_WITHOUT_ENTRIES..=VERSION).contains(&version) {
            return Ok(Err(
                "the version of the file is not known: it was written by a newer ringlane",
            ));
        }
        if rest.try_get_u16()? != shard {
            return Ok(Err("the file belongs to another shard"));
        }
        let (journal_id, first_group) = (rest.try_get_u64()?, rest.try_get_u64()?);
        let (mut extent, mut shards) = (Extent::default(), 0);
        if version > VERSION_WITHOUT_EXTENT {
            let files = rest.try_get_u32()?;
            let (file_bytes, last_group) = (rest.try_get_u64()?, rest.try_get_u64()?);
            extent = Extent { files, file_bytes, last_group };
            shards = rest.try_get_u16()?;
        }
        let count = rest.try_get_u32()?;
        let mut records = BTreeMap::new();
        for _ in 0..count {
            match Record::decode(rest, version)? {
                Ok((key, record)) => _ = records.insert(key, Arc::new(record)),
                Err(reason) => return Ok(Err(reason)),
            }
        }
        match rest.is_empty() && records.len() == count as usize {
            true => Ok(Ok(Self { journal_id, first_group, extent, shards, records })),
            false => Ok(Err("the count of logs does not match")),
        }
    }
}

impl Record {
    fn encode(&self, (topic_id, partition): LogKey, bytes: &mut Vec<u8>) {
        bytes.put_slice(&topic_id.0);
        bytes.put_i32(partition.0);
        bytes.put_u64(self.log_sequence);
        bytes.put_i64(self.log_start.0);
        bytes.put_i64(self.recovery_point.0);
        bytes.put_i64(self.segment_base.0);
        bytes.put_u64(self.position);
        bytes.put_u32(self.offset_entries);
        bytes.put_u32(self.time_entries);
        bytes.put_i64(self.first_timestamp.0);
        let max = self.max_timestamp;
        bytes.put_i64(max.map_or(TimestampMs::NONE, |max| max.timestamp).0);
        bytes.put_i64(max.map_or(Offset(-1), |max| max.offset).0);
        bytes.put_u32(u32::try_from(self.epochs.entries().len()).expect("epochs are few"));
        for (epoch, start) in self.epochs.entries() {
            bytes.put_i32(epoch.0);
            bytes.put_i64(start.0);
        }
        bytes.put_u32(u32::try_from(self.producers.len()).expect("a snapshot is below 4 GiB"));
        bytes.put_slice(&self.producers);
        put_entries(&self.offset_tail, self.segment_base, bytes);
        put_entries(&self.time_tail, self.segment_base, bytes);
    }

    fn decode(
        rest: &mut &[u8],
        version: i16,
    ) -> Result<Result<(LogKey, Self), &'static str>, bytes::TryGetError> {
        let mut topic_id = TopicId::ZERO;
        rest.try_copy_to_slice(&mut topic_id.0)?;
        let key = (topic_id, PartitionIndex(rest.try_get_i32()?));
        let log_sequence = rest.try_get_u64()?;
        let offsets = [rest.try_get_i64()?, rest.try_get_i64()?, rest.try_get_i64()?];
        let position = rest.try_get_u64()?;
        let (offset_entries, time_entries) = (rest.try_get_u32()?, rest.try_get_u32()?);
        let first_timestamp = TimestampMs(rest.try_get_i64()?);
        let max = TimeEntry {
            timestamp: TimestampMs(rest.try_get_i64()?),
            offset: Offset(rest.try_get_i64()?),
        };
        let mut epochs = Vec::new();
        for _ in 0..rest.try_get_u32()? {
            epochs.push((LeaderEpoch(rest.try_get_i32()?), Offset(rest.try_get_i64()?)));
        }
        let len = rest.try_get_u32()? as usize;
        let Some((producers, behind)) = rest.split_at_checked(len) else {
            return Ok(Err("the producers of a log are cut short"));
        };
        *rest = behind;
        let [start, point, base] = offsets.map(Offset);
        let (mut offset_tail, mut time_tail) = (Vec::<OffsetEntry>::new(), Vec::<TimeEntry>::new());
        if version != VERSION_WITHOUT_ENTRIES {
            (offset_tail, time_tail) = (take_entries(base, rest)?, take_entries(base, rest)?);
        }
        let are_ordered = offset_tail.is_sorted_by(|a, b| a.offset < b.offset)
            && time_tail.is_sorted_by(|a, b| a.offset < b.offset && a.timestamp < b.timestamp);
        if !are_ordered {
            return Ok(Err("the index entries of a log are out of order"));
        }
        let Some(epochs) = LeaderEpochs::from_entries(epochs) else {
            return Ok(Err("the epochs of a log are out of order"));
        };
        if start < Offset::ZERO || base < Offset::ZERO || base > point || key.1.0 < 0 {
            return Ok(Err("impossible offsets of a log"));
        }
        let record = Self {
            log_sequence,
            log_start: LogStartOffset::at(start),
            recovery_point: RecoveryPoint::at(point),
            segment_base: base,
            position,
            offset_entries,
            time_entries,
            offset_tail,
            time_tail,
            first_timestamp,
            max_timestamp: Some(max).filter(|max| max.offset >= Offset::ZERO),
            epochs,
            producers: producers.to_vec(),
        };
        Ok(Ok((key, record)))
    }
}

fn put_entries<E: Entry>(entries: &[E], base: Offset, bytes: &mut Vec<u8>) {
    bytes.put_u32(u32::try_from(entries.len()).expect("few entries wait in memory"));
    entries.iter().for_each(|entry| entry.encode(base.0, bytes));
}

fn take_entries<E: Entry>(base: Offset, rest: &mut &[u8]) -> Result<Vec<E>, bytes::TryGetError> {
    let count = rest.try_get_u32()? as usize;
    let requested = count.saturating_mul(E::LEN);
    let Some((entries, behind)) = rest.split_at_checked(requested) else {
        return Err(bytes::TryGetError { requested, available: rest.len() });
    };
    *rest = behind;
    Ok(entries.chunks_exact(E::LEN).map(|entry| E::decode(base.0, entry)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> ShardCheckpoint {
        let mut epochs = LeaderEpochs::default();
        epochs.assign(LeaderEpoch(3), Offset(0));
        epochs.assign(LeaderEpoch(5), Offset(70));
        let record = Record {
            log_sequence: 9,
            log_start: LogStartOffset::at(Offset(2)),
            recovery_point: RecoveryPoint::at(Offset(100)),
            segment_base: Offset(64),
            position: 4321,
            offset_entries: 7,
            time_entries: 3,
            offset_tail: [80, 90].map(|n| OffsetEntry { offset: Offset(n), position: 40 }).to_vec(),
            time_tail: vec![TimeEntry { timestamp: TimestampMs(12), offset: Offset(99) }],
            first_timestamp: TimestampMs(11),
            max_timestamp: Some(TimeEntry { timestamp: TimestampMs(12), offset: Offset(99) }),
            epochs,
            producers: vec![1, 2, 3],
        };
        let idle = Record {
            max_timestamp: None,
            producers: Vec::new(),
            offset_tail: Vec::new(),
            time_tail: Vec::new(),
            ..record.clone()
        };
        let key = |n| (TopicId([n; 16]), PartitionIndex(i32::from(n)));
        let records = BTreeMap::from([(key(1), record.into()), (key(2), idle.into())]);
        let extent = Extent { files: 4, file_bytes: 1 << 20, last_group: 1300 };
        ShardCheckpoint { journal_id: 77, first_group: 1234, extent, shards: 5, records }
    }

    #[test]
    fn a_checkpoint_reads_back_and_damage_is_refused() {
        let bytes = sample().encode(3);
        assert_eq!(ShardCheckpoint::decode(&bytes, 3), Ok(sample()));
        assert!(ShardCheckpoint::decode(&bytes, 4).is_err(), "another shard's");
        for at in 0..bytes.len() {
            assert!(ShardCheckpoint::decode(&bytes[..at], 3).is_err(), "cut at {at}");
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            assert!(ShardCheckpoint::decode(&damaged, 3).is_err(), "bit flipped at {at}");
        }
    }

    #[test]
    fn the_versions_before_are_read_still() {
        let mut checkpoint = sample();
        checkpoint.records.pop_first();
        let mut bytes = checkpoint.encode(3);
        let as_version = |bytes: &mut Vec<u8>, version: i16| {
            bytes[PREFIX_LEN..PREFIX_LEN + 2].copy_from_slice(&version.to_be_bytes());
            let crc = crc32c::crc32c(&bytes[PREFIX_LEN..]);
            bytes[4..PREFIX_LEN].copy_from_slice(&crc.to_be_bytes());
        };
        // What is said of the journal's files, behind version, shard, id and group.
        bytes.drain(PREFIX_LEN + 20..PREFIX_LEN + 42);
        as_version(&mut bytes, VERSION_WITHOUT_EXTENT);
        (checkpoint.extent, checkpoint.shards) = (Extent::default(), 0);
        assert_eq!(ShardCheckpoint::decode(&bytes, 3), Ok(checkpoint.clone()));
        // Two counts of no entries.
        bytes.truncate(bytes.len() - 8);
        as_version(&mut bytes, VERSION_WITHOUT_ENTRIES);
        assert_eq!(ShardCheckpoint::decode(&bytes, 3), Ok(checkpoint));
    }

    #[test]
    fn a_name_tells_the_shard() {
        let path = path(Path::new("d"), 12);
        assert_eq!(path, Path::new("d/journal/shard-12.checkpoint"));
        assert_eq!(parse_name("shard-12.checkpoint"), Some(12));
        assert_eq!(parse_name("shard-12-0.journal"), None);
        assert_eq!(parse_name("shard-12.checkpoint.tmp"), None);
    }
}
