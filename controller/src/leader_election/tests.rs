//! Elections, one rule a test.

use super::*;
use crate::image::{CoreIndex, Replica};

/// A partition on brokers 0, 1 and 2, led by 0.
fn partition(isr: &[i32]) -> Partition {
    let replica = |id| Replica { broker: BrokerId(id), core: CoreIndex(0) };
    Partition {
        leader: Some(BrokerId(0)),
        leader_epoch: LeaderEpoch(5),
        partition_epoch: 9,
        replicas: (0..3).map(replica).collect(),
        isr: isr.iter().copied().map(BrokerId).collect(),
        elr: Vec::new(),
    }
}

#[test]
fn nothing_changes_while_the_leader_lives() {
    assert_eq!(reconsider(&partition(&[0, 1, 2]), |_| true, None), None);
}

#[test]
fn the_first_live_in_sync_replica_takes_over() {
    let after = reconsider(&partition(&[0, 2]), |id| id.0 != 0, None).expect("changes");
    assert_eq!(after.leader, Some(BrokerId(2)));
    assert_eq!(after.isr, [BrokerId(2)]);
    assert_eq!((after.leader_epoch, after.partition_epoch), (LeaderEpoch(6), 10));
}

#[test]
fn a_follower_that_goes_leaves_the_isr_and_the_epoch_alone() {
    let after = reconsider(&partition(&[0, 1]), |id| id.0 != 1, None).expect("changes");
    assert_eq!((after.leader, after.leader_epoch), (Some(BrokerId(0)), LeaderEpoch(5)));
    assert_eq!((after.isr, after.partition_epoch), (vec![BrokerId(0)], 10));
}

#[test]
fn a_replica_that_is_out_of_sync_never_leads_unless_it_is_eligible() {
    let only_two_lives = |id: BrokerId| id.0 == 2;
    let after = reconsider(&partition(&[0, 1]), only_two_lives, None).expect("changes");
    assert_eq!((after.leader, after.leader_epoch), (None, LeaderEpoch(6)));
    assert_eq!(after.isr, [BrokerId(0), BrokerId(1)], "they alone know what was committed");
    let eligible = Partition { elr: vec![BrokerId(2)], ..partition(&[0, 1]) };
    let after = reconsider(&eligible, only_two_lives, None).expect("changes");
    assert_eq!(after.leader, Some(BrokerId(2)));
}

#[test]
fn a_restarted_leader_hands_over_where_it_can_and_starts_a_new_epoch_where_it_cannot() {
    let restarted = Some(BrokerId(0));
    let after = reconsider(&partition(&[0, 1]), |_| true, restarted).expect("changes");
    assert_eq!((after.leader, after.isr), (Some(BrokerId(1)), vec![BrokerId(1)]));
    let after = reconsider(&partition(&[0]), |_| true, restarted).expect("changes");
    assert_eq!((after.leader, after.leader_epoch), (Some(BrokerId(0)), LeaderEpoch(6)));
}
