//! Stories of who may join and speak: member ids, sizes, timeouts, protocols, generations.

use super::*;

#[test]
fn a_client_without_an_id_is_given_one_and_joins_with_it() {
    let mut shell = Shell::new();
    let request = shell.join_request(&client());
    let token = shell.send_join(&request);
    let Some(Answer::Join(_, Err(refused))) = shell.answers.get(&token) else { panic!() };
    assert_eq!(refused.error, GroupError::MemberIdRequired);
    assert_eq!(refused.member_id, request.new_member_id);
    assert_eq!(shell.state(), GroupState::Empty, "it is not a member yet");

    shell.advance(SESSION_MS);
    assert_eq!(shell.state(), GroupState::Dead, "nobody came, so the group never was");
    let mut late = client();
    late.identity.member_id = request.new_member_id;
    let token = shell.join(&mut late);
    assert_eq!(shell.join_error(token), GroupError::UnknownMemberId);
}

#[test]
fn old_clients_join_at_once() {
    let mut shell = Shell::new();
    let mut request = shell.join_request(&client());
    request.requires_known_member_id = false;
    let token = shell.send_join(&request);
    shell.advance(INITIAL_DELAY_MS);
    let joined = shell.joined(token, &mut client());
    assert_eq!(joined.member_id, request.new_member_id);
}

#[test]
fn a_rebalance_waits_for_those_who_were_given_an_id() {
    let mut shell = Shell::new();
    let [mut ann] = shell.stable([client()]);
    let mut bob = client();
    let request = shell.join_request(&bob);
    shell.send_join(&request);
    let ann_joins = shell.join(&mut ann);
    assert!(!shell.answers.contains_key(&ann_joins), "bob is about to come");
    bob.identity.member_id = request.new_member_id;
    let bob_joins = shell.join(&mut bob);
    shell.joined(ann_joins, &mut ann);
    shell.joined(bob_joins, &mut bob);
}

#[test]
fn a_rebalance_goes_on_without_one_that_never_comes() {
    let mut shell = Shell::new();
    let [mut ann] = shell.stable([client()]);
    let request = shell.join_request(&client());
    shell.send_join(&request);
    let ann_joins = shell.join(&mut ann);
    shell.advance(SESSION_MS - 1);
    assert!(!shell.answers.contains_key(&ann_joins));
    shell.advance(1);
    shell.joined(ann_joins, &mut ann);
}

#[test]
fn a_new_member_whose_client_is_gone_does_not_block_for_more_than_five_minutes() {
    let mut shell = Shell::new();
    let mut request = shell.join_request(&client());
    request.rebalance_timeout_ms = i32::MAX;
    request.requires_known_member_id = false;
    let [mut ann] = shell.stable([client()]);
    let bob_joins = shell.send_join(&request);
    for _ in 0..60 {
        assert!(!shell.answers.contains_key(&bob_joins));
        assert_eq!(shell.heartbeat(&ann), Err(GroupError::RebalanceInProgress));
        shell.advance(5_000);
    }
    assert_eq!(shell.join_error(bob_joins), GroupError::UnknownMemberId);
    let ann_joins = shell.join(&mut ann);
    shell.joined(ann_joins, &mut ann);
}

#[test]
fn requests_that_make_no_sense_are_refused() {
    type Spoil = fn(&mut JoinRequest);
    let mut shell = Shell::new();
    let cases: [(Spoil, GroupError); 6] = [
        (|r| r.group_id.clear(), GroupError::InvalidGroupId),
        (|r| r.session_timeout_ms = 5_999, GroupError::InvalidSessionTimeout),
        (|r| r.session_timeout_ms = 1_800_001, GroupError::InvalidSessionTimeout),
        (|r| r.protocol_type.clear(), GroupError::InconsistentGroupProtocol),
        (|r| r.protocols.clear(), GroupError::InconsistentGroupProtocol),
        (|r| r.identity.member_id = "who".to_owned(), GroupError::UnknownMemberId),
    ];
    for (spoil, error) in cases {
        let mut request = shell.join_request(&client());
        spoil(&mut request);
        let token = shell.send_join(&request);
        assert_eq!(shell.join_error(token), error);
        assert!(shell.groups.list(&[], &[]).is_empty(), "a refusal leaves no group behind");
    }
}

#[test]
fn members_must_share_a_protocol() {
    let mut shell = Shell::new();
    let mut ann = client();
    ann.protocols = vec![("range", ""), ("sticky", "")];
    shell.stable([ann]);
    let mut bob = client();
    bob.protocols = vec![("roundrobin", "")];
    let token = shell.join(&mut bob);
    assert_eq!(shell.join_error(token), GroupError::InconsistentGroupProtocol);

    let mut worker = shell.join_request(&client());
    worker.protocol_type = "connect".to_owned();
    let token = shell.send_join(&worker);
    assert_eq!(shell.join_error(token), GroupError::InconsistentGroupProtocol);
    assert_eq!(shell.state(), GroupState::Stable);
}

