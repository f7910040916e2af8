//! Finding records by time (ListOffsets; KIP-79, KIP-734): the time index names a batch, its records are then decoded.

use std::io;

use bytes::Bytes;
use ringlane_batch::{BatchView, LeaderEpoch, Offset, TimestampMs};

use super::Log;
use crate::error::ReadError;
use crate::names::Kind;
use crate::segment::{
    Located, Source, TimeEntry, batch_bytes, first_as_new_as, largest_from, locate, older_than,
    timestamps_below,
};

/// No batch decompresses to more: what was appended was decompressed and checked before.
const DECOMPRESSED_BYTES_MAX: usize = 1 << 30;

/// A record that was found by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimestampedOffset {
    /// Its offset.
    pub offset: Offset,
    /// Its timestamp.
    pub timestamp: TimestampMs,
    /// The leader epoch of its batch.
    pub leader_epoch: LeaderEpoch,
}

impl Log {
    /// The first record whose timestamp is `timestamp` or later; `None` when all are older.
    ///
    /// # Errors
    /// `Disk`, `Closed`.
    pub async fn offset_for_timestamp(
        &self,
        timestamp: TimestampMs,
    ) -> Result<Option<TimestampedOffset>, ReadError> {
        self.unless_changed(async || self.find_timestamp(timestamp).await).await
    }

    /// The first record with the largest timestamp of all (KIP-734); `None` in a log without timestamps.
    ///
    /// # Errors
    /// `Disk`, `Closed`.
    pub async fn max_timestamp(&self) -> Result<Option<TimestampedOffset>, ReadError> {
        self.unless_changed(async || self.find_max_timestamp().await).await
    }

    /// What `find` finds, once no truncation and no replacement of segments came between: it may have passed over what
    /// moved to another segment.
    async fn unless_changed<T>(
        &self,
        find: impl AsyncFn() -> Result<T, ReadError>,
    ) -> Result<T, ReadError> {
        loop {
            let version = self.0.state.borrow().files_version();
            let found = find().await?;
            if self.0.state.borrow().files_version() == version {
                return Ok(found);
            }
        }
    }

    async fn find_timestamp(
        &self,
        timestamp: TimestampMs,
    ) -> Result<Option<TimestampedOffset>, ReadError> {
        let mut from = self.log_start().offset();
        while let Some((base, end)) = self.segment_from(from)? {
            let max = self.segment_max_timestamp(base).await?;
            if max.is_some_and(|max| max.timestamp >= timestamp) {
                let found = self.first_in_segment(base, timestamp).await?;
                if let Some(found) = found {
                    return Ok(Some(found));
                }
            }
            from = end;
        }
        Ok(None)
    }

    async fn find_max_timestamp(&self) -> Result<Option<TimestampedOffset>, ReadError> {
        loop {
            let start = self.log_start();
            let found = self.max_timestamp_from(start.offset()).await?;
            // What was found may have been deleted meanwhile.
            if found.is_some() || start == self.log_start() {
                return Ok(found);
            }
        }
    }

    async fn max_timestamp_from(
        &self,
        mut from: Offset,
    ) -> Result<Option<TimestampedOffset>, ReadError> {
        let mut largest: Option<(Offset, TimeEntry)> = None;
        while let Some((base, end)) = self.segment_from(from)? {
            if let Some(max) = self.readable_max_timestamp(base).await?
                && largest.is_none_or(|(_, known)| max.timestamp > known.timestamp)
            {
                largest = Some((base, max));
            }
            from = end;
        }
        match largest {
            Some((base, max)) => self.first_in_segment(base, max.timestamp).await,
            None => Ok(None),
        }
    }

    /// The segment that holds `from`, as its base and end; `None` at the log's end.
    fn segment_from(&self, from: Offset) -> Result<Option<(Offset, Offset)>, ReadError> {
        let state = self.0.state.borrow();
        if state.is_closed() {
            return Err(ReadError::Closed);
        }
        if from >= state.offsets().end.offset() {
            return Ok(None);
        }
        let index = state.segment_index(from.max(state.segments[0].base));
        Ok(Some((state.segments[index].base, state.segment_end(index))))
    }

    /// The largest timestamp of what can be read in the segment at `base`, and the last offset of the first batch with it.
    async fn readable_max_timestamp(&self, base: Offset) -> Result<Option<TimeEntry>, ReadError> {
        let max = self.segment_max_timestamp(base).await?;
        let start = self.log_start().offset();
        let Some(known) = max.filter(|_| base < start) else { return Ok(max) };
        // The log starts within the segment: what is the largest there may have been deleted.
        let largest = self.with_source(start, async |source| match locate(source, start).await? {
            Some(first) if known.offset > first.last => Ok(Some(known)),
            Some(first) => largest_readable(source, &first, start).await,
            None => Ok(None),
        });
        match largest.await {
            Err(_) if self.find_without_index(base, start).await.is_some() => Ok(None),
            largest => Ok(largest?.and_then(|(largest, _)| largest)),
        }
    }

