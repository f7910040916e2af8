//! Records by hand, byte for byte: each way in which one can be malformed is told.

use super::*;
use crate::{BatchBuilder, BatchFields};

/// Reads `payload` as the records of a batch that claims one record at `TimestampMs(0)`.
fn read_one(payload: &[u8]) -> Result<Offset, RecordFault> {
    let mut builder = BatchBuilder::new(Codec::None);
    builder.append(TimestampMs(0), None, None, &[]);
    let batch = builder.finish(&BatchFields::default());
    let batch = BatchView::parse(&batch).expect("whole");
    let mut records = batch.records_in(payload);
    let first = records.next().expect("a record or an error");
    assert!(records.next().is_none(), "an error is the last item, and so is the last record");
    first.map(|record| record.offset).map_err(|error| match error {
        BatchError::Record { index: 0, fault } => fault,
        other => panic!("not about the first record: {other}"),
    })
}

/// A record of this body behind its size, as a zigzag varint of one byte.
fn sized(body: &[u8]) -> Vec<u8> {
    [&[body.len() as u8 * 2], body].concat()
}

#[test]
fn the_smallest_record_and_one_with_everything_decode() {
    // Attributes, timestamp delta, offset delta 3; null key, null value; no headers.
    assert_eq!(read_one(&sized(&[0, 0, 6, 1, 1, 0])), Ok(Offset(3)));
    // Key "k", empty value, two headers: "h" null, "" = "v".
    let body = [0, 0, 0, 2, b'k', 0, 4, 2, b'h', 1, 0, 2, b'v'];
    assert_eq!(read_one(&sized(&body)), Ok(Offset(0)));
}

#[test]
fn every_fault_is_told() {
    let cases: [(&str, Vec<u8>, RecordFault); 14] = [
        ("nothing there", vec![], RecordFault::Missing),
        ("a negative size", vec![1], RecordFault::Length),
        ("a size beyond the payload", vec![12, 0, 0, 0, 1, 1], RecordFault::Length),
        ("no room for the attributes", sized(&[]), RecordFault::Length),
        ("fields beyond the size", sized(&[0, 0, 0, 1, 1]), RecordFault::Length),
        (
            "a byte between the fields and the size",
            sized(&[0, 0, 0, 1, 1, 0, 9]),
            RecordFault::Size,
        ),
        ("a key length of -2", sized(&[0, 0, 0, 3, 1, 0]), RecordFault::Length),
        ("a value beyond the record", sized(&[0, 0, 0, 1, 20, 0]), RecordFault::Length),
        ("a negative header count", sized(&[0, 0, 0, 1, 1, 1]), RecordFault::Length),
        ("headers that are not there", sized(&[0, 0, 0, 1, 1, 2]), RecordFault::Length),
        ("a null header key", sized(&[0, 0, 0, 1, 1, 2, 1, 1]), RecordFault::Length),
        (
            "an offset delta of 33 bits",
            sized(&[0, 0, 0xff, 0xff, 0xff, 0xff, 0x1f, 1, 1, 0]),
            RecordFault::Varint,
        ),
        ("a varint cut off", sized(&[0, 0x80]), RecordFault::Length),
        ("a byte behind the last record", vec![12, 0, 0, 0, 1, 1, 0, 0], RecordFault::Trailing),
    ];
    for (name, payload, fault) in cases {
        assert_eq!(read_one(&payload), Err(fault), "{name}");
    }
}
