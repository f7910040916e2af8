//! What a broker checks on the records a producer sends for one partition, before anything is appended. The order and
//! the answers are Kafka's (`ProduceRequest.validateRecords`, `UnifiedLog.analyzeAndValidateRecords`, `LogValidator`),
//! except where Kafka answers UNKNOWN_SERVER_ERROR to bytes that are plainly the client's fault, or stores what a
//! consumer cannot make sense of (bytes behind the batch, offset deltas with gaps): those are refused by name.

use std::fmt;
use std::ops::Deref;

use crate::batch::{BatchHeader, BatchView, TimestampType, restamp_timestamp};
use crate::compression::{Codec, Decompressor};
use crate::error::BatchError;
use crate::record::Record;
use crate::types::{Offset, TimestampMs};

/// Bytes after the length field that any version of the format has: `RECORD_OVERHEAD_V0` in Kafka.
const LENGTH_MIN: i32 = 14;

/// How many record errors an answer carries: they go into a response that must stay small whatever the batch.
const RECORD_ERRORS_MAX: usize = 1000;

/// What the topic and the request allow.
#[derive(Clone, Debug)]
pub struct Limits {
    /// `max.message.bytes`: the largest batch, as it came.
    pub max_message_bytes: usize,
    /// The most that a batch's records may decompress to. Kafka has no such bound; it decompresses piecemeal.
    pub decompressed_bytes_max: usize,
    /// `message.timestamp.type`. Timestamps that the append overwrites are not checked.
    pub timestamp_type: TimestampType,
    /// The wall clock.
    pub now: TimestampMs,
    /// `message.timestamp.before.max.ms`: how far a record's timestamp may lie before `now` (KIP-937).
    pub timestamp_before_max_ms: i64,
    /// `message.timestamp.after.max.ms`: how far it may lie after `now` (KIP-937).
    pub timestamp_after_max_ms: i64,
    /// `cleanup.policy` contains `compact`: every record needs a key.
    pub is_compacted: bool,
    /// Whether the version of the request knows zstd: Produce v7 and above (KIP-110).
    pub allows_zstd: bool,
}

impl Limits {
    /// Nothing but the size is limited: records may decompress to 100 MiB, or to `max_message_bytes` if that is more.
    pub fn new(max_message_bytes: usize) -> Self {
        Self {
            max_message_bytes,
            decompressed_bytes_max: max_message_bytes.max(100 << 20),
            timestamp_type: TimestampType::CreateTime,
            now: TimestampMs(0),
            timestamp_before_max_ms: i64::MAX,
            timestamp_after_max_ms: i64::MAX,
            is_compacted: false,
            allows_zstd: true,
        }
    }
}

/// A record that is the reason why its batch is refused: `record_errors` of Produce v8 (KIP-467).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordError {
    /// Its index in the batch, from 0.
    pub index: i32,
    /// What is wrong with it.
    pub message: String,
}

/// Why records are refused, each the protocol's error of the same name. The client is at fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejected {
    /// CORRUPT_MESSAGE: the bytes were damaged on their way, so that sending them again can help.
    CorruptMessage(String),
    /// INVALID_RECORD: the batch or some records are not what a producer may send.
    InvalidRecord {
        /// The reason.
        message: String,
        /// The records at fault, where single ones are; the first thousand.
        record_errors: Vec<RecordError>,
    },
    /// UNSUPPORTED_COMPRESSION_TYPE.
    UnsupportedCompressionType(String),
    /// MESSAGE_TOO_LARGE: Java's producer splits the batch and tries again.
    MessageTooLarge(String),
    /// INVALID_TIMESTAMP.
    InvalidTimestamp {
        /// The reason.
        message: String,
        /// The records at fault; the first thousand.
        record_errors: Vec<RecordError>,
    },
}

impl Rejected {
    /// The reason, in a sentence for the response.
    pub fn message(&self) -> &str {
        match self {
            Self::CorruptMessage(message)
            | Self::InvalidRecord { message, .. }
            | Self::UnsupportedCompressionType(message)
            | Self::MessageTooLarge(message)
            | Self::InvalidTimestamp { message, .. } => message,
        }
    }

    /// The records at fault, where single ones are.
    pub fn record_errors(&self) -> &[RecordError] {
        match self {
            Self::InvalidRecord { record_errors, .. }
            | Self::InvalidTimestamp { record_errors, .. } => record_errors,
            _ => &[],
        }
    }

    fn invalid(message: impl Into<String>) -> Self {
        Self::InvalidRecord { message: message.into(), record_errors: Vec::new() }
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl std::error::Error for Rejected {}

/// A batch that may be appended. Its header can be trusted: the CRC is right, the count and the last offset delta are
/// those of its records, it is no control batch, a producer id comes with a sequence.
#[derive(Clone, Copy, Debug)]
pub struct ValidBatch<'a> {
    view: BatchView<'a>,
    max_timestamp: TimestampMs,
}

impl ValidBatch<'_> {
    /// The largest timestamp of the records, or -1. Usually what the header says, but no producer is bound to it.
    pub fn max_record_timestamp(&self) -> TimestampMs {
        self.max_timestamp
    }

