//! The records of a batch, borrowed from its payload and checked strictly: every length lies within its record,
//! every record fills its size, the payload holds exactly as many as the header says.
//!
//! ```text
//! record: size varint · attributes i8 · timestamp delta varlong · offset delta varint ·
//!         key len varint (-1: null) · key · value len varint (-1: null) · value ·
//!         header count varint · (key len varint · key · value len varint · value)*
//! ```
//! Varints are zigzag-encoded (`DefaultRecord`, KIP-98, headers KIP-82).

use std::borrow::Cow;

use crate::batch::{BatchView, TimestampType};
use crate::compression::{Codec, decompress_once};
use crate::error::{BatchError, RecordFault};
use crate::types::{Offset, TimestampMs};
use crate::varint::Cursor;

/// One record.
#[derive(Clone, Debug)]
pub struct Record<'a> {
    /// Its offset; counted from the batch's base offset, so 0-based in what a producer sends.
    pub offset: Offset,
    /// The producer's timestamp, or the batch's append time.
    pub timestamp: TimestampMs,
    /// Its key.
    pub key: Option<&'a [u8]>,
    /// Its value; `None` is a tombstone.
    pub value: Option<&'a [u8]>,
    /// Its headers, decoded as they are asked for.
    pub headers: Headers<'a>,
}

/// A record's header (KIP-82).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// Meant to be UTF-8, which no broker checks.
    pub key: &'a [u8],
    /// Its value.
    pub value: Option<&'a [u8]>,
}

impl<'a> Header<'a> {
    /// The key as text, with U+FFFD where it is not UTF-8, as Java's clients show it.
    pub fn key_text(&self) -> Cow<'a, str> {
        String::from_utf8_lossy(self.key)
    }
}

/// Iterator of a record's headers.
#[derive(Clone, Debug)]
pub struct Headers<'a> {
    fields: Cursor<'a>,
    count: usize,
}

impl<'a> Iterator for Headers<'a> {
    type Item = Header<'a>;

    fn next(&mut self) -> Option<Header<'a>> {
        self.count = self.count.checked_sub(1)?;
        let header = read_header(&mut self.fields);
        Some(header.expect("the headers were walked when the record was read"))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.count, Some(self.count))
    }
}

impl ExactSizeIterator for Headers<'_> {}

/// The records of one batch: borrowed from it, or decompressed.
#[derive(Clone, Debug)]
pub struct RecordSet<'a> {
    payload: Cow<'a, [u8]>,
    frame: RecordFrame,
}

impl RecordSet<'_> {
    /// The records in order, ending after the first error.
    pub fn iter(&self) -> Records<'_> {
        Records::new(&self.payload, self.frame)
    }

    /// Bytes of the records, uncompressed.
    pub fn len_bytes(&self) -> usize {
        self.payload.len()
    }
}

impl<'a> BatchView<'a> {
    /// The records, decompressed if need be.
    ///
    /// # Errors
    /// `UnknownCodec`, `Compression`, or `TooLargeDecompressed` beyond `limit_bytes` uncompressed bytes. What is wrong
    /// with a record comes from the iterator.
    pub fn records(&self, limit_bytes: usize) -> Result<RecordSet<'a>, BatchError> {
        let payload = match self.codec()? {
            Codec::None => Cow::Borrowed(self.payload()),
            // Compaction leaves such a header behind to remember the producer's sequence.
            _ if self.record_count() == 0 && self.payload().is_empty() => Cow::Borrowed(&[][..]),
            codec => Cow::Owned(decompress_once(codec, self.payload(), limit_bytes)?),
        };
        Ok(RecordSet { payload, frame: RecordFrame::of(self) })
    }

    /// The records in `payload`, which is this batch's own, already decompressed.
    pub fn records_in<'p>(&self, payload: &'p [u8]) -> Records<'p> {
        Records::new(payload, RecordFrame::of(self))
    }
}

/// What the batch header contributes to its records.
#[derive(Clone, Copy, Debug)]
struct RecordFrame {
    base_offset: Offset,
    base_timestamp: TimestampMs,
    append_time: Option<TimestampMs>,
    count: i32,
}

impl RecordFrame {
    fn of(batch: &BatchView<'_>) -> Self {
        let append_time = match batch.timestamp_type() {
            TimestampType::CreateTime => None,
            TimestampType::LogAppendTime => Some(batch.max_timestamp()),
        };
        Self {
            base_offset: batch.base_offset(),
            base_timestamp: batch.base_timestamp(),
            append_time,
            count: batch.record_count(),
        }
    }
}

/// Iterator of a batch's records. An error is the last item; the last record is an error when bytes follow it.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    rest: Cursor<'a>,
    frame: RecordFrame,
    index: i32,
    is_over: bool,
}

impl<'a> Records<'a> {
    fn new(payload: &'a [u8], frame: RecordFrame) -> Self {
        let is_over = frame.count == 0 && payload.is_empty();
        Self { rest: Cursor::new(payload), frame, index: 0, is_over }
    }

    fn read(&mut self) -> Result<Record<'a>, RecordFault> {
        if self.frame.count <= 0 {
            let is_empty = self.rest.is_empty();
            return Err(if is_empty { RecordFault::Missing } else { RecordFault::Trailing });
        }
        if self.rest.is_empty() {
            return Err(RecordFault::Missing);
        }
        let record = read_record(&mut self.rest, &self.frame)?;
        self.index += 1;
        self.is_over = self.index == self.frame.count;
        if self.is_over && !self.rest.is_empty() {
            self.index -= 1;
            return Err(RecordFault::Trailing);
        }
        Ok(record)
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, BatchError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let record = self.read();
        self.is_over |= record.is_err();
        Some(record.map_err(|fault| BatchError::Record { index: self.index, fault }))
    }
}

#[inline]
fn read_record<'a>(
    payload: &mut Cursor<'a>,
    frame: &RecordFrame,
) -> Result<Record<'a>, RecordFault> {
    let size = payload.length()?;
    let mut body = Cursor::new(payload.take(size)?);
    let _attributes = body.take(1)?; // No bit of them has a meaning yet.
    let timestamp_delta = body.varlong()?;
    let offset_delta = body.varint()?;
    let key = body.nullable_bytes()?;
    let value = body.nullable_bytes()?;
    let count = body.length()?;
    let headers = Headers { fields: body.clone(), count };
    for _ in 0..count {
        read_header(&mut body)?;
    }
    if !body.is_empty() {
        return Err(RecordFault::Size);
    }
    let create_time = TimestampMs(frame.base_timestamp.0.wrapping_add(timestamp_delta));
    Ok(Record {
        offset: frame.base_offset.plus(i64::from(offset_delta)),
        timestamp: frame.append_time.unwrap_or(create_time),
        key,
        value,
        headers,
    })
}

fn read_header<'a>(fields: &mut Cursor<'a>) -> Result<Header<'a>, RecordFault> {
    let key_len = fields.length()?;
    Ok(Header { key: fields.take(key_len)?, value: fields.nullable_bytes()? })
}

#[cfg(test)]
mod tests;
