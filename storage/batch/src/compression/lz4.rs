//! The LZ4 frame format, as far as Kafka's Java client reads it: one frame of independent blocks, with an end mark.
//! What it would choke on is refused here, so that no producer can store a batch that consumers cannot read.
//! Format: lz4 `doc/lz4_Frame_format.md`; reader: Kafka's `Lz4BlockInputStream`.

use std::io::Write;

use lz4::liblz4::BlockChecksum;
use lz4::{ContentChecksum, EncoderBuilder};
use lz4_flex::frame::{BlockMode, BlockSize, FrameDecoder, FrameEncoder, FrameInfo};

use crate::error::BatchError;

const MAGIC: [u8; 4] = 0x184d_2204u32.to_le_bytes();
const FLAG_DICTIONARY: u8 = 0x01;
const FLAG_CONTENT_CHECKSUM: u8 = 0x04;
const FLAG_CONTENT_SIZE: u8 = 0x08;
const FLAG_BLOCK_CHECKSUM: u8 = 0x10;
const FLAG_INDEPENDENT_BLOCKS: u8 = 0x20;
/// The high bit of a block's length says that the block is stored as it is.
const STORED: u32 = 0x8000_0000;

const DAMAGED: &str = "damaged lz4 frame";

/// The level that means the fast compressor, as in Kafka; every other is one of the high compressor's.
const LEVEL_FAST: i32 = 9;

/// `level`: 1 to 17 (Kafka's; those above 12, the library's last, are that one).
pub(super) fn compress(input: &[u8], level: Option<i32>, output: &mut Vec<u8>) {
    match level {
        None | Some(LEVEL_FAST) => compress_fast(input, output),
        Some(level) => compress_high(input, level, output),
    }
}

fn compress_high(input: &[u8], level: i32, output: &mut Vec<u8>) {
    // The frame's own levels below 3 are the fast compressor's, which is not what is asked for.
    let level = level.clamp(3, 12) as u32;
    let encoder = EncoderBuilder::new()
        .level(level)
        .block_mode(lz4::BlockMode::Independent)
        .block_size(lz4::BlockSize::Max64KB)
        .block_checksum(BlockChecksum::NoBlockChecksum)
        .checksum(ContentChecksum::NoChecksum)
        .build(&mut *output);
    let mut encoder = encoder.expect("there is memory for the compressor");
    encoder.write_all(input).expect("writing to memory does not fail");
    let (_, finished) = encoder.finish();
    finished.expect("writing to memory does not fail");
}

fn compress_fast(input: &[u8], output: &mut Vec<u8>) {
    let info = FrameInfo::new().block_mode(BlockMode::Independent).block_size(BlockSize::Max64KB);
    let mut encoder = FrameEncoder::with_frame_info(info, output);
    encoder.write_all(input).expect("writing to memory does not fail");
    encoder.finish().expect("writing to memory does not fail");
}

pub(super) fn decompress(
    input: &[u8],
    output: &mut Vec<u8>,
    limit_bytes: usize,
) -> Result<(), BatchError> {
    check_frame(input)?;
    super::read_bounded(FrameDecoder::new(input), output, limit_bytes, DAMAGED)
}

/// Walks the frame's skeleton: supported flags, every block whole, an end mark, nothing behind it. The decoder alone
/// takes a frame that ends between two blocks for complete.
fn check_frame(input: &[u8]) -> Result<(), BatchError> {
    let damaged = BatchError::Compression(DAMAGED);
    if !input.starts_with(&MAGIC) {
        return Err(BatchError::Compression("not an lz4 frame"));
    }
    let flags = *input.get(MAGIC.len()).ok_or(damaged.clone())?;
    if flags & FLAG_INDEPENDENT_BLOCKS == 0 || flags & FLAG_DICTIONARY != 0 {
        return Err(BatchError::Compression("lz4 frame with dependent blocks or a dictionary"));
    }
    let checksum_len = |flag| if flags & flag == 0 { 0 } else { 4 };
    // Magic, flags, block size, content size if any, header checksum.
    let mut at = MAGIC.len() + 3 + if flags & FLAG_CONTENT_SIZE == 0 { 0 } else { 8 };
    loop {
        let word = input.get(at..).and_then(<[u8]>::first_chunk::<4>).ok_or(damaged.clone())?;
        let len = u32::from_le_bytes(*word);
        at += 4;
        if len == 0 {
            break;
        }
        at += (len & !STORED) as usize + checksum_len(FLAG_BLOCK_CHECKSUM);
    }
    let frame_len = at + checksum_len(FLAG_CONTENT_CHECKSUM);
    if frame_len == input.len() { Ok(()) } else { Err(damaged) }
}
