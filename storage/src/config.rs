//! What an operator can set about a log and about the grouped syncs of a shard; names and defaults are Kafka's.

use ringlane_batch::TimestampType;

use crate::retention::Policy;

/// The largest segment: positions in the offset index are signed 32-bit numbers.
pub(crate) const SEGMENT_BYTES_MAX: u64 = i32::MAX as u64;

/// The settings of one log. Each may change while it is open ([`crate::Log::set_config`]); the next append obeys.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// Whether an append asks for a sync at once. Without it the bytes reach the disk with the next checkpoint.
    pub durable: bool,
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
        }
    }
}

impl LogConfig {
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
