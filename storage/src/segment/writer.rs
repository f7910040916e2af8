//! Adding to the active segment: a `pwrite` for each batch or, where the journal has them, for many; an index entry now and
//! then; and the decision when the segment is complete (Kafka's `LogSegment.append` and `shouldRoll`).

use std::io;
use std::rc::Rc;

use ringlane_batch::{BatchView, Offset, TimestampMs};
use ringlane_reactor::File;

use super::held::{Held, Spare};
use super::offset_index::can_hold;
use super::{Located, OffsetEntry, Segment, TimeEntry};
use crate::config::LogConfig;

/// A page that is not full yet would be written twice.
const PAGE_BYTES: u64 = 4096;

/// When a segment is complete.
#[derive(Clone, Copy)]
pub(crate) struct RollLimits {
    segment_bytes: u64,
    segment_ms: i64,
    segment_jitter_ms: i64,
    index_bytes: u32,
}

impl RollLimits {
    pub(crate) fn of(config: &LogConfig) -> Self {
        Self {
            segment_bytes: config.segment_bytes_bounded(),
            // KIP-354: the active segment is not compacted, so it must be complete in time.
            segment_ms: match config.compaction {
                Some(compaction) => config.segment_ms.min(compaction.max_compaction_lag_ms),
                None => config.segment_ms,
            },
            segment_jitter_ms: config.segment_jitter_ms,
            index_bytes: config.segment_index_bytes,
        }
    }
}

/// What a kernel worker is to write.
pub(crate) struct Leaving {
    file: File,
    bytes: Rc<Vec<u8>>,
    position: u64,
    /// Up to where space is to be reserved first.
    reserve_to: Option<u64>,
}

impl Leaving {
    pub(crate) fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// Writes it, unless there is no space to reserve: the shard may find enough for this still.
    pub(crate) async fn write(self) -> io::Result<()> {
        if let Some(len) = self.reserve_to {
            self.file.reserve(len).await?;
        }
        self.file.write_behind(self.bytes, self.position).await
    }
}

impl RollLimits {
    /// How old a segment may become that drew `lot` (`LogConfig.randomSegmentJitter`).
    fn age_max_ms(&self, lot: u64) -> i64 {
        let jitter_max_ms = self.segment_jitter_ms.min(self.segment_ms);
        match u64::try_from(jitter_max_ms) {
            Ok(bound @ 1..) => self.segment_ms - (lot % bound) as i64,
            _ => self.segment_ms,
        }
    }
}

impl Segment {
    /// Whether a batch of `len` bytes that ends at `last` must go to a new segment.
    pub(crate) fn must_roll(
        &self,
        len: u64,
        last: Offset,
        max_timestamp: TimestampMs,
        limits: RollLimits,
        now_ms: i64,
    ) -> bool {
        if self.len == 0 {
            // An empty segment takes what it can address: rolling it would gain nothing else.
            return !can_hold(last, self.base);
        }
        let age_ms = match self.first_timestamp {
            TimestampMs(first) if first >= 0 => max_timestamp.0.saturating_sub(first),
            _ => now_ms.saturating_sub(self.created_ms),
        };
        self.len + len > limits.segment_bytes
            || age_ms > limits.age_max_ms(self.roll_lot)
            || self.offset_index.is_full(limits.index_bytes, 0)
            // The last slot is kept for the entry that closing adds.
            || self.time_index.is_full(limits.index_bytes, 1)
            || !can_hold(last, self.base)
    }

    /// Writes `batch`, stamped, behind what is there. On an error the segment's memory is unchanged; what the file holds
    /// behind its last whole batch is unknown, see [`Segment::cut_back`].
    pub(crate) fn append(&mut self, batch: &BatchView<'_>, interval: u32) -> io::Result<()> {
        self.write_held()?;
        self.open_log().write_at(batch.as_bytes(), self.len)?;
        self.note(&Located::of(batch, self.len), interval);
        Ok(())
    }

    /// Takes `batch`, stamped, without writing it. Only for what the journal takes next, until [`Segment::write_held`].
    pub(crate) fn hold(&mut self, batch: &BatchView<'_>, interval: u32) {
        assert!(self.files.is_some(), "a segment that holds batches has its files open");
        self.note(&Located::of(batch, self.len), interval);
        if self.wants_memory()
            && let Some(spare) = self.spare.take()
        {
            self.held.begin_in(spare);
        }
        self.held.push(batch.as_bytes());
    }

    /// Writes what is held, be it leaving or not. On an error it is held still.
    pub(crate) fn write_held(&mut self) -> io::Result<()> {
        if !self.held.is_empty() {
            let (file, position) = (self.open_log().clone(), self.file_len());
            file.write_at(self.held.gather(), position)?;
            self.spare = self.held.clear();
        }
        Ok(())
    }

    /// What is to be written for [`Segment::has_left`], if anything is and nothing is leaving yet, with space reserved in
    /// steps of `step_max` at most.
    pub(crate) fn leave(&mut self, step_max: u64) -> Option<Leaving> {
        let (file, position) = (self.open_log().clone(), self.file_len());
        let bytes = self.held.leave()?;
        let reserve_to = self.reserve(position + bytes.len() as u64, step_max);
        Some(Leaving { file, bytes, position, reserve_to })
    }

    /// What was leaving is in the file, unless it was held again meanwhile.
    pub(crate) fn has_left(&mut self) {
        self.spare = self.held.left();
    }

    /// What was leaving could not be written: it is held like the rest.
    pub(crate) fn has_not_left(&mut self) {
        self.held.gather();
    }