    /// A copy of the batch to stamp and append, with the header's largest timestamp put right where the producer had
    /// it wrong, as Kafka does: the time index and the search by time rely on it.
    pub fn to_append(&self) -> Vec<u8> {
        let mut bytes = self.view.as_bytes().to_vec();
        if self.view.max_timestamp() != self.max_timestamp {
            restamp_timestamp(&mut bytes, TimestampType::CreateTime, self.max_timestamp);
        }
        bytes
    }
}

impl<'a> Deref for ValidBatch<'a> {
    type Target = BatchView<'a>;

    fn deref(&self) -> &BatchView<'a> {
        &self.view
    }
}

/// [`validate_with`] memory of its own for decompressing.
///
/// # Errors
/// As there.
pub fn validate<'a>(records: &'a [u8], limits: &Limits) -> Result<ValidBatch<'a>, Rejected> {
    validate_with(records, limits, &mut Decompressor::new())
}

/// Checks what a producer sent for one partition: exactly one batch, whole and right to the last record. Uncompressed
/// records are walked once, in place, without allocating.
///
/// # Errors
/// The [`Rejected`] that Kafka's answer names.
pub fn validate_with<'a>(
    records: &'a [u8],
    limits: &Limits,
    decompressor: &mut Decompressor,
) -> Result<ValidBatch<'a>, Rejected> {
    let batch = only_batch(records)?;
    check_batch(&batch, limits)?;
    let codec = codec_of(&batch, limits)?;
    check_header(&batch)?;
    let payload = decompressor
        .decompress(codec, batch.payload(), limits.decompressed_bytes_max)
        .map_err(undecodable)?;
    let max_timestamp = check_records(&batch, payload, limits)?;
    Ok(ValidBatch { view: batch, max_timestamp })
}

/// The one batch of version 2 that the records of a produce since v3 must be.
fn only_batch(records: &[u8]) -> Result<BatchView<'_>, Rejected> {
    let none = || Rejected::invalid("a partition's records must hold one whole record batch");
    let length = records.get(BatchHeader::LENGTH..).and_then(<[u8]>::first_chunk);
    let length = i32::from_be_bytes(*length.ok_or_else(none)?);
    if length < LENGTH_MIN {
        return Err(Rejected::CorruptMessage(format!(
            "Record size {length} is less than the minimum record overhead ({LENGTH_MIN})"
        )));
    }
    let magic = *records.get(BatchHeader::MAGIC).ok_or_else(none)? as i8;
    if !(0..=BatchHeader::MAGIC_V2).contains(&magic) {
        return Err(Rejected::CorruptMessage(format!("Invalid magic found in record: {magic}")));
    }
    if records.len() - BatchHeader::LOG_OVERHEAD < length as usize {
        return Err(none());
    }
    if magic != BatchHeader::MAGIC_V2 {
        return Err(Rejected::invalid(
            "Produce requests are only allowed to contain record batches with magic version 2",
        ));
    }
    let batch = BatchView::parse(records).map_err(|_| {
        let len = length as usize + BatchHeader::LOG_OVERHEAD;
        Rejected::CorruptMessage(format!(
            "Record batch is corrupt (the size {len} is smaller than the minimum allowed overhead {})",
            BatchHeader::LEN
        ))
    })?;
    if batch.len() < records.len() {
        return Err(Rejected::invalid(
            "Produce requests are only allowed to contain exactly one record batch per partition",
        ));
    }
    Ok(batch)
}

/// What can be said of a batch without trusting its header.
fn check_batch(batch: &BatchView<'_>, limits: &Limits) -> Result<(), Rejected> {
    if batch.base_offset() != Offset::ZERO {
        return Err(Rejected::invalid(format!(
            "The baseOffset of the record batch should be 0, but it is {}",
            batch.base_offset()
        )));
    }
    if batch.len() > limits.max_message_bytes {
        return Err(Rejected::MessageTooLarge(format!(
            "The record batch size is {} bytes which exceeds the maximum configured value of {}.",
            batch.len(),
            limits.max_message_bytes
        )));
    }
    if !batch.crc_is_valid() {
        let stored = batch.stored_crc();
        return Err(Rejected::CorruptMessage(format!("Record is corrupt (stored crc = {stored})")));
    }
    Ok(())
}

fn codec_of(batch: &BatchView<'_>, limits: &Limits) -> Result<Codec, Rejected> {
    match batch.codec() {
        Err(unknown) => Err(Rejected::UnsupportedCompressionType(unknown.to_string())),
        Ok(Codec::Zstd) if !limits.allows_zstd => Err(Rejected::UnsupportedCompressionType(
            "Produce requests before version 7 are not allowed to use ZStandard compression".into(),
        )),
        Ok(codec) => Ok(codec),
    }
}

