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
    Elsewhere(usize),
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
        self.end_current();
        self.done_bytes += bytes.len();
        self.done.push(Part::Shared(bytes));
    }

    /// Leaves the place of `len` bytes that [`Writer::finish_around`] asks for.
    pub fn put_elsewhere(&mut self, len: usize) {
        self.end_current();
        self.done_bytes += len;
        self.done.push(Part::Elsewhere(len));
    }

    fn end_current(&mut self) {
        if !self.current.is_empty() {
            let owned = self.current.split();
            self.done_bytes += owned.len();
            self.done.push(Part::Owned(owned));
        }
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
    ///
    /// # Panics
    /// When some of them are elsewhere.
    #[must_use]
    pub fn finish(self) -> Vec<Bytes> {
        self.finish_around(|len| panic!("{len} bytes are elsewhere, and nobody gives them"))
    }

    /// The same, where `elsewhere` gives those that [`Writer::put_elsewhere`] left a place for, in order.
    #[must_use]
    pub fn finish_around<T: From<Bytes>>(
        mut self,
        mut elsewhere: impl FnMut(usize) -> T,
    ) -> Vec<T> {
        self.end_current();
        let part = |part| match part {
            Part::Owned(bytes) => bytes.freeze().into(),
            Part::Shared(bytes) => bytes.into(),
            Part::Elsewhere(len) => elsewhere(len),
        };
        self.done.into_iter().map(part).collect()
    }

    /// Overwrites the first four bytes, which must have been written as a placeholder.
    pub(crate) fn patch_front(&mut self, value: i32) {
        let front = match self.done.first_mut() {
            Some(Part::Owned(bytes)) => &mut bytes[..4],
            Some(_) => panic!("a placeholder precedes every other part"),
            None => &mut self.current[..4],
        };
        front.copy_from_slice(&value.to_be_bytes());
    }
}
