//! Where the scan starts: at the recovery point that the shard's checkpoint names; after a truncation at the newest producer
//! snapshot that is whole and at whose offset a segment begins; without either at the log's beginning.

use std::path::Path;

use ringlane_batch::{Offset, TimestampMs};
use ringlane_reactor::Disk;

use super::{Listing, remove};
use crate::error::StorageError;
use crate::names::Kind;
use crate::producer_state::{self, ProducerState};
use crate::recovered::Basis;
use crate::replay::short::shortness;
use crate::segment::{Entry, Files, Index, OffsetEntry, Segment, TimeEntry, last_entry};
use crate::shard_checkpoint::Record;

/// No snapshot is larger: 2 GiB name 46 million producers.
const SNAPSHOT_BYTES_MAX: u64 = 2 << 30;

/// The recovery point, in terms of files.
pub(super) struct Start {
    pub(super) offset: Offset,
    pub(super) producers: ProducerState,
    /// The segment that holds it.
    pub(super) base: Offset,
    /// Where the first batch behind it lies in there.
    pub(super) position: u64,
    /// How many index entries lie before it.
    offset_entries: u32,
    time_entries: u32,
    /// Those that lie before it, too, and were not written.
    offset_tail: Vec<OffsetEntry>,
    time_tail: Vec<TimeEntry>,
    pub(super) first_timestamp: TimestampMs,
    /// Of all batches of the segment before it.
    pub(super) max_timestamp: Option<TimeEntry>,
    /// The producer snapshot at the segment's base may be torn, and is written anew.
    pub(super) snapshot_is_due: bool,
}

impl Start {
    /// The start of the segment at `base`, which lies at `offset`.
    fn of_segment(base: Offset, offset: Offset, producers: ProducerState) -> Self {
        Self {
            offset,
            producers,
            base,
            position: 0,
            offset_entries: 0,
            time_entries: 0,
            offset_tail: Vec::new(),
            time_tail: Vec::new(),
            first_timestamp: TimestampMs::NONE,
            max_timestamp: None,
            snapshot_is_due: false,
        }
    }

    /// Takes the segment up where this says.
    pub(super) fn resume(&self, segment: &mut Segment) {
        if self.position > 0 {
            let offset_index = Index::new(self.offset_entries, self.offset_tail.clone());
            let time_index = Index::new(self.time_entries, self.time_tail.clone());
            let indexes = (offset_index, time_index);
            segment.resume(self.position, indexes, self.first_timestamp, self.max_timestamp);
        }
    }

    /// Whether index entries wait to be written.
    pub(super) fn has_tail(&self) -> bool {
        !self.offset_tail.is_empty() || !self.time_tail.is_empty()
    }

    /// Whether the entries that stay are of what lies before the recovery point, and those that were not written follow them:
    /// somebody may have built the files anew.
    pub(super) async fn tail_follows(&self, files: &Files) -> std::io::Result<bool> {
        let offset = last_entry(&files.offset_index, self.base, self.offset_entries).await?;
        let time = last_entry(&files.time_index, self.base, self.time_entries).await?;
        let lies_before = |last: Offset| last < self.offset;
        let are_before = offset.is_none_or(|last: OffsetEntry| lies_before(last.offset))
            && time.is_none_or(|last: TimeEntry| lies_before(last.offset));
        let offset_follows = offset
            .zip(self.offset_tail.first())
            .is_none_or(|(last, next): (OffsetEntry, _)| last.offset < next.offset);
        let time_follows =
            time.zip(self.time_tail.first()).is_none_or(|(last, next): (TimeEntry, _)| {
                last.offset < next.offset && last.timestamp < next.timestamp
            });
        Ok(are_before && offset_follows && time_follows)
    }

    /// The bytes of the offset and time index entries that stay.
    pub(super) fn entries_bytes(&self) -> (u64, u64) {
        let bytes = |count: u32, entry_len: usize| u64::from(count) * entry_len as u64;
        (bytes(self.offset_entries, OffsetEntry::LEN), bytes(self.time_entries, TimeEntry::LEN))
    }
}

