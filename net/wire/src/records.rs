//! The record batches inside a produce or fetch: opaque here, borrowed on the way in, shared on the way out.

use bytes::Bytes;

use crate::error::{DecodeError, EncodeError};
use crate::field::{Context, Kind};
use crate::primitives::{LengthPrefixed, LengthWidth, ReadBody};
use crate::reader::Reader;
use crate::writer::Writer;

/// Zero or more record batches, back to back.
#[derive(Debug, Clone)]
pub enum Records<'a> {
    /// Bytes inside a received frame: what decoding gives. `Bytes::slice_ref` on the frame turns it into a shared slice.
    Borrowed(&'a [u8]),
    /// Shared slices, one after another: encoding hands large ones through without copying (see [`Writer::put_shared`]).
    Parts(Vec<Bytes>),
    /// So many bytes that whoever sends the message has elsewhere, as in a file: encoding leaves their place free (see
    /// [`Writer::put_elsewhere`]).
    Elsewhere(usize),
}

impl Records<'_> {
    /// Their length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Records::Elsewhere(len) => *len,
            _ => self.parts().map(<[u8]>::len).sum(),
        }
    }

    /// Whether there is no batch.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes that are here, part by part.
    pub fn parts(&self) -> impl Iterator<Item = &[u8]> {
        let (borrowed, shared) = match self {
            Records::Borrowed(bytes) => (Some(*bytes), [].as_slice()),
            Records::Parts(parts) => (None, parts.as_slice()),
            Records::Elsewhere(_) => (None, [].as_slice()),
        };
        borrowed.into_iter().chain(shared.iter().map(|part| part.as_ref()))
    }
}

/// No records. A broker answers a fetch that found nothing with this rather than with null, as Kafka does.
impl Default for Records<'_> {
    fn default() -> Self {
        Records::Borrowed(&[])
    }
}

impl<'a> From<&'a [u8]> for Records<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Records::Borrowed(bytes)
    }
}

impl From<Bytes> for Records<'_> {
    fn from(bytes: Bytes) -> Self {
        Records::Parts(vec![bytes])
    }
}

impl From<Vec<Bytes>> for Records<'_> {
    fn from(parts: Vec<Bytes>) -> Self {
        Records::Parts(parts)
    }
}

/// Equal bytes, however they are cut into parts.
impl PartialEq for Records<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.parts().flatten().eq(other.parts().flatten())
    }
}

impl LengthPrefixed for Records<'_> {
    const WIDTH: LengthWidth = LengthWidth::Long;
    const KIND: Kind = Kind::Primitive("records");

    fn length(&self) -> usize {
        self.len()
    }

    fn write_body(&self, w: &mut Writer, _: Context) -> Result<(), EncodeError> {
        match self {
            Records::Borrowed(bytes) => w.put_slice(bytes),
            Records::Parts(parts) => parts.iter().for_each(|part| w.put_shared(part.clone())),
            Records::Elsewhere(len) => w.put_elsewhere(*len),
        }
        Ok(())
    }
}

impl<'a, 'de: 'a> ReadBody<'de> for Records<'a> {
    fn read_body(r: &mut Reader<'de>, length: usize, _: Context) -> Result<Self, DecodeError> {
        r.take(length).map(Records::Borrowed)
    }
}
