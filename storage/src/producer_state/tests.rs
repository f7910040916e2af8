//! Sequences, duplicates and fencing as KIP-98 has them, and the snapshot's bytes.

use super::*;
use ringlane_batch::{BatchBuilder, BatchFields, Codec, LeaderEpoch, TimestampMs};

fn batch(id: i64, epoch: i16, sequence: i32, count: i32, base: i64) -> Vec<u8> {
    let mut builder = BatchBuilder::new(Codec::None);
    for _ in 0..count {
        builder.append(TimestampMs(1000 + base), None, Some(b"v"), &[]);
    }
    let bytes = builder.finish(&BatchFields {
        base_offset: Offset(base),
        leader_epoch: LeaderEpoch(0),
        producer: Some((ProducerId(id), ProducerEpoch(epoch), Sequence(sequence))),
        ..BatchFields::default()
    });
    bytes.to_vec()
}

fn judge(state: &ProducerState, epoch: i16, sequence: i32, count: i32) -> Verdict {
    let bytes = batch(7, epoch, sequence, count, 0);
    state.judge(&BatchView::parse(&bytes).unwrap())
}

fn observe(state: &mut ProducerState, epoch: i16, sequence: i32, count: i32, base: i64) {
    let bytes = batch(7, epoch, sequence, count, base);
    state.observe(&BatchView::parse(&bytes).unwrap(), 1000);
}

#[test]
fn an_unknown_producer_starts_anywhere_and_then_keeps_its_order() {
    let mut state = ProducerState::default();
    assert_eq!(judge(&state, 3, 500, 1), Verdict::Next);
    observe(&mut state, 3, 500, 2, 0);
    assert_eq!(judge(&state, 3, 502, 1), Verdict::Next);
    assert_eq!(judge(&state, 3, 503, 1), Verdict::OutOfOrder(Sequence(501)));
    assert_eq!(judge(&state, 3, 400, 1), Verdict::OutOfOrder(Sequence(501)));
}

#[test]
fn the_last_five_batches_are_recognised() {
    let mut state = ProducerState::default();
    for n in 0..6 {
        observe(&mut state, 0, n * 2, 2, i64::from(n) * 10);
    }
    for n in 1..6 {
        let Verdict::Duplicate(seen) = judge(&state, 0, n * 2, 2) else { panic!("batch {n}") };
        assert_eq!(
            (seen.base_offset().0, seen.last_offset.0),
            (i64::from(n) * 10, i64::from(n) * 10 + 1)
        );
    }
    assert_eq!(judge(&state, 0, 0, 2), Verdict::OutOfOrder(Sequence(11)), "the sixth is forgotten");
    assert_eq!(judge(&state, 0, 10, 1), Verdict::OutOfOrder(Sequence(11)), "another range is none");
}

#[test]
fn a_new_epoch_starts_at_zero_and_fences_the_old_one() {
    let mut state = ProducerState::default();
    observe(&mut state, 1, 0, 3, 0);
    assert_eq!(judge(&state, 2, 3, 1), Verdict::OutOfOrder(Sequence(2)));
    assert_eq!(judge(&state, 2, 0, 1), Verdict::Next);
    observe(&mut state, 2, 0, 1, 3);
    assert_eq!(judge(&state, 1, 3, 1), Verdict::Fenced(ProducerEpoch(2)));
}

#[test]
fn after_the_largest_sequence_comes_zero() {
    let mut state = ProducerState::default();
    observe(&mut state, 0, i32::MAX - 1, 4, 0);
    assert!(
        matches!(judge(&state, 0, i32::MAX - 1, 4), Verdict::Duplicate(_)),
        "it straddles the wrap"
    );
    assert_eq!(judge(&state, 0, 2, 1), Verdict::Next);
    let mut state = ProducerState::default();
    observe(&mut state, 0, i32::MAX, 1, 0);
    assert_eq!(judge(&state, 0, 0, 1), Verdict::Next);
}

#[test]
fn the_silent_are_forgotten() {
    let mut state = ProducerState::default();
    observe(&mut state, 0, 0, 1, 0);
    state.expire(1099, 100);
    assert_eq!(state.len(), 1);
    state.expire(1100, 100);
    assert_eq!(state.len(), 0);
}

#[test]
fn a_snapshot_keeps_every_batch_that_is_remembered() {
    let mut state = ProducerState::default();
    for n in 0..6 {
        observe(&mut state, 1, n * 2, 2, i64::from(n) * 2);
    }
    let bytes = encode(&state);
    // Version 1 and one entry of 46 bytes, as Kafka reads it; then four earlier batches, which Kafka does not read.
    assert_eq!((&bytes[..2], &bytes[6..10]), (&[0, 1][..], &[0, 0, 0, 1][..]));
    assert_eq!(bytes.len(), 10 + 46 + 4 * 32);
    let restored = decode(&bytes, 0).unwrap();
    for n in 1..6 {
        assert!(matches!(judge(&restored, 1, n * 2, 2), Verdict::Duplicate(_)), "batch {n}");
    }
    assert_eq!(judge(&restored, 1, 0, 2), Verdict::OutOfOrder(Sequence(11)));
    assert_eq!(judge(&restored, 1, 12, 1), Verdict::Next);
    assert_eq!(encode(&restored), bytes);
}

#[test]
fn a_snapshot_of_kafka_has_each_producers_last_batch() {
    let mut state = ProducerState::default();
    observe(&mut state, 1, 3, 2, 8);
    let bytes = encode(&state);
    assert_eq!(bytes.len(), 10 + 46, "one batch is all in Kafka's own entry");
    let restored = decode(&bytes, 0).unwrap();
    assert!(matches!(judge(&restored, 1, 3, 2), Verdict::Duplicate(_)));
}

#[test]
fn earlier_batches_that_cannot_be_are_refused() {
    let mut state = ProducerState::default();
    observe(&mut state, 1, 0, 2, 0);
    observe(&mut state, 1, 2, 2, 2);
    let change = |at: usize, value: &[u8]| {
        let mut bytes = encode(&state);
        bytes[at..at + value.len()].copy_from_slice(value);
        let crc = crc32c::crc32c(&bytes[6..]);
        bytes[2..6].copy_from_slice(&crc.to_be_bytes());
        decode(&bytes, 0)
    };
    let earlier = 10 + 46;
    assert!(change(earlier, &7_i64.to_be_bytes()).is_ok());
    assert!(change(earlier, &8_i64.to_be_bytes()).is_err(), "no such producer");
    assert!(change(earlier + 12, &3_i64.to_be_bytes()).is_err(), "not before the last");
    assert!(change(earlier + 20, &(-1_i32).to_be_bytes()).is_err(), "a negative length");
}

#[test]
fn a_damaged_snapshot_is_refused() {
    let mut state = ProducerState::default();
    observe(&mut state, 1, 0, 3, 5);
    observe(&mut state, 1, 3, 3, 8);
    let bytes = encode(&state);
    for len in 0..bytes.len() {
        assert!(decode(&bytes[..len], 0).is_err(), "cut at {len}");
    }
    for bit in 0..bytes.len() * 8 {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert!(decode(&damaged, 0).is_err(), "bit {bit}");
    }
}
