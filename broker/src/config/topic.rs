//! A topic's settings: each defaults to the broker's setting of the same meaning.

use std::collections::BTreeMap;

use ringlane_batch::{Codec, Compression, TimestampType};

use super::broker::BrokerConfig;
use super::policy::{CleanupPolicy, CompressionType, gzip_level};
use super::table::settings;
use super::value::{any, within};

settings! {
    /// Every setting of a topic.
    TopicConfig(broker: &BrokerConfig);
    dynamic max_message_bytes: i32 = broker.message_max_bytes, "max.message.bytes", within(0, i32::MAX), "The largest record batch, as sent (compressed).";
    dynamic min_insync_replicas: i32 = broker.min_insync_replicas, "min.insync.replicas", within(1, i32::MAX), "Replicas that must have a record before acks=all is answered.";
    dynamic segment_bytes: i32 = broker.log_segment_bytes, "segment.bytes", within(14, i32::MAX), "Size at which a segment file is closed and the next begins.";
    dynamic segment_ms: i64 = broker.log_roll_ms, "segment.ms", within(1, i64::MAX), "Age at which a segment file is closed, in milliseconds.";
    dynamic segment_jitter_ms: i64 = broker.log_roll_jitter_ms, "segment.jitter.ms", within(0, i64::MAX), "A segment file is closed by up to this much earlier than segment.ms, by another part of it each.";
    dynamic retention_ms: i64 = broker.log_retention_ms.max(-1), "retention.ms", within(-1, i64::MAX), "Age at which a closed segment is removed, in milliseconds; -1: never.";
    dynamic retention_bytes: i64 = broker.log_retention_bytes, "retention.bytes", any, "Size of a partition beyond which its oldest segments are removed; -1: none.";
    dynamic file_delete_delay_ms: i64 = broker.log_segment_delete_delay_ms, "file.delete.delay.ms", within(0, i64::MAX), "How long the files of a removed segment stay on disk, under another name.";
    dynamic segment_index_bytes: i32 = broker.log_index_size_max_bytes, "segment.index.bytes", within(4, i32::MAX), "Size of an index file at which its segment is closed.";
    dynamic index_interval_bytes: i32 = broker.log_index_interval_bytes, "index.interval.bytes", within(0, i32::MAX), "Bytes of log between two entries of its index.";
    dynamic message_timestamp_type: TimestampType = broker.log_message_timestamp_type, "message.timestamp.type", any, "CreateTime: records keep the producer's timestamps. LogAppendTime: they get the time of the append.";
    dynamic flush_messages: i64 = broker.log_flush_interval_messages, "flush.messages", within(1, i64::MAX), "Records after which a log that is not durable is synced before more are acknowledged.";
    dynamic flush_ms: i64 = broker.log_flush_interval_ms, "flush.ms", within(0, i64::MAX), "How long a record of a log that is not durable may wait for a sync, in milliseconds.";
    dynamic cleanup_policy: CleanupPolicy = broker.log_cleanup_policy, "cleanup.policy", any, "What makes old records go: delete (segments by age and size), compact (of each key the last record stays), or both; empty: nothing.";
    dynamic min_cleanable_dirty_ratio: f64 = broker.log_cleaner_min_cleanable_ratio, "min.cleanable.dirty.ratio", within(0.0, 1.0), "A log is compacted when more than this part of its bytes is dirty.";
    dynamic min_compaction_lag_ms: i64 = broker.log_cleaner_min_compaction_lag_ms, "min.compaction.lag.ms", within(0, i64::MAX), "How long a record stays at least before it may be compacted away.";
    dynamic max_compaction_lag_ms: i64 = broker.log_cleaner_max_compaction_lag_ms, "max.compaction.lag.ms", within(1, i64::MAX), "How long a record may wait for compaction, whatever the ratio.";
    dynamic delete_retention_ms: i64 = broker.log_cleaner_delete_retention_ms, "delete.retention.ms", within(0, i64::MAX), "How long a tombstone stays after the records that it deletes are gone.";
    dynamic message_timestamp_before_max_ms: i64 = broker.log_message_timestamp_before_max_ms, "message.timestamp.before.max.ms", within(0, i64::MAX), "How far the timestamp of a record may lie before the broker's clock.";
    dynamic message_timestamp_after_max_ms: i64 = broker.log_message_timestamp_after_max_ms, "message.timestamp.after.max.ms", within(0, i64::MAX), "How far the timestamp of a record may lie after the broker's clock.";
    dynamic compression_type: CompressionType = broker.compression_type, "compression.type", any, "The codec of stored batches: gzip, snappy, lz4, zstd, uncompressed, or the producer's own (producer).";
    dynamic compression_gzip_level: i32 = broker.compression_gzip_level, "compression.gzip.level", gzip_level, "How hard gzip tries where compression.type is gzip; -1: its default.";
    dynamic compression_lz4_level: i32 = broker.compression_lz4_level, "compression.lz4.level", within(1, 17), "How hard lz4 tries where compression.type is lz4; 9: the fast compressor.";
    dynamic compression_zstd_level: i32 = broker.compression_zstd_level, "compression.zstd.level", within(-131_072, 22), "How hard zstd tries where compression.type is zstd.";
    dynamic durable: bool = broker.durable, "ringlane.durable", any, "Acknowledge a record only when it is on disk. False: when it is in the page cache, as Kafka does.";
}

