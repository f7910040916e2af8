//! The bytes of a `.snapshot` file: Kafka's `ProducerSnapshot` version 1, which has of each producer the last batch, and
//! behind it, where Kafka does not look, the batches before. A producer that has several in flight while the broker
//! restarts sends the first of them again: without it that is out of order, and Java's client then sends all of them as
//! new ones.
//!
//! ```text
//! version i16 (1) · CRC-32C u32 of all behind it · count i32, then for each producer 46 bytes:
//! producer id i64 · epoch i16 · last sequence i32 · last offset i64 · offset delta i32 · timestamp i64
//! · coordinator epoch i32 · transaction start i64 (-1: none)
//! then for each batch before a producer's last, the oldest first, 32 bytes:
//! producer id i64 · last sequence i32 · last offset i64 · offset delta i32 · timestamp i64
//! ```

use std::collections::{BTreeMap, VecDeque};

use ringlane_batch::{Offset, ProducerEpoch, ProducerId, Sequence, TimestampMs};

use super::{BATCHES_MAX, Producer, ProducerState, SeenBatch};

const VERSION: i16 = 1;
const CRC_AT: usize = 2;
const COUNT_AT: usize = 6;
const ENTRIES_AT: usize = 10;
const ENTRY_LEN: usize = 46;
const EARLIER_LEN: usize = 32;

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
    for (id, producer) in &state.producers {
        let earlier = producer.batches.len().saturating_sub(1);
        for batch in producer.batches.iter().take(earlier) {
            encode_earlier(&mut bytes, *id, batch);
        }
    }
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

fn encode_earlier(bytes: &mut Vec<u8>, id: ProducerId, batch: &SeenBatch) {
    bytes.extend(id.0.to_be_bytes());
    bytes.extend(batch.last_sequence.0.to_be_bytes());
    bytes.extend(batch.last_offset.0.to_be_bytes());
    bytes.extend(batch.offset_delta.to_be_bytes());
    bytes.extend(batch.max_timestamp.0.to_be_bytes());
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
    let entries_len = count.checked_mul(ENTRY_LEN).filter(|len| *len <= fields.0.len());
    let earlier_len = entries_len.map(|len| fields.0.len() - len);
    if earlier_len.is_none_or(|len| !len.is_multiple_of(EARLIER_LEN)) {
        return Err("the snapshot's count does not match its length");
    }
    let mut producers = BTreeMap::new();
    for _ in 0..count {
        let (id, producer) = decode_producer(&mut fields, now_ms)?;
        producers.insert(id, Box::new(producer));
    }
    while !fields.0.is_empty() {
        decode_earlier(&mut fields, &mut producers)?;
    }
    Ok(ProducerState { producers })
}

/// One batch before the last of its producer, whose batches before it were read.
fn decode_earlier(
    fields: &mut Fields<'_>,
    producers: &mut BTreeMap<ProducerId, Box<Producer>>,
) -> Result<(), &'static str> {
    let id = ProducerId(fields.i64()?);
    let batch = SeenBatch {
        last_sequence: Sequence(fields.i32()?),
        last_offset: Offset(fields.i64()?),
        offset_delta: fields.i32()?,
        max_timestamp: TimestampMs(fields.i64()?),
    };
    let batches = &mut producers.get_mut(&id).ok_or("a batch of no producer")?.batches;
    let last = batches.back().ok_or("a batch before none")?;
    let before = batches.len().checked_sub(2).map(|index| batches[index].last_offset);
    let in_order = batch.last_offset < last.last_offset && before < Some(batch.last_offset);
    if batch.offset_delta < 0 || !in_order || batches.len() == BATCHES_MAX {
        return Err("impossible earlier batch");
    }
    batches.insert(batches.len() - 1, batch);
    Ok(())
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