#[test]
fn the_protocol_with_most_votes_among_the_common_ones_wins() {
    let vote = |ballots: &[&[&'static str]]| {
        let mut shell = Shell::new();
        let mut clients: Vec<Client> = Vec::new();
        let mut tokens = Vec::new();
        for ballot in ballots {
            let mut voter = client();
            voter.protocols = ballot.iter().map(|name| (*name, "")).collect();
            tokens.push(shell.join(&mut voter));
            clients.push(voter);
        }
        shell.advance(2 * INITIAL_DELAY_MS);
        shell.joined(tokens[0], &mut clients[0]).protocol_name.unwrap()
    };
    assert_eq!(vote(&[&["range", "sticky"], &["sticky", "range"], &["sticky", "range"]]), "sticky");
    // The favourite of two is not supported by the third, so their second choices count.
    assert_eq!(vote(&[&["coop", "range"], &["coop", "range"], &["range"]]), "range");
    assert_eq!(vote(&[&["sticky", "range"], &["range", "sticky"]]), "range", "a tie: by name");
    assert_eq!(vote(&[&["range", "range"]]), "range", "a name listed twice counts once");
}

#[test]
fn a_full_group_turns_new_members_away() {
    let mut shell = Shell::with(GroupConfig { max_size: 2, ..GroupConfig::default() });
    let [ann, _bob] = shell.stable([client(), client()]);
    let token = shell.join(&mut client());
    assert_eq!(shell.join_error(token), GroupError::GroupMaxSizeReached);
    assert_eq!(shell.state(), GroupState::Stable, "nobody else notices");
    assert_eq!(shell.heartbeat(&ann), Ok(()));
}

#[test]
fn there_is_a_bound_on_ids_given_out_and_on_groups() {
    let config = GroupConfig { pending_members_max: 2, groups_max: 2, ..GroupConfig::default() };
    let mut shell = Shell::with(config);
    for error in [
        GroupError::MemberIdRequired,
        GroupError::MemberIdRequired,
        GroupError::GroupMaxSizeReached,
    ] {
        let request = shell.join_request(&client());
        let token = shell.send_join(&request);
        assert_eq!(shell.join_error(token), error);
    }
    for (group_id, error) in
        [("h", GroupError::MemberIdRequired), ("i", GroupError::CoordinatorNotAvailable)]
    {
        let mut request = shell.join_request(&client());
        request.group_id = group_id.to_owned();
        let token = shell.send_join(&request);
        assert_eq!(shell.join_error(token), error);
    }
}

#[test]
fn only_the_current_generation_is_heard() {
    let mut shell = Shell::new();
    let [ann] = shell.stable([client()]);
    let old = Client { generation: 0, ..ann.clone() };
    let unknown = Client {
        identity: MemberIdentity { member_id: "x".into(), instance_id: None },
        ..ann.clone()
    };
    assert_eq!(shell.heartbeat(&old), Err(GroupError::IllegalGeneration));
    assert_eq!(shell.heartbeat(&unknown), Err(GroupError::UnknownMemberId));
    let token = shell.sync(&old, &[]);
    assert_eq!(shell.synced(token), Err(GroupError::IllegalGeneration));
    let token = shell.sync(&unknown, &[]);
    assert_eq!(shell.synced(token), Err(GroupError::UnknownMemberId));
}

#[test]
fn a_sync_of_another_protocol_is_refused() {
    let mut shell = Shell::new();
    let [ann] = shell.stable([client()]);
    let token = shell.token();
    let mut request = SyncRequest {
        token,
        group_id: GROUP.to_owned(),
        identity: ann.identity.clone(),
        generation: Generation(1),
        protocol_type: Some("connect".to_owned()),
        protocol_name: Some("range".to_owned()),
        assignments: Vec::new(),
    };
    let effects = shell.groups.sync(&request, shell.now);
    shell.take(effects);
    assert_eq!(shell.synced(token), Err(GroupError::InconsistentGroupProtocol));
    request.token = shell.token();
    request.protocol_type = None;
    request.protocol_name = Some("sticky".to_owned());
    let effects = shell.groups.sync(&request, shell.now);
    shell.take(effects);
    assert_eq!(shell.synced(request.token), Err(GroupError::InconsistentGroupProtocol));
}

#[test]
fn leaving_answers_for_each_member_by_itself() {
    let mut shell = Shell::new();
    let [ann, _bob] = shell.stable([client(), client()]);
    let request = shell.join_request(&client());
    shell.send_join(&request);
    let unknown = MemberIdentity { member_id: "x".to_owned(), instance_id: None };
    let pending = MemberIdentity { member_id: request.new_member_id, instance_id: None };
    let outcomes = shell.leave(&[unknown, pending, ann.identity, MemberIdentity::default()]);
    let unknown = Some(GroupError::UnknownMemberId);
    assert_eq!(outcomes, [unknown, None, None, unknown]);

    let nowhere =
        LeaveRequest { group_id: "h".to_owned(), members: vec![MemberIdentity::default()] };
    let (outcomes, _) = shell.groups.leave(&nowhere, shell.now);
    assert_eq!(outcomes.unwrap()[0].error, unknown);
}

#[test]
fn a_member_that_leaves_while_its_request_waits_is_answered() {
    let mut shell = Shell::new();
    let [ann, mut bob] = shell.stable([client(), client()]);
    bob.protocols = vec![("range", "new")];
    let bob_joins = shell.join(&mut bob);
    shell.leave(&[bob.identity.clone()]);
    assert_eq!(shell.join_error(bob_joins), GroupError::UnknownMemberId);
    assert_eq!(shell.heartbeat(&ann), Err(GroupError::RebalanceInProgress));
}
