//! Stories of static members (KIP-345): they restart without a rebalance, and fence whoever they replace.

use super::*;

fn restart(client: &Client) -> Client {
    let mut restarted = client.clone();
    restarted.identity.member_id.clear();
    restarted
}

#[test]
fn a_restarted_follower_gets_its_assignment_back_without_a_rebalance() {
    let mut shell = Shell::new();
    let [ann, bob] = shell.stable([static_client("a"), static_client("b")]);
    let records_before = shell.log.len();
    let mut again = restart(&bob);
    let joins = shell.join(&mut again);
    assert!(!shell.answers.contains_key(&joins), "its new id is stored first");
    shell.settle();
    assert_eq!(shell.log.len(), records_before + 1);
    let joined = shell.joined(joins, &mut again);
    assert_eq!(joined.generation, Generation(1));
    assert_ne!(again.identity.member_id, bob.identity.member_id);
    assert!(!joined.skip_assignment);
    assert!(joined.members.is_empty());
    let syncs = shell.sync(&again, &[]);
    assert_eq!(shell.synced(syncs), Ok(&b"p1"[..]));
    assert_eq!(shell.heartbeat(&ann), Ok(()), "nobody else notices");

    assert_eq!(shell.heartbeat(&bob), Err(GroupError::FencedInstanceId));
    let old_syncs = shell.sync(&bob, &[]);
    assert_eq!(shell.synced(old_syncs), Err(GroupError::FencedInstanceId));
    let mut old = bob;
    let old_joins = shell.join(&mut old);
    assert_eq!(shell.join_error(old_joins), GroupError::FencedInstanceId);
    assert_eq!(shell.leave(&[old.identity]), [Some(GroupError::FencedInstanceId)]);
}

#[test]
fn a_restarted_leader_leads_on_but_skips_the_assignment() {
    let mut shell = Shell::new();
    let [ann, _bob] = shell.stable([static_client("a"), static_client("b")]);
    let mut again = restart(&ann);
    let joins = shell.join(&mut again);
    shell.settle();
    let joined = shell.joined(joins, &mut again);
    assert!(joined.skip_assignment, "KIP-814");
    assert_eq!(joined.leader, again.identity.member_id);
    assert_eq!(joined.members.len(), 2);
}

#[test]
fn a_restarted_leader_of_an_old_version_is_told_of_its_predecessor() {
    let mut shell = Shell::new();
    let [ann, _bob] = shell.stable([static_client("a"), static_client("b")]);
    let mut again = restart(&ann);
    let mut request = shell.join_request(&again);
    request.supports_skip_assignment = false;
    let joins = shell.send_join(&request);
    shell.settle();
    let joined = shell.joined(joins, &mut again);
    assert!(!joined.skip_assignment);
    assert_eq!(joined.leader, ann.identity.member_id, "so that it does not assign");
    assert!(joined.members.is_empty());
}

#[test]
fn a_restart_that_changes_the_groups_protocol_rebalances() {
    let mut shell = Shell::new();
    let mut both = static_client("a");
    both.protocols = vec![("range", ""), ("sticky", "")];
    let mut only = both.clone();
    only.identity.instance_id = Some("b".to_owned());
    let [_, bob] = shell.stable([both, only]);
    let mut again = restart(&bob);
    again.protocols = vec![("sticky", "")];
    shell.join(&mut again);
    assert_eq!(shell.state(), GroupState::PreparingRebalance);
}

#[test]
fn a_restart_while_the_leader_assigns_begins_the_rebalance_anew() {
    let mut shell = Shell::new();
    let (mut ann, mut bob) = (static_client("a"), static_client("b"));
    let (ann_joins, bob_joins) = (shell.join(&mut ann), shell.join(&mut bob));
    shell.advance(2 * INITIAL_DELAY_MS);
    shell.joined(ann_joins, &mut ann);
    shell.joined(bob_joins, &mut bob);
    let bob_syncs = shell.sync(&bob, &[]);
    let mut again = restart(&bob);
    let again_joins = shell.join(&mut again);
    assert_eq!(shell.synced(bob_syncs), Err(GroupError::FencedInstanceId), "bob is replaced");
    assert_eq!(shell.state(), GroupState::PreparingRebalance);
    let ann_joins = shell.join(&mut ann);
    assert_eq!(shell.joined(again_joins, &mut again).generation, Generation(2));
    shell.joined(ann_joins, &mut ann);
}

