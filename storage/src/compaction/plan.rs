//! What to clean, decided without I/O: the dirty part of a log, whether it is due, which log is the dirtiest, and how
//! segments are put together (Kafka's `LogCleanerManager.cleanableOffsets` and `Cleaner.groupSegmentsBySize`).

use std::cmp::Ordering;
use std::ops::Range;

use ringlane_batch::Offset;

use crate::config::CompactionConfig;

/// A segment, as planning sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentView {
    pub(crate) base: Offset,
    /// Where the next one begins, or the log ends.
    pub(crate) end: Offset,
    /// Bytes of batches.
    pub(crate) len: u64,
    /// Entries of the offset index in its file.
    pub(crate) offset_entries: u32,
    /// Bytes of both index files.
    pub(crate) offset_index_bytes: u64,
    pub(crate) time_index_bytes: u64,
}

/// What lies between the offsets that were cleaned before and the first that must not be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dirty {
    /// Everything before it has been cleaned.
    pub(crate) first: Offset,
    /// The base of the first segment that is not touched. At least `first`'s segment's base.
    pub(crate) first_uncleanable: Offset,
    /// Bytes of segments before `first`.
    pub(crate) clean_bytes: u64,
    /// Bytes of segments in `first..first_uncleanable`.
    pub(crate) cleanable_bytes: u64,
}

/// The segments that may be cleaned at all: not the active one, and nothing at or above `limit`, which is the lowest of
/// recovery point, high watermark and last stable offset.
pub(crate) fn touchable(segments: &[SegmentView], limit: Offset) -> &[SegmentView] {
    let inactive = &segments[..segments.len().saturating_sub(1)];
    &inactive[..inactive.partition_point(|segment| segment.end <= limit)]
}

/// Where the dirty part begins: where the last round ended, but not before the log's start.
pub(crate) fn first_dirty(cleaned_to: Option<Offset>, log_start: Offset) -> Offset {
    cleaned_to.unwrap_or(log_start).max(log_start)
}

/// The dirty part of a log whose `segments` may all be cleaned.
pub(crate) fn dirty(segments: &[SegmentView], first: Offset) -> Dirty {
    let clean = segments.partition_point(|segment| segment.end <= first);
    let bytes = |segments: &[SegmentView]| segments.iter().map(|segment| segment.len).sum();
    Dirty {
        first,
        first_uncleanable: segments.last().map_or(first, |last| last.end),
        clean_bytes: bytes(&segments[..clean]),
        cleanable_bytes: bytes(&segments[clean..]),
    }
}

impl Dirty {
    /// How much of the log is dirty, in 0..=1.
    pub(crate) fn ratio(&self) -> f64 {
        match self.clean_bytes + self.cleanable_bytes {
            0 => 0.0,
            total => self.cleanable_bytes as f64 / total as f64,
        }
    }

    /// Whether it is to be cleaned: dirty enough, or something in it is older than `max.compaction.lag.ms` (KIP-354).
    pub(crate) fn is_due(&self, config: &CompactionConfig, is_overdue: bool) -> bool {
        let dirty_enough = self.ratio() > config.min_cleanable_dirty_ratio;
        self.cleanable_bytes > 0 && (dirty_enough || is_overdue)
    }

    /// Which of two logs is cleaned first: the greater.
    pub(crate) fn dirtiness(&self, other: &Self) -> Ordering {
        self.ratio().total_cmp(&other.ratio())
    }
}

/// Whether a segment whose newest record has this timestamp is too young (`min.compaction.lag.ms`, KIP-58).
pub(crate) fn is_too_young(newest_ms: i64, config: &CompactionConfig, now_ms: i64) -> bool {
    let lag_ms = config.min_compaction_lag_ms;
    lag_ms > 0 && newest_ms > now_ms.saturating_sub(lag_ms)
}

/// Whether a dirty segment whose first batch has this timestamp must be cleaned now (`max.compaction.lag.ms`, KIP-354).
pub(crate) fn is_overdue(first_ms: i64, config: &CompactionConfig, now_ms: i64) -> bool {
    first_ms > 0 && first_ms < now_ms.saturating_sub(config.max_compaction_lag_ms.max(0))
}

/// What one new segment may hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GroupLimits {
    pub(crate) segment_bytes: u64,
    pub(crate) index_bytes: u64,
}

/// Neighbours that go into one new segment, so that segments do not become ever smaller. Each group holds at least one.
pub(crate) fn groups(segments: &[SegmentView], limits: GroupLimits) -> Vec<Range<usize>> {
    let mut groups: Vec<Range<usize>> = Vec::new();
    for (index, next) in segments.iter().enumerate() {
        match groups.last_mut() {
            Some(group) if fits(&segments[group.clone()], next, limits) => group.end = index + 1,
            _ => groups.push(index..index + 1),
        }
    }
    assert_eq!(groups.iter().map(Range::len).sum::<usize>(), segments.len(), "none is left out");
    groups
}

fn fits(group: &[SegmentView], next: &SegmentView, limits: GroupLimits) -> bool {
    let sum = |of: fn(&SegmentView) -> u64| group.iter().map(of).sum::<u64>() + of(next);
    // Offsets in an index are 32-bit and relative to the base.
    let last_delta = next.end.distance_from(group[0].base) - 1;
    sum(|segment| segment.len) <= limits.segment_bytes
        && sum(|segment| segment.offset_index_bytes) <= limits.index_bytes
        && sum(|segment| segment.time_index_bytes) <= limits.index_bytes
        && last_delta <= i64::from(i32::MAX)
}

#[cfg(test)]
mod tests;
