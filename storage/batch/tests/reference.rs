//! Batches written by Apache Kafka's own Java client (`MemoryRecordsBuilder` of kafka-clients 4.3.1), one a codec, all
//! with the same three records. They fix the format independently of any Rust code.

use ringlane_batch::{
    BatchBuilder, BatchFields, BatchView, Codec, Header, LeaderEpoch, Limits, Offset,
    ProducerEpoch, ProducerId, Record, Sequence, TimestampMs, TimestampType, batches, validate,
};

const REFERENCE: &str = include_str!("reference/kafka-clients-4.3.1.txt");

const BASE: i64 = 1_700_000_000_000;
const HEADERS: [Header<'static>; 2] =
    [Header { key: b"h1", value: Some(b"one") }, Header { key: "ü".as_bytes(), value: None }];
const VALUE: &[u8] = b"value value value value value value";

fn reference() -> impl Iterator<Item = (Codec, Vec<u8>)> {
    REFERENCE.lines().map(|line| {
        let (name, hex) = line.split_once(' ').expect("name and bytes");
        let byte = |i| u8::from_str_radix(&hex[i..i + 2], 16).expect("hexadecimal");
        (Codec::from_name(name).expect("a codec"), (0..hex.len()).step_by(2).map(byte).collect())
    })
}

fn ours(codec: Codec) -> Vec<u8> {
    let mut builder = BatchBuilder::new(codec);
    builder.append(TimestampMs(BASE), Some(b"key"), Some(b"value"), &HEADERS);
    builder.append(TimestampMs(BASE + 5), None, Some(VALUE), &[]);
    builder.append(TimestampMs(BASE - 1), Some(b"key"), None, &[]);
    let fields = BatchFields {
        leader_epoch: LeaderEpoch(7),
        producer: Some((ProducerId(4711), ProducerEpoch(3), Sequence(42))),
        ..BatchFields::default()
    };
    builder.finish(&fields).to_vec()
}

#[track_caller]
fn assert_header(batch: &BatchView<'_>, codec: Codec) {
    assert!(batch.crc_is_valid());
    assert_eq!(batch.codec(), Ok(codec));
    assert_eq!(batch.base_offset(), Offset::ZERO);
    assert_eq!((batch.last_offset(), batch.next_offset()), (Offset(2), Offset(3)));
    assert_eq!(batch.leader_epoch(), LeaderEpoch(7));
    assert_eq!(batch.timestamp_type(), TimestampType::CreateTime);
    assert_eq!(batch.base_timestamp(), TimestampMs(BASE));
    assert_eq!(batch.max_timestamp(), TimestampMs(BASE + 5));
    assert_eq!(batch.producer_id(), ProducerId(4711));
    assert_eq!(batch.producer_epoch(), ProducerEpoch(3));
    assert_eq!((batch.base_sequence(), batch.last_sequence()), (Sequence(42), Sequence(44)));
    assert_eq!(batch.record_count(), 3);
    assert!(!batch.is_transactional() && !batch.is_control());
    assert_eq!(batch.delete_horizon(), None);
}

#[test]
fn every_field_reads_as_kafka_wrote_it() {
    let mut codecs = Vec::new();
    for (codec, bytes) in reference() {
        let batch = BatchView::parse(&bytes).expect("whole");
        assert_header(&batch, codec);
        let set = batch.records(1000).expect("decompresses");
        let records: Vec<Record<'_>> = set.iter().map(|record| record.expect("decodes")).collect();
        let fields: Vec<_> =
            records.iter().map(|r| (r.offset.0, r.timestamp.0 - BASE, r.key, r.value)).collect();
        let key = Some(&b"key"[..]);
        let expected =
            [(0, 0, key, Some(&b"value"[..])), (1, 5, None, Some(VALUE)), (2, -1, key, None)];
        assert_eq!(fields, expected, "{codec:?}");
        assert_eq!(records[0].headers.clone().collect::<Vec<_>>(), HEADERS);
        assert_eq!(records[0].headers.clone().map(|h| h.key_text()).collect::<String>(), "h1ü");
        assert_eq!(records[1].headers.len(), 0);
        codecs.push(codec);
    }
    assert_eq!(codecs, Codec::ALL);
}

#[test]
fn what_kafka_wrote_is_valid() {
    for (codec, bytes) in reference() {
        let valid = validate(&bytes, &Limits::new(1000)).expect("Kafka's own");
        assert_eq!(valid.max_record_timestamp(), TimestampMs(BASE + 5), "{codec:?}");
    }
}

#[test]
fn the_builder_writes_kafkas_bytes() {
    // Compressed bytes depend on the version of the compressor; the records inside them may not.
    for (codec, bytes) in reference() {
        let built = ours(codec);
        if codec == Codec::None {
            assert_eq!(built, bytes);
        }
        let (built, theirs) = (BatchView::parse(&built), BatchView::parse(&bytes));
        let (built, theirs) = (built.expect("whole"), theirs.expect("whole"));
        assert_header(&built, codec);
        let payload = |batch: &BatchView<'_>| {
            let mut decompressor = ringlane_batch::Decompressor::new();
            decompressor.decompress(codec, batch.payload(), 1000).map(<[u8]>::to_vec)
        };
        assert_eq!(payload(&built), payload(&theirs), "{codec:?}");
    }
}

#[test]
fn batches_follow_one_another() {
    let all: Vec<u8> = reference().flat_map(|(_, bytes)| bytes).collect();
    let codecs: Vec<_> = batches(&all).map(|batch| batch.and_then(|b| b.codec())).collect();
    assert_eq!(codecs, Codec::ALL.map(Ok));
    let mut torn = batches(&all[..all.len() - 1]);
    assert_eq!(torn.by_ref().filter(Result::is_ok).count(), 4);
    assert!(torn.next().is_none(), "nothing can be found behind a torn batch");
}