/// `LogValidator.validateBatch`, for batches that come from clients.
fn check_header(batch: &BatchView<'_>) -> Result<(), Rejected> {
    let (delta, count) = (batch.last_offset_delta(), batch.record_count());
    let reason = if delta < 0 {
        format!("Batch has an invalid offset range: [0, {delta}]")
    } else if count <= 0 {
        format!("Invalid reported count for record batch: {count}")
    } else if delta != count - 1 {
        format!("Inconsistent batch offset range [0, {delta}] and count of records {count}")
    } else if batch.is_control() {
        "Clients are not allowed to write control records".into()
    } else if batch.producer_id().is_some() && batch.base_sequence().0 < 0 {
        let (sequence, id) = (batch.base_sequence(), batch.producer_id());
        format!("Invalid sequence number {sequence} in record batch with producerId {id}")
    } else {
        return Ok(());
    };
    Err(Rejected::invalid(reason))
}

/// Walks the records; the largest of their timestamps.
fn check_records(
    batch: &BatchView<'_>,
    payload: &[u8],
    limits: &Limits,
) -> Result<TimestampMs, Rejected> {
    if batch.timestamp_type() == TimestampType::LogAppendTime {
        return Err(Rejected::InvalidTimestamp {
            message: "Producer should not set timestamp type to LogAppendTime.".into(),
            record_errors: Vec::new(),
        });
    }
    let mut faults = Faults::default();
    let mut max_timestamp = TimestampMs::NONE;
    for (index, record) in (0..).zip(batch.records_in(payload)) {
        let record = record.map_err(undecodable)?;
        if record.offset != Offset(i64::from(index)) {
            return Err(Rejected::invalid(format!(
                "record {index} has the offset delta {}: deltas must count from 0",
                record.offset
            )));
        }
        if limits.is_compacted && record.key.is_none() {
            faults.add(index, false, || "Compacted topic cannot accept message without key".into());
        } else if !timestamp_is_in_range(&record, limits) {
            faults.add(index, true, || timestamp_message(&record, limits));
        }
        max_timestamp = max_timestamp.max(record.timestamp);
    }
    faults.into_result()?;
    Ok(max_timestamp)
}

fn timestamp_is_in_range(record: &Record<'_>, limits: &Limits) -> bool {
    if limits.timestamp_type == TimestampType::LogAppendTime
        || record.timestamp == TimestampMs::NONE
    {
        return true;
    }
    let age_ms = limits.now.0.saturating_sub(record.timestamp.0);
    age_ms <= limits.timestamp_before_max_ms
        && age_ms.saturating_neg() <= limits.timestamp_after_max_ms
}

fn timestamp_message(record: &Record<'_>, limits: &Limits) -> String {
    format!(
        "Timestamp {} of message with offset {} is out of range. The timestamp should be within [{}, {}]",
        record.timestamp,
        record.offset,
        limits.now.0.saturating_sub(limits.timestamp_before_max_ms),
        limits.now.0.saturating_add(limits.timestamp_after_max_ms),
    )
}

fn undecodable(error: BatchError) -> Rejected {
    match error {
        BatchError::TooLargeDecompressed(_) => Rejected::MessageTooLarge(error.to_string()),
        other => Rejected::invalid(other.to_string()),
    }
}

/// The records at fault so far. All are counted, the first thousand remembered.
#[derive(Default)]
struct Faults {
    errors: Vec<RecordError>,
    count: usize,
    any_timestamp: bool,
}

impl Faults {
    fn add(&mut self, index: i32, is_timestamp: bool, message: impl FnOnce() -> String) {
        self.count += 1;
        self.any_timestamp |= is_timestamp;
        if self.errors.len() < RECORD_ERRORS_MAX {
            self.errors.push(RecordError { index, message: message() });
        }
    }

    /// `LogValidator.processRecordErrors`: one bad timestamp decides the error of the batch.
    fn into_result(self) -> Result<(), Rejected> {
        assert!(self.errors.len() <= self.count, "every remembered fault was counted");
        if self.count == 0 {
            return Ok(());
        }
        let record_errors = self.errors;
        if self.any_timestamp {
            let message = "One or more records have been rejected due to invalid timestamp".into();
            return Err(Rejected::InvalidTimestamp { message, record_errors });
        }
        let shown: Vec<String> = record_errors.iter().take(3).map(ToString::to_string).collect();
        let message = format!(
            "One or more records have been rejected due to {} record errors in total, and only \
             showing the first three errors at most: [{}]",
            self.count,
            shown.join(", ")
        );
        Err(Rejected::InvalidRecord { message, record_errors })
    }
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecordError(batchIndex={}, message='{}')", self.index, self.message)
    }
}

#[cfg(test)]
mod tests;
