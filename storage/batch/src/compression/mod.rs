//! Kafka's four codecs for the payload of a batch, each bounded: a small payload that claims or grows to more than
//! the caller's limit is refused, and no memory is taken on the strength of a claim.

mod gzip;
mod lz4;
mod snappy;
#[cfg(test)]
mod tests;
mod zstd;

use std::io::Read;

use crate::error::BatchError;

/// How the records of a batch are compressed: bits 0-2 of the attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Codec {
    /// Not at all.
    None = 0,
    /// RFC 1952.
    Gzip = 1,
    /// Snappy blocks in snappy-java's ("xerial") framing.
    Snappy = 2,
    /// LZ4 frame format, independent blocks.
    Lz4 = 3,
    /// Zstandard frames (KIP-110).
    Zstd = 4,
}

impl Codec {
    /// All codecs, in the order of their ids.
    pub const ALL: [Self; 5] = [Self::None, Self::Gzip, Self::Snappy, Self::Lz4, Self::Zstd];

    /// The codec with this id.
    ///
    /// # Errors
    /// `UnknownCodec` when Kafka has not given the id away.
    pub fn from_id(id: u8) -> Result<Self, BatchError> {
        Self::ALL.get(usize::from(id)).copied().ok_or(BatchError::UnknownCodec(id))
    }

    /// Its id in the attributes.
    pub const fn id(self) -> u8 {
        self as u8
    }

    /// Its name in Kafka's configuration: of producers, and of topics except that those say `uncompressed` for none.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }

    /// The codec of this [`Self::name`].
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|codec| codec.name() == name)
    }
}

/// A codec, and how hard it tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compression {
    /// The codec.
    pub codec: Codec,
    /// The codec's own level (KIP-390); `None` for its default. Codecs without levels have only that.
    pub level: Option<i32>,
}

impl From<Codec> for Compression {
    fn from(codec: Codec) -> Self {
        Self { codec, level: None }
    }
}

/// Appends `input`, compressed, to `output`. A level that the codec does not have is taken for the nearest that it has.
pub fn compress(compression: impl Into<Compression>, input: &[u8], output: &mut Vec<u8>) {
    let Compression { codec, level } = compression.into();
    match codec {
        Codec::None => output.extend_from_slice(input),
        Codec::Gzip => gzip::compress(input, level, output),
        Codec::Snappy => snappy::compress(input, output),
        Codec::Lz4 => lz4::compress(input, level, output),
        Codec::Zstd => zstd::compress(input, level, output),
    }
}

/// Output memory kept between two payloads, in bytes: most batches fit, and one huge one is not paid for ever after.
const KEPT_BYTES: usize = 1024 * 1024;

/// Decompresses one payload after the other into memory that it keeps. One a shard is enough.
#[derive(Default)]
pub struct Decompressor {
    output: Vec<u8>,
    zstd: Option<::zstd::zstd_safe::DCtx<'static>>,
}

impl Decompressor {
    /// One that has taken no memory yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The decompressed `input`, valid until the next call. With [`Codec::None`] it is `input` itself.
    ///
    /// # Errors
    /// `Compression` when `input` is not one whole payload of `codec`; `TooLargeDecompressed` when it is more than
    /// `limit_bytes` decompressed: then at most about that much was allocated.
    pub fn decompress<'a>(
        &'a mut self,
        codec: Codec,
        input: &'a [u8],
        limit_bytes: usize,
    ) -> Result<&'a [u8], BatchError> {
        self.output.clear();
        self.output.shrink_to(KEPT_BYTES);
        match codec {
            Codec::None if input.len() > limit_bytes => {
                return Err(BatchError::TooLargeDecompressed(limit_bytes));
            }
            Codec::None => return Ok(input),
            Codec::Gzip => gzip::decompress(input, &mut self.output, limit_bytes)?,
            Codec::Snappy => snappy::decompress(input, &mut self.output, limit_bytes)?,
            Codec::Lz4 => lz4::decompress(input, &mut self.output, limit_bytes)?,
            Codec::Zstd => {
                let context = self.zstd.get_or_insert_with(Default::default);
                zstd::decompress(context, input, &mut self.output, limit_bytes)?;
            }
        }
        assert!(self.output.len() <= limit_bytes, "every codec stops at the limit");
        Ok(&self.output)
    }
}

/// [`Decompressor::decompress`] into memory of the payload's own.
pub(crate) fn decompress_once(
    codec: Codec,
    input: &[u8],
    limit_bytes: usize,
) -> Result<Vec<u8>, BatchError> {
    let mut decompressor = Decompressor::new();
    match decompressor.decompress(codec, input, limit_bytes)? {
        _ if codec == Codec::None => Ok(input.to_vec()),
        _ => Ok(decompressor.output),
    }
}

/// Reads a decoding stream to its end, or to one byte more than `limit_bytes`.
fn read_bounded(
    stream: impl Read,
    output: &mut Vec<u8>,
    limit_bytes: usize,
    fault: &'static str,
) -> Result<(), BatchError> {
    let one_more = (limit_bytes as u64).saturating_add(1);
    stream.take(one_more).read_to_end(output).map_err(|_| BatchError::Compression(fault))?;
    if output.len() > limit_bytes {
        return Err(BatchError::TooLargeDecompressed(limit_bytes));
    }
    Ok(())
}
