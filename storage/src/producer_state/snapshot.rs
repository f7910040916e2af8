//! The bytes of a `.snapshot` file, Kafka's `ProducerSnapshot` version 1. Of a producer's batches only the last survives,
//! as in Kafka.
//!
//! ```text
//! version i16 (1) · CRC-32C u32 of all behind it · count i32, then for each producer 46 bytes:
//! producer id i64 · epoch i16 · last sequence i32 · last offset i64 · offset delta i32 · timestamp i64
//! · coordinator epoch i32 · transaction start i64 (-1: none)
//! ```

use std::collections::{BTreeMap, VecDeque};

use ringlane_batch::{Offset, ProducerEpoch, ProducerId, Sequence, TimestampMs};

use super::{Producer, ProducerState, SeenBatch};

const VERSION: i16 = 1;
const CRC_AT: usize = 2;
const COUNT_AT: usize = 6;
const ENTRIES_AT: usize = 10;
const ENTRY_LEN: usize = 46;

/// The file's bytes for `state`.
pub(crate) fn encode(state: &ProducerState) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(ENTRIES_AT + ENTRY_LEN * state.producers.len());
    bytes.extend(VERSION.to_be_bytes());
    bytes.extend([0; 4]);
    let count =
        i32::try_from(state.producers.len()).expect("producers are bounded by their expiry");
    bytes.extend(count.to_be_bytes());
    for (id, producer) in &state.producers {
        encode_producer(&mut bytes, *id, producer);
    }
    assert_eq!(
        bytes.len(),
        ENTRIES_AT + ENTRY_LEN * state.producers.len(),
        "entries are fixed-size"
    );
    let crc = crc32c::crc32c(&bytes[COUNT_AT..]);
    bytes[CRC_AT..COUNT_AT].copy_from_slice(&crc.to_be_bytes());
    bytes
}

fn encode_producer(bytes: &mut Vec<u8>, id: ProducerId, producer: &Producer) {
    let last = producer.batches.back();
    bytes.extend(id.0.to_be_bytes());
    bytes.extend(producer.epoch.0.to_be_bytes());
    bytes.extend(last.map_or(Sequence::NONE, |b| b.last_sequence).0.to_be_bytes());
    bytes.extend(last.map_or(Offset(-1), |b| b.last_offset).0.to_be_bytes());
    bytes.extend(last.map_or(0, |b| b.offset_delta).to_be_bytes());
    bytes.extend(producer.last_timestamp.0.to_be_bytes());
    bytes.extend(producer.coordinator_epoch.to_be_bytes());
    bytes.extend(producer.transaction_start.unwrap_or(Offset(-1)).0.to_be_bytes());
}

/// The state in the bytes of a file that is read at `now_ms`.
///
/// # Errors
/// What is wrong with them.
pub(crate) fn decode(bytes: &[u8], now_ms: i64) -> Result<ProducerState, &'static str> {
    let mut fields = Fields(bytes);
    if fields.i16()? != VERSION {
        return Err("unknown snapshot version");
    }
    let crc = fields.i32()? as u32;
    if crc32c::crc32c(fields.0) != crc {
        return Err("the snapshot's checksum does not match");
    }
    let count = usize::try_from(fields.i32()?).map_err(|_| "negative count")?;
    if count.checked_mul(ENTRY_LEN) != Some(fields.0.len()) {
        return Err("the snapshot's count does not match its length");
    }
    let mut producers = BTreeMap::new();
    for _ in 0..count {
        let (id, producer) = decode_producer(&mut fields, now_ms)?;
        producers.insert(id, producer);
    }
    Ok(ProducerState { producers })
}

fn decode_producer(
    fields: &mut Fields<'_>,
    last_seen_ms: i64,
) -> Result<(ProducerId, Producer), &'static str> {
    let id = ProducerId(fields.i64()?);
    let epoch = ProducerEpoch(fields.i16()?);
    let last_sequence = Sequence(fields.i32()?);
    let last_offset = Offset(fields.i64()?);
    let offset_delta = fields.i32()?;
    let last_timestamp = TimestampMs(fields.i64()?);
    let coordinator_epoch = fields.i32()?;
    let transaction_start = Some(Offset(fields.i64()?)).filter(|start| *start >= Offset::ZERO);
    if !id.is_some() || offset_delta < 0 {
        return Err("impossible producer entry");
    }
    let last =
        SeenBatch { last_sequence, last_offset, offset_delta, max_timestamp: last_timestamp };
    let batches: VecDeque<_> = (last_offset >= Offset::ZERO).then_some(last).into_iter().collect();
    Ok((
        id,
        Producer {
            epoch,
            batches,
            last_timestamp,
            last_seen_ms,
            coordinator_epoch,
            transaction_start,
        },
    ))
}

/// Big-endian integers, taken off the front.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], &'static str> {
        let (field, rest) = self.0.split_first_chunk().ok_or("the snapshot is cut short")?;
        self.0 = rest;
        Ok(*field)
    }

    fn i16(&mut self) -> Result<i16, &'static str> {
        self.take().map(i16::from_be_bytes)
    }

    fn i32(&mut self) -> Result<i32, &'static str> {
        self.take().map(i32::from_be_bytes)
    }

    fn i64(&mut self) -> Result<i64, &'static str> {
        self.take().map(i64::from_be_bytes)
    }
}
