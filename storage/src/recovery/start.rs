//! Where the scan starts: at the recovery point that the shard's checkpoint names; after a truncation at the newest producer
//! snapshot that is whole and whose offset the segments reach; without either at the log's beginning.

use std::path::Path;

use ringlane_batch::{Offset, TimestampMs};
use ringlane_reactor::{Disk, OpenOptions};

use super::{Listing, remove};
use crate::error::StorageError;
use crate::names::Kind;
use crate::producer_state::{self, ProducerState};
use crate::recovered::Basis;
use crate::segment::{
    Entry, Files, Index, OffsetEntry, Segment, TimeEntry, header_at, offsets_below,
    timestamps_below,
};
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
            first_timestamp: TimestampMs::NONE,
            max_timestamp: None,
            snapshot_is_due: false,
        }
    }

    /// Takes the segment up where this says.
    pub(super) fn resume(&self, segment: &mut Segment) {
        if self.position > 0 {
            let indexes = (Index::new(self.offset_entries), Index::new(self.time_entries));
            segment.resume(self.position, indexes, self.first_timestamp, self.max_timestamp);
        }
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
        let reason = format!(
            "has {len} bytes, and {} of them were on disk: records that were acknowledged are lost; put the file back from a copy or a replica",
            record.position
        );
        return Err(StorageError::corrupt(&path, reason));
    }
    Ok(Start {
        position: record.position,
        offset_entries: record.offset_entries,
        time_entries: record.time_entries,
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
    if base == offset {
        return Ok(Ok(Start::of_segment(base, offset, producers)));
    }
    match within_segment(disk, dir, base, offset, producers).await {
        Ok(Some(start)) => Ok(Ok(start)),
        Ok(None) => Ok(Err("its segment does not reach it")),
        // A file that is missing or damaged; anything else is the disk's fault.
        Err(error)
            if matches!(
                error.kind(),
                std::io::ErrorKind::NotFound
                    | std::io::ErrorKind::InvalidData
                    | std::io::ErrorKind::UnexpectedEof
            ) =>
        {
            Ok(Err("its segment or the index of that is damaged"))
        }
        Err(error) => Err(StorageError::io("recover a segment in", dir)(error)),
    }
}

/// Finds `offset` within the segment at `base`: index entries before it were synced together with its batches.
async fn within_segment(
    disk: &Disk,
    dir: &Path,
    base: Offset,
    offset: Offset,
    producers: ProducerState,
) -> std::io::Result<Option<Start>> {
    let files = Files::open(disk, dir, base, OpenOptions::READ).await?;
    let len = files.log.len()?;
    let offset_count = (files.offset_index.len()? / OffsetEntry::LEN as u64) as u32;
    let time_count = (files.time_index.len()? / TimeEntry::LEN as u64) as u32;
    let (offset_entries, last) =
        offsets_below(&files.offset_index, base, offset_count, offset).await?;
    let (time_entries, max_timestamp) =
        timestamps_below(&files.time_index, base, time_count, offset).await?;
    let Some(position) =
        position_of(&files, len, last.map_or(0, |entry| entry.position.into()), offset).await?
    else {
        return Ok(None);
    };
    let first = header_at(&files.log, 0, len).await?;
    Ok(Some(Start {
        offset_entries,
        time_entries,
        position,
        max_timestamp,
        first_timestamp: first.map_or(TimestampMs::NONE, |first| first.max_timestamp),
        ..Start::of_segment(base, offset, producers)
    }))
}

/// Walks the headers from `position` on to where the batches before `offset` end, if they end exactly there.
async fn position_of(
    files: &Files,
    len: u64,
    mut position: u64,
    offset: Offset,
) -> std::io::Result<Option<u64>> {
    let mut next = None;
    while next != Some(offset) {
        match header_at(&files.log, position, len).await? {
            Some(batch) if batch.last < offset => {
                position += batch.len;
                next = Some(batch.last.plus(1));
            }
            _ => return Ok(None),
        }
    }
    Ok(Some(position))
}
