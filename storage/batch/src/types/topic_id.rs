//! A topic's identity (KIP-516): 128 bits, written as Kafka writes them, 22 characters of unpadded URL-safe base64.

use std::fmt;
use std::str::FromStr;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Characters of an id in text.
const TEXT_LEN: usize = 22;

/// Identifies a topic for as long as it exists; a topic created again under the same name has another one (KIP-516).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicId(pub [u8; 16]);

impl TopicId {
    /// "No id": what a request says that names the topic instead.
    pub const ZERO: Self = Self([0; 16]);

    /// Kafka's id of its metadata topic, never given to another.
    pub const METADATA: Self = Self([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);

    /// A version 4 UUID from 16 random bytes, or `None` for the ones Kafka draws again: its text would start with a
    /// dash, which command lines take for an option. The version bits rule the reserved ids out.
    pub fn from_random(mut bytes: [u8; 16]) -> Option<Self> {
        bytes[6] = (bytes[6] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        let id = Self(bytes);
        (id.text()[0] != b'-').then_some(id)
    }

    fn text(self) -> [u8; TEXT_LEN] {
        let bits = u128::from_be_bytes(self.0);
        std::array::from_fn(|i| {
            // 22 digits of 6 bits hold 132: the last digit carries the final 2 bits and 4 zeros.
            let sextet = if i < TEXT_LEN - 1 { bits >> (122 - 6 * i) } else { bits << 4 };
            ALPHABET[(sextet & 0x3f) as usize]
        })
    }
}

impl fmt::Display for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text().iter().try_for_each(|&c| fmt::Write::write_char(f, c as char))
    }
}

/// The text is not 22 characters of URL-safe base64 (with or without its two `=`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseTopicIdError;

impl fmt::Display for ParseTopicIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a topic id is 22 characters of URL-safe base64")
    }
}

impl std::error::Error for ParseTopicIdError {}

impl FromStr for TopicId {
    type Err = ParseTopicIdError;

    fn from_str(text: &str) -> Result<Self, ParseTopicIdError> {
        let digits = text.strip_suffix("==").unwrap_or(text).as_bytes();
        if digits.len() != TEXT_LEN {
            return Err(ParseTopicIdError);
        }
        let mut bits = 0u128;
        for (i, digit) in digits.iter().enumerate() {
            let value = ALPHABET.iter().position(|c| c == digit).ok_or(ParseTopicIdError)? as u128;
            if i < TEXT_LEN - 1 {
                bits = bits << 6 | value;
            } else if value & 0x0f == 0 {
                bits = bits << 2 | value >> 4;
            } else {
                return Err(ParseTopicIdError);
            }
        }
        Ok(Self(bits.to_be_bytes()))
    }
}
