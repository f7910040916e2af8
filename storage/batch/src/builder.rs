//! Writes a record batch v2: for the command line and the load generator, for the coordinators' own partitions, and
//! for compaction, which keeps offsets and headers of the batches it thins out.

use bytes::Bytes;

use crate::batch::{self, BatchHeader, put, seal};
use crate::compression::{Codec, Compression, Decompressor, compress};
use crate::error::BatchError;
use crate::types::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, TimestampMs};
use crate::varint::{put_varint, put_varlong, varint_len};
use crate::{BatchView, record::Header};

/// Collects records and writes them as one batch.
#[derive(Clone, Debug)]
pub struct BatchBuilder {
    codec: Codec,
    /// Room for the header, then the records, uncompressed.
    bytes: Vec<u8>,
    base_timestamp: Option<TimestampMs>,
    delete_horizon: Option<TimestampMs>,
    max_timestamp: TimestampMs,
    record_count: i32,
    next_offset_delta: i32,
}

/// The header fields that a [`BatchBuilder`] does not work out itself. The default is what a plain producer sends.
#[derive(Clone, Copy, Debug)]
pub struct BatchFields {
    /// Offset of the first record.
    pub base_offset: Offset,
    /// Epoch of the leader that appends it.
    pub leader_epoch: LeaderEpoch,
    /// Who produced it, if idempotent: id, epoch and sequence of the first record.
    pub producer: Option<(ProducerId, ProducerEpoch, Sequence)>,
    /// Part of a transaction (KIP-98).
    pub is_transactional: bool,
    /// The broker's own markers (KIP-98).
    pub is_control: bool,
    /// The broker's time of the append instead of the records' own timestamps (KIP-32).
    pub log_append_time: Option<TimestampMs>,
    /// Last offset minus base offset, where that is not the last record's: compaction removed it.
    pub last_offset_delta: Option<i32>,
    /// Largest timestamp of a batch that compaction emptied.
    pub max_timestamp: Option<TimestampMs>,
}

impl Default for BatchFields {
    fn default() -> Self {
        Self {
            base_offset: Offset::ZERO,
            leader_epoch: LeaderEpoch::NONE,
            producer: None,
            is_transactional: false,
            is_control: false,
            log_append_time: None,
            last_offset_delta: None,
            max_timestamp: None,
        }
    }
}

impl BatchBuilder {
    /// An empty batch that will be compressed with `codec`.
    pub fn new(codec: Codec) -> Self {
        Self {
            codec,
            bytes: vec![0; BatchHeader::LEN],
            base_timestamp: None,
            delete_horizon: None,
            max_timestamp: TimestampMs::NONE,
            record_count: 0,
            next_offset_delta: 0,
        }
    }

    /// Marks when tombstones and markers in the batch may go (KIP-534). Takes the place of the base timestamp, so it
    /// is set before the first record.
    #[must_use]
    pub fn with_delete_horizon(mut self, horizon: TimestampMs) -> Self {
        assert_eq!(self.record_count, 0, "the timestamps count from the delete horizon");
        self.delete_horizon = Some(horizon);
        self.base_timestamp = Some(horizon);
        self
    }

    /// Adds a record at the next offset.
    ///
    /// # Panics
    /// When the batch would exceed 2 GiB; see [`Self::len_with`].
    pub fn append(
        &mut self,
        timestamp: TimestampMs,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header<'_>],
    ) {
        self.append_at(self.next_offset_delta, timestamp, key, value, headers);
    }

