//! Zigzag varints (Protocol Buffers encoding) and length-prefixed bytes, as the records of a batch use them.

use crate::error::RecordFault;

/// Reads fields off the front of a slice; a fault leaves it where it is of no further use.
#[derive(Clone, Debug)]
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    #[inline]
    pub(crate) fn take(&mut self, len: usize) -> Result<&'a [u8], RecordFault> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(RecordFault::Length)?;
        self.rest = rest;
        Ok(taken)
    }

    /// A length or count that cannot be null.
    #[inline]
    pub(crate) fn length(&mut self) -> Result<usize, RecordFault> {
        usize::try_from(self.varint()?).map_err(|_| RecordFault::Length)
    }

    /// Bytes behind their length, of which -1 means null.
    #[inline]
    pub(crate) fn nullable_bytes(&mut self) -> Result<Option<&'a [u8]>, RecordFault> {
        match self.varint()? {
            -1 => Ok(None),
            len => self.take(usize::try_from(len).map_err(|_| RecordFault::Length)?).map(Some),
        }
    }

    #[inline]
    pub(crate) fn varint(&mut self) -> Result<i32, RecordFault> {
        let raw = u32::try_from(self.unsigned(5)?).map_err(|_| RecordFault::Varint)?;
        Ok((raw >> 1) as i32 ^ -((raw & 1) as i32))
    }

    #[inline]
    pub(crate) fn varlong(&mut self) -> Result<i64, RecordFault> {
        let raw = self.unsigned(10)?;
        Ok((raw >> 1) as i64 ^ -((raw & 1) as i64))
    }

    /// Seven bits a byte, lowest first, at most `len_max` bytes.
    #[inline]
    fn unsigned(&mut self, len_max: usize) -> Result<u64, RecordFault> {
        if let Some((&byte, rest)) = self.rest.split_first()
            && byte < 0x80
        {
            self.rest = rest;
            return Ok(u64::from(byte));
        }
        self.unsigned_long(len_max)
    }

    fn unsigned_long(&mut self, len_max: usize) -> Result<u64, RecordFault> {
        let mut value = 0u64;
        for (i, &byte) in self.rest.iter().take(len_max).enumerate() {
            let bits = u64::from(byte & 0x7f);
            if i == 9 && bits > 1 {
                return Err(RecordFault::Varint);
            }
            value |= bits << (7 * i);
            if byte < 0x80 {
                self.rest = &self.rest[i + 1..];
                return Ok(value);
            }
        }
        // Ran out of bytes, or of bits.
        Err(if self.rest.len() < len_max { RecordFault::Length } else { RecordFault::Varint })
    }
}

pub(crate) fn put_varint(output: &mut Vec<u8>, value: i32) {
    put_varlong(output, i64::from(value));
}

pub(crate) fn put_varlong(output: &mut Vec<u8>, value: i64) {
    let mut raw = zigzag(value);
    while raw >= 0x80 {
        output.push(raw as u8 | 0x80);
        raw >>= 7;
    }
    output.push(raw as u8);
}

/// Bytes that `value` takes. A varint and a varlong of the same value are the same bytes.
pub(crate) fn varint_len(value: i64) -> usize {
    let bits = 64 - (zigzag(value) | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

fn zigzag(value: i64) -> u64 {
    (value << 1) as u64 ^ (value >> 63) as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded(value: i64) -> Vec<u8> {
        let mut bytes = Vec::new();
        put_varlong(&mut bytes, value);
        bytes
    }

    #[test]
    fn known_values_have_their_known_bytes() {
        for (value, bytes) in [(0, &[0][..]), (-1, &[1]), (63, &[126]), (-65, &[0x81, 0x01])] {
            assert_eq!(encoded(value), bytes);
        }
        assert_eq!(encoded(i64::from(i32::MIN)), [0xff, 0xff, 0xff, 0xff, 0x0f]);
        assert_eq!(encoded(i64::MIN).len(), 10);
    }

    #[test]
    fn too_many_bits_are_a_fault() {
        let varint = |bytes: &[u8]| Cursor::new(bytes).varint();
        let varlong = |bytes: &[u8]| Cursor::new(bytes).varlong();
        assert_eq!(varint(&[0xff, 0xff, 0xff, 0xff, 0x0f]), Ok(i32::MIN));
        assert_eq!(varint(&[0xff, 0xff, 0xff, 0xff, 0x1f]), Err(RecordFault::Varint));
        assert_eq!(varint(&[0x80; 6]), Err(RecordFault::Varint));
        assert_eq!(varint(&[0x80; 4]), Err(RecordFault::Length));
        assert_eq!(varlong(&[[0xff; 9].as_slice(), &[1]].concat()), Ok(i64::MIN));
        assert_eq!(varlong(&[[0xff; 9].as_slice(), &[2]].concat()), Err(RecordFault::Varint));
    }

    proptest! {
        #[test]
        fn every_value_survives(value: i64) {
            let bytes = encoded(value);
            prop_assert_eq!(bytes.len(), varint_len(value));
            prop_assert_eq!(Cursor::new(&bytes).varlong(), Ok(value));
            if let Ok(small) = i32::try_from(value >> 32) {
                let bytes = encoded(i64::from(small));
                prop_assert_eq!(Cursor::new(&bytes).varint(), Ok(small));
            }
        }
    }
}
