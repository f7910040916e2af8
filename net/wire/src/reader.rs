//! A cursor over received bytes: hands out borrowed slices and integers, and says where the bytes fell short.

use crate::error::{DecodeError, DecodeErrorReason};

/// Bytes of memory that the arrays of any message may take, however short it is.
pub const ARRAY_BYTES_FREE: usize = 1 << 20;

/// Bytes of memory that the arrays of a message may take beyond that, for each of its bytes. An honest element takes two to
/// five times its wire form; one of empty strings, or a claim that the rest of the message does not fulfil, up to 40 times.
pub const ARRAY_BYTES_PER_BYTE: usize = 8;

/// Reads big-endian values from the front of a slice.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
    offset: usize,
    /// Bytes of memory that arrays may still take.
    array_bytes_left: usize,
}

impl<'a> Reader<'a> {
    /// A reader over `bytes`, at its start.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        let array_bytes_left = ARRAY_BYTES_PER_BYTE * bytes.len() + ARRAY_BYTES_FREE;
        Reader { rest: bytes, offset: 0, array_bytes_left }
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

    /// Reads a value that takes exactly the next `length` bytes, or less where `read` says that it skips the rest (false).
    pub(crate) fn within(
        &mut self,
        length: usize,
        read: impl FnOnce(&mut Reader<'a>) -> Result<bool, DecodeError>,
    ) -> Result<(), DecodeError> {
        let mut inner = Reader { rest: &[], ..*self };
        inner.rest = self.take(length)?;
        if read(&mut inner)? {
            inner.finish()?;
        }
        self.array_bytes_left = inner.array_bytes_left;
        Ok(())
    }

    /// An empty array with room for `length` elements, each of which takes at least `size_min` of the bytes left.
    ///
    /// # Errors
    /// When the bytes left cannot hold that many, or the message's arrays take more memory than its length allows.
    pub(crate) fn array<T>(
        &mut self,
        length: usize,
        size_min: usize,
    ) -> Result<Vec<T>, DecodeError> {
        let max = self.remaining() / size_min;
        if length > max {
            return Err(self.error(DecodeErrorReason::ArrayTooLong { claimed: length, max }));
        }
        // No overflow: `length` is at most that of a slice, and no `T` is large.
        let array_bytes = length * size_of::<T>();
        match self.array_bytes_left.checked_sub(array_bytes) {
            Some(left) => self.array_bytes_left = left,
            None => return Err(self.error(DecodeErrorReason::ArraysTooLarge)),
        }
        Ok(Vec::with_capacity(length))
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
