//! Every rule a producer can break, broken once: the answer is the one Kafka's clients know.

use proptest::prelude::*;

use super::*;
use crate::batch::{put, seal};
use crate::{
    BatchBuilder, BatchFields, ProducerEpoch, ProducerId, Sequence, stamp_log_append_time,
};

const NOW: TimestampMs = TimestampMs(1_700_000_000_000);

fn builder(codec: Codec) -> BatchBuilder {
    let mut builder = BatchBuilder::new(codec);
    builder.append(NOW, Some(b"key"), Some(b"value"), &[]);
    builder.append(TimestampMs(NOW.0 + 5), None, Some(b"without a key"), &[]);
    builder.append(TimestampMs(NOW.0 + 2), Some(b"key"), None, &[]);
    builder
}

fn batch(codec: Codec) -> Vec<u8> {
    builder(codec).finish(&BatchFields::default()).to_vec()
}

fn limits() -> Limits {
    Limits { now: NOW, ..Limits::new(1 << 20) }
}

fn checked(records: &[u8]) -> Result<TimestampMs, Rejected> {
    validate(records, &limits()).map(|valid| valid.max_record_timestamp())
}

/// The uncompressed batch with `field` overwritten at `at` and a CRC that fits again.
fn altered(at: usize, field: &[u8]) -> Vec<u8> {
    let mut bytes = batch(Codec::None);
    put(&mut bytes, at, field);
    seal(&mut bytes);
    bytes
}

#[track_caller]
fn assert_invalid(records: &[u8], reason: &str) {
    match checked(records) {
        Err(Rejected::InvalidRecord { message, .. }) if message.contains(reason) => {}
        other => panic!("expected INVALID_RECORD about {reason:?}, not {other:?}"),
    }
}

#[track_caller]
fn assert_corrupt(records: &[u8], reason: &str) {
    match checked(records) {
        Err(Rejected::CorruptMessage(message)) if message.contains(reason) => {}
        other => panic!("expected CORRUPT_MESSAGE about {reason:?}, not {other:?}"),
    }
}

#[test]
fn a_good_batch_of_every_codec_passes_as_it_came() {
    for codec in Codec::ALL {
        let bytes = batch(codec);
        let valid = validate(&bytes, &limits()).expect("nothing wrong with it");
        assert_eq!(valid.max_record_timestamp(), TimestampMs(NOW.0 + 5));
        assert_eq!(valid.to_append(), bytes);
        assert_eq!(valid.record_count(), 3);
    }
}

#[test]
fn anything_but_exactly_one_batch_is_invalid() {
    let one = batch(Codec::Lz4);
    assert_invalid(b"", "one whole record batch");
    assert_invalid(&one[..11], "one whole record batch");
    assert_invalid(&one[..one.len() - 1], "one whole record batch");
    assert_invalid(&[&one[..], &one].concat(), "exactly one record batch");
    assert_invalid(&[&one[..], b"x"].concat(), "exactly one record batch");
}

#[test]
fn a_length_or_magic_that_cannot_be_is_corrupt_and_an_old_magic_invalid() {
    assert_corrupt(
        &altered(BatchHeader::LENGTH, &(-1i32).to_be_bytes()),
        "minimum record overhead",
    );
    assert_corrupt(&altered(BatchHeader::LENGTH, &13i32.to_be_bytes()), "minimum record overhead");
    assert_corrupt(&altered(BatchHeader::LENGTH, &20i32.to_be_bytes()), "minimum allowed overhead");
    assert_invalid(
        &altered(BatchHeader::LENGTH, &i32::MAX.to_be_bytes()),
        "one whole record batch",
    );
    assert_corrupt(&altered(BatchHeader::MAGIC, &[3]), "Invalid magic");
    assert_corrupt(&altered(BatchHeader::MAGIC, &[0xff]), "Invalid magic");
    for magic in [0, 1] {
        assert_invalid(&altered(BatchHeader::MAGIC, &[magic]), "magic version 2");
    }
}

#[test]
fn a_wrong_crc_is_corrupt() {
    let mut bytes = batch(Codec::None);
    bytes[BatchHeader::CRC] ^= 1;
    assert_corrupt(&bytes, "stored crc");
}