    /// Whether the next batch that is held needs memory.
    pub(crate) fn wants_memory(&self) -> bool {
        self.held.has_none()
    }

    /// Memory for it.
    pub(crate) fn lend(&mut self, spare: Spare) {
        self.spare = Some(spare);
    }

    /// Memory that it does not need any more.
    pub(crate) fn give_back(&mut self) -> Option<Spare> {
        self.spare.take()
    }

    /// Closes the files. What is held is in the journal alone from now on.
    pub(crate) fn close(&mut self) {
        self.held = Held::default();
        self.files = None;
    }

    /// Bytes that [`Segment::write_held`] has to write.
    pub(crate) fn held_bytes(&self) -> u64 {
        self.held.len()
    }

    /// Whether nothing is held but what [`Segment::leave`] gave away.
    pub(crate) fn all_leaves(&self) -> bool {
        self.held.all_leaves()
    }

    /// Bytes of whole batches in the file.
    pub(crate) fn file_len(&self) -> u64 {
        self.len - self.held.len()
    }

    fn open_log(&self) -> &File {
        &self.files.as_ref().expect("the active segment's files are open").log
    }

    /// Takes away what a failed write may have left behind the last whole batch.
    pub(crate) fn cut_back(&self) -> io::Result<()> {
        self.open_log().set_len(self.file_len())
    }

    /// Takes note of `batch`, which lies in the file at `len`.
    pub(crate) fn note(&mut self, batch: &Located, interval: u32) {
        let (timestamp, last) = (batch.max_timestamp, batch.last);
        assert_eq!(batch.position, self.len, "batches lie one behind the other");
        assert!(last >= self.base, "offset {last} belongs before segment {}", self.base);
        if self.len == 0 {
            self.first_timestamp = timestamp;
        }
        if timestamp > self.max_timestamp.map_or(TimestampMs::NONE, |max| max.timestamp) {
            self.max_timestamp = Some(TimeEntry { timestamp, offset: last });
        }
        if self.bytes_since_index_entry > u64::from(interval) {
            let position = u32::try_from(self.len).expect("a segment rolls below 2 GiB");
            self.offset_index.push(OffsetEntry { offset: last, position });
            self.index_max_timestamp();
            self.bytes_since_index_entry = 0;
        }
        self.bytes_since_index_entry += batch.len;
        self.len += batch.len;
    }

    /// Adds the largest timestamp to the time index unless it is there.
    pub(crate) fn index_max_timestamp(&mut self) {
        let Some(max) = self.max_timestamp else { return };
        if self.time_index_end.is_none_or(|last| last.timestamp < max.timestamp) {
            assert!(
                self.time_index_end.is_none_or(|last| last.offset < max.offset),
                "a larger timestamp comes from a later batch"
            );
            self.time_index.push(max);
            self.time_index_end = Some(max);
        }
    }

    /// Has the whole pages that nobody asked for yet written back, if they are as many as `least_bytes`. Answers how many
    /// bytes they have.
    pub(crate) fn start_write_back(&mut self, least_bytes: u64) -> u64 {
        let end = self.file_len() - self.file_len() % PAGE_BYTES;
        // A truncation may have cut what was asked for.
        let start = self.written_back.min(end);
        let Some(files) = self.files.as_ref().filter(|_| end - start >= least_bytes) else {
            return 0;
        };
        files.log.start_write_back(start, end - start);
        self.written_back = end;
        end - start
    }

    /// Writes some of the waiting index entries if many wait.
    pub(crate) fn flush_indexes_if_long(&mut self) -> io::Result<()> {
        let files = self.files.as_ref().expect("the active segment's files are open");
        if self.offset_index.wants_flush() {
            self.offset_index.flush(&files.offset_index, self.base.0, false)?;
        }
        if self.time_index.wants_flush() {
            self.time_index.flush(&files.time_index, self.base.0, false)?;
        }
        Ok(())
    }

    /// Whether index entries wait in memory.
    pub(crate) fn index_entries_wait(&self) -> bool {
        self.offset_index.waits() || self.time_index.waits()
    }

    /// Leaves the files as they are to be found: with every index entry, and with no more space than they need. Nothing is held.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        self.flush_indexes()?;
        self.give_back_space()
    }

    /// Writes every index entry, the largest timestamp among them: what is in the files then covers all batches so far.
    pub(crate) fn flush_indexes(&mut self) -> io::Result<()> {
        self.index_max_timestamp();
        let Some(files) = &self.files else {
            let waiting = self.index_entries_wait();
            assert!(!waiting, "a segment's files are closed after its indexes are written");
            return Ok(());
        };
        self.offset_index.flush(&files.offset_index, self.base.0, true)?;
        self.time_index.flush(&files.time_index, self.base.0, true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_takes_less_than_the_smaller_of_both_bounds() {
        let limits = |segment_ms, segment_jitter_ms| {
            RollLimits::of(&LogConfig { segment_ms, segment_jitter_ms, ..LogConfig::default() })
        };
        for (segment_ms, jitter_ms, lot, expected) in [
            (100, 0, 7, 100),
            (100, 10, 7, 93),
            (100, 10, 19, 91),
            (100, 10, 20, 100),
            (5, i64::MAX, 9, 1),
            (i64::MAX, i64::MAX, u64::MAX, i64::MAX - 1),
        ] {
            assert_eq!(limits(segment_ms, jitter_ms).age_max_ms(lot), expected, "{lot}");
        }
    }
}
