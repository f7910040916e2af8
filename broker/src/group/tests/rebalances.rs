//! Stories of rebalances: who waits for whom, and what each hears.

use super::*;

#[test]
fn two_members_join_and_share_the_work() {
    let mut shell = Shell::new();
    let (mut ann, mut bob) = (client(), client());
    let ann_joins = shell.join(&mut ann);
    let bob_joins = shell.join(&mut bob);
    assert_eq!(shell.state(), GroupState::PreparingRebalance);

    shell.advance(INITIAL_DELAY_MS - 1);
    assert!(!shell.answers.contains_key(&ann_joins), "the first rebalance waits for more");
    shell.advance(INITIAL_DELAY_MS + 1);

    let led = shell.joined(ann_joins, &mut ann);
    let followed = shell.joined(bob_joins, &mut bob);
    assert_eq!(led.leader, ann.identity.member_id, "the first to come leads");
    assert_eq!(led.members.len(), 2, "the leader learns of everybody");
    assert_eq!(&led.members[0].metadata[..], b"topics");
    assert!(followed.members.is_empty(), "a follower does not");
    assert_eq!(followed.protocol_name.as_deref(), Some("range"));
    assert_eq!(shell.state(), GroupState::CompletingRebalance);

    let bob_syncs = shell.sync(&bob, &[]);
    let ann_syncs = shell.sync(&ann, &[(&ann, "left"), (&bob, "right")]);
    assert!(!shell.answers.contains_key(&ann_syncs), "nobody hears before it is stored");
    shell.settle();
    assert_eq!(shell.synced(ann_syncs), Ok(&b"left"[..]));
    assert_eq!(shell.synced(bob_syncs), Ok(&b"right"[..]));
    assert_eq!(shell.state(), GroupState::Stable);
    assert_eq!(shell.heartbeat(&ann), Ok(()));
}

#[test]
fn the_initial_rebalance_waits_for_late_comers_but_not_for_ever() {
    let mut shell = Shell::new();
    let mut first = client();
    let first_joins = shell.join(&mut first);
    // One more comes every two seconds, so each step of three seconds sees a new one.
    for _ in 0..40 {
        shell.advance(2_000);
        if shell.answers.contains_key(&first_joins) {
            break;
        }
        shell.join(&mut client());
    }
    let waited_ms = (shell.now.wall_clock_ms - 1_700_000_000_000) as u64;
    shell.joined(first_joins, &mut first);
    assert!(waited_ms >= REBALANCE_MS - INITIAL_DELAY_MS, "waited only {waited_ms} ms");
    assert!(waited_ms <= REBALANCE_MS + INITIAL_DELAY_MS, "waited {waited_ms} ms");
}

#[test]
fn a_third_member_makes_everybody_join_again() {
    let mut shell = Shell::new();
    let [mut ann, mut bob] = shell.stable([client(), client()]);
    let mut cleo = client();
    let cleo_joins = shell.join(&mut cleo);
    assert_eq!(shell.heartbeat(&ann), Err(GroupError::RebalanceInProgress));
    let late_sync = shell.sync(&bob, &[]);
    assert_eq!(shell.synced(late_sync), Err(GroupError::RebalanceInProgress));

    let bob_joins = shell.join(&mut bob);
    assert!(!shell.answers.contains_key(&cleo_joins), "ann is missing");
    let ann_joins = shell.join(&mut ann);
    assert_eq!(shell.joined(ann_joins, &mut ann).generation, Generation(2), "at once");
    assert_eq!(shell.joined(ann_joins, &mut ann).leader, ann.identity.member_id);
    shell.joined(bob_joins, &mut bob);
    shell.joined(cleo_joins, &mut cleo);

    let cleo_syncs = shell.sync(&cleo, &[]);
    shell.sync(&ann, &[(&ann, "a"), (&bob, "b")]);
    shell.settle();
    assert_eq!(shell.synced(cleo_syncs), Ok(&b""[..]), "whom the leader forgets gets nothing");
}

#[test]
fn one_leaves_and_the_other_takes_over() {
    let mut shell = Shell::new();
    let [ann, mut bob] = shell.stable([client(), client()]);
    assert_eq!(shell.leave(std::slice::from_ref(&ann.identity)), [None]);
    assert_eq!(shell.state(), GroupState::PreparingRebalance);
    assert_eq!(shell.heartbeat(&bob), Err(GroupError::RebalanceInProgress));
    let bob_joins = shell.join(&mut bob);
    let joined = shell.joined(bob_joins, &mut bob);
    assert_eq!(joined.leader, bob.identity.member_id);
    assert_eq!(joined.members.len(), 1);
    assert_eq!(shell.heartbeat(&ann), Err(GroupError::UnknownMemberId));
}

