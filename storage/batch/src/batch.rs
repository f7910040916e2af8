//! The header of a record batch v2, read and stamped in place: no field is decoded before it is asked for.
//! The format is Kafka's, byte for byte, on the wire and on disk (`DefaultRecordBatch`, KIP-98, KIP-32, KIP-101).

use crate::compression::Codec;
use crate::error::BatchError;
use crate::types::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, TimestampMs};

/// Where the fields of a batch header lie, big-endian, from the first byte of the batch.
///
/// ```text
///      0               8       12      16 17      21  23
///      ┌───────────────┬───────┬───────┬─┬───────┬───┬───────┐
///      │  base offset  │length │ epoch │2│  CRC  │att│last Δ │
///      ├───────────────┼───────┴───────┼─┴───────┴───┴─┬───┬─┴─────┬───────┐
///   27 │   base time   │   max time    │  producer id  │ep.│ seq.  │ count │
///      ├───────────────┴───────────────┴───────────────┴───┴───────┴───────┘
///   61 │ records, compressed or not ...
/// ```
///
/// The CRC covers everything from the attributes to the end: base offset and leader epoch, which the broker assigns,
/// lie outside it. Attributes: bits 0-2 codec, 3 timestamp type, 4 transactional, 5 control, 6 delete horizon.
pub struct BatchHeader;

impl BatchHeader {
    /// i64: offset of the first record.
    pub const BASE_OFFSET: usize = 0;
    /// i32: bytes that follow this field.
    pub const LENGTH: usize = 8;
    /// i32: epoch of the leader that appended the batch (KIP-101).
    pub const LEADER_EPOCH: usize = 12;
    /// i8: 2.
    pub const MAGIC: usize = 16;
    /// u32: CRC-32C of all bytes from [`Self::ATTRIBUTES`] on.
    pub const CRC: usize = 17;
    /// i16: codec and flags.
    pub const ATTRIBUTES: usize = 21;
    /// i32: last offset minus base offset; compaction keeps it when it removes the last record.
    pub const LAST_OFFSET_DELTA: usize = 23;
    /// i64: what the records' timestamp deltas count from, or the delete horizon.
    pub const BASE_TIMESTAMP: usize = 27;
    /// i64: the largest timestamp of the records, or the time of the append.
    pub const MAX_TIMESTAMP: usize = 35;
    /// i64: producer id or -1.
    pub const PRODUCER_ID: usize = 43;
    /// i16: producer epoch or -1.
    pub const PRODUCER_EPOCH: usize = 51;
    /// i32: sequence of the first record or -1.
    pub const BASE_SEQUENCE: usize = 53;
    /// i32: records in the batch.
    pub const RECORD_COUNT: usize = 57;
    /// Bytes of a header: where the records start.
    pub const LEN: usize = 61;
    /// Bytes before the part that the length field counts.
    pub const LOG_OVERHEAD: usize = 12;
    /// The only magic there is since Kafka 4.0 (KIP-724).
    pub const MAGIC_V2: i8 = 2;
}

pub(crate) const CODEC_MASK: i16 = 0x07;
pub(crate) const LOG_APPEND_TIME: i16 = 0x08;
pub(crate) const TRANSACTIONAL: i16 = 0x10;
pub(crate) const CONTROL: i16 = 0x20;
pub(crate) const DELETE_HORIZON: i16 = 0x40;

/// Who set the timestamps of a batch (KIP-32).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestampType {
    /// The producer, one for each record.
    CreateTime,
    /// The broker at the append, one for the whole batch.
    LogAppendTime,
}

/// One whole batch, borrowed. Its length and magic were checked when it was made, nothing else: ask
/// [`Self::crc_is_valid`] before trusting the rest.
#[derive(Clone, Copy)]
pub struct BatchView<'a> {
    bytes: &'a [u8],
}

