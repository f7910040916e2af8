//! Which of a log's oldest segments may go: pure decisions over what is known of the segments (`UnifiedLog`'s
//! `deleteOldSegments`). Timestamps of complete segments lie in their index files, so the decision asks for one when it
//! needs it instead of having all of them read.

use ringlane_batch::{HighWatermark, LogStartOffset, Offset};

/// What of a log may be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Policy {
    /// `retention.ms`; `None` for ever.
    pub(crate) retention_ms: Option<i64>,
    /// `retention.bytes`; `None` without bound.
    pub(crate) retention_bytes: Option<u64>,
}

impl Policy {
    /// The policy of a log whose `cleanup.policy` does not have `delete`: only what lies before its start goes.
    pub(crate) const KEEP: Self = Self { retention_ms: None, retention_bytes: None };

    /// From the settings, where any negative number means no bound.
    pub(crate) fn new(retention_ms: i64, retention_bytes: i64) -> Self {
        Self {
            retention_ms: (retention_ms >= 0).then_some(retention_ms),
            retention_bytes: u64::try_from(retention_bytes).ok(),
        }
    }
}

/// One segment, as the decision sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    /// Where the next segment begins, or the log ends.
    pub(crate) end: Offset,
    /// Bytes of its batches.
    pub(crate) len: u64,
    /// Its largest timestamp, or what stands for it; `None` while nobody has looked.
    pub(crate) newest_ms: Option<i64>,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// So many of the oldest segments go. All of them: the active one has to be rolled first.
    Remove(usize),
    /// The largest timestamp of the segment at this index must be known to go on.
    Ask(usize),
}

/// Which segments of `segments`, the oldest first and the last the active one, go at `now_ms`.
///
/// What reaches the high watermark never goes, nor does an empty active segment.
///
/// # Panics
/// When there is no segment.
pub(crate) fn decide(
    segments: &[Facts],
    policy: Policy,
    log_start: LogStartOffset,
    high_watermark: HighWatermark,
    now_ms: i64,
) -> Decision {
    assert!(!segments.is_empty(), "a log has an active segment");
    let removable = removable(segments, high_watermark);
    let mut gone = before_start(segments, log_start).min(removable);
    gone += beyond_size(&segments[gone..removable], &segments[gone..], policy.retention_bytes);
    let Some(retention_ms) = policy.retention_ms else { return Decision::Remove(gone) };
    while let Some(segment) = segments[..removable].get(gone) {
        match segment.newest_ms {
            None => return Decision::Ask(gone),
            Some(newest_ms) if now_ms.saturating_sub(newest_ms) > retention_ms => gone += 1,
            Some(_) => break,
        }
    }
    assert!(gone <= removable, "only what may go goes");
    Decision::Remove(gone)
}

/// How many segments end at the high watermark or before.
fn removable(segments: &[Facts], high_watermark: HighWatermark) -> usize {
    let below = segments.iter().take_while(|segment| segment.end <= high_watermark.offset());
    let count = below.count();
    let active = segments.last().expect("a log has an active segment");
    if count == segments.len() && active.len == 0 { count - 1 } else { count }
}

/// How many complete segments end at the log's start or before: nobody can read them.
fn before_start(segments: &[Facts], log_start: LogStartOffset) -> usize {
    let complete = &segments[..segments.len() - 1];
    complete.iter().take_while(|segment| segment.end <= log_start.offset()).count()
}

/// How many of `removable` go so that `all` of the log still holds `retention_bytes`.
fn beyond_size(removable: &[Facts], all: &[Facts], retention_bytes: Option<u64>) -> usize {
    let Some(retention_bytes) = retention_bytes else { return 0 };
    let size: u64 = all.iter().map(|segment| segment.len).sum();
    let Some(mut excess) = size.checked_sub(retention_bytes) else { return 0 };
    let fits = |segment: &&Facts| match excess.checked_sub(segment.len) {
        Some(rest) => {
            excess = rest;
            true
        }
        None => false,
    };
    removable.iter().take_while(fits).count()
}

#[cfg(test)]
mod tests;
