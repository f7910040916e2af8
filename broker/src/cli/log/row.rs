//! How batches, records and entries are printed: columns of a fixed width, as no table of a log fits into memory, or one
//! JSON object a line.

use ringlane_batch::{Header, Record, TimestampType};
use ringlane_storage::inspect::{Batch, ProducerEntry};
use serde_json::{Map, Value, json};

use super::marker::Marker;
use crate::cli::consume::format::insert_bytes;

/// The head over [`batch`] rows.
pub(super) const BATCH_HEAD: &str = "       BASE        LAST   COUNT    POSITION      BYTES  CODEC    MAX TIMESTAMP  EPOCH   PRODUCER  P.EPOCH    SEQUENCE  CRC  FLAGS";

/// A batch as a row; a control batch with what it marks.
pub(super) fn batch(batch: &Batch, marker: Option<Marker>) -> String {
    let id = batch.producer_id;
    let producer = match id.is_some() {
        true => {
            format!("{:>9}  {:>7}  {:>10}", id.0, batch.producer_epoch.0, batch.base_sequence.0)
        }
        false => format!("{:>9}  {:>7}  {:>10}", "-", "-", "-"),
    };
    let row = format!(
        "{:>11} {:>11} {:>7} {:>11} {:>10}  {:<7} {:>14}  {:>5}  {producer}  {}   {}",
        batch.base_offset.0,
        batch.last_offset.0,
        batch.record_count,
        batch.position,
        batch.len,
        codec(batch),
        batch.max_timestamp.0,
        batch.leader_epoch.0,
        if batch.crc_is_valid { "ok" } else { "BAD" },
        flags(batch, marker).join(","),
    );
    row.trim_end().to_string()
}

fn codec(batch: &Batch) -> String {
    batch.codec.as_ref().map_or_else(|error| format!("{error}"), |codec| codec.name().to_string())
}

fn flags(batch: &Batch, marker: Option<Marker>) -> Vec<String> {
    let append_time = batch.timestamp_type == TimestampType::LogAppendTime;
    [
        (append_time, "append-time"),
        (batch.is_transactional, "transactional"),
        (batch.is_control, "control"),
    ]
    .into_iter()
    .filter(|(holds, _)| *holds)
    .map(|(_, name)| name.to_string())
    .chain(marker.map(|marker| marker.control_type.to_string()))
    .chain(batch.delete_horizon.map(|horizon| format!("delete-horizon={}", horizon.0)))
    .collect()
}

/// A batch as JSON; a control batch with what it marks.
pub(super) fn batch_json(file: &str, batch: &Batch, marker: Option<Marker>) -> Value {
    let id = batch.producer_id;
    json!({
        "type": "batch",
        "file": file,
        "position": batch.position,
        "bytes": batch.len,
        "base_offset": batch.base_offset.0,
        "last_offset": batch.last_offset.0,
        "record_count": batch.record_count,
        "leader_epoch": batch.leader_epoch.0,
        "codec": codec(batch),
        "timestamp_type": match batch.timestamp_type {
            TimestampType::CreateTime => "CreateTime",
            TimestampType::LogAppendTime => "LogAppendTime",
        },
        "base_timestamp": batch.base_timestamp.0,
        "max_timestamp": batch.max_timestamp.0,
        "producer_id": id.is_some().then_some(id.0),
        "producer_epoch": id.is_some().then_some(batch.producer_epoch.0),
        "base_sequence": id.is_some().then_some(batch.base_sequence.0),
        "last_sequence": id.is_some().then_some(batch.last_sequence.0),
        "is_transactional": batch.is_transactional,
        "is_control": batch.is_control,
        "control_type": marker.map(|marker| marker.control_type),
        "coordinator_epoch": marker.and_then(|marker| marker.coordinator_epoch),
        "delete_horizon": batch.delete_horizon.map(|horizon| horizon.0),
        "crc": batch.crc,
        "crc_is_valid": batch.crc_is_valid,
    })
}

/// A record as a row below its batch.
pub(super) fn record(record: &Record<'_>) -> String {
    let mut text = format!(
        "  | offset {} time {} key {} value {}",
        record.offset,
        record.timestamp,
        printable(record.key),
        printable(record.value)
    );
    for header in record.headers.clone() {
        let (key, value) = (header.key_text(), printable(header.value));
        text.push_str(&format!(" header {} {value}", printable(Some(key.as_bytes()))));
    }
    text
}

/// A record of `batch` as JSON.
pub(super) fn record_json(file: &str, batch: &Batch, record: &Record<'_>) -> Value {
    let mut object = Map::new();
    object.insert("type".into(), json!("record"));
    object.insert("file".into(), json!(file));
    object.insert("offset".into(), json!(record.offset.0));
    object.insert("timestamp".into(), json!(record.timestamp.0));
    object.insert("sequence".into(), json!(sequence(batch, record)));
    insert_bytes(&mut object, "key", record.key);
    insert_bytes(&mut object, "value", record.value);
    let header = |header: Header<'_>| {
        let mut object = Map::new();
        object.insert("key".into(), json!(header.key_text()));
        insert_bytes(&mut object, "value", header.value);
        Value::Object(object)
    };
    object.insert("headers".into(), record.headers.clone().map(header).collect());
    Value::Object(object)
}

/// The record's own, where its batch has them.
fn sequence(batch: &Batch, record: &Record<'_>) -> Option<i32> {
    let delta = i32::try_from(record.offset.distance_from(batch.base_offset)).ok()?;
    (batch.base_sequence.0 >= 0 && delta >= 0).then(|| batch.base_sequence.plus(delta).0)
}

/// Text in quotes with what a terminal would obey escaped; other bytes in hexadecimal.
fn printable(bytes: Option<&[u8]>) -> String {
    match bytes.map(std::str::from_utf8) {
        None => "null".into(),
        Some(Ok(text)) => format!("{text:?}"),
        Some(Err(_)) => {
            let bytes = bytes.unwrap_or_default().iter();
            let digits: String = bytes.map(|byte| format!("{byte:02x}")).collect();
            format!("0x{digits}")
        }
    }
}

/// The head over [`producer`] rows.
pub(super) const PRODUCER_HEAD: &str =
    "   PRODUCER  P.EPOCH    SEQUENCE        LAST       TIMESTAMP  BATCHES  TRANSACTION";

/// A producer as a row.
pub(super) fn producer(entry: &ProducerEntry) -> String {
    format!(
        "{:>11}  {:>7}  {:>10} {:>11}  {:>14}  {:>7}  {:>11}",
        entry.producer_id.0,
        entry.producer_epoch.0,
        entry.last_sequence.0,
        entry.last_offset.0,
        entry.last_timestamp.0,
        entry.batch_count,
        entry.transaction_start.map_or("-".into(), |start| start.to_string()),
    )
}

/// A producer as JSON.
pub(super) fn producer_json(file: &str, entry: &ProducerEntry) -> Value {
    json!({
        "type": "producer",
        "file": file,
        "producer_id": entry.producer_id.0,
        "producer_epoch": entry.producer_epoch.0,
        "last_sequence": entry.last_sequence.0,
        "last_offset": entry.last_offset.0,
        "last_timestamp": entry.last_timestamp.0,
        "batch_count": entry.batch_count,
        "transaction_start": entry.transaction_start.map(|start| start.0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_escaped() {
        assert_eq!(printable(None), "null");
        assert_eq!(printable(Some(b"a\x1b[2J\"\n")), r#""a\u{1b}[2J\"\n""#);
        assert_eq!(printable(Some(&[0xff, 0])), "0xff00");
    }
}
