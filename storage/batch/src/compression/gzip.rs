//! gzip, RFC 1952: one or several members, as Java's `GZIPInputStream` reads them.

use std::io::Write;

use flate2::Compression;
use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;

use crate::error::BatchError;

/// `level`: 1 (fast) to 9 (small).
pub(super) fn compress(input: &[u8], level: Option<i32>, output: &mut Vec<u8>) {
    let level =
        level.map_or(Compression::default(), |level| Compression::new(level.clamp(1, 9) as u32));
    let mut encoder = GzEncoder::new(output, level);
    let written = encoder.write_all(input).and_then(|()| encoder.finish().map(|_| ()));
    written.expect("writing to memory does not fail");
}

pub(super) fn decompress(
    input: &[u8],
    output: &mut Vec<u8>,
    limit_bytes: usize,
) -> Result<(), BatchError> {
    super::read_bounded(MultiGzDecoder::new(input), output, limit_bytes, "damaged gzip stream")
}
