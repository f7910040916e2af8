//! What a record carries so that whoever consumes it can tell whether it is the one that was sent, whole, once and in order:
//! a header of 32 bytes at the start of its value, little-endian, then the body.
//!
//! ```text
//! offset  0        8        12       16         24                  32
//!         run id   stream   CRC-32C  sequence   intended send time  body ...
//! ```
//!
//! The checksum covers everything but itself. The intended send time is on the monotonic clock, in ns: comparable within the
//! process that sent it. A stream is one producer's records in one partition: what a broker promises to keep in order.

use ringlane_reactor::{Instant, Rng};

/// The least that a value must have room for.
pub const HEADER_BYTES: usize = 32;

/// The number of a stream within a run.
pub type Stream = u32;

/// What a record says of itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stamp {
    /// The run that sent it.
    pub run: u64,
    /// Its stream.
    pub stream: Stream,
    /// Its number within the stream, from 0.
    pub sequence: u64,
    /// When it was meant to be sent.
    pub intended: Instant,
}

/// Writes `stamp` over the start of `value`.
///
/// # Panics
/// When `value` is shorter than the header.
pub fn write(value: &mut [u8], stamp: &Stamp) {
    assert!(value.len() >= HEADER_BYTES, "a value has room for its header");
    value[0..8].copy_from_slice(&stamp.run.to_le_bytes());
    value[8..12].copy_from_slice(&stamp.stream.to_le_bytes());
    value[16..24].copy_from_slice(&stamp.sequence.to_le_bytes());
    value[24..32].copy_from_slice(&stamp.intended.as_nanos().to_le_bytes());
    let checksum = checksum(value);
    value[12..16].copy_from_slice(&checksum.to_le_bytes());
}

/// The stamp of a value; `None` when it is not what was written.
pub fn read(value: &[u8]) -> Option<Stamp> {
    if value.len() < HEADER_BYTES {
        return None;
    }
    let u32_at = |at: usize| value[at..at + 4].try_into().map(u32::from_le_bytes);
    let u64_at = |at: usize| value[at..at + 8].try_into().map(u64::from_le_bytes);
    if u32_at(12).ok() != Some(checksum(value)) {
        return None;
    }
    Some(Stamp {
        run: u64_at(0).ok()?,
        stream: u32_at(8).ok()?,
        sequence: u64_at(16).ok()?,
        intended: Instant::from_nanos(u64_at(24).ok()?),
    })
}

fn checksum(value: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&value[..12]), &value[16..])
}

/// Where bodies are cut from: bytes that do not compress, or a file of real data.
pub struct Body {
    bytes: Vec<u8>,
    next: usize,
}

/// Longer than what compressors look back over, so that one body does not compress by the last one.
const RANDOM_BYTES: usize = 4 << 20;

impl Body {
    /// Random bytes, decided by `seed`.
    pub fn random(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let words = (0..RANDOM_BYTES / 8).flat_map(|_| rng.next_u64().to_le_bytes());
        Self { bytes: words.collect(), next: 0 }
    }

    /// The bytes of `sample`, over and over.
    ///
    /// # Panics
    /// When there are none.
    pub fn sample(sample: Vec<u8>) -> Self {
        assert!(!sample.is_empty(), "a sample has bytes");
        Self { bytes: sample, next: 0 }
    }

    /// Fills a value of `len` bytes: room for the header, and a body.
    pub fn fill(&mut self, value: &mut Vec<u8>, len: usize) {
        value.clear();
        value.resize(HEADER_BYTES.min(len), 0);
        while value.len() < len {
            let wanted = len - value.len();
            let end = (self.next + wanted).min(self.bytes.len());
            value.extend_from_slice(&self.bytes[self.next..end]);
            self.next = if end == self.bytes.len() { 0 } else { end };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAMP: Stamp =
        Stamp { run: 7, stream: 3, sequence: 41, intended: Instant::from_nanos(5_000_000_000) };

    #[test]
    fn what_was_written_is_read_and_nothing_else_is() {
        let mut value = Vec::new();
        Body::random(1).fill(&mut value, 100);
        write(&mut value, &STAMP);
        assert_eq!((value.len(), read(&value)), (100, Some(STAMP)));
        for at in 0..value.len() {
            value[at] ^= 1;
            assert_eq!(read(&value), None, "a flipped bit of byte {at}");
            value[at] ^= 1;
        }
        assert_eq!(read(&value[..99]), None, "a cut value");
        assert_eq!(read(&value[..31]), None);
    }

    #[test]
    fn a_sample_is_used_over_and_over() {
        let mut body = Body::sample(b"abc".to_vec());
        let mut value = Vec::new();
        body.fill(&mut value, HEADER_BYTES + 4);
        assert_eq!(&value[HEADER_BYTES..], b"abca");
        body.fill(&mut value, HEADER_BYTES + 2);
        assert_eq!(&value[HEADER_BYTES..], b"bc");
        body.fill(&mut value, HEADER_BYTES);
        assert_eq!(value.len(), HEADER_BYTES);
    }
}