#[test]
fn the_last_one_leaves_an_empty_group_with_a_record() {
    let mut shell = Shell::new();
    let [ann, bob] = shell.stable([client(), client()]);
    let before = shell.log.len();
    assert_eq!(shell.leave(&[ann.identity, bob.identity.clone()]), [None, None]);
    shell.settle();
    assert_eq!(shell.state(), GroupState::Empty);
    assert_eq!(shell.log.len(), before + 1);
    assert_eq!(shell.heartbeat(&bob), Err(GroupError::UnknownMemberId));
    let syncs = shell.sync(&bob, &[]);
    assert_eq!(shell.synced(syncs), Err(GroupError::UnknownMemberId));
}

#[test]
fn the_leader_dies_while_the_others_wait_for_its_assignment() {
    let mut shell = Shell::new();
    let (mut ann, mut bob) = (client(), client());
    let (ann_joins, bob_joins) = (shell.join(&mut ann), shell.join(&mut bob));
    shell.advance(2 * INITIAL_DELAY_MS);
    shell.joined(ann_joins, &mut ann);
    shell.joined(bob_joins, &mut bob);
    let bob_syncs = shell.sync(&bob, &[]);

    shell.advance(SESSION_MS);
    assert_eq!(shell.synced(bob_syncs), Err(GroupError::RebalanceInProgress));
    let bob_joins = shell.join(&mut bob);
    let joined = shell.joined(bob_joins, &mut bob);
    assert_eq!(joined.leader, bob.identity.member_id, "bob leads alone");
    assert_eq!(joined.generation, Generation(2));
}

#[test]
fn a_leader_that_only_sends_heartbeats_is_put_out_after_the_rebalance_timeout() {
    let mut shell = Shell::new();
    let (mut ann, mut bob) = (client(), client());
    let (ann_joins, bob_joins) = (shell.join(&mut ann), shell.join(&mut bob));
    shell.advance(2 * INITIAL_DELAY_MS);
    shell.joined(ann_joins, &mut ann);
    shell.joined(bob_joins, &mut bob);
    let bob_syncs = shell.sync(&bob, &[]);
    for _ in 0..REBALANCE_MS / 5_000 {
        assert!(!shell.answers.contains_key(&bob_syncs));
        assert_eq!(shell.heartbeat(&ann), Ok(()));
        shell.advance(5_000);
    }
    assert_eq!(shell.synced(bob_syncs), Err(GroupError::RebalanceInProgress));
    assert_eq!(shell.heartbeat(&ann), Err(GroupError::UnknownMemberId));
}

#[test]
fn a_member_that_falls_silent_is_given_up_after_its_session() {
    let mut shell = Shell::new();
    let [ann, bob] = shell.stable([client(), client()]);
    shell.advance(SESSION_MS - 1);
    assert_eq!(shell.heartbeat(&ann), Ok(()), "just in time");
    shell.advance(1);
    assert_eq!(shell.state(), GroupState::PreparingRebalance, "bob is gone");
    assert_eq!(shell.heartbeat(&bob), Err(GroupError::UnknownMemberId));
    assert_eq!(shell.heartbeat(&ann), Err(GroupError::RebalanceInProgress));
}

#[test]
fn who_does_not_join_again_in_the_rebalance_timeout_is_left_behind() {
    let mut shell = Shell::new();
    let [mut ann, bob] = shell.stable([client(), client()]);
    let ann_joins = shell.join(&mut ann);
    for _ in 0..REBALANCE_MS / 5_000 {
        assert!(!shell.answers.contains_key(&ann_joins));
        // Bob hears of the rebalance and does not act: still in a long poll, perhaps.
        assert_eq!(shell.heartbeat(&bob), Err(GroupError::RebalanceInProgress));
        shell.advance(5_000);
    }
    assert_eq!(shell.joined(ann_joins, &mut ann).members.len(), 1);
    assert_eq!(shell.heartbeat(&bob), Err(GroupError::UnknownMemberId));
}

#[test]
fn somebody_joins_while_the_assignment_is_being_stored() {
    let mut shell = Shell::new();
    let (mut ann, mut bob) = (client(), client());
    let ann_joins = shell.join(&mut ann);
    shell.advance(INITIAL_DELAY_MS);
    shell.joined(ann_joins, &mut ann);
    let ann_syncs = shell.sync(&ann, &[(&ann, "all")]);
    shell.join(&mut bob);
    assert_eq!(shell.synced(ann_syncs), Err(GroupError::RebalanceInProgress));
    shell.settle();
    assert_eq!(shell.state(), GroupState::PreparingRebalance, "that assignment is void");
}

#[test]
fn the_assignment_cannot_be_stored() {
    for (failure, told) in [
        (AppendError::Unavailable, GroupError::CoordinatorNotAvailable),
        (AppendError::NotLeader, GroupError::NotCoordinator),
        (AppendError::TooLarge, GroupError::UnknownServerError),
    ] {
        let mut shell = Shell::new();
        let mut ann = client();
        let ann_joins = shell.join(&mut ann);
        shell.advance(INITIAL_DELAY_MS);
        shell.joined(ann_joins, &mut ann);
        let ann_syncs = shell.sync(&ann, &[(&ann, "all")]);
        shell.settle_with(Err(failure));
        assert_eq!(shell.synced(ann_syncs), Err(told));
        assert_eq!(shell.state(), GroupState::PreparingRebalance, "the client starts over");
    }
}

