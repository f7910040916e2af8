//! Frames: what was written is read, what was damaged is not, and version 1 stays readable.

use proptest::prelude::*;

use super::*;
use crate::command::Command;
use crate::image::BrokerId;
use crate::raft::records::VoteRecord;
use crate::raft::types::{LeaderId, Vote};

fn vote() -> VoteRecord {
    VoteRecord::from(&Vote { leader_id: LeaderId { term: 3, node_id: 7 }, committed: true })
}

#[test]
fn a_record_comes_back() {
    let frame = encode(Kind::Vote, &vote());
    assert_eq!(decode(Kind::Vote, &frame), Ok((vote(), frame.len())));
    let command = Command::AllocateProducerIds { broker: BrokerId(1) };
    let frame = encode(Kind::Log, &command);
    assert_eq!(decode(Kind::Log, &frame), Ok((command, frame.len())));
}

/// The bytes that version 1 wrote. A change here makes existing directories unreadable: raise the version instead.
#[test]
fn the_first_version_of_a_vote_stays_readable() {
    let frame = [
        [24, 0, 0, 0],
        VOTE_CHECKSUM,
        [1, 2, 0, 0],
        [0, 0, 0, 0],
        [3, 0, 0, 0],
        [0, 0, 0, 0],
        [7, 0, 0, 0],
        [0, 0, 0, 0],
        [1, 0, 0, 0],
        [0, 0, 0, 0],
        [0, 0, 0, 0],
        [0, 0, 0, 0],
    ]
    .concat();
    assert_eq!(encode(Kind::Vote, &vote()), frame);
}

const VOTE_CHECKSUM: [u8; 4] = [172, 79, 237, 124];

#[test]
fn a_newer_version_and_another_kind_are_told_from_damage() {
    let mut frame = encode(Kind::Vote, &vote());
    assert!(matches!(decode::<VoteRecord>(Kind::Log, &frame), Err(FrameError::Foreign(_))));
    frame[8] = FORMAT_VERSION + 1;
    assert_eq!(decode::<VoteRecord>(Kind::Vote, &frame), Err(FrameError::Broken));
    let checksum = checksum(&frame);
    frame[4..8].copy_from_slice(&checksum.to_le_bytes());
    assert_eq!(decode::<VoteRecord>(Kind::Vote, &frame), Err(FrameError::Newer(2)));
}

#[test]
fn bytes_that_only_checksum_right_are_still_validated() {
    let mut frame = encode(Kind::Log, &Command::SetClusterId { cluster_id: "x".repeat(40) });
    frame[HEADER_LEN..].fill(0xff);
    let checksum = checksum(&frame);
    frame[4..8].copy_from_slice(&checksum.to_le_bytes());
    assert!(matches!(decode::<Command>(Kind::Log, &frame), Err(FrameError::Foreign(_))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn damage_is_found_wherever_it_is(at in 0usize..64, bit in 0u8..8, cut in 0usize..64) {
        let frame = encode(Kind::Log, &Command::SetClusterId { cluster_id: "c".repeat(22) });
        let mut damaged = frame.clone();
        let at = at % frame.len();
        damaged[at] ^= 1 << bit;
        prop_assert_eq!(decode::<Command>(Kind::Log, &damaged), Err(FrameError::Broken));
        let cut = &frame[..cut % frame.len()];
        prop_assert_eq!(decode::<Command>(Kind::Log, cut), Err(FrameError::Broken));
    }

    #[test]
    fn arbitrary_bytes_are_no_frame(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert_eq!(whole(&bytes), None);
    }
}
