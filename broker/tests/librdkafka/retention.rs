//! What a topic's settings do to its records: old segments go by size and by age, an administrator deletes records, batches
//! are stored in the topic's codec, and timestamps out of bounds are refused.

use std::fs;

use rdkafka::admin::AdminOptions;
use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::BaseRecord;
use rdkafka::{Offset, TopicPartitionList};

use crate::broker::{Broker, wait_until};
use crate::clients::{
    TIMEOUT, TestProducer, admin, block_on, create_topic, one, produce, reader, values,
};

const CHECK: &str = "log.retention.check.interval.ms=20";
/// So that every batch starts a segment of its own.
const ONE_BATCH: [(&str, &str); 3] = [
    ("linger.ms", "0"),
    ("batch.num.messages", "1"),
    ("max.in.flight.requests.per.connection", "1"),
];

fn watermarks(broker: &Broker, topic: &str) -> (i64, i64) {
    let consumer = reader(&broker.address, topic, Offset::Beginning);
    consumer.fetch_watermarks(topic, 0, TIMEOUT).expect("watermarks")
}

fn names(broker: &Broker, topic: &str) -> Vec<String> {
    let entries = fs::read_dir(broker.data_directory().join(format!("{topic}-0")));
    let names = entries
        .expect("the partition's directory")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("text"));
    names.collect()
}

fn numbered(count: u8) -> Vec<Vec<u8>> {
    (0..count).map(|number| vec![number; 500]).collect()
}

#[test]
fn the_oldest_segments_go_by_size() {
    let broker = Broker::start(&[CHECK]);
    let config =
        [("segment.bytes", "700"), ("retention.bytes", "1300"), ("file.delete.delay.ms", "0")];
    create_topic(&broker.address, "small", 1, &config).expect("created");
    produce(&broker.address, "small", &ONE_BATCH, &numbered(10));
    let low = wait_until("old segments are gone", || {
        let (low, high) = watermarks(&broker, "small");
        assert_eq!(high, 10, "the end stays");
        (low >= 7).then_some(low)
    });
    assert_eq!(low, 7, "1300 bytes are still there");
    assert_eq!(values(&broker.address, "small", 3), numbered(10)[7..]);
    wait_until("their files are gone", || {
        let names = names(&broker, "small");
        let logs = names.iter().filter(|name| name.ends_with(".log")).count();
        (logs == 3 && !names.iter().any(|name| name.ends_with(".deleted"))).then_some(())
    });
    let broker = broker.kill_and_restart();
    assert_eq!(watermarks(&broker, "small"), (7, 10));
}

#[test]
fn everything_goes_by_age_and_offsets_go_on() {
    let broker = Broker::start(&[CHECK]);
    create_topic(&broker.address, "aged", 1, &[("retention.ms", "1")]).expect("created");
    produce(&broker.address, "aged", &ONE_BATCH, &numbered(2));
    wait_until("all records are gone", || (watermarks(&broker, "aged") == (2, 2)).then_some(()));
    let files = names(&broker, "aged");
    assert!(files.iter().any(|name| name.ends_with(".log.deleted")), "{files:?}");
    assert_eq!(produce(&broker.address, "aged", &ONE_BATCH, &numbered(1)), [2]);
}

fn delete(broker: &Broker, topic: &str, offset: Offset) -> Result<i64, KafkaError> {
    let mut wanted = TopicPartitionList::new();
    wanted.add_partition_offset(topic, 0, offset).expect("a valid offset");
    let deleted = block_on(admin(&broker.address).delete_records(&wanted, &AdminOptions::new()));
    let deleted = deleted?;
    let elements = deleted.elements();
    let element = one(elements);
    element.error()?;
    Ok(element.offset().to_raw().expect("a number"))
}

#[test]
fn an_administrator_deletes_records_for_good() {
    let broker = Broker::start(&[]);
    create_topic(&broker.address, "records", 1, &[("segment.bytes", "700")]).expect("created");
    produce(&broker.address, "records", &ONE_BATCH, &numbered(6));
    assert_eq!(delete(&broker, "records", Offset::Offset(4)).expect("deleted"), 4);
    assert_eq!(delete(&broker, "records", Offset::Offset(1)).expect("no way back"), 4);
    assert_eq!(watermarks(&broker, "records"), (4, 6));
    assert_eq!(values(&broker.address, "records", 2), numbered(6)[4..]);
    let error = delete(&broker, "records", Offset::Offset(7)).expect_err("behind the end");
    assert_eq!(error.rdkafka_error_code(), Some(RDKafkaErrorCode::OffsetOutOfRange));
    // librdkafka says -1, the high watermark, for its end.
    assert_eq!(delete(&broker, "records", Offset::End).expect("deleted"), 6);
    let broker = broker.kill_and_restart();
    assert_eq!(watermarks(&broker, "records"), (6, 6));
    assert_eq!(produce(&broker.address, "records", &ONE_BATCH, &numbered(1)), [6]);
}