impl<'a> BatchView<'a> {
    /// The batch at the start of `bytes`, which may go on behind it.
    ///
    /// # Errors
    /// `Truncated` when it does not end within `bytes`, `Length` when the length field cannot be, `Magic` when the
    /// batch is not version 2. In this order: a torn tail is told from garbage.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, BatchError> {
        let truncated = |needed| BatchError::Truncated { needed, available: bytes.len() };
        if bytes.len() < BatchHeader::LOG_OVERHEAD {
            return Err(truncated(BatchHeader::LEN));
        }
        let Some(len) = peek_len(bytes) else {
            return Err(BatchError::Length(i32_at(bytes, BatchHeader::LENGTH)));
        };
        let batch = bytes.get(..len).ok_or(truncated(len))?;
        assert!(len >= BatchHeader::LEN, "peek_len admits no batch shorter than its header");
        match batch[BatchHeader::MAGIC] as i8 {
            BatchHeader::MAGIC_V2 => Ok(Self { bytes: batch }),
            magic => Err(BatchError::Magic(magic)),
        }
    }

    /// Offset of the first record; 0 in what a producer sends.
    pub fn base_offset(&self) -> Offset {
        Offset(i64_at(self.bytes, BatchHeader::BASE_OFFSET))
    }

    /// Offset of the last record, or of the last there was before compaction.
    pub fn last_offset(&self) -> Offset {
        self.base_offset().plus(i64::from(self.last_offset_delta()))
    }

    /// The offset behind this batch.
    pub fn next_offset(&self) -> Offset {
        self.last_offset().plus(1)
    }

    /// Epoch of the leader that appended the batch.
    pub fn leader_epoch(&self) -> LeaderEpoch {
        LeaderEpoch(i32_at(self.bytes, BatchHeader::LEADER_EPOCH))
    }

    /// The CRC-32C the batch claims.
    pub fn stored_crc(&self) -> u32 {
        i32_at(self.bytes, BatchHeader::CRC) as u32
    }

    /// Whether the bytes from the attributes on have the CRC-32C the batch claims.
    pub fn crc_is_valid(&self) -> bool {
        crc_of(self.bytes) == self.stored_crc()
    }

    /// The raw attribute bits; see [`BatchHeader`].
    pub fn attributes(&self) -> i16 {
        i16_at(self.bytes, BatchHeader::ATTRIBUTES)
    }

    /// How the records are compressed.
    ///
    /// # Errors
    /// `UnknownCodec` for the three ids that Kafka has not given away.
    pub fn codec(&self) -> Result<Codec, BatchError> {
        Codec::from_id((self.attributes() & CODEC_MASK) as u8)
    }

    /// Who set the timestamps.
    pub fn timestamp_type(&self) -> TimestampType {
        match self.attributes() & LOG_APPEND_TIME {
            0 => TimestampType::CreateTime,
            _ => TimestampType::LogAppendTime,
        }
    }

    /// Whether the batch is part of a transaction (KIP-98).
    pub fn is_transactional(&self) -> bool {
        self.attributes() & TRANSACTIONAL != 0
    }

    /// Whether the records are the broker's own markers, which no client sees (KIP-98).
    pub fn is_control(&self) -> bool {
        self.attributes() & CONTROL != 0
    }

    /// When compaction may remove the tombstones and markers in this batch (KIP-534), if that is set.
    pub fn delete_horizon(&self) -> Option<TimestampMs> {
        (self.attributes() & DELETE_HORIZON != 0).then(|| self.base_timestamp())
    }

    /// Last offset minus base offset.
    pub fn last_offset_delta(&self) -> i32 {
        i32_at(self.bytes, BatchHeader::LAST_OFFSET_DELTA)
    }

    /// What the records' timestamp deltas count from.
    pub fn base_timestamp(&self) -> TimestampMs {
        TimestampMs(i64_at(self.bytes, BatchHeader::BASE_TIMESTAMP))
    }

    /// The largest timestamp of the records, or the time of the append.
    pub fn max_timestamp(&self) -> TimestampMs {
        TimestampMs(i64_at(self.bytes, BatchHeader::MAX_TIMESTAMP))
    }

    /// Who produced it, if idempotent.
    pub fn producer_id(&self) -> ProducerId {
        ProducerId(i64_at(self.bytes, BatchHeader::PRODUCER_ID))
    }

    /// Generation of the producer id.
    pub fn producer_epoch(&self) -> ProducerEpoch {
        ProducerEpoch(i16_at(self.bytes, BatchHeader::PRODUCER_EPOCH))
    }

    /// Sequence of the first record.
    pub fn base_sequence(&self) -> Sequence {
        Sequence(i32_at(self.bytes, BatchHeader::BASE_SEQUENCE))
    }

    /// Sequence of the last record, `NONE` without a first one or when the deltas make no sense.
    pub fn last_sequence(&self) -> Sequence {
        match (self.base_sequence(), self.last_offset_delta()) {
            (base, delta) if base.0 >= 0 && delta >= 0 => base.plus(delta),
            _ => Sequence::NONE,
        }
    }

    /// Records in the batch, as the header claims: may be negative or beyond the payload in a bad one.
    pub fn record_count(&self) -> i32 {
        i32_at(self.bytes, BatchHeader::RECORD_COUNT)
    }

    /// The records, compressed as [`Self::codec`] says.
    pub fn payload(&self) -> &'a [u8] {
        &self.bytes[BatchHeader::LEN..]
    }

    /// The whole batch, header included.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Bytes of the whole batch.
    #[expect(clippy::len_without_is_empty, reason = "a batch always has a header")]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }
}

