//! Kafka's topic and directory ids: 16 bytes on the wire, 22 characters of URL-safe base64 for people.

use std::fmt;
use std::str::FromStr;

use crate::error::{DecodeError, EncodeError};
use crate::field::{Context, Kind, ReadField, WriteField};
use crate::reader::Reader;
use crate::writer::Writer;

/// A 128-bit identifier, most significant byte first.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uuid(pub [u8; 16]);

/// Characters in the text form.
const TEXT_LENGTH: usize = 22;

const BASE64_URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

impl Uuid {
    /// All zeros: no id.
    pub const ZERO: Uuid = Uuid([0; 16]);

    /// Whether this is [`Uuid::ZERO`].
    #[must_use]
    pub fn is_zero(self) -> bool {
        self == Uuid::ZERO
    }
}

/// URL-safe base64 without padding, as Kafka prints ids.
impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = u128::from_be_bytes(self.0);
        let mut text = String::with_capacity(TEXT_LENGTH);
        // 22 digits of 6 bits are 132 bits: the last digit carries 2 bits of the id and 4 of padding.
        for digit in 0..TEXT_LENGTH {
            let index = match 122usize.checked_sub(6 * digit) {
                Some(shift) => bits >> shift,
                None => bits << 4,
            };
            text.push(char::from(BASE64_URL[(index & 0x3f) as usize]));
        }
        f.pad(&text)
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A text that is not 22 characters of URL-safe base64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidUuid;

impl fmt::Display for InvalidUuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an id is 22 characters of URL-safe base64 (A-Z, a-z, 0-9, - and _)")
    }
}

impl std::error::Error for InvalidUuid {}

impl FromStr for Uuid {
    type Err = InvalidUuid;

    fn from_str(text: &str) -> Result<Uuid, InvalidUuid> {
        if text.len() != TEXT_LENGTH {
            return Err(InvalidUuid);
        }
        let mut bits = 0u128;
        for (digit, byte) in text.bytes().enumerate() {
            let index = BASE64_URL.iter().position(|&b| b == byte).ok_or(InvalidUuid)? as u128;
            match digit {
                21 if index & 0xf != 0 => return Err(InvalidUuid),
                21 => bits = bits << 2 | index >> 4,
                _ => bits = bits << 6 | index,
            }
        }
        Ok(Uuid(bits.to_be_bytes()))
    }
}

impl<'de> ReadField<'de> for Uuid {
    fn read(r: &mut Reader<'de>, _: Context) -> Result<Self, DecodeError> {
        r.take_array().map(Uuid)
    }

    fn size_min(_: Context) -> usize {
        16
    }
}

impl WriteField for Uuid {
    const KIND: Kind = Kind::Primitive("uuid");

    fn write(&self, w: &mut Writer, _: Context) -> Result<(), EncodeError> {
        w.put_slice(&self.0);
        Ok(())
    }
}
