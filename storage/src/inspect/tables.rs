//! The small files beside the segments, as rows: index entries, producers, leader epochs.

use std::path::Path;

use ringlane_batch::{Offset, ProducerEpoch, ProducerId, Sequence, TimestampMs};
use ringlane_reactor::{Disk, OpenOptions};

use super::Problem;
use super::entries::Entries;
use super::problem::Remedy;
use crate::error::StorageError;
use crate::names::Kind;
use crate::producer_state;
use crate::segment::{Entry, OffsetEntry, TimeEntry};

/// No snapshot is larger.
const SNAPSHOT_BYTES_MAX: u64 = 2 << 30;

/// The batch at `position` ends with `offset`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OffsetIndexEntry {
    /// The last offset of the batch.
    pub offset: Offset,
    /// Its byte in the `.log` file.
    pub position: u32,
}

/// No batch up to the one that ends at `offset` is newer than `timestamp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeIndexEntry {
    /// The largest timestamp so far.
    pub timestamp: TimestampMs,
    /// The last offset of the batch that has it.
    pub offset: Offset,
}

/// An idempotent producer, as a snapshot remembers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerEntry {
    /// Who it is.
    pub producer_id: ProducerId,
    /// Its newest epoch.
    pub producer_epoch: ProducerEpoch,
    /// The sequence of its last record, `NONE` without one.
    pub last_sequence: Sequence,
    /// Where that is; -1 without one.
    pub last_offset: Offset,
    /// The largest timestamp of its last batch.
    pub last_timestamp: TimestampMs,
    /// Its last batches that are remembered: at most five.
    pub batch_count: usize,
    /// Where its open transaction began.
    pub transaction_start: Option<Offset>,
}

/// The entries of one index file, read a block at a time.
pub struct IndexEntries<E>(Entries<E>);

impl IndexEntries<OffsetIndexEntry> {
    /// Opens a `.index` file.
    ///
    /// # Errors
    /// The disk's.
    pub async fn open(disk: &Disk, path: &Path) -> Result<Self, StorageError> {
        open(disk, path).await.map(Self)
    }
}

impl IndexEntries<TimeIndexEntry> {
    /// Opens a `.timeindex` file.
    ///
    /// # Errors
    /// The disk's.
    pub async fn open(disk: &Disk, path: &Path) -> Result<Self, StorageError> {
        open(disk, path).await.map(Self)
    }
}

#[expect(private_bounds, reason = "the two kinds of entries there are, and no others")]
impl<E: Entry> IndexEntries<E> {
    /// The next entry and the byte where it lies.
    ///
    /// # Errors
    /// As pread(2).
    pub async fn next(&mut self) -> std::io::Result<Option<(u64, E)>> {
        self.0.next().await
    }

    /// Bytes at the file's end that are a part of an entry only.
    pub fn partial_bytes(&self) -> u64 {
        self.0.partial_bytes()
    }
}

async fn open<E: Entry>(disk: &Disk, path: &Path) -> Result<Entries<E>, StorageError> {
    let name = path.file_name().and_then(|name| name.to_str()).and_then(Kind::parse);
    let Some((_, base)) = name else {
        return Err(StorageError::corrupt(path, "is not named as an index is"));
    };
    let file = disk.open(path, OpenOptions::READ).await.map_err(StorageError::io("open", path))?;
    Entries::new(file, base).map_err(StorageError::io("look at", path))
}

impl Entry for OffsetIndexEntry {
    const LEN: usize = OffsetEntry::LEN;

    fn encode(&self, base: i64, bytes: &mut Vec<u8>) {
        OffsetEntry { offset: self.offset, position: self.position }.encode(base, bytes);
    }

    fn decode(base: i64, bytes: &[u8]) -> Self {
        let OffsetEntry { offset, position } = OffsetEntry::decode(base, bytes);
        Self { offset, position }
    }
}

impl Entry for TimeIndexEntry {
    const LEN: usize = TimeEntry::LEN;

    fn encode(&self, base: i64, bytes: &mut Vec<u8>) {
        TimeEntry { timestamp: self.timestamp, offset: self.offset }.encode(base, bytes);
    }

    fn decode(base: i64, bytes: &[u8]) -> Self {
        let TimeEntry { timestamp, offset } = TimeEntry::decode(base, bytes);
        Self { timestamp, offset }
    }
}

/// The producers in the `.snapshot` file at `path`, or what is wrong with it.
///
/// # Errors
/// The disk's.
pub async fn producers(
    disk: &Disk,
    path: &Path,
) -> Result<Result<Vec<ProducerEntry>, Problem>, StorageError> {
    let read = disk.read(path, SNAPSHOT_BYTES_MAX).await;
    let bytes = read.map_err(StorageError::io("read", path))?;
    let state = match producer_state::decode(&bytes, 0) {
        Ok(state) => state,
        Err(what) => return Ok(Err(Problem::new(path, what, Remedy::Remove))),
    };
    Ok(Ok(state.inspect().collect()))
}