    /// The largest timestamp of the segment at `base`: of a complete one, its last time index entry.
    pub(crate) async fn segment_max_timestamp(
        &self,
        base: Offset,
    ) -> Result<Option<TimeEntry>, ReadError> {
        let (known, entries) = {
            let state = self.0.state.borrow();
            let index = state.segments.binary_search_by_key(&base, |segment| segment.base);
            let Ok(index) = index else { return Ok(None) };
            let segment = &state.segments[index];
            (segment.max_timestamp, segment.time_entries())
        };
        if known.is_some() || entries == 0 {
            return Ok(known);
        }
        let found = self.with_source(base, async |source| {
            timestamps_below(&source.files.time_index, base, entries, Offset(i64::MAX)).await
        });
        let Some(((count, max), _)) = found.await? else { return Ok(None) };
        let is_right = match &max {
            Some(max) => count == entries && self.is_of_segment(base, max).await,
            None => false,
        };
        if !is_right {
            let what = "its last entry does not fit the batches";
            self.distrust_indexes(base, Kind::TimeIndex, what).await;
        }
        let mut state = self.0.state.borrow_mut();
        let index = state.segments.binary_search_by_key(&base, |segment| segment.base);
        let Ok(index) = index else { return Ok(None) };
        let segment = &mut state.segments[index];
        if is_right {
            // What was found in the batches themselves, where an index was wrong, is better.
            segment.max_timestamp = segment.max_timestamp.or(max);
        }
        Ok(segment.max_timestamp)
    }

    /// The first record of the segment at `base` that is as new as `timestamp`.
    async fn first_in_segment(
        &self,
        base: Offset,
        timestamp: TimestampMs,
    ) -> Result<Option<TimestampedOffset>, ReadError> {
        let Some(from) = self.time_index_floor(base, timestamp).await? else { return Ok(None) };
        let start = self.log_start().offset();
        let from = from.max(start);
        let found = self.with_source(from, async |source| {
            let mut next = first_as_new_as(source, timestamp, from).await?;
            while let Some(batch) = next {
                let bytes = batch_bytes(source, &batch).await?;
                if let Some(found) = first_record(&bytes, timestamp, start)? {
                    return Ok(Some(found));
                }
                // The header promised such a record: it lies before the log's start, or the batch is damaged.
                next = locate(source, batch.last.plus(1)).await?;
            }
            Ok(None)
        });
        match found.await {
            // The index was wrong, and whoever asks looks once more.
            Err(_) if self.find_without_index(base, from).await.is_some() => Ok(None),
            found => Ok(found?.and_then(|(found, _)| found)),
        }
    }

    /// An offset in the segment at `base` before which all records are older than `timestamp`.
    async fn time_index_floor(
        &self,
        base: Offset,
        timestamp: TimestampMs,
    ) -> Result<Option<Offset>, ReadError> {
        let (waiting, entries) = {
            let state = self.0.state.borrow();
            let index = state.segments.binary_search_by_key(&base, |segment| segment.base);
            let Ok(index) = index else { return Ok(None) };
            let time_index = &state.segments[index].time_index;
            let older = |entry: &TimeEntry| entry.timestamp < timestamp;
            (time_index.find_in_tail(older), state.segments[index].time_entries())
        };
        if let Some(entry) = waiting {
            return Ok(Some(entry.offset));
        }
        let found = self.with_source(base, async |source| {
            older_than(&source.files.time_index, base, entries, timestamp).await
        });
        let Some((Some(entry), _)) = found.await? else { return Ok(Some(base)) };
        if !self.is_of_segment(base, &entry).await {
            let what = "an entry that was looked up does not fit the batches";
            self.distrust_indexes(base, Kind::TimeIndex, what).await;
            return Ok(Some(base));
        }
        Ok(Some(entry.offset))
    }
}

/// The largest timestamp from `start` on, which lies in the batch `first`: of that one only some records count.
async fn largest_readable(
    source: &Source,
    first: &Located,
    start: Offset,
) -> io::Result<Option<TimeEntry>> {
    let bytes = batch_bytes(source, first).await?;
    let batch = BatchView::parse(&bytes).map_err(damaged)?;
    let mut largest: Option<TimeEntry> = None;
    for record in batch.records(DECOMPRESSED_BYTES_MAX).map_err(damaged)?.iter() {
        let record = record.map_err(damaged)?;
        let known = largest.map_or(TimestampMs::NONE, |largest| largest.timestamp);
        if record.offset >= start && record.timestamp > known {
            largest = Some(TimeEntry { timestamp: record.timestamp, offset: first.last });
        }
    }
    let behind = largest_from(source, first.last.plus(1)).await?;
    let is_larger = |behind: &TimeEntry| largest.is_none_or(|own| behind.timestamp > own.timestamp);
    Ok(behind.filter(is_larger).or(largest))
}

fn damaged(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// The first record in the batch `bytes` that is as new as `timestamp` and lies at `start` or behind.
fn first_record(
    bytes: &Bytes,
    timestamp: TimestampMs,
    start: Offset,
) -> io::Result<Option<TimestampedOffset>> {
    let batch = BatchView::parse(bytes).map_err(damaged)?;
    let records = batch.records(DECOMPRESSED_BYTES_MAX).map_err(damaged)?;
    for record in records.iter() {
        let record = record.map_err(damaged)?;
        if record.timestamp >= timestamp && record.offset >= start {
            let (offset, leader_epoch) = (record.offset, batch.leader_epoch());
            return Ok(Some(TimestampedOffset {
                offset,
                timestamp: record.timestamp,
                leader_epoch,
            }));
        }
    }
    Ok(None)
}
