//! What `ringlane log dump` shows of batches that no plain producer writes.

use std::fs;

use ringlane_batch::{
    BatchBuilder, BatchFields, Codec, Offset, ProducerEpoch, ProducerId, Sequence, TimestampMs,
};
use serde_json::{Value, json};

use crate::broker::Directory;
use crate::logs::{log, objects};

/// A batch of two records in a transaction, whose sequences begin anew between them, and the marker that ends it, which
/// compaction has seen.
fn transaction() -> Vec<u8> {
    let producer = |sequence| Some((ProducerId(7), ProducerEpoch(1), Sequence(sequence)));
    let fields = BatchFields { is_transactional: true, ..BatchFields::default() };
    let mut records = BatchBuilder::new(Codec::None);
    for value in [b"one", b"two"] {
        records.append(TimestampMs(5), None, Some(value), &[]);
    }
    let records = records.finish(&BatchFields { producer: producer(i32::MAX), ..fields });
    let mut marker = BatchBuilder::new(Codec::None).with_delete_horizon(TimestampMs(99));
    marker.append(TimestampMs(6), Some(&[0, 0, 0, 1]), Some(&[0, 0, 0, 0, 0, 3]), &[]);
    let (base_offset, producer) = (Offset(2), producer(-1));
    let marker = marker.finish(&BatchFields { is_control: true, base_offset, producer, ..fields });
    [&records[..], &marker[..]].concat()
}

#[test]
fn dump_shows_sequences_markers_and_delete_horizons() {
    let directory = Directory::new();
    let file = directory.path("00000000000000000000.log");
    fs::write(&file, transaction()).expect("a file");
    let told = objects(&["dump", "--json", "--records"], &file, 0);
    let fields = ["base_sequence", "last_sequence", "control_type", "coordinator_epoch"];
    let of = |object: &Value| fields.map(|field| object[field].clone());
    let batches: Vec<_> = told.iter().filter(|object| object["type"] == "batch").collect();
    let null = Value::Null;
    assert_eq!(of(batches[0]), [json!(i32::MAX), json!(0), null.clone(), null.clone()]);
    assert_eq!(of(batches[1]), [json!(-1), json!(-1), json!("COMMIT"), json!(3)]);
    assert_eq!((&batches[0]["delete_horizon"], &batches[1]["delete_horizon"]), (&null, &json!(99)));
    let records = told.iter().filter(|object| object["type"] == "record");
    let sequences: Vec<_> = records.map(|record| record["sequence"].clone()).collect();
    assert_eq!(sequences, [json!(i32::MAX), json!(0), null]);

    let text = String::from_utf8(log(&["dump"], &file).stdout).expect("text");
    assert!(text.contains("transactional,control,COMMIT,delete-horizon=99"), "{text}");
}
