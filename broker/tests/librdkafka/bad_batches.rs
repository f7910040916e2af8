//! Record batches that a producer must not get into a log: each is answered with Kafka's error and leaves the log as it
//! was, also when nothing else about the request is wrong.

use rdkafka::Offset;
use rdkafka::consumer::Consumer;

use crate::broker::Broker;
use crate::clients::{TIMEOUT, create_topic, reader};
use crate::raw::{PRODUCE, Raw, frame};

const NONE: i16 = 0;
const CORRUPT_MESSAGE: i16 = 2;
const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
const MESSAGE_TOO_LARGE: i16 = 10;
const UNSUPPORTED_COMPRESSION_TYPE: i16 = 76;
const INVALID_RECORD: i16 = 87;

/// Positions of the fields in a batch header (format v2).
const MAGIC: usize = 16;
const CRC: usize = 17;
const ATTRIBUTES: usize = 21;
const LAST_OFFSET_DELTA: usize = 23;
const COUNT: usize = 57;
const RECORDS: usize = 61;

/// CRC-32C (Castagnoli), bit by bit.
fn crc32c(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), step))
}

/// A batch of one record with this value (at most 50 bytes), valid in every respect.
fn batch(value: &[u8]) -> Vec<u8> {
    // attributes, timestamp delta 0, offset delta 0, no key, the value, no headers; lengths are zigzag varints
    let mut record = vec![0, 0, 0, 1, (value.len() * 2) as u8];
    record.extend(value);
    record.push(0);
    record.insert(0, (record.len() * 2) as u8);
    let mut batch = Vec::new();
    batch.extend(0i64.to_be_bytes()); // base offset
    batch.extend(((RECORDS - 12 + record.len()) as i32).to_be_bytes());
    batch.extend((-1i32).to_be_bytes()); // leader epoch
    batch.extend([2, 0, 0, 0, 0, 0, 0]); // magic, CRC, attributes
    batch.extend(0i32.to_be_bytes()); // last offset delta
    batch.extend(1_700_000_000_000i64.to_be_bytes());
    batch.extend(1_700_000_000_000i64.to_be_bytes());
    batch.extend([0xff; 14]); // no producer id, epoch, sequence
    batch.extend(1i32.to_be_bytes()); // records
    batch.extend(record);
    sealed(batch)
}

/// The batch with its CRC set right.
fn sealed(mut batch: Vec<u8>) -> Vec<u8> {
    let crc = crc32c(&batch[ATTRIBUTES..]);
    batch[CRC..ATTRIBUTES].copy_from_slice(&crc.to_be_bytes());
    batch
}

/// A good batch with some bytes replaced, and the CRC right again.
fn with(at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut changed = batch(b"value");
    changed[at..at + bytes.len()].copy_from_slice(bytes);
    sealed(changed)
}

/// The error code for these bytes as the records of partition 0, produced with acks=1 in version 3.
fn produce(address: &str, topic: &str, records: &[u8]) -> i16 {
    let mut body = Vec::new();
    body.extend((-1i16).to_be_bytes()); // no transactional id
    body.extend(1i16.to_be_bytes()); // acks
    body.extend(10_000i32.to_be_bytes()); // timeout
    body.extend(1i32.to_be_bytes()); // topics
    body.extend((topic.len() as i16).to_be_bytes());
    body.extend(topic.as_bytes());
    body.extend(1i32.to_be_bytes()); // partitions
    body.extend(0i32.to_be_bytes());
    body.extend((records.len() as i32).to_be_bytes());
    body.extend(records);
    let answer = Raw::send(address, &frame(PRODUCE, 3, 1, &body)).answer().expect("an answer");
    // correlation id, topics, the name, partitions, the partition's index, then its error
    let error = 4 + 4 + 2 + topic.len() + 4 + 4;
    i16::from_be_bytes([answer[error], answer[error + 1]])
}

#[test]
fn bad_batches_get_kafkas_errors_and_leave_the_log_alone() {
    let broker = Broker::start(&[]);
    create_topic(&broker.address, "strict", 1, &[("max.message.bytes", "100")]).expect("created");
    let good = batch(b"value");
    let mut wrong_crc = good.clone();
    wrong_crc[CRC] ^= 1;
    let mut old_magic = good.clone();
    old_magic[MAGIC] = 1;
    let mut truncated = good.clone();
    truncated.pop();
    let cases: [(&str, Vec<u8>, i16); 11] = [
        ("a wrong CRC", wrong_crc, CORRUPT_MESSAGE),
        ("half a header", good[..30].to_vec(), INVALID_RECORD),
        ("a byte short", truncated, INVALID_RECORD),
        ("magic 1", old_magic, INVALID_RECORD),
        ("two batches", [good.clone(), good.clone()].concat(), INVALID_RECORD),
        ("base offset 5", with(0, &5i64.to_be_bytes()), INVALID_RECORD),
        ("two records claimed, one there", with(COUNT, &2i32.to_be_bytes()), INVALID_RECORD),
        (
            "a gap after the last record",
            with(LAST_OFFSET_DELTA, &1i32.to_be_bytes()),
            INVALID_RECORD,
        ),
        ("a record longer than the batch", with(RECORDS, &[0x7e]), INVALID_RECORD),
        // Kafka itself answers UNKNOWN_SERVER_ERROR here; this code is the one its protocol has for the case.
        ("codec 5", with(ATTRIBUTES, &5i16.to_be_bytes()), UNSUPPORTED_COMPRESSION_TYPE),
        ("over max.message.bytes", batch(&[7; 50]), MESSAGE_TOO_LARGE),
    ];
    let expected = cases.each_ref().map(|(what, _, code)| (*what, *code));
    let found =
        cases.map(|(what, records, _)| (what, produce(&broker.address, "strict", &records)));
    assert_eq!(found, expected);
    let consumer = reader(&broker.address, "strict", Offset::Beginning);
    assert_eq!(consumer.fetch_watermarks("strict", 0, TIMEOUT).expect("watermarks"), (0, 0));

    assert_eq!(produce(&broker.address, "strict", &good), NONE, "the batch they were made from");
    assert_eq!(consumer.fetch_watermarks("strict", 0, TIMEOUT).expect("watermarks"), (0, 1));
    assert_eq!(produce(&broker.address, "unknown", &good), UNKNOWN_TOPIC_OR_PARTITION);
}
