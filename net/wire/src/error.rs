//! Why bytes are not the message they claim to be (the peer's fault), or a message has no bytes (ours).

use std::fmt;

use crate::ApiKey;

/// Why bytes from a peer could not be decoded; the peer is at fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodeError {
    /// What is wrong.
    pub reason: DecodeErrorReason,
    /// Offset of the fault from the start of the frame (or of the slice that was decoded).
    pub offset: usize,
    /// The innermost field being decoded, where there is one.
    pub field: Option<&'static str>,
}

/// What is wrong with the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecodeErrorReason {
    /// A value needs more bytes than are left.
    Truncated {
        /// Bytes that the value needs.
        needed: usize,
        /// Bytes that are left.
        remaining: usize,
    },
    /// A variable-length integer of more than five bytes, or one that exceeds 32 bits.
    InvalidVarint,
    /// A length below -1.
    NegativeLength(i32),
    /// Null where the version has no null.
    UnexpectedNull,
    /// A string over Kafka's limit of 32,767 bytes.
    StringTooLong(usize),
    /// A string that is not UTF-8.
    InvalidUtf8,
    /// An array that claims more elements than the bytes left can hold.
    ArrayTooLong {
        /// Elements claimed.
        claimed: usize,
        /// Elements that the bytes left could hold.
        max: usize,
    },
    /// The arrays of the message would take far more memory than the message is long.
    ArraysTooLarge,
    /// Bytes left over after the last field.
    TrailingBytes(usize),
    /// A version of the API that is not served.
    UnsupportedVersion {
        /// The API.
        api_key: ApiKey,
        /// The version asked for.
        version: i16,
    },
    /// A version of the consumer protocol below zero.
    InvalidConsumerProtocolVersion(i16),
}

impl DecodeError {
    /// Names the field in which the error occurred, unless an inner one is named already.
    #[must_use]
    pub fn in_field(mut self, field: &'static str) -> DecodeError {
        self.field.get_or_insert(field);
        self
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(field) = self.field {
            write!(f, "field {field}: ")?;
        }
        write!(f, "{} (at byte {})", self.reason, self.offset)
    }
}

impl fmt::Display for DecodeErrorReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { needed, remaining } => {
                write!(f, "{needed} bytes needed, {remaining} left")
            }
            Self::InvalidVarint => write!(f, "variable-length integer of more than 32 bits"),
            Self::NegativeLength(length) => write!(f, "negative length {length}"),
            Self::UnexpectedNull => write!(f, "null where this version allows none"),
            Self::StringTooLong(length) => write!(f, "string of {length} bytes, over 32767"),
            Self::InvalidUtf8 => write!(f, "string is not UTF-8"),
            Self::ArrayTooLong { claimed, max } => {
                write!(f, "array claims {claimed} elements, the bytes left hold at most {max}")
            }
            Self::ArraysTooLarge => {
                write!(f, "more array elements than a message of this length honestly has")
            }
            Self::TrailingBytes(count) => write!(f, "{count} bytes left over after the message"),
            Self::UnsupportedVersion { api_key, version } => {
                write!(f, "{api_key:?} version {version} is not supported")
            }
            Self::InvalidConsumerProtocolVersion(version) => {
                write!(f, "consumer protocol of version {version}")
            }
        }
    }
}

impl std::error::Error for DecodeError {}

/// Why a message has no encoding in a version; the caller is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EncodeError {
    /// A field has a value, but the version does not have the field.
    UnsupportedField {
        /// The field.
        field: &'static str,
        /// The version asked for.
        version: i16,
    },
    /// A field is null, but the version has no null for it.
    UnexpectedNull {
        /// The field.
        field: &'static str,
        /// The version asked for.
        version: i16,
    },
    /// A string over 32,767 bytes, or another value over 2^31 - 1 bytes or elements.
    TooLong {
        /// Its length in bytes or elements.
        length: usize,
        /// The greatest length that has an encoding.
        max: usize,
    },
    /// A version of the API that is not served.
    UnsupportedVersion {
        /// The API.
        api_key: ApiKey,
        /// The version asked for.
        version: i16,
    },
}

impl EncodeError {
    /// Names the field whose value was null, unless an inner one is named already.
    #[must_use]
    pub(crate) fn in_field(mut self, name: &'static str) -> EncodeError {
        if let Self::UnexpectedNull { field, .. } = &mut self
            && field.is_empty()
        {
            *field = name;
        }
        self
    }
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnsupportedField { field, version } => {
                write!(f, "field {field} is set, but version {version} does not have it")
            }
            Self::UnexpectedNull { field, version } => {
                write!(f, "field {field} is null, but version {version} has no null for it")
            }
            Self::TooLong { length, max } => write!(f, "length {length} is over {max}"),
            Self::UnsupportedVersion { api_key, version } => {
                write!(f, "{api_key:?} version {version} is not supported")
            }
        }
    }
}

impl std::error::Error for EncodeError {}
