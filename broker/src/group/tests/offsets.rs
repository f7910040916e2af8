//! Stories of committed offsets: when they become visible, who may commit, when they expire.

use super::*;

const RETENTION_MS: u64 = 7 * 24 * 60 * 60 * 1_000;
const CHECK_MS: u64 = 600_000;

fn simple() -> Client {
    Client { generation: -1, ..Client::default() }
}

/// A `consumer` subscription to one topic, as the clients encode it.
const SUBSCRIBED_TO_ORDERS: &str = "\0\u{3}\0\0\0\u{1}\0\u{6}orders\0\0\0\0";

#[test]
fn a_commit_is_visible_when_it_is_stored() {
    let mut shell = Shell::new();
    let [ann] = shell.stable([client()]);
    let commits = shell.commit(&ann, "orders", 42);
    assert!(!shell.answers.contains_key(&commits));
    assert_eq!(shell.offset("orders"), None, "appended is not stored");
    shell.settle();
    assert_eq!(shell.commit_result(commits), Ok(()));
    let stored = shell.groups.committed(GROUP, "orders", 0).unwrap();
    assert_eq!((stored.offset, stored.leader_epoch), (42, Some(3)));
    assert_eq!(stored.commit_timestamp_ms, shell.now.wall_clock_ms);
    assert_eq!(shell.groups.committed(GROUP, "orders", 1), None);
    assert_eq!(shell.groups.all_committed(GROUP).count(), 1);
    assert_eq!(shell.groups.all_committed("h").count(), 0);
}

#[test]
fn reports_out_of_order_take_effect_in_the_order_of_the_log() {
    let mut shell = Shell::new();
    let first = shell.commit(&simple(), "orders", 1);
    let second = shell.commit(&simple(), "orders", 2);
    let appends: Vec<AppendId> = shell.appends.drain(..).map(|a| a.id).collect();
    let effects = shell.groups.appended(appends[1], Ok(()), shell.now);
    assert_eq!(effects, Effects::default(), "the first is still on its way");
    let effects = shell.groups.appended(appends[0], Ok(()), shell.now);
    shell.take(effects);
    assert_eq!(shell.commit_result(first), Ok(()));
    assert_eq!(shell.commit_result(second), Ok(()));
    assert_eq!(shell.offset("orders"), Some(2));
}

#[test]
fn a_commit_that_is_not_stored_changes_nothing() {
    for (failure, told) in [
        (AppendError::TooLarge, GroupError::InvalidCommitOffsetSize),
        (AppendError::Unavailable, GroupError::CoordinatorNotAvailable),
        (AppendError::NotLeader, GroupError::NotCoordinator),
    ] {
        let mut shell = Shell::new();
        let commits = shell.commit(&simple(), "orders", 1);
        shell.settle_with(Err(failure));
        assert_eq!(shell.commit_result(commits), Err(told));
        assert_eq!(shell.offset("orders"), None);
        assert!(shell.groups.list(&[], &[]).is_empty(), "the group was only made for it");
    }
}

#[test]
fn who_may_commit() {
    let mut shell = Shell::new();
    let unknown_group = Client { generation: 1, ..simple() };
    let token = shell.commit(&unknown_group, "orders", 1);
    assert_eq!(shell.commit_result(token), Err(GroupError::GroupIdNotFound));

    let [mut ann, _bob] = shell.stable([client(), client()]);
    let cases = [
        (simple(), GroupError::UnknownMemberId),
        (Client { generation: 7, ..ann.clone() }, GroupError::IllegalGeneration),
        (Client { generation: -1, ..ann.clone() }, GroupError::IllegalGeneration),
        (Client { generation: 1, ..simple() }, GroupError::UnknownMemberId),
    ];
    for (who, error) in cases {
        let token = shell.commit(&who, "orders", 1);
        assert_eq!(shell.commit_result(token), Err(error));
    }
    // The generation that ends may still commit, so that its successor starts where it stopped.
    shell.join(&mut client());
    assert_eq!(shell.state(), GroupState::PreparingRebalance);
    let token = shell.commit(&ann, "orders", 5);
    shell.settle();
    assert_eq!(shell.commit_result(token), Ok(()));
    let ann_joins = shell.join(&mut ann);
    shell.advance(SESSION_MS);
    shell.joined(ann_joins, &mut ann);
    assert_eq!(shell.state(), GroupState::CompletingRebalance);
    let token = shell.commit(&ann, "orders", 6);
    assert_eq!(shell.commit_result(token), Err(GroupError::RebalanceInProgress));
}

#[test]
fn older_clients_hear_of_an_illegal_generation_where_the_group_is_unknown() {
    let mut shell = Shell::new();
    let token = shell.token();
    let request = CommitRequest {
        token,
        group_id: GROUP.to_owned(),
        identity: MemberIdentity::default(),
        generation: Generation(1),
        retention_ms: None,
        partitions: Vec::new(),
        knows_group_id_not_found: false,
    };
    let effects = shell.groups.commit(request, shell.now);
    shell.take(effects);
    assert_eq!(shell.commit_result(token), Err(GroupError::IllegalGeneration));
}

#[test]
fn a_fenced_static_member_cannot_commit() {
    let mut shell = Shell::new();
    let [ann] = shell.stable([static_client("a")]);
    let mut again = ann.clone();
    again.identity.member_id.clear();
    shell.join(&mut again);
    let token = shell.commit(&ann, "orders", 1);
    assert_eq!(shell.commit_result(token), Err(GroupError::FencedInstanceId));
}

