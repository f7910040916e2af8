//! The primitive types of Kafka's serialised schemas, as far as the records of `__consumer_offsets` need them.

use super::{DecodeError, FieldTooLong};

/// Reads fields off a slice. In flexible versions lengths are unsigned varints, one too high (KIP-482).
#[derive(Debug)]
pub(in crate::group) struct Reader<'a> {
    rest: &'a [u8],
    flexible: bool,
}

impl<'a> Reader<'a> {
    pub(in crate::group) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, flexible: false }
    }

    /// From here on lengths are those of a flexible version, if `flexible`.
    pub(super) fn set_flexible(&mut self, flexible: bool) {
        self.flexible = flexible;
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) =
            self.rest.split_at_checked(len).ok_or(DecodeError::Malformed("it ends early"))?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (taken, rest) =
            self.rest.split_first_chunk().ok_or(DecodeError::Malformed("it ends early"))?;
        self.rest = rest;
        Ok(*taken)
    }

    pub(in crate::group) fn i16(&mut self) -> Result<i16, DecodeError> {
        Ok(i16::from_be_bytes(self.array()?))
    }

    pub(in crate::group) fn i32(&mut self) -> Result<i32, DecodeError> {
        Ok(i32::from_be_bytes(self.array()?))
    }

    pub(super) fn i64(&mut self) -> Result<i64, DecodeError> {
        Ok(i64::from_be_bytes(self.array()?))
    }

    fn uvarint(&mut self) -> Result<u32, DecodeError> {
        let mut value: u32 = 0;
        for shift in (0..35).step_by(7) {
            let [byte] = self.array()?;
            let bits = u32::from(byte & 0x7f);
            if shift == 28 && bits > 0xf {
                break;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(DecodeError::Malformed("a varint is too long"))
    }

    /// A length; none for null. `plain` reads it in versions that are not flexible.
    fn length(
        &mut self,
        plain: impl FnOnce(&mut Self) -> Result<i32, DecodeError>,
    ) -> Result<Option<usize>, DecodeError> {
        if self.flexible {
            return Ok((self.uvarint()? as usize).checked_sub(1));
        }
        match plain(self)? {
            -1 => Ok(None),
            len => usize::try_from(len)
                .map(Some)
                .map_err(|_| DecodeError::Malformed("a length is negative")),
        }
    }

    pub(super) fn nullable_string(&mut self) -> Result<Option<&'a str>, DecodeError> {
        let Some(len) = self.length(|r| r.i16().map(i32::from))? else { return Ok(None) };
        std::str::from_utf8(self.take(len)?)
            .map(Some)
            .map_err(|_| DecodeError::Malformed("a string is not UTF-8"))
    }

    pub(in crate::group) fn string(&mut self) -> Result<&'a str, DecodeError> {
        self.nullable_string()?.ok_or(DecodeError::Malformed("a string is null"))
    }

    pub(super) fn bytes(&mut self) -> Result<&'a [u8], DecodeError> {
        let len = self.length(Self::i32)?.ok_or(DecodeError::Malformed("bytes are null"))?;
        self.take(len)
    }

    /// The number of elements that an array claims to have.
    pub(super) fn array_length(&mut self) -> Result<usize, DecodeError> {
        self.length(Self::i32)?.ok_or(DecodeError::Malformed("an array is null"))
    }

    /// Passes over the tagged fields that end a struct of a flexible version: none of them matters here.
    pub(super) fn tagged_fields(&mut self) -> Result<(), DecodeError> {
        if !self.flexible {
            return Ok(());
        }
        for _ in 0..self.uvarint()? {
            let _tag = self.uvarint()?;
            let size = self.uvarint()?;
            self.take(size as usize)?;
        }
        Ok(())
    }

    /// All bytes must be used up.
    pub(super) fn finish(self) -> Result<(), DecodeError> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(DecodeError::Malformed("bytes follow its end"))
        }
    }
}

/// A string of a version that is not flexible.
pub(super) fn put_string(out: &mut Vec<u8>, value: &str) -> Result<(), FieldTooLong> {
    let len = i16::try_from(value.len()).map_err(|_| FieldTooLong)?;
    out.extend_from_slice(&len.to_be_bytes());
    out.extend_from_slice(value.as_bytes());
    Ok(())
}

/// The same, or null.
pub(super) fn put_nullable_string(
    out: &mut Vec<u8>,
    value: Option<&str>,
) -> Result<(), FieldTooLong> {
    match value {
        Some(value) => put_string(out, value),
        None => {
            out.extend_from_slice(&(-1_i16).to_be_bytes());
            Ok(())
        }
    }
}

/// Bytes of a version that is not flexible.
pub(super) fn put_bytes(out: &mut Vec<u8>, value: &[u8]) -> Result<(), FieldTooLong> {
    let len = i32::try_from(value.len()).map_err(|_| FieldTooLong)?;
    out.extend_from_slice(&len.to_be_bytes());
    out.extend_from_slice(value);
    Ok(())
}