#[test]
fn the_join_of_the_replaced_process_is_fenced_at_once() {
    let mut shell = Shell::new();
    let mut ann = static_client("a");
    let first = shell.join(&mut ann);
    let second = shell.join(&mut ann);
    assert_eq!(shell.join_error(first), GroupError::FencedInstanceId);
    shell.advance(INITIAL_DELAY_MS);
    assert_eq!(shell.joined(second, &mut ann).members.len(), 1);
}

#[test]
fn a_restart_that_is_stored_slowly_begins_its_session_when_it_is_answered() {
    let mut shell = Shell::new();
    let [ann, bob] = shell.stable([static_client("a"), static_client("b")]);
    let mut again = restart(&bob);
    let joins = shell.join(&mut again);
    for _ in 0..4 {
        shell.advance(SESSION_MS / 2);
        assert_eq!(shell.heartbeat(&ann), Ok(()), "the log is slow");
    }
    shell.settle();
    shell.joined(joins, &mut again);
    shell.advance(SESSION_MS - 1);
    assert_eq!(shell.heartbeat(&ann), Ok(()));
    assert_eq!(shell.heartbeat(&again), Ok(()), "its own session is not over");
    for _ in 0..2 {
        shell.advance(SESSION_MS / 2);
        let _ = shell.heartbeat(&ann);
    }
    assert_eq!(shell.heartbeat(&again), Err(GroupError::UnknownMemberId), "now it is");
}

#[test]
fn a_restart_that_cannot_be_stored_leaves_the_old_id_in_place() {
    let mut shell = Shell::new();
    let [_ann, bob] = shell.stable([static_client("a"), static_client("b")]);
    let mut again = restart(&bob);
    again.protocols = vec![("range", "other"), ("sticky", "")];
    let joins = shell.join(&mut again);
    shell.settle_with(Err(AppendError::Unavailable));
    assert_eq!(shell.join_error(joins), GroupError::CoordinatorNotAvailable);
    assert_eq!(shell.heartbeat(&bob), Ok(()));
    let described = shell.groups.describe(GROUP).unwrap();
    assert!(described.members.iter().all(|m| &m.metadata[..] == b"topics"), "as it was");
}

#[test]
fn a_rebalance_keeps_the_place_of_a_static_member_that_is_away() {
    let mut shell = Shell::new();
    let [mut ann, bob] = shell.stable([static_client("a"), static_client("b")]);
    let ann_joins = shell.join(&mut ann);
    for _ in 0..REBALANCE_MS / 5_000 {
        assert_eq!(shell.heartbeat(&bob), Err(GroupError::RebalanceInProgress));
        shell.advance(5_000);
    }
    let joined = shell.joined(ann_joins, &mut ann);
    assert_eq!(joined.members.len(), 2, "bob counts until his session ends");
}

#[test]
fn an_administrator_removes_a_static_member_by_its_instance_id() {
    let mut shell = Shell::new();
    let [_ann, bob] = shell.stable([static_client("a"), static_client("b")]);
    let by_instance =
        |id: &str| MemberIdentity { member_id: String::new(), instance_id: Some(id.to_owned()) };
    let outcomes = shell.leave(&[by_instance("b"), by_instance("c")]);
    assert_eq!(outcomes, [None, Some(GroupError::UnknownMemberId)]);
    assert_eq!(shell.heartbeat(&bob), Err(GroupError::UnknownMemberId));
    assert_eq!(shell.state(), GroupState::PreparingRebalance);
}

#[test]
fn a_rebalance_that_no_static_member_joins_waits_for_their_sessions() {
    let mut shell = Shell::new();
    let [_ann, bob, cleo] = shell.stable([static_client("a"), static_client("b"), client()]);
    shell.leave(&[cleo.identity]);
    assert_eq!(shell.state(), GroupState::PreparingRebalance);
    // Both of the others hear of it; ann falls silent, bob goes on sending heartbeats.
    for _ in 0..(REBALANCE_MS + 5_000) / 5_000 {
        assert_eq!(shell.heartbeat(&bob), Err(GroupError::RebalanceInProgress));
        shell.advance(5_000);
    }
    assert_eq!(shell.state(), GroupState::PreparingRebalance, "postponed, not completed");
    shell.advance(SESSION_MS);
    shell.settle();
    assert_eq!(shell.state(), GroupState::Empty);
}
