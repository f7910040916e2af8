//! Every codec gives back what went in, stops at its limit, and takes damage for damage.

use proptest::prelude::*;

use super::*;

const REAL_CODECS: [Codec; 4] = [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];

fn compressed(codec: Codec, input: &[u8]) -> Vec<u8> {
    let mut output = Vec::new();
    compress(codec, input, &mut output);
    output
}

fn decompressed(codec: Codec, input: &[u8], limit: usize) -> Result<Vec<u8>, BatchError> {
    Decompressor::new().decompress(codec, input, limit).map(<[u8]>::to_vec)
}

#[test]
fn ids_and_names_are_kafkas() {
    for (id, name) in ["none", "gzip", "snappy", "lz4", "zstd"].into_iter().enumerate() {
        let codec = Codec::from_id(id as u8).expect("given away");
        assert_eq!((codec.id(), codec.name()), (id as u8, name));
        assert_eq!(Codec::from_name(name), Some(codec));
    }
    assert_eq!(Codec::from_id(5), Err(BatchError::UnknownCodec(5)));
}

#[test]
fn a_bomb_is_refused_at_the_limit() {
    let zeros = vec![0; 8 << 20];
    for codec in REAL_CODECS {
        let bomb = compressed(codec, &zeros);
        assert_eq!(decompressed(codec, &bomb, zeros.len()), Ok(zeros.clone()), "{codec:?}");
        for limit in [0, 1, 1000, zeros.len() - 1] {
            let mut decompressor = Decompressor::new();
            let refused = decompressor.decompress(codec, &bomb, limit).map(<[u8]>::len);
            assert_eq!(refused, Err(BatchError::TooLargeDecompressed(limit)), "{codec:?}");
            assert!(decompressor.output.capacity() <= 2 * limit + 64 * 1024, "{codec:?} {limit}");
        }
    }
}

#[test]
fn a_claim_alone_allocates_nothing() {
    // A snappy block that claims 4 GiB, and a zstd frame that claims 64 GiB of content.
    let snappy = [0xff, 0xff, 0xff, 0xff, 0x0f, 0x00];
    let zstd = [0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0, 0, 16, 0, 0, 0, 1, 0, 0];
    for (codec, claim) in [(Codec::Snappy, &snappy[..]), (Codec::Zstd, &zstd)] {
        let mut decompressor = Decompressor::new();
        let refused = decompressor.decompress(codec, claim, usize::MAX / 2).is_err();
        assert!(refused, "{codec:?}");
        assert!(decompressor.output.capacity() < 100_000, "{codec:?}");
    }
}

#[test]
fn the_memory_of_a_huge_payload_is_given_back() {
    let mut decompressor = Decompressor::new();
    let huge = compressed(Codec::Zstd, &vec![7; 16 << 20]);
    let small = compressed(Codec::Zstd, b"small");
    decompressor.decompress(Codec::Zstd, &huge, usize::MAX / 2).expect("whole");
    assert!(decompressor.output.capacity() >= 16 << 20);
    assert_eq!(decompressor.decompress(Codec::Zstd, &small, 100), Ok(&b"small"[..]));
    assert!(decompressor.output.capacity() <= KEPT_BYTES);
}

