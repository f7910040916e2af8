//! The broker's settings: Kafka's names, meanings and defaults (`server.properties`), and ours under `ringlane.`.

use std::path::PathBuf;

use ringlane_batch::TimestampType;

use super::policy::{CleanupPolicy, CompressionType, gzip_level, unlimited_or_at_least_one};
use super::table::settings;
use super::value::{Endpoints, above_zero, any, not_empty, within};

const MIB: i32 = 1024 * 1024;

settings! {
    /// Every setting of a broker.
    BrokerConfig();
    fixed node_id: i32 = 1, "node.id", within(0, 999_999), "The number of this broker in its cluster.";
    fixed listeners: Endpoints = Endpoints::default(), "listeners", any, "Where the broker listens: PLAINTEXT://host:port. Empty: PLAINTEXT://127.0.0.1:9092.";
    fixed advertised_listeners: Endpoints = Endpoints::default(), "advertised.listeners", any, "The address that clients are told, where it is not the one of listeners.";
    fixed log_dirs: String = "ringlane-data".into(), "log.dirs", not_empty, "The directories that hold all data, separated by commas: one for each disk (KIP-112).";
    fixed metadata_log_dir: String = String::new(), "metadata.log.dir", any, "The directory that holds the controller's data. Empty: the first of log.dirs.";
    fixed num_partitions: i32 = 1, "num.partitions", within(1, 100_000), "Partitions of a topic whose creator does not say.";
    fixed default_replication_factor: i16 = 1, "default.replication.factor", within(1, i16::MAX), "Replicas of a topic whose creator does not say.";
    fixed auto_create_topics_enable: bool = true, "auto.create.topics.enable", any, "Create a topic when a client first asks for it.";
    fixed delete_topic_enable: bool = true, "delete.topic.enable", any, "Allow clients to delete topics.";
    dynamic min_insync_replicas: i32 = 1, "min.insync.replicas", within(1, i32::MAX), "Replicas that must have a record before acks=all is answered.";
    dynamic message_max_bytes: i32 = 1_048_588, "message.max.bytes", within(0, i32::MAX), "The largest record batch, as sent (compressed).";
    dynamic log_segment_bytes: i32 = 1024 * MIB, "log.segment.bytes", within(14, i32::MAX), "Size at which a segment file is closed and the next begins.";
    dynamic log_roll_ms: i64 = 604_800_000, "log.roll.ms", within(1, i64::MAX), "Age at which a segment file is closed, in milliseconds (log.roll.hours is read too).";
    dynamic log_roll_jitter_ms: i64 = 0, "log.roll.jitter.ms", within(0, i64::MAX), "A segment file is closed by up to this much earlier than log.roll.ms, by another part of it each (log.roll.jitter.hours is read too).";
    dynamic log_retention_ms: i64 = 604_800_000, "log.retention.ms", unlimited_or_at_least_one, "Age at which a closed segment is removed, in milliseconds; -1: never (log.retention.minutes and log.retention.hours are read too).";
    dynamic log_retention_bytes: i64 = -1, "log.retention.bytes", any, "Size of a partition beyond which its oldest segments are removed; -1: none.";
    fixed log_retention_check_interval_ms: i64 = 300_000, "log.retention.check.interval.ms", within(1, i64::MAX), "How often partitions are checked for segments to remove.";
    dynamic log_segment_delete_delay_ms: i64 = 60_000, "log.segment.delete.delay.ms", within(0, i64::MAX), "How long the files of a removed segment stay on disk, under another name.";
    dynamic log_index_interval_bytes: i32 = 4096, "log.index.interval.bytes", within(0, i32::MAX), "Bytes of log between two entries of its index.";
    dynamic log_index_size_max_bytes: i32 = 10 * MIB, "log.index.size.max.bytes", within(4, i32::MAX), "Size of an index file at which its segment is closed.";
    dynamic log_cleanup_policy: CleanupPolicy = CleanupPolicy::DELETE, "log.cleanup.policy", any, "What makes old records go: delete (segments by age and size), compact (of each key the last record stays), or both; empty: nothing.";
    dynamic log_cleaner_min_cleanable_ratio: f64 = 0.5, "log.cleaner.min.cleanable.ratio", within(0.0, 1.0), "A log is compacted when more than this part of its bytes is dirty.";
    dynamic log_cleaner_min_compaction_lag_ms: i64 = 0, "log.cleaner.min.compaction.lag.ms", within(0, i64::MAX), "How long a record stays at least before it may be compacted away.";
    dynamic log_cleaner_max_compaction_lag_ms: i64 = i64::MAX, "log.cleaner.max.compaction.lag.ms", within(1, i64::MAX), "How long a record may wait for compaction, whatever the ratio.";
    dynamic log_cleaner_delete_retention_ms: i64 = 86_400_000, "log.cleaner.delete.retention.ms", within(0, i64::MAX), "How long a tombstone stays after the records that it deletes are gone.";
    fixed log_cleaner_enable: bool = true, "log.cleaner.enable", any, "Compact logs. Without it those with cleanup.policy=compact, such as __consumer_offsets, grow for ever.";
    dynamic log_cleaner_dedupe_buffer_size: i64 = 128 * MIB as i64, "log.cleaner.dedupe.buffer.size", within(1 << 20, i64::MAX), "Memory for the keys of the logs that are compacted at a time, one a shard: 24 bytes a key. Taken while it is needed.";
    dynamic log_cleaner_io_buffer_load_factor: f64 = 0.9, "log.cleaner.io.buffer.load.factor", any, "How full that memory may become; below 0.01 and above 0.99 count as these.";
    dynamic log_cleaner_io_buffer_size: i32 = 512 * 1024, "log.cleaner.io.buffer.size", within(0, i32::MAX), "Bytes that compaction reads and writes at once, for all shards; 1 KiB at least for each.";
    dynamic log_cleaner_io_max_bytes_per_second: f64 = f64::MAX, "log.cleaner.io.max.bytes.per.second", above_zero, "Bytes that compaction reads and writes in a second, on average, for all shards.";
    dynamic log_cleaner_backoff_ms: i64 = 15_000, "log.cleaner.backoff.ms", within(0, i64::MAX), "How long a shard waits when no log is due for compaction.";
    dynamic durable: bool = true, "ringlane.durable", any, "Acknowledge a record only when it is on disk. False: when it is in the page cache, as Kafka does.";
    dynamic log_flush_interval_messages: i64 = i64::MAX, "log.flush.interval.messages", within(1, i64::MAX), "Records after which a log that is not durable is synced before more are acknowledged.";
    dynamic log_flush_interval_ms: i64 = i64::MAX, "log.flush.interval.ms", within(0, i64::MAX), "How long a record of a log that is not durable may wait for a sync, in milliseconds.";
    fixed journal_file_bytes: i32 = 64 * MIB, "ringlane.journal.file.bytes", within(65_536, i32::MAX), "Size of each file of a shard's journal. A record batch may be half as long.";
    fixed journal_files: i32 = 4, "ringlane.journal.files", within(2, 1024), "Files of a shard's journal. A full journal makes produces wait for a checkpoint.";
    fixed scrub_bytes_per_second: i64 = 10 * MIB as i64, "ringlane.scrub.bytes.per.second", within(0, i64::MAX), "What each shard reads in a second, at most, to find damaged records that nobody asks for; 0: nothing.";
    fixed scrub_interval_ms: i64 = 604_800_000, "ringlane.scrub.interval.ms", within(1000, i64::MAX), "From the beginning of one such pass over all complete segments to that of the next, in milliseconds.";
    fixed shards: i32 = 0, "ringlane.shards", within(0, 1024), "Shards to run; 0 for one on each core that the process may use.";
    fixed core_endpoints: bool = false, "ringlane.core.endpoints", any, "Give each core an address of its own (the ports after the listener's), so that clients reach the owning core directly.";
    fixed controller_listener_names: String = String::new(), "controller.listener.names", any, "Listeners of the controller: it is embedded, so they are not opened.";
    fixed producer_id_expiration_ms: i32 = 86_400_000, "producer.id.expiration.ms", within(1, i32::MAX), "How long the sequences of a silent idempotent producer are kept.";
    dynamic log_message_timestamp_type: TimestampType = TimestampType::CreateTime, "log.message.timestamp.type", any, "CreateTime: records keep the producer's timestamps. LogAppendTime: they get the time of the append.";
    dynamic log_message_timestamp_before_max_ms: i64 = i64::MAX, "log.message.timestamp.before.max.ms", within(0, i64::MAX), "How far the timestamp of a record may lie before the broker's clock.";
    dynamic log_message_timestamp_after_max_ms: i64 = 3_600_000, "log.message.timestamp.after.max.ms", within(0, i64::MAX), "How far the timestamp of a record may lie after the broker's clock.";
    dynamic compression_type: CompressionType = CompressionType::PRODUCER, "compression.type", any, "The codec of stored batches: gzip, snappy, lz4, zstd, uncompressed, or the producer's own (producer).";
    dynamic compression_gzip_level: i32 = -1, "compression.gzip.level", gzip_level, "How hard gzip tries where compression.type is gzip; -1: its default.";
    dynamic compression_lz4_level: i32 = 9, "compression.lz4.level", within(1, 17), "How hard lz4 tries where compression.type is lz4; 9: the fast compressor.";
    dynamic compression_zstd_level: i32 = 3, "compression.zstd.level", within(-131_072, 22), "How hard zstd tries where compression.type is zstd.";
    fixed spin_us: i64 = 0, "ringlane.spin.us", within(0, 1_000_000), "How long a shard looks for work before it sleeps, in microseconds. Costs CPU when idle, saves wake-ups.";
    fixed receive_buffer_bytes: i32 = 2 * MIB, "ringlane.receive.buffer.bytes", within(65_536, i32::MAX), "Memory for receive buffers, for each shard.";
    fixed tail_bytes: i64 = 8 * MIB as i64, "ringlane.tail.bytes", within(0, i64::MAX), "What logs keep in memory for consumers who keep up, for each shard and log directory.";
    fixed socket_request_max_bytes: i32 = 100 * MIB, "socket.request.max.bytes", within(1, i32::MAX), "The largest request; a longer one closes its connection.";
    fixed queued_max_request_bytes: i64 = -1, "queued.max.request.bytes", any, "Bytes of requests and answers that connections may hold before they wait. 0 or less: 512 MiB.";
    fixed connection_requests_max: i32 = 64, "ringlane.connection.requests.max", within(1, 100_000), "Requests of one connection that may be under way at once.";
    fixed max_connections: i32 = i32::MAX, "max.connections", within(0, i32::MAX), "Connections of the broker; more are closed at once.";
    fixed max_connections_per_ip: i32 = i32::MAX, "max.connections.per.ip", within(0, i32::MAX), "Connections from one address; more are closed at once.";
    fixed connections_max_idle_ms: i64 = 600_000, "connections.max.idle.ms", unlimited_or_at_least_one, "A connection without progress for this long is closed; negative: none is.";
    fixed socket_listen_backlog_size: i32 = 1024, "socket.listen.backlog.size", within(1, i32::MAX), "Connections that may wait to be accepted, for each shard (Kafka: 50; the kernel bounds it by net.core.somaxconn).";
    fixed max_request_partition_size_limit: i32 = 2000, "max.request.partition.size.limit", within(1, i32::MAX), "Partitions that one answer of DescribeTopicPartitions names; a client asks for the rest.";
    fixed fetch_zero_copy_min_bytes: i32 = 65_536, "ringlane.fetch.zero.copy.min.bytes", within(-1, i32::MAX), "From so many bytes of a partition on, records in the page cache go to consumers without a copy, and without a check of their checksums: the scrubber looks at them, and clients do (librdkafka only with check.crcs). -1: never.";
    fixed fetch_max_bytes: i32 = 55 * MIB, "fetch.max.bytes", within(1024, i32::MAX), "The most that one fetch answers.";
    fixed group_min_session_timeout_ms: i32 = 6_000, "group.min.session.timeout.ms", within(1, i32::MAX), "The shortest session that a group member may ask for.";
    fixed group_max_session_timeout_ms: i32 = 1_800_000, "group.max.session.timeout.ms", within(1, i32::MAX), "The longest session that a group member may ask for.";
    fixed group_initial_rebalance_delay_ms: i32 = 3_000, "group.initial.rebalance.delay.ms", within(0, i32::MAX), "How long a new group waits for more members before its first assignment.";
    fixed group_max_size: i32 = i32::MAX, "group.max.size", within(1, i32::MAX), "Members that one group may have.";
    fixed group_pending_members_max: i32 = 10_000, "ringlane.group.max.pending.members", within(1, i32::MAX), "Members of one group that were given an id and have not joined with it yet.";
    fixed groups_per_partition_max: i32 = 100_000, "ringlane.group.max.groups.per.partition", within(1, i32::MAX), "Groups that one partition of __consumer_offsets may hold.";
    fixed offsets_topic_num_partitions: i32 = 50, "offsets.topic.num.partitions", within(1, 10_000), "Partitions of __consumer_offsets, decided when it is created.";
    fixed offsets_topic_segment_bytes: i32 = 100 * MIB, "offsets.topic.segment.bytes", within(1, i32::MAX), "segment.bytes of __consumer_offsets, decided when it is created.";
    fixed offsets_topic_replication_factor: i16 = 3, "offsets.topic.replication.factor", within(1, i16::MAX), "Replicas of __consumer_offsets, at most the brokers there are.";
    fixed offsets_retention_minutes: i32 = 10_080, "offsets.retention.minutes", within(1, i32::MAX), "How long the offsets of an empty group are kept.";
    fixed offset_metadata_max_bytes: i32 = 4096, "offset.metadata.max.bytes", within(0, i32::MAX), "The longest metadata that a committed offset may carry.";
}

impl BrokerConfig {
    /// The directories of `log.dirs`, in its order.
    pub fn log_directories(&self) -> Vec<PathBuf> {
        self.log_dirs.split(',').map(|path| PathBuf::from(path.trim())).collect()
    }

    /// The directory of the controller's data.
    pub fn metadata_directory(&self) -> PathBuf {
        match self.metadata_log_dir.as_str() {
            "" => self.log_directories().swap_remove(0),
            path => PathBuf::from(path),
        }
    }
}
