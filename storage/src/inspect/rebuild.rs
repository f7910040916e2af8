//! Builds the indexes of a segment from its batches, by the rule that appending follows. Each file is replaced whole: a
//! crash leaves the old or the new one.

use std::path::Path;

use ringlane_batch::{Offset, TimestampMs};
use ringlane_reactor::Disk;

use super::index_check::{Fault, IndexCheck};
use super::problem::{Problem, Remedy};
use super::scan::{Found, SegmentScan};
use super::verify::open;
use super::{Batch, FileKind};
use crate::compaction::swap::{self, SWAP};
use crate::error::StorageError;
use crate::names::Kind;
use crate::segment::{Entry, OffsetEntry, TimeEntry};

/// The indexes of a segment against its batches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexState {
    /// The segment's base offset.
    pub base: Offset,
    /// What is wrong with the indexes: nothing, or something with one or both.
    pub faults: Vec<Problem>,
    /// Bytes of the segment that hold no batch that can be trusted: no index leads there.
    pub damaged_bytes: u64,
}

/// Compares the indexes of the segment whose `.log` file is at `path` with its batches. `is_complete` when another
/// segment follows: then all entries must be there. `progress` is told of every so many bytes read.
///
/// # Errors
/// The disk's; `Corrupt` when `path` is not named as a segment is.
pub async fn check_index(
    disk: &Disk,
    path: &Path,
    is_complete: bool,
    progress: &dyn Fn(u64),
) -> Result<IndexState, StorageError> {
    let dir = path.parent().unwrap_or(Path::new("."));
    let mut scan = SegmentScan::open(disk, path).await?;
    let base = scan.base();
    let failed = || StorageError::io("read", path);
    let files = open(disk, dir, base).await.map_err(failed())?;
    let mut indexes = IndexCheck::open(files.offset_index, files.time_index, base).await;
    let mut state = IndexState { base, faults: Vec::new(), damaged_bytes: 0 };
    while let Some(found) = scan.next().await.map_err(failed())? {
        progress(scan.take_read_bytes());
        match found {
            Found::Batch(batch) => indexes.batch(&batch).await,
            Found::Damage(damage) => {
                state.damaged_bytes += damage.len;
                indexes.damage(&damage).await;
            }
        }
    }
    let (offset_fault, time_fault) = indexes.finish(is_complete);
    for (kind, fault) in [(Kind::OffsetIndex, offset_fault), (Kind::TimeIndex, time_fault)] {
        if let Some(Fault { position, what, .. }) = fault {
            let problem = Problem::new(&kind.path(dir, base), what, Remedy::RebuildIndex);
            state.faults.push(problem.at(position));
        }
    }
    Ok(state)
}

/// Builds both indexes of the segment whose `.log` file is at `path` anew, with an entry for the first batch after more
/// than `interval_bytes` of others. Gives back how many entries the `.index` and the `.timeindex` have now.
///
/// # Errors
/// The disk's; `Corrupt` when `path` is not named as a segment is.
pub async fn rebuild_index(
    disk: &Disk,
    path: &Path,
    interval_bytes: u32,
    progress: &dyn Fn(u64),
) -> Result<[(FileKind, u64); 2], StorageError> {
    let dir = path.parent().unwrap_or(Path::new("."));
    let mut scan = SegmentScan::open(disk, path).await?;
    let base = scan.base();
    // The indexes are perhaps those of the new segment already: a start would put its log beside what is built from the old.
    let swap = swap::path(dir, Kind::Log, base, SWAP);
    if disk.metadata(&swap).await.is_ok() {
        let reason = "decides a compaction that was interrupted: a start of the broker completes it, and after that the indexes can be looked at";
        return Err(StorageError::corrupt(&swap, reason));
    }
    let mut builder = Builder::new(base, interval_bytes);
    while let Some(found) = scan.next().await.map_err(StorageError::io("read", path))? {
        progress(scan.take_read_bytes());
        match found {
            Found::Batch(batch) => builder.add(&batch),
            Found::Damage(damage) => builder.bytes_since_entry += damage.len,
        }
    }
    builder.add_max_timestamp();
    for (kind, bytes) in [(Kind::OffsetIndex, &builder.offsets), (Kind::TimeIndex, &builder.times)]
    {
        let path = kind.path(dir, base);
        disk.replace(&path, bytes).await.map_err(StorageError::io("replace", &path))?;
    }
    Ok([
        (FileKind::OffsetIndex, (builder.offsets.len() / OffsetEntry::LEN) as u64),
        (FileKind::TimeIndex, (builder.times.len() / TimeEntry::LEN) as u64),
    ])
}

/// The bytes of both files as they grow.
struct Builder {
    base: Offset,
    interval: u64,
    offsets: Vec<u8>,
    times: Vec<u8>,
    bytes_since_entry: u64,
    max_timestamp: Option<TimeEntry>,
    time_index_end: Option<TimeEntry>,
}

impl Builder {
    fn new(base: Offset, interval_bytes: u32) -> Self {
        Self {
            base,
            interval: u64::from(interval_bytes),
            offsets: Vec::new(),
            times: Vec::new(),
            bytes_since_entry: 0,
            max_timestamp: None,
            time_index_end: None,
        }
    }

    fn add(&mut self, batch: &Batch) {
        let (timestamp, last) = (batch.max_timestamp, batch.last_offset);
        // A batch that compaction left as a header says when records were written that are gone.
        let is_largest =
            timestamp > self.max_timestamp.map_or(TimestampMs::NONE, |max| max.timestamp);
        if batch.record_count > 0 && is_largest {
            self.max_timestamp = Some(TimeEntry { timestamp, offset: last });
        }
        // Positions beyond 4 GiB have no entry: no segment of ours is that long.
        if self.bytes_since_entry > self.interval
            && let Ok(position) = u32::try_from(batch.position)
        {
            OffsetEntry { offset: last, position }.encode(self.base.0, &mut self.offsets);
            self.add_max_timestamp();
            self.bytes_since_entry = 0;
        }
        self.bytes_since_entry += batch.len;
    }

    /// Adds the largest timestamp so far unless it is there.
    fn add_max_timestamp(&mut self) {
        let Some(max) = self.max_timestamp else { return };
        if self.time_index_end.is_none_or(|end| end.timestamp < max.timestamp) {
            max.encode(self.base.0, &mut self.times);
            self.time_index_end = Some(max);
        }
    }
}
