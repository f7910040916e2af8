//! The log file, cut and damaged at every place.

use super::*;
use crate::command::Command;
use crate::raft::records::EntryRecord;
use crate::raft::types::{Entry, LeaderId, LogId};
use openraft::EntryPayload;

/// A group of one entry whose archive is `len` bytes and more.
fn group(index: u64, len: usize) -> LogGroup {
    let log_id = LogId { leader_id: LeaderId { term: 1, node_id: 1 }, index };
    let payload = EntryPayload::Normal(Command::SetClusterId { cluster_id: "x".repeat(len) });
    let entries = vec![EntryRecord::from(&Entry { log_id, payload })];
    LogGroup { purged: None, committed: None, keep_through: None, entries }
}

fn file(groups: &[LogGroup]) -> Vec<u8> {
    groups.iter().flat_map(|group| frame::encode(Kind::Log, group)).collect()
}

#[test]
fn a_tail_cut_anywhere_leaves_the_groups_before_it() {
    let groups = [group(0, 10), group(1, 300), group(2, 40)];
    let bytes = file(&groups);
    let ends: Vec<usize> = (0..=3).map(|count| file(&groups[..count]).len()).collect();
    for len in 0..=bytes.len() {
        let whole = ends.iter().rposition(|&end| end <= len).expect("the empty file is whole");
        let expected = (groups[..whole].to_vec(), ends[whole]);
        assert_eq!(scan(&bytes[..len]), Ok(expected), "cut at {len}");
    }
}

#[test]
fn a_torn_tail_with_zeros_or_rubbish_is_cut_off() {
    let groups = [group(0, 10), group(1, 300)];
    let first = file(&groups[..1]).len();
    for filling in [0, 0xa5] {
        let mut bytes = file(&groups);
        bytes[first + 100..].fill(filling);
        assert_eq!(scan(&bytes), Ok((groups[..1].to_vec(), first)));
    }
}

#[test]
fn damage_before_a_whole_group_is_no_torn_tail() {
    let bytes = file(&[group(0, 10), group(1, 300), group(2, 40)]);
    let last = file(&[group(0, 10), group(1, 300)]).len();
    for at in (0..last).step_by(7) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1;
        assert!(matches!(scan(&damaged), Err(FrameError::Foreign(_))), "damaged at {at}");
    }
}
