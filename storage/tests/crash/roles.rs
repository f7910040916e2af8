//! What kinds of logs a run has: each with its settings, and with what happens to it.

use ringlane_reactor::Rng;
use ringlane_storage::{CompactionConfig, LogConfig};

use crate::common::small;

/// A kind of log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Role {
    /// Durable, and truncated now and then.
    Durable,
    /// Its durability is switched on and off.
    Changing,
    /// Not durable, with `flush.messages=1`: synced before each acknowledgement.
    FlushEach,
    /// Not durable, with `flush.ms`.
    FlushTimed,
    /// Durable and compacted.
    Compacted,
    /// Durable, bounded by `retention.bytes`; records are deleted too.
    Retained,
    /// Durable, and only ever appended to: where the disk lies, what must be there is known to the byte.
    Kept,
}

impl Role {
    const ALL: [Self; 6] = [
        Self::Durable,
        Self::Changing,
        Self::FlushEach,
        Self::FlushTimed,
        Self::Compacted,
        Self::Retained,
    ];

    /// Three kinds, one after the other in the list, so that few seeds have all.
    pub(crate) fn draw(rng: &mut Rng) -> Vec<Self> {
        let first = rng.below(Self::ALL.len() as u64) as usize;
        (first..first + 3).map(|n| Self::ALL[n % Self::ALL.len()]).collect()
    }

    /// What the log begins each life with.
    pub(crate) fn config(self) -> LogConfig {
        let config = LogConfig {
            retention_ms: -1,
            segment_ms: i64::MAX,
            file_delete_delay_ms: 20,
            segment_bytes: 1500,
            ..small()
        };
        match self {
            Self::Durable | Self::Changing => config,
            Self::Kept => LogConfig { segment_bytes: 12_000, ..config },
            Self::FlushEach => LogConfig { durable: false, flush_messages: 1, ..config },
            Self::FlushTimed => LogConfig { durable: false, flush_ms: 5, ..config },
            Self::Compacted => LogConfig { compaction: Some(compaction()), ..config },
            Self::Retained => LogConfig { retention_bytes: 4000, ..config },
        }
    }

    /// Other settings for a log whose durability changes.
    pub(crate) fn draw_config(self, rng: &mut Rng) -> LogConfig {
        assert_eq!(self, Self::Changing, "the others keep theirs");
        let flush_messages = [1, 4, i64::MAX as u64][rng.below(3) as usize];
        let flush_ms = if rng.one_in(3) { 5 } else { i64::MAX };
        LogConfig { durable: rng.one_in(2), flush_messages, flush_ms, ..self.config() }
    }

    /// Whether what it acknowledges survives a power cut without being journaled.
    pub(crate) fn syncs_first(self) -> bool {
        self == Self::FlushEach
    }

    pub(crate) fn is_truncated(self) -> bool {
        !matches!(self, Self::Compacted | Self::Kept)
    }

    pub(crate) fn is_deleted_from(self) -> bool {
        matches!(self, Self::Retained | Self::FlushTimed)
    }
}

fn compaction() -> CompactionConfig {
    let ratio = CompactionConfig { min_cleanable_dirty_ratio: 0.0, ..CompactionConfig::default() };
    CompactionConfig { delete_retention_ms: 100, ..ratio }
}
