//! A cursor over received bytes: hands out borrowed slices and integers, and says where the bytes fell short.

use crate::error::{DecodeError, DecodeErrorReason};

/// Reads big-endian values from the front of a slice.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
    offset: usize,
}

impl<'a> Reader<'a> {
    /// A reader over `bytes`, at its start.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes, offset: 0 }
    }

    /// Bytes not read yet.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Bytes read so far.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// The bytes not read yet, without reading them.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// An error at the current position.
    #[must_use]
    pub fn error(&self, reason: DecodeErrorReason) -> DecodeError {
        DecodeError { reason, offset: self.offset, field: None }
    }

    /// Takes the next `length` bytes.
    pub fn take(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        let Some((taken, rest)) = self.rest.split_at_checked(length) else {
            return Err(self.too_short(length));
        };
        self.rest = rest;
        self.offset += length;
        Ok(taken)
    }

    /// Takes the next `N` bytes as an array.
    pub fn take_array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let Some((taken, rest)) = self.rest.split_first_chunk::<N>() else {
            return Err(self.too_short(N));
        };
        self.rest = rest;
        self.offset += N;
        Ok(*taken)
    }

    /// Takes the next `length` bytes as a reader of their own, whose offsets continue this one's.
    pub fn take_reader(&mut self, length: usize) -> Result<Reader<'a>, DecodeError> {
        let offset = self.offset;
        Ok(Reader { rest: self.take(length)?, offset })
    }

    /// Reads an unsigned LEB128 integer of at most 32 bits (KIP-482).
    pub fn unsigned_varint(&mut self) -> Result<u32, DecodeError> {
        let mut value = 0u64;
        for shift in [0, 7, 14, 21, 28] {
            let [byte] = self.take_array()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                let invalid = self.error(DecodeErrorReason::InvalidVarint);
                return u32::try_from(value).map_err(|_| invalid);
            }
        }
        Err(self.error(DecodeErrorReason::InvalidVarint))
    }

    /// Checks that every byte was read: a longer message than its fields is a malformed one.
    pub fn finish(&self) -> Result<(), DecodeError> {
        if self.rest.is_empty() {
            return Ok(());
        }
        Err(self.error(DecodeErrorReason::TrailingBytes(self.rest.len())))
    }

    fn too_short(&self, needed: usize) -> DecodeError {
        self.error(DecodeErrorReason::Truncated { needed, remaining: self.rest.len() })
    }
}