#[test]
fn snappy_is_framed_for_java_and_read_raw_as_well() {
    let text = b"a block as librdkafka and others may write it".repeat(2000);
    let framed = compressed(Codec::Snappy, &text);
    assert_eq!(framed[..16], *b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01");
    let raw = snap::raw::Encoder::new().compress_vec(&text).expect("fits");
    assert_eq!(decompressed(Codec::Snappy, &raw, 1 << 20), Ok(text));
}

#[test]
fn several_members_or_frames_are_one_payload() {
    for codec in [Codec::Gzip, Codec::Zstd] {
        let both = [compressed(codec, b"one "), compressed(codec, b"two")].concat();
        assert_eq!(decompressed(codec, &both, 100), Ok(b"one two".to_vec()), "{codec:?}");
    }
}

#[test]
fn lz4_that_java_cannot_read_is_refused() {
    let text = b"0123456789".repeat(20_000);
    let info = lz4_flex::frame::FrameInfo::new().block_mode(lz4_flex::frame::BlockMode::Linked);
    let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
    std::io::Write::write_all(&mut encoder, &text).expect("memory");
    let linked = encoder.finish().expect("memory");
    assert!(matches!(decompressed(Codec::Lz4, &linked, 1 << 20), Err(BatchError::Compression(_))));

    let whole = compressed(Codec::Lz4, &text);
    let without_end_mark = &whole[..whole.len() - 4];
    assert!(decompressed(Codec::Lz4, &whole, 1 << 20).is_ok());
    assert!(decompressed(Codec::Lz4, without_end_mark, 1 << 20).is_err());
    let trailing = [&whole[..], b"x"].concat();
    assert!(decompressed(Codec::Lz4, &trailing, 1 << 20).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_goes_in_comes_out(
        seed in prop::collection::vec(any::<u8>(), 0..300),
        repeat in 1usize..800,
    ) {
        let input = seed.repeat(repeat);
        let mut decompressor = Decompressor::new();
        for codec in Codec::ALL {
            let bytes = compressed(codec, &input);
            prop_assert_eq!(decompressor.decompress(codec, &bytes, input.len()), Ok(&input[..]));
        }
    }

    #[test]
    fn damage_never_panics_and_never_passes_the_limit(
        input in prop::collection::vec(0u8..4, 0..5000),
        at: prop::sample::Index,
        to: u8,
        keep: prop::sample::Index,
    ) {
        for codec in REAL_CODECS {
            let mut bytes = compressed(codec, &input);
            let position = at.index(bytes.len());
            bytes[position] = to;
            let _ = decompressed(codec, &bytes, 10_000);
            let _ = decompressed(codec, &bytes[..keep.index(bytes.len())], 10_000);
        }
    }

    #[test]
    fn noise_never_panics(noise in prop::collection::vec(any::<u8>(), 0..200)) {
        for codec in REAL_CODECS {
            let _ = decompressed(codec, &noise, 10_000);
        }
    }
}

#[test]
fn every_level_reads_back_and_the_highest_takes_less_room_than_the_lowest() {
    let words = ["partition", "leader", "offset", "segment", "batch", "record", "epoch", "index"];
    let word = |n: u64| words[(n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 61) as usize];
    let input: Vec<u8> =
        (0..40_000).flat_map(|n| format!("{} ", word(n * n)).into_bytes()).collect();
    for (codec, lowest, highest) in [
        (Codec::Gzip, 1, 9),
        // 9 is the fast compressor: the others are the high one's.
        (Codec::Lz4, 9, 17),
        (Codec::Zstd, -131_072, 22),
    ] {
        let at = |level| {
            let mut output = Vec::new();
            compress(Compression { codec, level: Some(level) }, &input, &mut output);
            let limit = input.len();
            assert_eq!(
                decompressed(codec, &output, limit).as_ref(),
                Ok(&input),
                "{codec:?} {level}"
            );
            output.len()
        };
        assert!(at(highest) < at(lowest), "{codec:?}");
        let levels = lowest.min(1)..=highest;
        assert!(levels.step_by(7000).all(|level| at(level) > 0));
        assert_eq!(at(i32::MAX), at(highest), "{codec:?}: beyond the last");
    }
}

#[test]
fn the_high_lz4_compressor_writes_what_javas_consumer_reads() {
    for level in [1, 3, 12, 17] {
        let mut output = Vec::new();
        compress(Compression { codec: Codec::Lz4, level: Some(level) }, &[7; 200_000], &mut output);
        // Version 1, independent blocks; no checksums, no size, no dictionary. Blocks of 64 KiB.
        assert_eq!(output[4..6], [0x60, 0x40], "level {level}");
    }
}
