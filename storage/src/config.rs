//! What an operator can set about a log and about the grouped syncs of a shard; names and defaults are Kafka's.

use ringlane_batch::TimestampType;

/// The largest segment: positions in the offset index are signed 32-bit numbers.
pub(crate) const SEGMENT_BYTES_MAX: u64 = i32::MAX as u64;

/// The settings of one log. Each may change while it is open ([`crate::Log::set_config`]); the next append obeys.
#[derive(Clone, Debug, PartialEq)]
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
    /// Whether an append asks for a sync at once. Without it the bytes reach the disk with the next checkpoint.
    pub durable: bool,
    /// How the log is compacted; `None` when `cleanup.policy` does not contain `compact`.
    pub compaction: Option<CompactionConfig>,
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
            compaction: None,
        }
    }
}

impl LogConfig {
    /// `segment_bytes`, within what positions can express.
    pub(crate) fn segment_bytes_bounded(&self) -> u64 {
        self.segment_bytes.min(SEGMENT_BYTES_MAX)
    }
}

/// The bounds of a shard's background writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupSyncConfig {
    /// How many files one group syncs at the same time.
    pub concurrent_syncs_max: usize,
    /// A log that took this many bytes since its recovery point gets a checkpoint: it bounds the scan after a crash.
    pub checkpoint_interval_bytes: u64,
}

impl Default for GroupSyncConfig {
    fn default() -> Self {
        Self { concurrent_syncs_max: 32, checkpoint_interval_bytes: 64 << 20 }
    }
}

/// How one log is compacted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CompactionConfig {
    /// `min.cleanable.dirty.ratio`: a log is cleaned when more of its bytes are dirty. In 0..=1.
    pub min_cleanable_dirty_ratio: f64,
    /// `min.compaction.lag.ms`: no record younger than this is compacted away (KIP-58).
    pub min_compaction_lag_ms: i64,
    /// `max.compaction.lag.ms`: a log with dirty records older than this is cleaned whatever its ratio (KIP-354).
    pub max_compaction_lag_ms: i64,
    /// `delete.retention.ms`: how long a tombstone stays after what it deletes is gone (KIP-534).
    pub delete_retention_ms: i64,
}

impl Default for CompactionConfig {
    fn default() -> Self {
        Self {
            min_cleanable_dirty_ratio: 0.5,
            min_compaction_lag_ms: 0,
            max_compaction_lag_ms: i64::MAX,
            delete_retention_ms: 24 * 3600 * 1000,
        }
    }
}

/// The bounds of a shard's cleaner.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CleanerConfig {
    /// `log.cleaner.dedupe.buffer.size`: memory for the keys of one round, this shard's part.
    pub dedupe_buffer_bytes: u64,
    /// `log.cleaner.io.buffer.load.factor`: how full that may become, in 0..1.
    pub load_factor: f64,
    /// `log.cleaner.io.buffer.size`: bytes that are read, and written, at once.
    pub io_buffer_bytes: u64,
    /// `log.cleaner.io.max.bytes.per.second`: bytes read and written, on average.
    pub io_max_bytes_per_second: f64,
    /// `log.cleaner.backoff.ms`: how long to wait when no log is due.
    pub backoff_ms: u64,
}

impl Default for CleanerConfig {
    fn default() -> Self {
        Self {
            dedupe_buffer_bytes: 128 << 20,
            load_factor: 0.9,
            io_buffer_bytes: 512 << 10,
            io_max_bytes_per_second: f64::MAX,
            backoff_ms: 15_000,
        }
    }
}
