//! Builds the bytes of a message, taking large shared slices (record batches) without copying them.

use bytes::{BufMut, Bytes, BytesMut};

/// Shared slices below this are copied: a copy costs less than one more entry in the vectored send.
pub const SHARED_BYTES_MIN: usize = 1024;

/// Appends big-endian values; `finish` gives the bytes as the parts of one vectored send.
#[derive(Debug, Default)]
pub struct Writer {
    /// Parts complete so far; ours stay mutable so that a length at the front can be patched.
    done: Vec<Part>,
    current: BytesMut,
    /// Bytes in `done`.
    done_bytes: usize,
}

#[derive(Debug)]
enum Part {
    Owned(BytesMut),
    Shared(Bytes),
}

impl Writer {
    /// An empty writer.
    #[must_use]
    pub fn new() -> Writer {
        Writer::default()
    }

    /// An empty writer with room for `capacity` bytes.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Writer {
        Writer { current: BytesMut::with_capacity(capacity), ..Writer::default() }
    }

    /// Bytes written so far, shared ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.done_bytes + self.current.len()
    }

    /// Whether nothing was written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends a copy of `bytes`.
    pub fn put_slice(&mut self, bytes: &[u8]) {
        self.current.put_slice(bytes);
    }

    /// Appends `bytes`: by reference from [`SHARED_BYTES_MIN`] up, else as a copy.
    pub fn put_shared(&mut self, bytes: Bytes) {
        if bytes.len() < SHARED_BYTES_MIN {
            return self.put_slice(&bytes);
        }
        if !self.current.is_empty() {
            let owned = self.current.split();
            self.done_bytes += owned.len();
            self.done.push(Part::Owned(owned));
        }
        self.done_bytes += bytes.len();
        self.done.push(Part::Shared(bytes));
    }

    /// Appends an unsigned LEB128 integer (KIP-482).
    pub fn put_unsigned_varint(&mut self, mut value: u32) {
        while value >= 0x80 {
            self.current.put_u8(value as u8 | 0x80);
            value >>= 7;
        }
        self.current.put_u8(value as u8);
    }

    /// The bytes written, in order, each part non-empty.
    #[must_use]
    pub fn finish(mut self) -> Vec<Bytes> {
        if !self.current.is_empty() {
            self.done.push(Part::Owned(self.current));
        }
        let freeze = |part| match part {
            Part::Owned(bytes) => bytes.freeze(),
            Part::Shared(bytes) => bytes,
        };
        self.done.into_iter().map(freeze).collect()
    }

    /// Overwrites the first four bytes, which must have been written as a placeholder.
    pub(crate) fn patch_front(&mut self, value: i32) {
        let front = match self.done.first_mut() {
            Some(Part::Owned(bytes)) => &mut bytes[..4],
            Some(Part::Shared(_)) => panic!("a placeholder precedes every shared part"),
            None => &mut self.current[..4],
        };
        front.copy_from_slice(&value.to_be_bytes());
    }
}
