//! Stories of the collection: finding, listing, describing and deleting groups, and stepping down.

use super::*;

#[test]
fn groups_live_where_kafka_puts_them() {
    // Computed with Java's String.hashCode.
    let cases = [
        ("", 0, 0),
        ("g", 3, 5),
        ("my-group", 12, 1),
        ("console-consumer-12345", 6, 6),
        ("grüppe", 12, 3),
        ("😀", 49, 2),
        // Its hash is the one number without an absolute value.
        ("polygenelubricants", 0, 0),
    ];
    for (group_id, of_50, of_7) in cases {
        assert_eq!(partition_for(group_id, 50), of_50, "{group_id}");
        assert_eq!(partition_for(group_id, 7), of_7, "{group_id}");
    }
}

#[test]
fn member_ids_look_like_kafkas() {
    let random = 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef;
    let id = new_member_id("app", None, random);
    assert_eq!(id, "app-01234567-89ab-4def-8123-456789abcdef");
    assert!(new_member_id("app", Some("i"), u128::MAX).starts_with("i-ffffffff-ffff-4fff-bfff-"));
}

#[test]
fn groups_are_listed_by_state_and_type() {
    let mut shell = Shell::new();
    shell.stable([client()]);
    let mut request = shell.join_request(&client());
    request.group_id = "h".to_owned();
    shell.send_join(&request);
    let listed = |states: &[&str], types: &[&str]| -> Vec<String> {
        shell.groups.list(states, types).into_iter().map(|g| g.group_id).collect()
    };
    assert_eq!(listed(&[], &[]), ["g", "h"]);
    assert_eq!(listed(&["stable"], &[]), ["g"]);
    assert_eq!(listed(&[" EMPTY ", "Dead"], &["Classic"]), ["h"]);
    assert!(listed(&[], &["consumer"]).is_empty());
    assert_eq!(shell.groups.count_by_state(GroupState::Stable), 1);
}

#[test]
fn one_tick_handles_every_group_that_is_due() {
    let mut shell = Shell::new();
    let mut tokens = Vec::new();
    for group_id in ["a", "b", "c"] {
        let mut request = shell.join_request(&client());
        request.group_id = group_id.to_owned();
        request.requires_known_member_id = false;
        tokens.push(shell.send_join(&request));
    }
    shell.now.instant = shell.groups.next_deadline();
    let effects = shell.groups.tick(shell.now);
    shell.take(effects);
    assert!(tokens.iter().all(|token| shell.answers.contains_key(token)));
    assert!(shell.groups.next_deadline() > shell.now.instant);
}

#[test]
fn a_group_is_described_in_full_when_it_is_stable() {
    let mut shell = Shell::new();
    let [ann, _bob] = shell.stable([client(), client()]);
    let group = shell.groups.describe(GROUP).unwrap();
    assert_eq!((group.protocol_type.as_str(), group.protocol.as_str()), ("consumer", "range"));
    assert_eq!(group.members[0].member_id, ann.identity.member_id);
    assert_eq!(&group.members[0].metadata[..], b"topics");
    assert_eq!(&group.members[0].assignment[..], b"p0");
    assert_eq!(group.members[0].client_host, "/127.0.0.1");
    shell.leave(&[ann.identity]);
    let group = shell.groups.describe(GROUP).unwrap();
    assert_eq!(group.protocol, "", "between two generations there is no protocol");
    assert!(group.members[0].metadata.is_empty());
    assert_eq!(shell.groups.describe("h"), None);
}

impl Shell {
    fn delete(&mut self) -> RequestToken {
        let token = self.token();
        let effects = self.groups.delete(token, GROUP, self.now);
        self.take(effects);
        token
    }

    fn deleted(&self, token: RequestToken) -> Result<(), GroupError> {
        match self.answers.get(&token) {
            Some(Answer::Delete(_, result)) => *result,
            other => panic!("expected an answer, got {other:?}"),
        }
    }
}

