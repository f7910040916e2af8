//! Stories of a coordinator that starts from its log.

use super::*;
use crate::group::records::DecodeError;

fn restarted(shell: &Shell, config: GroupConfig) -> Shell {
    let mut replay = Replay::new();
    for record in &shell.log {
        replay.apply(&record.key, record.value.as_deref()).expect("we read what we wrote");
    }
    let mut next = Shell::with(config);
    next.now = shell.now;
    next.next_token = shell.next_token;
    let (groups, effects) = replay.finish(next.groups.config.clone(), next.now);
    next.groups = groups;
    next.take(effects);
    next
}

#[test]
fn a_group_goes_on_after_a_restart_without_a_rebalance() {
    let mut shell = Shell::new();
    let [ann, bob] = shell.stable([client(), static_client("b")]);
    shell.commit(&ann, "orders", 41);
    shell.commit(&ann, "orders", 42);
    shell.settle();
    let mut next = restarted(&shell, GroupConfig::default());
    assert_eq!(next.state(), GroupState::Stable);
    assert_eq!(next.offset("orders"), Some(42), "the later record wins");
    assert_eq!(next.groups.describe(GROUP), shell.groups.describe(GROUP));
    assert_eq!(next.heartbeat(&ann), Ok(()));
    let bob_syncs = next.sync(&bob, &[]);
    assert_eq!(next.synced(bob_syncs), Ok(&b"p1"[..]));
    next.advance(SESSION_MS);
    assert_eq!(next.heartbeat(&bob), Err(GroupError::UnknownMemberId), "sessions began anew");
}

#[test]
fn the_leader_leads_on_after_a_restart() {
    let mut shell = Shell::new();
    let mut request = shell.join_request(&client());
    request.requires_known_member_id = false;
    "zoe".clone_into(&mut request.new_member_id);
    let (mut zoe, mut ann) = (client(), client());
    let zoe_joins = shell.send_join(&request);
    let ann_joins = shell.join(&mut ann);
    shell.advance(2 * INITIAL_DELAY_MS);
    shell.joined(zoe_joins, &mut zoe);
    shell.joined(ann_joins, &mut ann);
    shell.sync(&zoe, &[]);
    shell.settle();
    let mut next = restarted(&shell, GroupConfig::default());
    let ann_joins = next.join(&mut ann);
    assert_eq!(next.joined(ann_joins, &mut ann).leader, "zoe", "ann only follows");
}

#[test]
fn what_was_not_stored_is_not_there() {
    let mut shell = Shell::new();
    let [ann] = shell.stable([client()]);
    shell.commit(&ann, "orders", 42);
    let next = restarted(&shell, GroupConfig::default());
    assert_eq!(next.offset("orders"), None);
}

#[test]
fn tombstones_remove_offsets_and_groups() {
    let mut shell = Shell::new();
    let [ann] = shell.stable([client()]);
    shell.commit(&ann, "orders", 1);
    shell.commit(&ann, "refunds", 1);
    shell.settle();
    let effects = shell.groups.forget_topics(&["orders"]);
    shell.take(effects);
    shell.settle();
    let next = restarted(&shell, GroupConfig::default());
    assert_eq!((next.offset("orders"), next.offset("refunds")), (None, Some(1)));

    shell.leave(&[ann.identity]);
    let token = shell.token();
    let effects = shell.groups.delete(token, GROUP, shell.now);
    shell.take(effects);
    shell.settle();
    let next = restarted(&shell, GroupConfig::default());
    assert!(next.groups.list(&[], &[]).is_empty());
}

#[test]
fn generations_go_on_counting_after_a_restart() {
    let mut shell = Shell::new();
    let [ann] = shell.stable([client()]);
    shell.leave(&[ann.identity]);
    shell.settle();
    let mut next = restarted(&shell, GroupConfig::default());
    assert_eq!(next.state(), GroupState::Empty);
    let mut bob = client();
    let bob_joins = next.join(&mut bob);
    next.advance(INITIAL_DELAY_MS);
    assert_eq!(next.joined(bob_joins, &mut bob).generation, Generation(3));
}

#[test]
fn a_group_larger_than_the_settings_now_allow_is_rebalanced() {
    let mut shell = Shell::new();
    let [mut ann, mut bob] = shell.stable([client(), client()]);
    let config = GroupConfig { max_size: 1, ..GroupConfig::default() };
    let mut next = restarted(&shell, config);
    assert_eq!(next.state(), GroupState::PreparingRebalance);
    let ann_joins = next.join(&mut ann);
    let bob_joins = next.join(&mut bob);
    assert_eq!(next.join_error(bob_joins), GroupError::GroupMaxSizeReached, "the last is out");
    assert_eq!(next.joined(ann_joins, &mut ann).members.len(), 1);
}

#[test]
fn a_record_of_another_kind_has_no_effect() {
    let mut replay = Replay::new();
    let unknown = replay.apply(&[0, 3, 0, 1, b'g'], Some(&[0, 0]));
    assert_eq!(unknown, Err(DecodeError::UnknownKeyVersion(3)));
    let now = Now { instant: Instant::from_nanos(0), wall_clock_ms: 0 };
    let (groups, effects) = replay.finish(GroupConfig::default(), now);
    assert!(groups.list(&[], &[]).is_empty());
    assert_eq!(effects, Effects::default());
}
