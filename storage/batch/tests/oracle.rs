//! Random records both ways between this crate and the `kafka-protocol` crate, which shares no code with it, for every
//! codec; and round trips through the builder for what that crate cannot express.

use bytes::{Bytes, BytesMut};
use kafka_protocol::protocol::StrBytes;
use kafka_protocol::records as oracle;
use proptest::prelude::*;
use ringlane_batch::{
    BatchBuilder, BatchError, BatchFields, BatchView, Codec, Decompressor, Header, LeaderEpoch,
    Limits, Offset, ProducerEpoch, ProducerId, RecordFault, Sequence, TimestampMs, TimestampType,
    recompress, stamp, stamp_log_append_time, validate,
};

/// A record that owns its parts.
#[derive(Clone, Debug, PartialEq)]
struct Plain {
    timestamp: i64,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(String, Option<Vec<u8>>)>,
}

fn bytes(len_max: usize) -> impl Strategy<Value = Vec<u8>> {
    let noise = prop::collection::vec(any::<u8>(), 0..40);
    (noise, 0..=len_max).prop_map(|(seed, len)| seed.into_iter().cycle().take(len).collect())
}

fn plain() -> impl Strategy<Value = Plain> {
    let headers = prop::collection::btree_map("[a-zü]{0,6}", prop::option::of(bytes(20)), 0..4);
    let timestamp = 1_700_000_000_000i64..1_700_000_100_000;
    (timestamp, prop::option::of(bytes(30)), prop::option::of(bytes(9000)), headers).prop_map(
        |(timestamp, key, value, headers)| {
            let headers = headers.into_iter().collect();
            Plain { timestamp, key, value, headers }
        },
    )
}

fn built(codec: Codec, records: &[Plain], fields: &BatchFields) -> Bytes {
    let mut builder = BatchBuilder::new(codec);
    for record in records {
        let headers: Vec<Header<'_>> = record
            .headers
            .iter()
            .map(|(key, value)| Header { key: key.as_bytes(), value: value.as_deref() })
            .collect();
        let (key, value) = (record.key.as_deref(), record.value.as_deref());
        let bound = builder.len_with(key, value, &headers);
        builder.append(TimestampMs(record.timestamp), key, value, &headers);
        assert!(builder.len_bytes() <= bound, "the estimate is an upper bound");
    }
    builder.finish(fields)
}

fn read(batch: &[u8]) -> Vec<Plain> {
    let batch = BatchView::parse(batch).expect("whole");
    let set = batch.records(1 << 20).expect("decompresses");
    let mut offset = batch.base_offset();
    let mut records = Vec::new();
    for record in set.iter() {
        let record = record.expect("decodes");
        assert_eq!(record.offset, offset);
        offset = offset.plus(1);
        let header = |h: Header<'_>| (h.key_text().into_owned(), h.value.map(<[u8]>::to_vec));
        records.push(Plain {
            timestamp: record.timestamp.0,
            key: record.key.map(<[u8]>::to_vec),
            value: record.value.map(<[u8]>::to_vec),
            headers: record.headers.map(header).collect(),
        });
    }
    records
}

fn oracle_codec(codec: Codec) -> oracle::Compression {
    match codec {
        Codec::None => oracle::Compression::None,
        Codec::Gzip => oracle::Compression::Gzip,
        Codec::Snappy => oracle::Compression::Snappy,
        Codec::Lz4 => oracle::Compression::Lz4,
        Codec::Zstd => oracle::Compression::Zstd,
    }
}

fn to_oracle(record: &Plain, offset: i64) -> oracle::Record {
    let text = |key: &String| StrBytes::from_string(key.clone());
    let owned = |bytes: &Option<Vec<u8>>| bytes.clone().map(Bytes::from);
    oracle::Record {
        transactional: true,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: 5,
        producer_id: 77,
        producer_epoch: 2,
        timestamp_type: oracle::TimestampType::Creation,
        offset,
        sequence: offset as i32 + 10,
        timestamp: record.timestamp,
        key: owned(&record.key),
        value: owned(&record.value),
        headers: record.headers.iter().map(|(key, value)| (text(key), owned(value))).collect(),
    }
}

fn from_oracle(record: &oracle::Record) -> Plain {
    let owned = |bytes: &Option<Bytes>| bytes.as_ref().map(|b| b.to_vec());
    Plain {
        timestamp: record.timestamp,
        key: owned(&record.key),
        value: owned(&record.value),
        headers: record.headers.iter().map(|(k, v)| (k.to_string(), owned(v))).collect(),
    }
}

