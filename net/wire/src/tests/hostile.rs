//! Bytes that no honest peer sends: never a panic, and memory within a small multiple of the bytes received.

use allocation_counter::measure;

use super::generate::Generator;
use super::{MessageCase, message_cases};
use crate::error::DecodeErrorReason;
use crate::messages::OffsetFetchRequest;
use crate::reader::{ARRAY_BYTES_FREE, ARRAY_BYTES_PER_BYTE};
use crate::{Decode, Reader, Writer};

/// Most bytes that decoding a short message may allocate for each byte of it: a struct of empty strings in memory beside its
/// wire form, and an array of them inside another, both of which claim all that is left.
const ALLOCATED_PER_BYTE_MAX: u64 = 44;

fn decode_within_bounds(case: &MessageCase, bytes: &[u8], version: i16) {
    let allocated = measure(|| drop((case.decode)(bytes, version))).bytes_total;
    let max = ALLOCATED_PER_BYTE_MAX * bytes.len() as u64;
    assert!(
        allocated <= max,
        "{} v{version}: {allocated} bytes allocated for {}: {bytes:02x?}",
        case.name,
        bytes.len()
    );
}

#[test]
fn arbitrary_bytes_are_bounded_in_memory_and_never_panic() {
    let mut g = Generator::new(1);
    for case in message_cases() {
        for version in case.versions() {
            for _ in 0..100 {
                let length = g.below(200);
                let bytes: Vec<u8> = (0..length).map(|_| g.next() as u8).collect();
                decode_within_bounds(&case, &bytes, version);
                (case.decode_and_round_trip)(&bytes, version);
            }
        }
    }
}

/// Long runs of one byte: nested arrays whose counts all claim as much as they can get away with.
#[test]
fn runs_of_one_byte_are_bounded_in_memory() {
    for case in message_cases() {
        for version in case.versions() {
            for byte in 0..=u8::MAX {
                decode_within_bounds(&case, &[byte; 700], version);
            }
        }
    }
}

/// Arrays that claim just what the bytes behind them could hold, at any place of a message, and one more array that does
/// inside the first element: the most that a peer can make us allocate at once.
#[test]
fn arrays_that_claim_all_that_is_left_are_bounded_in_memory() {
    let mut g = Generator::new(4);
    for case in message_cases() {
        for version in case.versions() {
            let flexible = case.api_key.is_flexible(version);
            let message = (case.round_trip)(&mut g, version);
            for _ in 0..1000 {
                // Most arrays that hold others stand near the front.
                let start = [4, 12, message.len()][g.below(3)].min(message.len());
                let bytes = false_claims(&message[..g.below(start + 1)], flexible, &mut g);
                decode_within_bounds(&case, &bytes, version);
            }
        }
    }
}

/// `start`, a count of as many small elements as will follow, some bytes, such a count
/// again, and such bytes to the end: all zeros (null strings) or all ones (empty strings) where lengths are compact.
fn false_claims(start: &[u8], flexible: bool, g: &mut Generator) -> Vec<u8> {
    const PADDING: usize = 600;
    let count = (PADDING / [1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 24][g.below(11)]) as u32;
    let mut w = Writer::new();
    w.put_slice(start);
    let fill = if flexible { g.below(2) as u8 } else { 0 };
    for length in [g.below(9), PADDING] {
        match flexible {
            true => w.put_unsigned_varint(count + 1),
            false => w.put_slice(&count.to_be_bytes()),
        }
        w.put_slice(&vec![fill; length]);
    }
    w.finish().concat()
}

/// A long message is held to a smaller multiple: this one has a million groups without a name.
#[test]
fn a_long_message_of_empty_elements_is_refused() {
    const GROUPS: usize = 1_000_000;
    let group = [1, 0, 0]; // group_id "", topics null, no tagged fields
    let mut w = Writer::new();
    w.put_unsigned_varint(GROUPS as u32 + 1);
    w.put_slice(&group.repeat(GROUPS));
    w.put_slice(&[0, 0]); // require_stable, no tagged fields
    let bytes = w.finish().concat();
    let mut result = Ok(());
    let decode = || OffsetFetchRequest::decode(&mut Reader::new(&bytes), 8).map(drop);
    let allocated = measure(|| result = decode()).bytes_total;
    assert_eq!(result.map_err(|error| error.reason), Err(DecodeErrorReason::ArraysTooLarge));
    assert!(allocated <= (ARRAY_BYTES_FREE + ARRAY_BYTES_PER_BYTE * bytes.len()) as u64);
}

#[test]
fn mutated_messages_are_bounded_in_memory_and_never_panic() {
    let mut g = Generator::new(2);
    for case in message_cases() {
        for version in case.versions() {
            for _ in 0..100 {
                let mut bytes = (case.round_trip)(&mut g, version);
                for _ in 0..=g.below(3) {
                    mutate(&mut bytes, &mut g);
                }
                decode_within_bounds(&case, &bytes, version);
                (case.decode_and_round_trip)(&bytes, version);
            }
        }
    }
}

fn mutate(bytes: &mut Vec<u8>, g: &mut Generator) {
    if bytes.is_empty() {
        return bytes.push(g.next() as u8);
    }
    let at = g.below(bytes.len());
    match g.below(5) {
        0 => bytes[at] ^= 1 << g.below(8),
        1 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][g.below(5)],
        2 => bytes.insert(at, g.next() as u8),
        3 => drop(bytes.remove(at)),
        _ => bytes.truncate(at),
    }
}

/// A message cut short anywhere is refused, and so is one with a byte too many.
#[test]
fn truncated_and_over_long_messages_are_refused() {
    let mut g = Generator::new(3);
    for case in message_cases() {
        for version in case.versions() {
            let mut bytes = (case.round_trip)(&mut g, version);
            for _ in 0..20.min(bytes.len()) {
                let length = g.below(bytes.len());
                let cut = (case.decode)(&bytes[..length], version);
                assert!(cut.is_err(), "{} v{version}: {bytes:02x?} cut to {length}", case.name);
            }
            bytes.push(0);
            let reason = (case.decode)(&bytes, version).map_err(|error| error.reason);
            assert_eq!(reason, Err(DecodeErrorReason::TrailingBytes(1)), "{}", case.name);
        }
    }
}

#[test]
fn versions_that_are_not_served_are_refused() {
    for case in message_cases() {
        let (first, last) = case.versions().into_inner();
        for version in [first - 1, last + 1, i16::MIN, i16::MAX] {
            let api_key = case.api_key;
            let reason = (case.decode)(&[0; 100], version).map_err(|error| error.reason);
            let expected = DecodeErrorReason::UnsupportedVersion { api_key, version };
            assert_eq!(reason, Err(expected));
            assert!((case.encode_default)(version).is_err());
        }
    }
}
