//! What an operator can set about a log and about what the logs of a shard share; names and defaults are Kafka's.

use std::time::Duration;

use ringlane_batch::TimestampType;

use crate::journal::JournalConfig;
use crate::retention::Policy;

/// The largest segment: positions in the offset index are signed 32-bit numbers.
pub(crate) const SEGMENT_BYTES_MAX: u64 = i32::MAX as u64;

/// The settings of one log. Each may change while it is open ([`crate::Log::set_config`]); the next append obeys.
#[derive(Clone, Debug, PartialEq)]
pub struct LogConfig {
    /// `segment.bytes`: a batch that would make the active segment larger starts a new one. At most `i32::MAX`.
    pub segment_bytes: u64,
    /// `segment.ms`: a batch whose largest timestamp is this much later than the segment's first starts a new one.
    pub segment_ms: i64,
    /// `segment.jitter.ms`: a segment is complete by up to this much earlier, by another part of it each.
    pub segment_jitter_ms: i64,
    /// `retention.ms`: segments whose records are all older go; negative: none.
    pub retention_ms: i64,
    /// `retention.bytes`: the oldest segments go as long as the others still hold this much; negative: none.
    pub retention_bytes: i64,
    /// `cleanup.policy` contains `delete`: the two bounds of retention hold.
    pub cleanup_deletes: bool,
    /// `file.delete.delay.ms`: how long the files of a removed segment stay, under another name.
    pub file_delete_delay_ms: i64,
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
    /// How the log is compacted; `None` when `cleanup.policy` does not contain `compact`.
    pub compaction: Option<CompactionConfig>,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            segment_bytes: 1 << 30,
            segment_ms: 7 * 24 * 3600 * 1000,
            segment_jitter_ms: 0,
            retention_ms: 7 * 24 * 3600 * 1000,
            retention_bytes: -1,
            cleanup_deletes: true,
            file_delete_delay_ms: 60_000,
            index_interval_bytes: 4096,
            segment_index_bytes: 10 << 20,
            timestamp_type: TimestampType::CreateTime,
            producer_id_expiration_ms: 24 * 3600 * 1000,
            durable: true,
            flush_messages: i64::MAX as u64,
            flush_ms: i64::MAX,
            compaction: None,
        }
    }
}

impl LogConfig {
    /// `flush.ms`, if it is set.
    pub(crate) fn flush_interval(&self) -> Option<Duration> {
        let set = (0..i64::MAX).contains(&self.flush_ms);
        set.then(|| Duration::from_millis(self.flush_ms.unsigned_abs()))
    }

    /// What retention may take.
    pub(crate) fn retention_policy(&self) -> Policy {
        match self.cleanup_deletes {
            true => Policy::new(self.retention_ms, self.retention_bytes),
            false => Policy::KEEP,
        }
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
    /// As often there is a round in any case, if a log has changed.
    pub checkpoint_interval: Duration,
    /// What logs hold back from their segments.
    pub held: HeldConfig,
    /// What they keep in memory for consumers who keep up, in bytes; with 0 nothing.
    pub tail_bytes_max: u64,
    /// How many logs keep the files of their active segment open, three descriptors each.
    pub open_logs_max: usize,
}

impl Default for LogManagerConfig {
    fn default() -> Self {
        Self {
            journal: JournalConfig::default(),
            concurrent_syncs_max: 32,
            checkpoint_interval_bytes: 512 << 20,
            checkpoint_interval: Duration::from_secs(60),
            held: HeldConfig::default(),
            tail_bytes_max: 8 << 20,
            open_logs_max: 1000,
        }
    }
}

/// The bounds of what the logs of a shard and directory hold back from their segments (docs/decisions/0012).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldConfig {
    /// Of all logs together, in bytes, without what kernel workers are writing.
    pub bytes_max: u64,
    /// What a log's part in that is while there are few. On average: who began first is written first, so that logs that are
    /// appended to alike are written one by one, with twice as much, and not all at the same moment.
    pub log_share_bytes: u64,
    /// How much kernel workers may have to write at once. The shard itself writes what is beyond; with 0 it writes all.
    pub leaving_bytes_max: u64,
    /// How much space is reserved in one step ahead of what these write to a segment; with 0 none is. A segment with less than a
    /// sixteenth of it has none reserved, a device that is nearly full less.
    pub reserved_step_max: u64,
}

impl Default for HeldConfig {
    fn default() -> Self {
        Self {
            // With 2,000 partitions 32 KiB each, on average. An eighth of it made writes so small that they took a third of the
            // core.
            bytes_max: 64 << 20,
            log_share_bytes: 64 << 10,
            leaving_bytes_max: 16 << 20,
            reserved_step_max: 1 << 20,
        }
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