    /// Adds a record at `offset_delta` after the base offset.
    ///
    /// # Panics
    /// When that is not after the record before, or the batch would exceed 2 GiB.
    pub fn append_at(
        &mut self,
        offset_delta: i32,
        timestamp: TimestampMs,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header<'_>],
    ) {
        assert!(offset_delta >= self.next_offset_delta, "offsets rise within a batch");
        let base = *self.base_timestamp.get_or_insert(timestamp);
        let timestamp_delta = timestamp.0.wrapping_sub(base.0);
        let size = body_len(offset_delta, timestamp_delta, key, value, headers);
        let end = self.bytes.len() + varint_len(size as i64) + size;
        assert!(end <= i32::MAX as usize, "the length of a batch is an i32");
        self.bytes.reserve(end - self.bytes.len());

        put_varint(&mut self.bytes, size as i32);
        self.bytes.push(0);
        put_varlong(&mut self.bytes, timestamp_delta);
        put_varint(&mut self.bytes, offset_delta);
        put_nullable(&mut self.bytes, key);
        put_nullable(&mut self.bytes, value);
        put_varint(&mut self.bytes, headers.len() as i32);
        for header in headers {
            put_nullable(&mut self.bytes, Some(header.key));
            put_nullable(&mut self.bytes, header.value);
        }
        assert_eq!(self.bytes.len(), end, "a record fills the size it claims");

        self.max_timestamp = self.max_timestamp.max(timestamp);
        self.record_count += 1;
        self.next_offset_delta = offset_delta + 1;
    }

    /// Records so far.
    pub fn record_count(&self) -> i32 {
        self.record_count
    }

    /// Bytes of the batch so far, uncompressed, header included.
    pub fn len_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// An upper bound for [`Self::len_bytes`] after one more such record.
    pub fn len_with(
        &self,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header<'_>],
    ) -> usize {
        const LONGEST_SIZE: usize = 5;
        self.bytes.len() + LONGEST_SIZE + body_len(i32::MAX, i64::MAX, key, value, headers)
    }

    /// The batch. Its CRC is set, its codec the builder's even when compression gains nothing.
    ///
    /// # Panics
    /// When there is no record and `fields` gives no last offset delta; when that lies before the last record.
    pub fn finish(mut self, fields: &BatchFields) -> Bytes {
        let last_offset_delta = fields.last_offset_delta.unwrap_or(self.next_offset_delta - 1);
        assert!(last_offset_delta >= 0, "an empty batch stands for offsets that once had records");
        assert!(last_offset_delta >= self.next_offset_delta - 1, "the last record is in the batch");
        let mut codec = self.codec;
        if self.record_count == 0 {
            codec = Codec::None;
        } else if codec != Codec::None {
            self.bytes = with_compressed_payload(&self.bytes, BatchHeader::LEN, codec);
        }
        self.write_header(codec, last_offset_delta, fields);
        seal(&mut self.bytes);
        Bytes::from(self.bytes)
    }

    fn write_header(&mut self, codec: Codec, last_offset_delta: i32, fields: &BatchFields) {
        let length = self.bytes.len() - BatchHeader::LOG_OVERHEAD;
        let length = i32::try_from(length).expect("append keeps the batch below 2 GiB");
        let attributes = self.attributes(codec, fields);
        let base_timestamp = self.base_timestamp.unwrap_or(TimestampMs::NONE);
        let max_timestamp =
            fields.log_append_time.or(fields.max_timestamp).unwrap_or(self.max_timestamp);
        let (id, epoch, sequence) =
            fields.producer.unwrap_or((ProducerId::NONE, ProducerEpoch::NONE, Sequence::NONE));

        let header = &mut self.bytes[..BatchHeader::LEN];
        put(header, BatchHeader::BASE_OFFSET, &fields.base_offset.0.to_be_bytes());
        put(header, BatchHeader::LENGTH, &length.to_be_bytes());
        put(header, BatchHeader::LEADER_EPOCH, &fields.leader_epoch.0.to_be_bytes());
        put(header, BatchHeader::MAGIC, &BatchHeader::MAGIC_V2.to_be_bytes());
        put(header, BatchHeader::ATTRIBUTES, &attributes.to_be_bytes());
        put(header, BatchHeader::LAST_OFFSET_DELTA, &last_offset_delta.to_be_bytes());
        put(header, BatchHeader::BASE_TIMESTAMP, &base_timestamp.0.to_be_bytes());
        put(header, BatchHeader::MAX_TIMESTAMP, &max_timestamp.0.to_be_bytes());
        put(header, BatchHeader::PRODUCER_ID, &id.0.to_be_bytes());
        put(header, BatchHeader::PRODUCER_EPOCH, &epoch.0.to_be_bytes());
        put(header, BatchHeader::BASE_SEQUENCE, &sequence.0.to_be_bytes());
        put(header, BatchHeader::RECORD_COUNT, &self.record_count.to_be_bytes());
    }

