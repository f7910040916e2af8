//! What an operator can set about a log and about what the logs of a shard share; names and defaults are Kafka's.

use std::time::Duration;

use ringlane_batch::TimestampType;

use crate::journal::JournalConfig;

/// The largest segment: positions in the offset index are signed 32-bit numbers.
pub(crate) const SEGMENT_BYTES_MAX: u64 = i32::MAX as u64;

/// The settings of one log. Each may change while it is open ([`crate::Log::set_config`]); the next append obeys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// `segment.bytes`: a batch that would make the active segment larger starts a new one. At most `i32::MAX`.
    pub segment_bytes: u64,
    /// `segment.ms`: a batch whose largest timestamp is this much later than the segment's first starts a new one.
    pub segment_ms: i64,
    /// `index.interval.bytes`: at least this many bytes of batches lie between two index entries.
    pub index_interval_bytes: u32,
    /// `segment.index.bytes`: an index of this size is full, and a new segment starts.
    pub segment_index_bytes: u32,
    /// `message.timestamp.type`: whether batches keep the producer's timestamps or get the time of the append.
    pub timestamp_type: TimestampType,
    /// `producer.id.expiration.ms`: producers silent for longer are forgotten, at the next checkpoint.
    pub producer_id_expiration_ms: i64,
    /// Whether appends go to the journal. Without it the bytes reach the disk with the next checkpoint, or as the two
    /// settings below say.
    pub durable: bool,
    /// `flush.messages`: after so many records a log that is not durable is synced before more are acknowledged.
    pub flush_messages: u64,
    /// `flush.ms`: it is synced so long after an append. Negative or `i64::MAX`: never.
    pub flush_ms: i64,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            segment_bytes: 1 << 30,
            segment_ms: 7 * 24 * 3600 * 1000,
            index_interval_bytes: 4096,
            segment_index_bytes: 10 << 20,
            timestamp_type: TimestampType::CreateTime,
            producer_id_expiration_ms: 24 * 3600 * 1000,
            durable: true,
            flush_messages: i64::MAX as u64,
            flush_ms: i64::MAX,
        }
    }
}

impl LogConfig {
    /// `flush.ms`, if it is set.
    pub(crate) fn flush_interval(&self) -> Option<Duration> {
        let set = (0..i64::MAX).contains(&self.flush_ms);
        set.then(|| Duration::from_millis(self.flush_ms.unsigned_abs()))
    }

    /// `segment_bytes`, within what positions can express.
    pub(crate) fn segment_bytes_bounded(&self) -> u64 {
        self.segment_bytes.min(SEGMENT_BYTES_MAX)
    }
}

/// What the logs of a shard share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogManagerConfig {
    /// The sizes of the journal.
    pub journal: JournalConfig,
    /// How many files one group of syncs has in flight.
    pub concurrent_syncs_max: usize,
    /// So many bytes appended since the last round of checkpoints call for the next: it bounds the scan after a crash.
    pub checkpoint_interval_bytes: u64,
    /// As often there is a round in any case.
    pub checkpoint_interval: Duration,
    /// How many logs keep the files of their active segment open, three descriptors each.
    pub open_logs_max: usize,
}

impl Default for LogManagerConfig {
    fn default() -> Self {
        Self {
            journal: JournalConfig::default(),
            concurrent_syncs_max: 32,
            checkpoint_interval_bytes: 256 << 20,
            checkpoint_interval: Duration::from_secs(5),
            open_logs_max: 1000,
        }
    }
}
