//! Snappy as Kafka's clients write it: snappy-java's framing (a 16-byte header, then blocks with a big-endian i32
//! length each) by the Java client, a single raw block by some others, which is accepted on reading.
//! Framing: `SnappyOutputStream` of xerial/snappy-java. Block format: google/snappy `format_description.txt`.

use snap::raw::{Decoder, Encoder, decompress_len, max_compress_len};

use crate::error::BatchError;

/// Magic, then version 1 and lowest compatible version 1, big-endian.
const HEADER: &[u8; 16] = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01";
const MAGIC_LEN: usize = 8;

/// Uncompressed bytes in one block: snappy-java's default.
const BLOCK_BYTES: usize = 32 * 1024;

/// The most a snappy block can expand: 64 bytes for a copy element of 3 bytes, rounded up. A block that claims more
/// is damaged.
const EXPANSION_MAX: usize = 22;

const DAMAGED: BatchError = BatchError::Compression("damaged snappy block");

pub(super) fn compress(input: &[u8], output: &mut Vec<u8>) {
    let mut encoder = Encoder::new();
    output.extend_from_slice(HEADER);
    for block in input.chunks(BLOCK_BYTES) {
        let start = output.len();
        output.resize(start + 4 + max_compress_len(block.len()), 0);
        let len = encoder.compress(block, &mut output[start + 4..]);
        let len = len.expect("the output has room for any block");
        output[start..start + 4].copy_from_slice(&(len as u32).to_be_bytes());
        output.truncate(start + 4 + len);
    }
}

pub(super) fn decompress(
    input: &[u8],
    output: &mut Vec<u8>,
    limit_bytes: usize,
) -> Result<(), BatchError> {
    if !input.starts_with(&HEADER[..MAGIC_LEN]) {
        return decompress_block(input, output, limit_bytes);
    }
    let mut rest = input.get(HEADER.len()..).ok_or(DAMAGED)?;
    while let Some((len, tail)) = rest.split_first_chunk::<4>() {
        let len = u32::from_be_bytes(*len) as usize;
        let (block, next) = tail.split_at_checked(len).ok_or(DAMAGED)?;
        decompress_block(block, output, limit_bytes)?;
        rest = next;
    }
    if rest.is_empty() { Ok(()) } else { Err(DAMAGED) }
}

fn decompress_block(
    block: &[u8],
    output: &mut Vec<u8>,
    limit_bytes: usize,
) -> Result<(), BatchError> {
    let claimed = decompress_len(block).map_err(|_| DAMAGED)?;
    if claimed > block.len().saturating_mul(EXPANSION_MAX) {
        return Err(DAMAGED);
    }
    let start = output.len();
    if claimed > limit_bytes - start {
        return Err(BatchError::TooLargeDecompressed(limit_bytes));
    }
    output.resize(start + claimed, 0);
    let len = Decoder::new().decompress(block, &mut output[start..]).map_err(|_| DAMAGED)?;
    assert_eq!(len, claimed, "the decoder fills what the block claims or fails");
    Ok(())
}
