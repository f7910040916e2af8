//! Zstandard (KIP-110, RFC 8878): decompressed straight into the output, which doubles until the frames fit. So the
//! memory is what the data needs; the window and content sizes that a frame claims allocate nothing.

use zstd::zstd_safe::{DCtx, get_error_name, get_frame_content_size};

use crate::error::BatchError;

/// What the output starts with for a small payload, in bytes.
const START_BYTES: usize = 16 * 1024;

/// The output starts with at most this many times the input, whatever the frame claims.
const START_EXPANSION: usize = 8;

/// `level`: -131072 (fast) to 22 (small).
pub(super) fn compress(input: &[u8], level: Option<i32>, output: &mut Vec<u8>) {
    let level = level.unwrap_or(zstd::DEFAULT_COMPRESSION_LEVEL).clamp(-131_072, 22);
    let compressed = zstd::bulk::compress(input, level);
    output.extend_from_slice(&compressed.expect("the output has room for any input"));
}

pub(super) fn decompress(
    context: &mut DCtx<'static>,
    input: &[u8],
    output: &mut Vec<u8>,
    limit_bytes: usize,
) -> Result<(), BatchError> {
    let mut capacity = start_capacity(input).min(limit_bytes);
    loop {
        assert!(output.is_empty(), "an attempt that failed leaves nothing behind");
        output.reserve_exact(capacity);
        match context.decompress(output, input) {
            Ok(_) if output.len() <= limit_bytes => return Ok(()),
            Ok(_) => return Err(BatchError::TooLargeDecompressed(limit_bytes)),
            Err(code) if !is_output_too_small(code) => {
                return Err(BatchError::Compression("damaged zstd frame"));
            }
            Err(_) if capacity >= limit_bytes => {
                return Err(BatchError::TooLargeDecompressed(limit_bytes));
            }
            Err(_) => {}
        }
        output.clear();
        capacity = output.capacity().max(capacity).saturating_mul(2).min(limit_bytes);
    }
}

fn start_capacity(input: &[u8]) -> usize {
    let plausible = input.len().saturating_mul(START_EXPANSION).max(START_BYTES);
    match get_frame_content_size(input) {
        Ok(Some(claimed)) => plausible.min(usize::try_from(claimed).unwrap_or(plausible)),
        _ => plausible,
    }
}

fn is_output_too_small(code: usize) -> bool {
    // ZSTD_error_dstSize_tooSmall: part of zstd's stable interface, but the binding exposes only its name.
    get_error_name(code) == "Destination buffer is too small"
}
