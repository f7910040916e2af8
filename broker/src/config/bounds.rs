//! The defaults and least values of settings beside those of Apache Kafka 4.3.1 (`LogConfig`, `AbstractKafkaConfig`). What
//! differs stands in docs/compatibility.md.

use std::collections::BTreeMap;

use super::{BrokerConfig, TopicConfig, broker_synonym};

const I32_MAX: &str = "2147483647";
const I64_MAX: &str = "9223372036854775807";

/// Name, default and least value; not the names whose least value is another here.
const TOPIC: &[(&str, &str, i64)] = &[
    ("max.message.bytes", "1048588", 0),
    ("min.insync.replicas", "1", 1),
    ("segment.ms", "604800000", 1),
    ("segment.jitter.ms", "0", 0),
    ("retention.ms", "604800000", -1),
    ("file.delete.delay.ms", "60000", 0),
    ("segment.index.bytes", "10485760", 4),
    ("index.interval.bytes", "4096", 0),
    ("flush.messages", I64_MAX, 1),
    ("flush.ms", I64_MAX, 0),
    ("min.cleanable.dirty.ratio", "0.5", 0),
    ("min.compaction.lag.ms", "0", 0),
    ("max.compaction.lag.ms", I64_MAX, 1),
    ("delete.retention.ms", "86400000", 0),
    ("message.timestamp.before.max.ms", I64_MAX, 0),
    ("message.timestamp.after.max.ms", "3600000", 0),
    ("compression.lz4.level", "9", 1),
    ("compression.zstd.level", "3", -131_072),
];

/// The same of a broker, but for those that [`TOPIC`] names under another name.
const BROKER: &[(&str, &str, i64)] = &[
    ("num.partitions", "1", 1),
    ("log.retention.check.interval.ms", "300000", 1),
    ("log.cleaner.io.buffer.size", "524288", 0),
    ("log.cleaner.backoff.ms", "15000", 0),
    ("producer.id.expiration.ms", "86400000", 1),
    ("socket.request.max.bytes", "104857600", 1),
    ("max.connections", I32_MAX, 0),
    ("max.request.partition.size.limit", "2000", 1),
    ("fetch.max.bytes", "57671680", 1024),
    ("group.max.size", I32_MAX, 1),
    ("offsets.topic.num.partitions", "50", 1),
    ("offsets.topic.segment.bytes", "104857600", 1),
    ("offsets.topic.replication.factor", "3", 1),
    ("offsets.retention.minutes", "10080", 1),
];

/// Whether a broker can have the setting.
fn takes(key: &str, value: i64) -> bool {
    BrokerConfig::defaults().set(key, &value.to_string()).is_ok()
}

#[test]
fn a_topics_defaults_and_least_values_are_kafkas() {
    let broker = BrokerConfig::defaults();
    let defaults = TopicConfig::defaults(&broker);
    for (key, default, least) in TOPIC {
        let takes = |value: i64| TopicConfig::check(key, &value.to_string(), &broker).is_ok();
        assert_eq!(defaults.show(key).as_deref(), Some(*default), "{key}");
        assert!(takes(*least), "{key}={least}");
        assert!(!takes(least - 1), "{key}={}", least - 1);
    }
}

#[test]
fn a_brokers_defaults_and_least_values_are_kafkas() {
    let defaults = BrokerConfig::defaults();
    // Of this one the broker takes more.
    let of_topics = TOPIC.iter().filter(|row| row.0 != "retention.ms");
    let of_topics = of_topics.map(|(key, default, least)| (broker_synonym(key), default, least));
    let own = BROKER.iter().map(|(key, default, least)| (*key, default, least));
    for (key, default, least) in own.chain(of_topics) {
        assert_eq!(defaults.show(key).as_deref(), Some(*default), "{key}");
        assert!(takes(key, *least), "{key}={least}");
        assert!(!takes(key, least - 1), "{key}={}", least - 1);
    }
}

#[test]
fn any_negative_number_is_no_bound() {
    let unbounded = BrokerConfig { log_retention_ms: -5, ..BrokerConfig::defaults() };
    assert_eq!(TopicConfig::resolve(&unbounded, &BTreeMap::new()).retention_ms, -1);
    for key in ["log.retention.ms", "connections.max.idle.ms", "queued.max.request.bytes"] {
        assert!(takes(key, -5), "{key}");
    }
    assert!(!takes("log.retention.ms", 0) && !takes("connections.max.idle.ms", 0));
    assert!(takes("queued.max.request.bytes", 0));
}

#[test]
fn a_load_factor_is_any_number() {
    let set = |text| BrokerConfig::defaults().set("log.cleaner.io.buffer.load.factor", text);
    for text in ["1.0", "0", "1.5", "-1"] {
        assert_eq!(set(text), Ok(()), "{text}");
    }
    assert!(set("NaN").is_err(), "which is none");
}