    fn attributes(&self, codec: Codec, fields: &BatchFields) -> i16 {
        let flag = |is_set: bool, bit: i16| if is_set { bit } else { 0 };
        i16::from(codec.id())
            | flag(fields.log_append_time.is_some(), batch::LOG_APPEND_TIME)
            | flag(fields.is_transactional, batch::TRANSACTIONAL)
            | flag(fields.is_control, batch::CONTROL)
            | flag(self.delete_horizon.is_some(), batch::DELETE_HORIZON)
    }
}

/// The same batch with its records compressed by another codec: for a topic whose `compression.type` is not the
/// producer's. Everything else in the header stays.
///
/// # Errors
/// `UnknownCodec`, `Compression`, `TooLargeDecompressed` as from [`Decompressor::decompress`].
///
/// # Panics
/// When the result exceeds 2 GiB, which `limit_bytes` well below it rules out.
pub fn recompress(
    batch: &BatchView<'_>,
    compression: impl Into<Compression>,
    decompressor: &mut Decompressor,
    limit_bytes: usize,
) -> Result<Bytes, BatchError> {
    let compression = compression.into();
    let payload = decompressor.decompress(batch.codec()?, batch.payload(), limit_bytes)?;
    let mut bytes = batch.as_bytes()[..BatchHeader::LEN].to_vec();
    compress(compression, payload, &mut bytes);
    let length = i32::try_from(bytes.len() - BatchHeader::LOG_OVERHEAD).expect("below 2 GiB");
    let attributes = batch.attributes() & !batch::CODEC_MASK | i16::from(compression.codec.id());
    put(&mut bytes, BatchHeader::LENGTH, &length.to_be_bytes());
    put(&mut bytes, BatchHeader::ATTRIBUTES, &attributes.to_be_bytes());
    seal(&mut bytes);
    Ok(Bytes::from(bytes))
}

fn with_compressed_payload(batch: &[u8], header_len: usize, codec: Codec) -> Vec<u8> {
    let (header, payload) = batch.split_at(header_len);
    let mut bytes = Vec::with_capacity(header_len + payload.len() / 2);
    bytes.extend_from_slice(header);
    compress(codec, payload, &mut bytes);
    bytes
}

fn body_len(
    offset_delta: i32,
    timestamp_delta: i64,
    key: Option<&[u8]>,
    value: Option<&[u8]>,
    headers: &[Header<'_>],
) -> usize {
    let headers_len: usize =
        headers.iter().map(|h| nullable_len(Some(h.key)) + nullable_len(h.value)).sum();
    1 + varint_len(timestamp_delta)
        + varint_len(i64::from(offset_delta))
        + nullable_len(key)
        + nullable_len(value)
        + varint_len(headers.len() as i64)
        + headers_len
}

fn nullable_len(bytes: Option<&[u8]>) -> usize {
    bytes.map_or(varint_len(-1), |bytes| varint_len(bytes.len() as i64) + bytes.len())
}

fn put_nullable(output: &mut Vec<u8>, bytes: Option<&[u8]>) {
    put_varint(output, bytes.map_or(-1, |bytes| bytes.len() as i32));
    output.extend_from_slice(bytes.unwrap_or_default());
}