/// Finds it.
pub(super) async fn find(
    disk: &Disk,
    dir: &Path,
    listing: &mut Listing,
    now_ms: i64,
    basis: &Basis,
) -> Result<Start, StorageError> {
    let first = *listing.logs.first().expect("there is a segment");
    match basis {
        Basis::Nothing => Ok(Start::of_segment(first, first, ProducerState::default())),
        Basis::Record(record) => at_record(dir, listing, record, now_ms),
        Basis::Truncation(_) => at_newest_snapshot(disk, dir, listing, now_ms).await,
    }
}

/// The start at the recovery point of `record`. All before it was on disk: what is missing now was lost.
fn at_record(
    dir: &Path,
    listing: &Listing,
    record: &Record,
    now_ms: i64,
) -> Result<Start, StorageError> {
    let (base, point) = (record.segment_base, record.recovery_point.offset());
    let producers = producer_state::decode(&record.producers, now_ms);
    let producers = producers.map_err(|reason| StorageError::corrupt(dir, reason))?;
    let path = Kind::Log.path(dir, base);
    let first = *listing.logs.first().expect("there is a segment");
    if first >= point && first > base {
        // Retention has removed everything before it. Its snapshot may be of a round that never ended.
        let snapshot_is_due = first == point;
        return Ok(Start { snapshot_is_due, ..Start::of_segment(first, first, producers) });
    }
    let len = listing.len_of(Kind::Log, base).unwrap_or(0);
    if len < record.position {
        let reason = shortness(len, record.position);
        return Err(StorageError::corrupt(&path, reason));
    }
    Ok(Start {
        position: record.position,
        offset_entries: record.offset_entries,
        time_entries: record.time_entries,
        offset_tail: record.offset_tail.clone(),
        time_tail: record.time_tail.clone(),
        first_timestamp: record.first_timestamp,
        max_timestamp: record.max_timestamp,
        ..Start::of_segment(base, point, producers)
    })
}

/// The start at the newest snapshot that can be used; removes the others.
async fn at_newest_snapshot(
    disk: &Disk,
    dir: &Path,
    listing: &mut Listing,
    now_ms: i64,
) -> Result<Start, StorageError> {
    let first = *listing.logs.first().expect("there is a segment");
    while let Some(&offset) = listing.snapshots.last() {
        let path = Kind::ProducerSnapshot.path(dir, offset);
        match at_snapshot(disk, dir, listing, offset, now_ms).await? {
            Ok(start) => return Ok(start),
            Err(reason) => {
                tracing::warn!(snapshot = %path.display(), reason, "removed a producer snapshot");
                remove(disk, &path).await?;
                listing.snapshots.remove(&offset);
            }
        }
    }
    Ok(Start::of_segment(first, first, ProducerState::default()))
}

/// The start at the snapshot of `offset`, or why it cannot be there.
async fn at_snapshot(
    disk: &Disk,
    dir: &Path,
    listing: &Listing,
    offset: Offset,
    now_ms: i64,
) -> Result<Result<Start, &'static str>, StorageError> {
    let path = Kind::ProducerSnapshot.path(dir, offset);
    let bytes = disk.read(&path, SNAPSHOT_BYTES_MAX).await.map_err(StorageError::io("read", &path));
    let producers = match producer_state::decode(&bytes?, now_ms) {
        Ok(producers) => producers,
        Err(reason) => return Ok(Err(reason)),
    };
    let Some(&base) = listing.logs.range(..=offset).next_back() else {
        return Ok(Err("it lies before the first segment"));
    };
    // One that lies within a segment tells nothing of the index entries before it, of which some may never have been written.
    Ok(match base == offset {
        true => Ok(Start::of_segment(base, offset, producers)),
        false => Err("no segment begins there"),
    })
}