/// The broker setting that a topic setting falls back to.
pub fn broker_synonym(topic_key: &str) -> &str {
    match topic_key {
        "max.message.bytes" => "message.max.bytes",
        "segment.bytes" => "log.segment.bytes",
        "segment.ms" => "log.roll.ms",
        "segment.index.bytes" => "log.index.size.max.bytes",
        "index.interval.bytes" => "log.index.interval.bytes",
        "flush.messages" => "log.flush.interval.messages",
        "flush.ms" => "log.flush.interval.ms",
        "segment.jitter.ms" => "log.roll.jitter.ms",
        "retention.ms" => "log.retention.ms",
        "retention.bytes" => "log.retention.bytes",
        "file.delete.delay.ms" => "log.segment.delete.delay.ms",
        "message.timestamp.before.max.ms" => "log.message.timestamp.before.max.ms",
        "message.timestamp.after.max.ms" => "log.message.timestamp.after.max.ms",
        "message.timestamp.type" => "log.message.timestamp.type",
        "cleanup.policy" => "log.cleanup.policy",
        "min.cleanable.dirty.ratio" => "log.cleaner.min.cleanable.ratio",
        "min.compaction.lag.ms" => "log.cleaner.min.compaction.lag.ms",
        "max.compaction.lag.ms" => "log.cleaner.max.compaction.lag.ms",
        "delete.retention.ms" => "log.cleaner.delete.retention.ms",
        same => same,
    }
}

impl TopicConfig {
    /// The settings of a topic with these overrides, which were checked when they were made.
    pub fn resolve(broker: &BrokerConfig, overrides: &BTreeMap<String, String>) -> Self {
        let mut config = Self::defaults(broker);
        for (key, value) in overrides {
            if let Err(problem) = config.set(key, value) {
                tracing::warn!(
                    key,
                    value,
                    ?problem,
                    "a stored topic setting is not understood; its default holds"
                );
            }
        }
        config
    }

    /// What stored batches are compressed with; `None`: with what their producers chose.
    pub fn compression(&self) -> Option<Compression> {
        let codec = self.compression_type.0?;
        let level = match codec {
            Codec::Gzip => Some(self.compression_gzip_level).filter(|level| *level > 0),
            Codec::Lz4 => Some(self.compression_lz4_level),
            Codec::Zstd => Some(self.compression_zstd_level),
            Codec::None | Codec::Snappy => None,
        };
        Some(Compression { codec, level })
    }

    /// Whether `key` can be set to `value`.
    ///
    /// # Errors
    /// Kafka's sentence for INVALID_CONFIG.
    pub fn check(key: &str, value: &str, broker: &BrokerConfig) -> Result<(), String> {
        match Self::defaults(broker).set(key, value) {
            Ok(()) => Ok(()),
            Err(None) => Err(format!("Unknown topic config name: {key}")),
            Err(Some(allowed)) => {
                Err(format!("Invalid value {value} for configuration {key}: {allowed}"))
            }
        }
    }

    /// Whether a topic can have all of these overrides, each of which can be, over the settings of this broker
    /// (`LogConfig.validateValues`).
    ///
    /// # Errors
    /// Kafka's sentence for INVALID_CONFIG.
    pub fn check_together(
        broker: &BrokerConfig,
        overrides: &BTreeMap<String, String>,
    ) -> Result<(), String> {
        let config = Self::resolve(broker, overrides);
        let (min, max) = (config.min_compaction_lag_ms, config.max_compaction_lag_ms);
        if min <= max {
            return Ok(());
        }
        Err(format!(
            "conflict topic config setting min.compaction.lag.ms ({min}) > max.compaction.lag.ms ({max})"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_lag_is_not_above_the_most_wherever_they_are_set() {
        let check = |own: &[(&str, &str)], min, max| {
            let broker = BrokerConfig {
                log_cleaner_min_compaction_lag_ms: min,
                log_cleaner_max_compaction_lag_ms: max,
                ..BrokerConfig::defaults()
            };
            let own = own.iter().map(|(key, value)| (key.to_string(), value.to_string()));
            TopicConfig::check_together(&broker, &own.collect())
        };
        let (least, most) = ("min.compaction.lag.ms", "max.compaction.lag.ms");
        assert_eq!(check(&[(least, "10"), (most, "10")], 0, 5), Ok(()));
        assert_eq!(
            check(&[(least, "10"), (most, "9")], 0, i64::MAX),
            Err("conflict topic config setting min.compaction.lag.ms (10) > max.compaction.lag.ms (9)".into())
        );
        assert!(check(&[(least, "6")], 0, 5).is_err(), "the most is the broker's");
        assert!(check(&[(most, "4")], 5, 5).is_err(), "the least is the broker's");
        assert!(check(&[("retention.ms", "1")], 6, 5).is_err(), "both are");
    }
}