#[test]
fn with_an_empty_policy_only_an_administrator_deletes() {
    let broker = Broker::start(&[CHECK, "ringlane.shards=1"]);
    let kept = [
        ("cleanup.policy", ""),
        ("segment.bytes", "700"),
        ("retention.ms", "1"),
        ("retention.bytes", "0"),
        ("file.delete.delay.ms", "0"),
    ];
    create_topic(&broker.address, "kept", 1, &kept).expect("created");
    let aged = [("retention.ms", "1")];
    create_topic(&broker.address, "aged", 1, &aged).expect("created");
    produce(&broker.address, "kept", &ONE_BATCH, &numbered(6));
    produce(&broker.address, "aged", &ONE_BATCH, &numbered(1));
    // The only shard has looked at both when the record of the other topic, which is younger, is gone.
    wait_until("retention has come by", || (watermarks(&broker, "aged").0 == 1).then_some(()));
    assert_eq!(watermarks(&broker, "kept"), (0, 6));
    assert_eq!(delete(&broker, "kept", Offset::Offset(4)).expect("not only compacted"), 4);
    wait_until("the files before the start are gone", || {
        let names = names(&broker, "kept");
        (names.iter().filter(|name| name.ends_with(".log")).count() == 2).then_some(())
    });
    assert_eq!(watermarks(&broker, "kept"), (4, 6));
    assert_eq!(values(&broker.address, "kept", 2), numbered(6)[4..]);
    create_topic(&broker.address, "latest", 1, &[("cleanup.policy", "compact")]).expect("created");
    let error = delete(&broker, "latest", Offset::End).expect_err("only compacted");
    assert_eq!(error.rdkafka_error_code(), Some(RDKafkaErrorCode::PolicyViolation));
}

/// The codec in the header of the first batch on disk.
fn stored_codec(broker: &Broker, topic: &str) -> u8 {
    const ATTRIBUTES: usize = 21;
    let path = broker.data_directory().join(format!("{topic}-0/00000000000000000000.log"));
    let attributes = wait_until("the first segment has what the journal has", || {
        fs::read(&path).ok()?.get(ATTRIBUTES + 1).copied()
    });
    attributes & 7
}

#[test]
fn batches_are_stored_in_the_topics_codec() {
    let broker = Broker::start(&["compression.type=snappy"]);
    let levels = [("compression.lz4.level", "12"), ("compression.zstd.level", "1")];
    let cases = [
        ("uncompressed", "zstd", 0),
        ("gzip", "none", 1),
        ("lz4", "gzip", 3),
        ("zstd", "none", 4),
        ("producer", "gzip", 1),
        ("inherited", "none", 2),
    ];
    for (wanted, sent, expected) in cases {
        let own = [("compression.type", wanted), levels[0], levels[1]];
        let config = if wanted == "inherited" { &levels[..] } else { &own[..] };
        create_topic(&broker.address, wanted, 1, config).expect("created");
        let values_sent = vec![vec![b'a'; 5000]; 3];
        let sent =
            [("compression.type", sent), ("linger.ms", "50"), ("enable.idempotence", "true")];
        produce(&broker.address, wanted, &sent, &values_sent);
        assert_eq!(stored_codec(&broker, wanted), expected, "{wanted}");
        assert_eq!(values(&broker.address, wanted, 3), values_sent, "{wanted}");
    }
}

#[test]
fn timestamps_out_of_bounds_are_refused() {
    let broker = Broker::start(&[]);
    let config = [("message.timestamp.before.max.ms", "60000")];
    create_topic(&broker.address, "bounded", 1, &config).expect("created");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = now.expect("after 1970").as_millis() as i64;
    let hour = 3_600_000;
    let sent = |timestamp: i64| {
        let producer = TestProducer::new(&broker.address, &[]);
        producer
            .send(BaseRecord::to("bounded").partition(0).payload(&b"v"[..]).timestamp(timestamp));
        one(producer.finish()).map(drop).map_err(|error| error.rdkafka_error_code())
    };
    let refused = Err(Some(RDKafkaErrorCode::InvalidTimestamp));
    assert_eq!(sent(now), Ok(()));
    assert_eq!(sent(now - hour), refused);
    assert_eq!(sent(now + hour - 60_000), Ok(()));
    assert_eq!(sent(now + hour + 60_000), refused, "one hour ahead is the default");
}

#[test]
fn settings_that_cannot_be_are_refused() {
    let broker = Broker::start(&[]);
    for (key, value) in [
        ("cleanup.policy", "forget"),
        ("compression.type", "none"),
        ("compression.lz4.level", "18"),
        ("compression.gzip.level", "0"),
        ("retention.ms", "-2"),
        ("segment.jitter.ms", "-1"),
        ("message.timestamp.after.max.ms", "-1"),
        ("local.retention.ms", "1"),
    ] {
        let created = create_topic(&broker.address, "never", 1, &[(key, value)]);
        assert_eq!(created, Err(RDKafkaErrorCode::InvalidConfig), "{key}={value}");
    }
}