#[test]
fn a_commit_keeps_the_session() {
    let mut shell = Shell::new();
    let [ann] = shell.stable([client()]);
    for offset in 0..4 {
        shell.advance(SESSION_MS - 1);
        shell.commit(&ann, "orders", offset);
    }
    assert_eq!(shell.heartbeat(&ann), Ok(()));
}

#[test]
fn metadata_too_large_fails_its_partition_only() {
    let mut shell = Shell::new();
    let token = shell.token();
    let partition = |partition, metadata: String| CommitPartition {
        topic: "orders".to_owned(),
        partition,
        offset: 1,
        leader_epoch: None,
        metadata: Some(metadata),
    };
    let request = CommitRequest {
        token,
        group_id: GROUP.to_owned(),
        identity: MemberIdentity::default(),
        generation: Generation::NONE,
        retention_ms: None,
        // Counted in UTF-16 code units: 4,096 of these are 8,192 bytes.
        partitions: vec![partition(0, "é".repeat(4_096)), partition(1, "x".repeat(4_097))],
        knows_group_id_not_found: true,
    };
    let effects = shell.groups.commit(request, shell.now);
    shell.take(effects);
    shell.settle();
    let Some(Answer::Commit(_, Ok(outcomes))) = shell.answers.get(&token) else { panic!() };
    let errors: Vec<_> = outcomes.iter().map(|o| o.error).collect();
    assert_eq!(errors, [None, Some(GroupError::OffsetMetadataTooLarge)]);
    assert_eq!(shell.groups.all_committed(GROUP).count(), 1);
}

#[test]
fn the_offsets_of_a_simple_consumer_expire_after_their_commit() {
    let mut shell = Shell::new();
    shell.commit(&simple(), "orders", 1);
    shell.settle();
    shell.advance(RETENTION_MS / 2);
    shell.commit(&simple(), "refunds", 1);
    shell.settle();
    shell.advance(RETENTION_MS / 2 + CHECK_MS);
    shell.settle();
    assert_eq!(shell.offset("orders"), None);
    assert_eq!(shell.offset("refunds"), Some(1));
    shell.advance(RETENTION_MS / 2 + CHECK_MS);
    shell.settle();
    assert!(shell.groups.list(&[], &[]).is_empty(), "nothing is left of the group");
    assert!(shell.log.last().unwrap().value.is_none(), "its tombstone is the last record");
}

#[test]
fn an_offset_with_a_time_of_its_own_expires_then() {
    let mut shell = Shell::new();
    let token = shell.token();
    let request = CommitRequest {
        token,
        group_id: GROUP.to_owned(),
        identity: MemberIdentity::default(),
        generation: Generation::NONE,
        retention_ms: Some(60_000),
        partitions: vec![CommitPartition {
            topic: "orders".to_owned(),
            partition: 0,
            offset: 1,
            leader_epoch: None,
            metadata: None,
        }],
        knows_group_id_not_found: false,
    };
    let effects = shell.groups.commit(request, shell.now);
    shell.take(effects);
    shell.settle();
    shell.advance(CHECK_MS);
    shell.settle();
    assert_eq!(shell.offset("orders"), None);
}

#[test]
fn the_offsets_of_a_group_expire_after_its_last_member_left() {
    let mut shell = Shell::new();
    let [ann] = shell.stable([client()]);
    shell.commit(&ann, "orders", 1);
    shell.settle();
    for _ in 0..(RETENTION_MS + CHECK_MS) / 9_000 {
        shell.advance(9_000);
        assert_eq!(shell.heartbeat(&ann), Ok(()));
    }
    shell.settle();
    assert_eq!(shell.offset("orders"), Some(1), "somebody consumes, so nothing expires");
    shell.leave(&[ann.identity]);
    shell.settle();
    shell.advance(RETENTION_MS - 1);
    assert_eq!(shell.offset("orders"), Some(1));
    shell.advance(CHECK_MS + 1);
    assert_eq!(shell.offset("orders"), Some(1), "until the tombstone is stored");
    shell.settle();
    assert_eq!(shell.offset("orders"), None);
    assert_eq!(shell.state(), GroupState::Dead);
}

#[test]
fn a_consumer_group_forgets_topics_that_it_no_longer_reads() {
    let mut shell = Shell::new();
    let mut reader = client();
    reader.protocols = vec![("range", SUBSCRIBED_TO_ORDERS)];
    let [ann] = shell.stable([reader]);
    shell.commit(&ann, "orders", 1);
    shell.commit(&ann, "refunds", 1);
    shell.settle();
    for _ in 0..(RETENTION_MS + CHECK_MS) / 9_000 {
        shell.advance(9_000);
        assert_eq!(shell.heartbeat(&ann), Ok(()));
    }
    shell.settle();
    assert_eq!(shell.offset("orders"), Some(1));
    assert_eq!(shell.offset("refunds"), None);
}

#[test]
fn the_offsets_of_deleted_topics_go() {
    let mut shell = Shell::new();
    shell.commit(&simple(), "orders", 1);
    shell.commit(&simple(), "refunds", 1);
    shell.settle();
    let effects = shell.groups.forget_topics(&["orders"]);
    shell.take(effects);
    assert_eq!(shell.offset("orders"), Some(1), "until the tombstone is stored");
    shell.settle();
    assert_eq!(shell.offset("orders"), None);
    assert_eq!(shell.offset("refunds"), Some(1));
}
