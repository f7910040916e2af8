//! How the broker drives the core: one client joins, syncs, beats, commits and reads, through the public interface
//! alone.

use std::time::Duration;

use bytes::Bytes;
use ringlane_reactor::Instant;

use crate::group::{
    Answer, CommitPartition, CommitRequest, Generation, GroupConfig, Groups, HeartbeatRequest,
    JoinRequest, MemberIdentity, Now, Protocol, RequestToken, SyncRequest, new_member_id,
};

fn join_request(identity: MemberIdentity, token: u64) -> JoinRequest {
    JoinRequest {
        token: RequestToken(token),
        group_id: "g".to_owned(),
        identity,
        new_member_id: new_member_id("app", None, 42),
        client_id: "app".to_owned(),
        client_host: "/127.0.0.1".to_owned(),
        session_timeout_ms: 45_000,
        rebalance_timeout_ms: 300_000,
        protocol_type: "consumer".to_owned(),
        protocols: vec![Protocol { name: "range".to_owned(), metadata: Bytes::new() }],
        requires_known_member_id: true,
        supports_skip_assignment: true,
    }
}

#[test]
fn join_sync_heartbeat_commit() {
    let mut now = Now { instant: Instant::from_nanos(0), wall_clock_ms: 1_700_000_000_000 };
    let mut groups = Groups::new(GroupConfig::default(), now);

    // Refused with the id to use (KIP-394), then parked.
    let effects = groups.join(&join_request(MemberIdentity::default(), 1), now);
    let [Answer::Join(RequestToken(1), Err(refused))] = &effects.answers[..] else { panic!() };
    let me = MemberIdentity { member_id: refused.member_id.clone(), instance_id: None };
    let effects = groups.join(&join_request(me.clone(), 2), now);
    assert!(effects.answers.is_empty(), "request 2 waits");

    // The shell sleeps until the deadline, then ticks; a call in between may have moved it.
    assert_eq!(groups.next_deadline(), now.instant + Duration::from_secs(3));
    now.instant = groups.next_deadline();
    let effects = groups.tick(now);
    let [Answer::Join(RequestToken(2), Ok(joined))] = &effects.answers[..] else { panic!() };
    assert_eq!(joined.leader, me.member_id);

    // The leader's assignment is appended; when that is reported, the SyncGroup is answered.
    let sync = SyncRequest {
        token: RequestToken(3),
        group_id: "g".to_owned(),
        identity: me.clone(),
        generation: joined.generation,
        protocol_type: joined.protocol_type.clone(),
        protocol_name: joined.protocol_name.clone(),
        assignments: vec![(me.member_id.clone(), Bytes::from_static(b"all"))],
    };
    let effects = groups.sync(&sync, now);
    assert!(effects.answers.is_empty(), "request 3 waits");
    let effects = groups.appended(effects.appends[0].id, Ok(()), now);
    let [Answer::Sync(RequestToken(3), Ok(synced))] = &effects.answers[..] else { panic!() };
    assert_eq!(&synced.assignment[..], b"all");

    let generation = Generation(1);
    let beat = HeartbeatRequest { group_id: "g".to_owned(), identity: me.clone(), generation };
    assert_eq!(groups.heartbeat(&beat, now), Ok(()));

    // The same with a commit: appended, reported, visible.
    let commit = CommitRequest {
        token: RequestToken(4),
        group_id: "g".to_owned(),
        identity: me,
        generation,
        retention_ms: None,
        partitions: vec![CommitPartition {
            topic: "orders".to_owned(),
            partition: 0,
            offset: 7,
            leader_epoch: None,
            metadata: None,
        }],
        knows_group_id_not_found: true,
    };
    let effects = groups.commit(commit, now);
    assert_eq!(groups.committed("g", "orders", 0), None);
    let effects = groups.appended(effects.appends[0].id, Ok(()), now);
    assert!(matches!(&effects.answers[..], [Answer::Commit(RequestToken(4), Ok(_))]));
    assert_eq!(groups.committed("g", "orders", 0).map(|committed| committed.offset), Some(7));
}