impl std::fmt::Debug for BatchView<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BatchView")
            .field("base_offset", &self.base_offset())
            .field("last_offset", &self.last_offset())
            .field("leader_epoch", &self.leader_epoch())
            .field("record_count", &self.record_count())
            .field("attributes", &self.attributes())
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

/// Bytes of the batch at the start of `bytes`, by its length field; `None` when the field is not there yet or cannot
/// be (shorter than a header). Looks at nothing else: a scan reads this much and then parses.
pub fn peek_len(bytes: &[u8]) -> Option<usize> {
    if bytes.len() < BatchHeader::LOG_OVERHEAD {
        return None;
    }
    let len = usize::try_from(i32_at(bytes, BatchHeader::LENGTH)).ok()? + BatchHeader::LOG_OVERHEAD;
    (len >= BatchHeader::LEN).then_some(len)
}

/// The batches in `bytes`, one after the other. Ends after the first error: what follows it cannot be found.
pub fn batches(bytes: &[u8]) -> Batches<'_> {
    Batches { rest: bytes }
}

/// Iterator of [`batches`].
#[derive(Clone, Debug)]
pub struct Batches<'a> {
    rest: &'a [u8],
}

impl<'a> Batches<'a> {
    /// The bytes not yet looked at.
    pub fn remaining(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for Batches<'a> {
    type Item = Result<BatchView<'a>, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let parsed = BatchView::parse(self.rest);
        self.rest = match &parsed {
            Ok(batch) => &self.rest[batch.len()..],
            Err(_) => &[],
        };
        Some(parsed)
    }
}

/// Gives the batch at the start of `bytes` its place in a log. Both fields lie outside the CRC, which stays valid.
///
/// # Panics
/// When `bytes` is shorter than a header: only a parsed batch is stamped.
pub fn stamp(bytes: &mut [u8], base_offset: Offset, epoch: LeaderEpoch) {
    assert!(bytes.len() >= BatchHeader::LEN, "only a whole batch is stamped");
    assert!(base_offset >= Offset::ZERO, "a log starts at 0");
    put(bytes, BatchHeader::BASE_OFFSET, &base_offset.0.to_be_bytes());
    put(bytes, BatchHeader::LEADER_EPOCH, &epoch.0.to_be_bytes());
}

/// Sets the append time of a batch whose topic has `message.timestamp.type=LogAppendTime` (KIP-32), and the CRC anew.
/// `bytes` is exactly the batch.
///
/// # Panics
/// When `bytes` is not exactly one batch.
pub fn stamp_log_append_time(bytes: &mut [u8], timestamp: TimestampMs) {
    restamp_timestamp(bytes, TimestampType::LogAppendTime, timestamp);
}

/// Sets who gave the timestamps and the largest of them, and the CRC anew. `bytes` is exactly the batch.
pub(crate) fn restamp_timestamp(bytes: &mut [u8], by: TimestampType, max: TimestampMs) {
    assert_eq!(peek_len(bytes), Some(bytes.len()), "the CRC covers exactly one batch");
    let attributes = i16_at(bytes, BatchHeader::ATTRIBUTES) & !LOG_APPEND_TIME;
    let attributes = match by {
        TimestampType::CreateTime => attributes,
        TimestampType::LogAppendTime => attributes | LOG_APPEND_TIME,
    };
    put(bytes, BatchHeader::ATTRIBUTES, &attributes.to_be_bytes());
    put(bytes, BatchHeader::MAX_TIMESTAMP, &max.0.to_be_bytes());
    seal(bytes);
}

/// Writes the CRC of the batch in `bytes`.
pub(crate) fn seal(bytes: &mut [u8]) {
    let crc = crc_of(bytes);
    put(bytes, BatchHeader::CRC, &crc.to_be_bytes());
}

fn crc_of(bytes: &[u8]) -> u32 {
    crc32c::crc32c(&bytes[BatchHeader::ATTRIBUTES..])
}

pub(crate) fn put(bytes: &mut [u8], at: usize, field: &[u8]) {
    bytes[at..at + field.len()].copy_from_slice(field);
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    *bytes[at..].first_chunk().expect("a header field lies within the checked header")
}

fn i16_at(bytes: &[u8], at: usize) -> i16 {
    i16::from_be_bytes(field(bytes, at))
}

fn i32_at(bytes: &[u8], at: usize) -> i32 {
    i32::from_be_bytes(field(bytes, at))
}

fn i64_at(bytes: &[u8], at: usize) -> i64 {
    i64::from_be_bytes(field(bytes, at))
}