#[test]
fn a_batch_over_max_message_bytes_is_too_large_even_with_a_wrong_crc() {
    let mut bytes = batch(Codec::None);
    bytes[BatchHeader::CRC] ^= 1;
    let limits = Limits::new(bytes.len() - 1);
    assert!(matches!(validate(&bytes, &limits), Err(Rejected::MessageTooLarge(_))));
    let limits = Limits::new(bytes.len());
    assert!(matches!(validate(&bytes, &limits), Err(Rejected::CorruptMessage(_))));
}

#[test]
fn offsets_and_counts_must_agree() {
    assert_invalid(&altered(BatchHeader::BASE_OFFSET, &7i64.to_be_bytes()), "should be 0");
    let last = BatchHeader::LAST_OFFSET_DELTA;
    assert_invalid(&altered(last, &(-1i32).to_be_bytes()), "invalid offset range");
    assert_invalid(&altered(last, &1i32.to_be_bytes()), "Inconsistent batch offset range");
    let count = BatchHeader::RECORD_COUNT;
    assert_invalid(&altered(count, &0i32.to_be_bytes()), "Invalid reported count");
    assert_invalid(&altered(count, &i32::MIN.to_be_bytes()), "Invalid reported count");

    for (count, reason) in [(2i32, "bytes follow"), (4, "ends before")] {
        let mut bytes = altered(BatchHeader::RECORD_COUNT, &count.to_be_bytes());
        put(&mut bytes, last, &(count - 1).to_be_bytes());
        seal(&mut bytes);
        assert_invalid(&bytes, reason);
    }
}

#[test]
fn offset_deltas_must_count_from_zero() {
    let mut builder = BatchBuilder::new(Codec::Gzip);
    builder.append(NOW, None, None, &[]);
    builder.append_at(2, NOW, None, None, &[]);
    let fields = BatchFields { last_offset_delta: Some(2), ..BatchFields::default() };
    let mut bytes = builder.finish(&fields).to_vec();
    put(&mut bytes, BatchHeader::LAST_OFFSET_DELTA, &1i32.to_be_bytes());
    seal(&mut bytes);
    assert_invalid(&bytes, "deltas must count from 0");
}

#[test]
fn clients_write_no_control_batches_and_no_producer_id_without_sequence() {
    let fields = BatchFields { is_control: true, ..BatchFields::default() };
    assert_invalid(&builder(Codec::None).finish(&fields), "control records");
    let producer = Some((ProducerId(4), ProducerEpoch(0), Sequence::NONE));
    let fields = BatchFields { producer, ..BatchFields::default() };
    assert_invalid(&builder(Codec::None).finish(&fields), "Invalid sequence number");
}

#[test]
fn unknown_codecs_and_zstd_before_version_7_are_unsupported() {
    for codec in 5..8i16 {
        let refused = checked(&altered(BatchHeader::ATTRIBUTES, &codec.to_be_bytes()));
        assert!(matches!(refused, Err(Rejected::UnsupportedCompressionType(_))), "{refused:?}");
    }
    let limits = Limits { allows_zstd: false, ..limits() };
    let refused = validate(&batch(Codec::Zstd), &limits).map(|_| ());
    assert!(matches!(refused, Err(Rejected::UnsupportedCompressionType(_))), "{refused:?}");
}

#[test]
fn records_that_do_not_decode_are_invalid() {
    assert_invalid(&altered(BatchHeader::LEN, &[0x7e]), "record 0 is invalid");
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        // Says it is compressed, and is not.
        let attributes = i16::from(codec.id()).to_be_bytes();
        assert_invalid(&altered(BatchHeader::ATTRIBUTES, &attributes), "do not decompress");
    }
}

#[test]
fn records_beyond_the_limit_when_decompressed_are_too_large() {
    let mut builder = BatchBuilder::new(Codec::Zstd);
    builder.append(NOW, None, Some(&vec![0; 1 << 20]), &[]);
    let bomb = builder.finish(&BatchFields::default());
    assert!(bomb.len() < 1000);
    let limits = Limits { decompressed_bytes_max: 1 << 20, ..limits() };
    assert!(matches!(validate(&bomb, &limits), Err(Rejected::MessageTooLarge(_))));
}

