//! What a producer sends is what a consumer gets, byte for byte: every codec, every kind of acknowledgement, keys,
//! headers, timestamps, offsets.

use rdkafka::Offset;
use rdkafka::admin::{AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::BaseRecord;

use crate::broker::Broker;
use crate::clients::{
    TIMEOUT, TestProducer, admin, block_on, client, create, create_topic, delete_topic, headers,
    one, produce, read, reader, values,
};

const CODECS: [&str; 5] = ["none", "gzip", "snappy", "lz4", "zstd"];

/// Values of many sizes and kinds: empty, repetitive, incompressible, larger than a fetch usually carries.
fn assorted_values() -> Vec<Vec<u8>> {
    let mut state = 1u64;
    let mut noise = move || {
        // A linear congruential generator (Knuth's MMIX): the same bytes in every run.
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    let mut values = vec![Vec::new(), vec![0], b"text".repeat(20_000), (0..=255).collect()];
    for size in [1, 127, 128, 1_000, 65_536, 500_000] {
        values.push((0..size).map(|_| noise()).collect());
    }
    values.extend((0..500u32).map(|i| format!("a small record, number {i}").into_bytes()));
    values
}

#[test]
fn every_codec_comes_back_byte_for_byte() {
    let broker = Broker::start(&[]);
    let sent = assorted_values();
    for codec in CODECS {
        for acks in ["1", "all"] {
            let topic = format!("{codec}-{acks}");
            create_topic(&broker.address, &topic, 1, &[]).expect("created");
            let config = [("compression.codec", codec), ("acks", acks), ("linger.ms", "20")];
            let offsets = produce(&broker.address, &topic, &config, &sent);
            assert_eq!(
                offsets,
                (0..sent.len() as i64).collect::<Vec<_>>(),
                "{topic}: dense offsets"
            );
            assert!(values(&broker.address, &topic, sent.len()) == sent, "{topic}: the same bytes");
        }
    }
}

#[test]
fn keys_headers_timestamps_and_nulls_survive() {
    let broker = Broker::start(&[]);
    let address = &broker.address;
    create_topic(address, "records", 1, &[]).expect("created");
    let pairs: [(&str, Option<&[u8]>); 4] =
        [("one", Some(b"1")), ("one", Some(b"again")), ("null", None), ("empty", Some(b""))];
    let producer = TestProducer::new(address, &[]);
    producer.send(
        BaseRecord::to("records")
            .key(&b"key"[..])
            .payload(&b"value"[..])
            .timestamp(1_700_000_000_123)
            .headers(headers(&pairs)),
    );
    producer.send(BaseRecord::to("records").key(&b"tombstone"[..]));
    assert!(producer.finish().iter().all(Result::is_ok));

    let records = read(&[&reader(address, "records", Offset::Beginning)], 2);
    assert_eq!(records[0].key.as_deref(), Some(&b"key"[..]));
    assert_eq!(records[0].value.as_deref(), Some(&b"value"[..]));
    assert_eq!(records[0].timestamp_ms, Some(1_700_000_000_123));
    let owned = pairs.map(|(key, value)| (key.to_string(), value.map(<[u8]>::to_vec)));
    assert_eq!(records[0].headers, owned);
    assert_eq!((records[1].key.as_deref(), &records[1].value), (Some(&b"tombstone"[..]), &None));
}

#[test]
fn unacknowledged_records_arrive_too() {
    let broker = Broker::start(&[]);
    create_topic(&broker.address, "acks-0", 1, &[]).expect("created");
    let sent: Vec<Vec<u8>> = (0..1_000u32).map(|i| i.to_string().into_bytes()).collect();
    produce(&broker.address, "acks-0", &[("acks", "0")], &sent);
    assert!(values(&broker.address, "acks-0", sent.len()) == sent);
}

#[test]
fn an_idempotent_producer_keeps_the_order_with_five_batches_in_flight() {
    let broker = Broker::start(&[]);
    create_topic(&broker.address, "idempotent", 1, &[]).expect("created");
    let sent: Vec<Vec<u8>> = (0..20_000u32).map(|i| i.to_string().into_bytes()).collect();
    let config = [
        ("enable.idempotence", "true"),
        ("batch.num.messages", "50"),
        ("max.in.flight.requests.per.connection", "5"),
    ];
    produce(&broker.address, "idempotent", &config, &sent);
    assert!(values(&broker.address, "idempotent", sent.len()) == sent);
}

#[test]
fn offsets_are_found_by_position_and_by_time() {
    let broker = Broker::start(&[]);
    let address = &broker.address;
    create_topic(address, "times", 1, &[]).expect("created");
    let producer = TestProducer::new(address, &[]);
    let values: Vec<Vec<u8>> = (0..100u32).map(|i| i.to_string().into_bytes()).collect();
    for (i, value) in (0..).zip(&values) {
        let at_ms = 1_700_000_000_000 + i * 1_000;
        producer.send(BaseRecord::to("times").payload(&value[..]).timestamp(at_ms));
    }
    assert_eq!(producer.finish().len(), 100);

    let consumer = reader(address, "times", Offset::Offset(97));
    let tail: Vec<i64> = read(&[&consumer], 3).iter().map(|record| record.offset).collect();
    assert_eq!(tail, [97, 98, 99]);
    assert_eq!(consumer.fetch_watermarks("times", 0, TIMEOUT).expect("watermarks"), (0, 100));
    let offset_at = |timestamp_ms: i64| {
        let mut asked = rdkafka::TopicPartitionList::new();
        asked.add_partition_offset("times", 0, Offset::Offset(timestamp_ms)).expect("a timestamp");
        let found = consumer.offsets_for_times(asked, TIMEOUT).expect("offsets");
        found.find_partition("times", 0).expect("the partition").offset()
    };
    assert_eq!(offset_at(0), Offset::Offset(0));
    assert_eq!(offset_at(1_700_000_041_500), Offset::Offset(42));
    assert_eq!(offset_at(1_800_000_000_000), Offset::End);
}

#[test]
fn topics_are_administrated_and_errors_are_kafkas() {
    let broker = Broker::start(&[]);
    let address = &broker.address;
    create_topic(address, "admin", 2, &[("max.message.bytes", "5000")]).expect("created");
    assert_eq!(create_topic(address, "admin", 2, &[]), Err(RDKafkaErrorCode::TopicAlreadyExists));
    assert_eq!(create_topic(address, "no/slash", 1, &[]), Err(RDKafkaErrorCode::InvalidTopic));
    let bad_key = create_topic(address, "bad-key", 1, &[("no.such.key", "1")]);
    assert_eq!(bad_key, Err(RDKafkaErrorCode::InvalidConfig));
    let three = NewTopic::new("three", 1, TopicReplication::Fixed(3));
    assert_eq!(create(address, &three), Err(RDKafkaErrorCode::InvalidReplicationFactor));

    let options = AdminOptions::new();
    let grown =
        block_on(admin(address).create_partitions([&NewPartitions::new("admin", 4)], &options));
    assert!(one(grown.expect("an answer")).is_ok());
    let consumer: BaseConsumer = client(address, &[]).create().expect("a consumer");
    let metadata = consumer.fetch_metadata(Some("admin"), TIMEOUT).expect("metadata");
    assert_eq!(metadata.topics()[0].partitions().len(), 4);
    assert!(
        metadata.topics()[0].partitions().iter().all(|p| p.leader() >= 0 && p.isr().len() == 1)
    );

    let large = TestProducer::new(address, &[]);
    large.send(BaseRecord::to("admin").partition(0).payload(&vec![7; 6_000]));
    let refused = one(large.finish()).expect_err("larger than max.message.bytes");
    assert_eq!(refused.rdkafka_error_code(), Some(RDKafkaErrorCode::MessageSizeTooLarge));

    delete_topic(address, "admin");
    let again =
        one(block_on(admin(address).delete_topics(&["admin"], &options)).expect("an answer"));
    assert_eq!(again.map_err(|(_, code)| code), Err(RDKafkaErrorCode::UnknownTopicOrPartition));
}
