//! Why bytes are not a record batch. The writer of the bytes is at fault: a client, or a disk that lost some.

use std::fmt;

/// What is wrong with a batch or its records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BatchError {
    /// The bytes end before the batch does: a fragment, or the torn tail of a log.
    Truncated {
        /// Bytes the batch claims to have, or the least a header needs.
        needed: usize,
        /// Bytes there are.
        available: usize,
    },
    /// The length field (bytes after itself) is smaller than a header or negative.
    Length(i32),
    /// The magic byte is not 2.
    Magic(i8),
    /// The codec bits name none of Kafka's codecs.
    UnknownCodec(u8),
    /// The compressed payload is damaged, or is not what its codec writes.
    Compression(&'static str),
    /// The payload decompresses to more than the caller's limit, in bytes.
    TooLargeDecompressed(usize),
    /// A record does not decode.
    Record {
        /// Its index in the batch, from 0.
        index: i32,
        /// What is wrong with it.
        fault: RecordFault,
    },
}

/// What is wrong with one record, or with the records as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordFault {
    /// A varint has more bits than its type.
    Varint,
    /// A length or count lies outside the record or the payload.
    Length,
    /// The record's fields end before or after the length it claims.
    Size,
    /// The payload holds fewer records than the header says.
    Missing,
    /// Bytes follow the last record.
    Trailing,
}

impl fmt::Display for RecordFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Varint => "a varint is too long",
            Self::Length => "a length or count lies beyond the data",
            Self::Size => "the fields do not fill the size it claims",
            Self::Missing => "the batch ends before it",
            Self::Trailing => "bytes follow the last record",
        })
    }
}

impl fmt::Display for BatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { needed, available } => {
                write!(f, "the batch has {needed} bytes but only {available} are there")
            }
            Self::Length(length) => write!(f, "the batch length {length} is impossible"),
            Self::Magic(magic) => write!(f, "the batch has magic {magic}, not 2"),
            Self::UnknownCodec(id) => write!(f, "unknown compression type id: {id}"),
            Self::Compression(reason) => write!(f, "the records do not decompress: {reason}"),
            Self::TooLargeDecompressed(limit) => {
                write!(f, "the records decompress to more than {limit} bytes")
            }
            Self::Record { index, fault } => write!(f, "record {index} is invalid: {fault}"),
        }
    }
}

impl std::error::Error for BatchError {}