#[test]
fn a_compacted_topic_names_the_records_without_key() {
    let limits = Limits { is_compacted: true, ..limits() };
    for codec in Codec::ALL {
        let refused = validate(&batch(codec), &limits).map(|_| ()).expect_err("one has no key");
        assert!(matches!(refused, Rejected::InvalidRecord { .. }), "{refused:?}");
        let message = "Compacted topic cannot accept message without key".to_string();
        assert_eq!(refused.record_errors(), [RecordError { index: 1, message }]);
        assert!(refused.to_string().contains("due to 1 record errors in total"), "{refused}");
    }
}

#[test]
fn timestamps_out_of_range_name_their_records_and_decide_the_error() {
    let late = Limits { timestamp_after_max_ms: 4, is_compacted: true, ..limits() };
    let refused = validate(&batch(Codec::None), &late).map(|_| ()).expect_err("no key comes first");
    assert!(matches!(refused, Rejected::InvalidRecord { .. }));

    let late = Limits { timestamp_after_max_ms: 4, ..limits() };
    let refused = validate(&batch(Codec::None), &late).map(|_| ()).expect_err("now + 5");
    assert!(matches!(refused, Rejected::InvalidTimestamp { .. }));
    assert_eq!(refused.record_errors()[0].index, 1);

    let early = Limits { timestamp_before_max_ms: 3, now: TimestampMs(NOW.0 + 5), ..limits() };
    let refused = validate(&batch(Codec::None), &early).map(|_| ()).expect_err("now - 5");
    assert_eq!(refused.record_errors().len(), 1);
    let overwritten = Limits { timestamp_type: TimestampType::LogAppendTime, ..early };
    assert!(validate(&batch(Codec::None), &overwritten).is_ok());
}

#[test]
fn only_the_broker_sets_the_append_time() {
    let mut bytes = batch(Codec::None);
    stamp_log_append_time(&mut bytes, NOW);
    let refused = checked(&bytes);
    assert!(matches!(refused, Err(Rejected::InvalidTimestamp { .. })), "{refused:?}");
}

#[test]
fn a_wrong_largest_timestamp_is_put_right_in_the_copy() {
    let bytes = altered(BatchHeader::MAX_TIMESTAMP, &9i64.to_be_bytes());
    let valid = validate(&bytes, &limits()).expect("Kafka accepts it");
    assert_eq!(valid.to_append(), batch(Codec::None));
}

#[test]
fn the_number_of_record_errors_is_bounded() {
    let mut builder = BatchBuilder::new(Codec::Zstd);
    for _ in 0..5000 {
        builder.append(NOW, None, None, &[]);
    }
    let limits = Limits { is_compacted: true, ..limits() };
    let bytes = builder.finish(&BatchFields::default());
    let refused = validate(&bytes, &limits).map(|_| ()).expect_err("no keys");
    assert_eq!(refused.record_errors().len(), 1000);
    assert!(refused.message().contains("due to 5000 record errors"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_changed_bit_is_never_accepted(codec in 0usize..5, at: prop::sample::Index, bit in 0u8..8) {
        let mut bytes = batch(Codec::ALL[codec]);
        let position = at.index(bytes.len());
        bytes[position] ^= 1 << bit;
        // Base offset and leader epoch lie outside the CRC; the epoch a producer sends has no meaning.
        let is_epoch = (BatchHeader::LEADER_EPOCH..BatchHeader::MAGIC).contains(&position);
        prop_assert_eq!(checked(&bytes).is_ok(), is_epoch);
    }

    #[test]
    fn hostile_bytes_under_a_good_crc_never_panic(
        codec in 0usize..5,
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = batch(Codec::ALL[codec]);
        for (at, to) in edits {
            let position = at.index(bytes.len());
            bytes[position] = to;
        }
        seal(&mut bytes);
        if let Ok(valid) = validate(&bytes, &limits()) {
            let records = valid.records(1 << 20).expect("validated");
            prop_assert_eq!(records.iter().filter_map(Result::ok).count() as i32, valid.record_count());
        }
    }

    #[test]
    fn noise_never_panics(noise in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(checked(&noise).is_err());
    }
}