#[test]
fn only_an_empty_group_is_deleted_with_all_its_offsets() {
    let mut shell = Shell::new();
    let token = shell.delete();
    assert_eq!(shell.deleted(token), Err(GroupError::GroupIdNotFound));
    let [ann] = shell.stable([client()]);
    let token = shell.delete();
    assert_eq!(shell.deleted(token), Err(GroupError::NonEmptyGroup));
    shell.commit(&ann, "orders", 1);
    shell.settle();
    shell.leave(std::slice::from_ref(&ann.identity));
    // A commit without a member is still on its way when the group is deleted.
    shell.commit(&Client { generation: -1, ..Client::default() }, "refunds", 1);
    let token = shell.delete();
    let joins = shell.join(&mut client());
    assert_eq!(shell.join_error(joins), GroupError::CoordinatorNotAvailable, "try again");
    assert!(!shell.answers.contains_key(&token));
    shell.settle();
    assert_eq!(shell.deleted(token), Ok(()));
    assert_eq!(shell.state(), GroupState::Dead);
    let tombstones = shell.log.iter().rev().take_while(|r| r.value.is_none()).count();
    assert_eq!(tombstones, 3, "two offsets and the group");
    shell.stable([client()]);
}

#[test]
fn a_deletion_that_is_not_stored_leaves_the_group() {
    let mut shell = Shell::new();
    shell.commit(&Client { generation: -1, ..Client::default() }, "orders", 1);
    shell.settle();
    let token = shell.delete();
    shell.settle_with(Err(AppendError::Unavailable));
    assert_eq!(shell.deleted(token), Err(GroupError::CoordinatorNotAvailable));
    assert_eq!(shell.offset("orders"), Some(1));
    assert_eq!(shell.state(), GroupState::Empty);
    let token = shell.delete();
    shell.settle();
    assert_eq!(shell.deleted(token), Ok(()));
}

#[test]
fn a_deletion_of_which_half_is_stored_is_a_failure() {
    let mut shell = Shell::new();
    shell.commit(&Client { generation: -1, ..Client::default() }, "orders", 1);
    shell.settle();
    let token = shell.delete();
    let [offsets, group] =
        [shell.appends.pop_front(), shell.appends.pop_front()].map(Option::unwrap);
    let effects = shell.groups.appended(offsets.id, Err(AppendError::Unavailable), shell.now);
    shell.take(effects);
    let effects = shell.groups.appended(group.id, Ok(()), shell.now);
    shell.take(effects);
    assert_eq!(shell.deleted(token), Err(GroupError::CoordinatorNotAvailable));
    assert_eq!(shell.offset("orders"), Some(1), "its record is still in the log");
}

#[test]
fn a_broker_that_steps_down_sends_everybody_away() {
    let mut shell = Shell::new();
    let (mut ann, mut bob) = (client(), client());
    let (ann_joins, bob_joins) = (shell.join(&mut ann), shell.join(&mut bob));
    shell.advance(2 * INITIAL_DELAY_MS);
    shell.joined(ann_joins, &mut ann);
    shell.joined(bob_joins, &mut bob);
    let ann_syncs = shell.sync(&ann, &[]);
    let mut request = shell.join_request(&client());
    request.group_id = "h".to_owned();
    request.requires_known_member_id = false;
    let waits = shell.send_join(&request);
    let commits = {
        let token = shell.token();
        let request = CommitRequest {
            token,
            group_id: "i".to_owned(),
            identity: MemberIdentity::default(),
            generation: Generation::NONE,
            retention_ms: None,
            partitions: vec![CommitPartition {
                topic: "orders".to_owned(),
                partition: 0,
                offset: 1,
                leader_epoch: None,
                metadata: None,
            }],
            knows_group_id_not_found: true,
        };
        let effects = shell.groups.commit(request, shell.now);
        shell.take(effects);
        token
    };
    let now = shell.now;
    let groups = std::mem::replace(&mut shell.groups, Groups::new(GroupConfig::default(), now));
    shell.take(Effects { answers: groups.unload(now), appends: Vec::new() });
    assert_eq!(shell.synced(ann_syncs), Err(GroupError::NotCoordinator));
    assert_eq!(shell.join_error(waits), GroupError::NotCoordinator);
    assert_eq!(shell.commit_result(commits), Err(GroupError::NotCoordinator));
}