#[test]
fn an_assignment_too_large_for_its_record_is_refused_without_a_write() {
    let mut shell = Shell::new();
    let mut ann = client();
    let mut request = shell.join_request(&ann);
    request.requires_known_member_id = false;
    request.client_id = "x".repeat(40_000);
    let ann_joins = shell.send_join(&request);
    shell.advance(INITIAL_DELAY_MS);
    shell.joined(ann_joins, &mut ann);
    let ann_syncs = shell.sync(&ann, &[(&ann, "all")]);
    assert!(shell.appends.is_empty());
    assert_eq!(shell.synced(ann_syncs), Err(GroupError::UnknownServerError));
}

#[test]
fn a_leader_that_repeats_its_sync_has_one_assignment_stored() {
    let mut shell = Shell::new();
    let mut ann = client();
    let ann_joins = shell.join(&mut ann);
    shell.advance(INITIAL_DELAY_MS);
    shell.joined(ann_joins, &mut ann);
    let first = shell.sync(&ann, &[(&ann, "one")]);
    let second = shell.sync(&ann, &[(&ann, "two")]);
    assert_eq!(shell.appends.len(), 1);
    assert_eq!(shell.synced(first), Err(GroupError::RebalanceInProgress), "superseded");
    shell.settle();
    assert_eq!(shell.synced(second), Ok(&b"one"[..]));
}

#[test]
fn joining_again_without_news_does_not_disturb_a_stable_group() {
    let mut shell = Shell::new();
    let [mut ann, mut bob] = shell.stable([client(), client()]);
    let bob_joins = shell.join(&mut bob);
    assert_eq!(shell.joined(bob_joins, &mut bob).generation, Generation(1), "a follower stays");
    assert_eq!(shell.state(), GroupState::Stable);
    let bob_syncs = shell.sync(&bob, &[]);
    assert_eq!(shell.synced(bob_syncs), Ok(&b"p1"[..]));

    bob.protocols = vec![("range", "other topics")];
    shell.join(&mut bob);
    assert_eq!(shell.state(), GroupState::PreparingRebalance, "a new subscription counts");
    let ann_joins = shell.join(&mut ann);
    assert_eq!(shell.joined(ann_joins, &mut ann).generation, Generation(2));
}

#[test]
fn a_leader_that_joins_again_rebalances_the_group() {
    let mut shell = Shell::new();
    let [mut ann, bob] = shell.stable([client(), client()]);
    let ann_joins = shell.join(&mut ann);
    assert_eq!(shell.state(), GroupState::PreparingRebalance, "topics may have grown");
    assert!(!shell.answers.contains_key(&ann_joins));
    assert_eq!(shell.heartbeat(&bob), Err(GroupError::RebalanceInProgress));
}

#[test]
fn the_leader_stays_the_leader_whatever_its_name() {
    let mut shell = Shell::new();
    let mut request = shell.join_request(&client());
    request.requires_known_member_id = false;
    "zoe".clone_into(&mut request.new_member_id);
    let (mut zoe, mut ann) = (client(), client());
    let zoe_joins = shell.send_join(&request);
    let ann_joins = shell.join(&mut ann);
    shell.advance(2 * INITIAL_DELAY_MS);
    assert_eq!(shell.joined(zoe_joins, &mut zoe).leader, "zoe");
    shell.joined(ann_joins, &mut ann);
    shell.sync(&zoe, &[]);
    shell.settle();
    let zoe_joins = shell.join(&mut zoe);
    let ann_joins = shell.join(&mut ann);
    assert_eq!(shell.joined(zoe_joins, &mut zoe).members.len(), 2, "zoe leads again");
    assert_eq!(shell.joined(ann_joins, &mut ann).leader, "zoe");
}

#[test]
fn a_join_answer_that_was_lost_is_given_again() {
    let mut shell = Shell::new();
    let mut ann = client();
    let lost = shell.join(&mut ann);
    shell.advance(INITIAL_DELAY_MS);
    assert!(shell.answers.contains_key(&lost));
    let again = shell.join(&mut ann);
    let joined = shell.joined(again, &mut ann);
    assert_eq!(joined.generation, Generation(1));
    assert_eq!(joined.members.len(), 1, "with the members, for the leader");
    assert_eq!(shell.state(), GroupState::CompletingRebalance);
}

#[test]
fn a_join_sent_twice_leaves_no_request_without_an_answer() {
    let mut shell = Shell::new();
    let mut ann = client();
    let first = shell.join(&mut ann);
    let second = shell.join(&mut ann);
    assert_eq!(shell.join_error(first), GroupError::RebalanceInProgress);
    shell.advance(INITIAL_DELAY_MS);
    shell.joined(second, &mut ann);
}