fn oracle_fields() -> BatchFields {
    BatchFields {
        leader_epoch: LeaderEpoch(5),
        producer: Some((ProducerId(77), ProducerEpoch(2), Sequence(10))),
        is_transactional: true,
        ..BatchFields::default()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn the_oracle_reads_what_we_build(records in prop::collection::vec(plain(), 1..12)) {
        for codec in Codec::ALL {
            let mut batch = built(codec, &records, &oracle_fields());
            prop_assert!(validate(&batch, &Limits::new(1 << 20)).is_ok());
            let set = oracle::RecordBatchDecoder::decode(&mut batch).expect("the oracle can");
            prop_assert_eq!(set.compression, oracle_codec(codec));
            let read: Vec<Plain> = set.records.iter().map(from_oracle).collect();
            prop_assert_eq!(&read, &records);
            for (record, offset) in set.records.iter().zip(0..) {
                prop_assert_eq!((record.offset, record.producer_id), (offset, 77));
                prop_assert!(record.transactional && !record.control);
            }
        }
    }

    #[test]
    fn we_read_what_the_oracle_encodes(records in prop::collection::vec(plain(), 1..12)) {
        let theirs: Vec<_> = records.iter().zip(0..).map(|(r, i)| to_oracle(r, i)).collect();
        for codec in Codec::ALL {
            let options = oracle::RecordEncodeOptions { version: 2, compression: oracle_codec(codec) };
            let mut batch = BytesMut::new();
            oracle::RecordBatchEncoder::encode(&mut batch, &theirs, &options).expect("fits");
            prop_assert_eq!(read(&batch), records.clone());
            let valid = validate(&batch, &Limits::new(1 << 20)).expect("valid");
            prop_assert_eq!(valid.base_sequence(), Sequence(10));
            prop_assert_eq!(valid.codec(), Ok(codec));
            prop_assert!(valid.is_transactional());
        }
    }

    #[test]
    fn stamps_change_what_they_say_and_nothing_else(
        records in prop::collection::vec(plain(), 1..5),
        base in 0..i64::MAX / 2,
        epoch in 0..i32::MAX,
    ) {
        let original = built(Codec::Snappy, &records, &BatchFields::default()).to_vec();
        let mut stamped = original.clone();
        stamp(&mut stamped, Offset(base), LeaderEpoch(epoch));
        let view = BatchView::parse(&stamped).expect("whole");
        prop_assert!(view.crc_is_valid(), "offset and epoch lie outside the CRC");
        prop_assert_eq!((view.base_offset(), view.leader_epoch()), (Offset(base), LeaderEpoch(epoch)));
        prop_assert_eq!(view.next_offset(), Offset(base + records.len() as i64));
        prop_assert_eq!(read(&stamped), records);

        stamp_log_append_time(&mut stamped, TimestampMs(123));
        let view = BatchView::parse(&stamped).expect("whole");
        prop_assert!(view.crc_is_valid());
        prop_assert_eq!(view.timestamp_type(), TimestampType::LogAppendTime);
        prop_assert!(read(&stamped).iter().all(|record| record.timestamp == 123));
    }

    #[test]
    fn another_codec_keeps_the_records(records in prop::collection::vec(plain(), 1..5)) {
        let mut decompressor = Decompressor::new();
        let mut batch = built(Codec::None, &records, &oracle_fields());
        let uncompressed = batch.clone();
        for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd, Codec::None] {
            let view = BatchView::parse(&batch).expect("whole");
            batch = recompress(&view, codec, &mut decompressor, 1 << 20).expect("its own");
            prop_assert!(validate(&batch, &Limits::new(1 << 20)).is_ok());
            prop_assert_eq!(BatchView::parse(&batch).expect("whole").codec(), Ok(codec));
        }
        prop_assert_eq!(batch, uncompressed);
    }
}

#[test]
fn a_batch_thinned_by_compaction_keeps_its_offsets() {
    let mut builder = BatchBuilder::new(Codec::Gzip).with_delete_horizon(TimestampMs(9_000));
    builder.append_at(3, TimestampMs(1_000), Some(b"k"), None, &[]);
    builder.append_at(7, TimestampMs(2_000), Some(b"l"), Some(b"v"), &[]);
    let fields = BatchFields {
        base_offset: Offset(100),
        last_offset_delta: Some(9),
        is_control: true,
        ..BatchFields::default()
    };
    let bytes = builder.finish(&fields);
    let batch = BatchView::parse(&bytes).expect("whole");
    assert_eq!((batch.last_offset(), batch.record_count()), (Offset(109), 2));
    assert_eq!(batch.delete_horizon(), Some(TimestampMs(9_000)));
    assert!(batch.is_control());
    let set = batch.records(1000).expect("decompresses");
    let records: Vec<_> =
        set.iter().map(|r| r.map(|r| (r.offset, r.timestamp.0)).expect("decodes")).collect();
    assert_eq!(records, [(Offset(103), 1_000), (Offset(107), 2_000)]);
}

#[test]
fn a_batch_emptied_by_compaction_still_remembers_its_producer() {
    let fields = BatchFields {
        last_offset_delta: Some(4),
        max_timestamp: Some(TimestampMs(77)),
        ..oracle_fields()
    };
    let bytes = BatchBuilder::new(Codec::Zstd).finish(&fields);
    let batch = BatchView::parse(&bytes).expect("whole");
    assert!(batch.crc_is_valid());
    assert_eq!(batch.last_sequence(), Sequence(14));
    assert_eq!(batch.max_timestamp(), TimestampMs(77));
    assert_eq!(batch.records(10).expect("nothing to decompress").iter().count(), 0);
}

#[test]
fn a_header_that_lies_about_its_count_ends_in_an_error() {
    let records = vec![Plain { timestamp: 1, key: None, value: None, headers: vec![] }; 2];
    let good = built(Codec::None, &records, &BatchFields::default());
    for (count, index, fault) in [
        (3i32, 2, RecordFault::Missing),
        (1, 0, RecordFault::Trailing),
        (0, 0, RecordFault::Trailing),
        (-1, 0, RecordFault::Trailing),
    ] {
        let mut bytes = good.to_vec();
        bytes[57..61].copy_from_slice(&count.to_be_bytes());
        let batch = BatchView::parse(&bytes).expect("whole");
        let set = batch.records(1000).expect("not compressed");
        let last = set.iter().last().expect("at least the error");
        assert_eq!(last.map(|_| ()), Err(BatchError::Record { index, fault }), "count {count}");
    }
}
