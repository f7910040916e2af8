//! A shell for the tests: it drives the core as the broker does, with time that the test moves, and keeps the log
//! that the core wrote.

mod coordinator;
mod driving;
mod membership;
mod offsets;
mod properties;
mod rebalances;
mod records;
mod replay;
mod static_members;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use ringlane_reactor::Instant;

use super::records::Record;
use super::*;

const GROUP: &str = "g";
const SESSION_MS: u64 = 10_000;
const REBALANCE_MS: u64 = 60_000;
const INITIAL_DELAY_MS: u64 = 3_000;

/// The core, its clock, the answers that it gave and the log that it wrote.
struct Shell {
    groups: Groups,
    now: Now,
    answers: BTreeMap<RequestToken, Answer>,
    appends: VecDeque<Append>,
    log: Vec<Record>,
    next_token: u64,
}

/// Who a test lets act.
#[derive(Clone, Default)]
struct Client {
    identity: MemberIdentity,
    generation: i32,
    protocols: Vec<(&'static str, &'static str)>,
}

fn client() -> Client {
    Client { protocols: vec![("range", "topics")], ..Client::default() }
}

fn static_client(instance_id: &str) -> Client {
    let mut client = client();
    client.identity.instance_id = Some(instance_id.to_owned());
    client
}

impl Shell {
    fn new() -> Self {
        Self::with(GroupConfig::default())
    }

    fn with(config: GroupConfig) -> Self {
        let now = Now { instant: Instant::from_nanos(1), wall_clock_ms: 1_700_000_000_000 };
        Self {
            groups: Groups::new(config, now),
            now,
            answers: BTreeMap::new(),
            appends: VecDeque::new(),
            log: Vec::new(),
            next_token: 0,
        }
    }

    fn token(&mut self) -> RequestToken {
        self.next_token += 1;
        RequestToken(self.next_token)
    }

    fn take(&mut self, effects: Effects) {
        for answer in effects.answers {
            let token = answer.token();
            let before = self.answers.insert(token, answer);
            assert!(before.is_none(), "{token:?} is answered once, before: {before:?}");
        }
        self.appends.extend(effects.appends);
    }

    /// The log takes everything; or fails with `result`.
    fn settle_with(&mut self, result: Result<(), AppendError>) {
        while let Some(append) = self.appends.pop_front() {
            if result.is_ok() {
                self.log.extend(append.records);
            }
            let effects = self.groups.appended(append.id, result, self.now);
            self.take(effects);
        }
    }

    fn settle(&mut self) {
        self.settle_with(Ok(()));
    }

    /// Lets time pass, stopping at every deadline on the way.
    fn advance(&mut self, ms: u64) {
        let end = self.now.instant + Duration::from_millis(ms);
        while self.now.instant < end {
            let next = self.groups.next_deadline().clamp(self.now.instant, end);
            let passed = next.saturating_since(self.now.instant).max(Duration::from_nanos(1));
            self.now.instant = self.now.instant + passed;
            self.now.wall_clock_ms += passed.as_millis() as i64;
            let effects = self.groups.tick(self.now);
            self.take(effects);
        }
    }

    fn join_request(&mut self, client: &Client) -> JoinRequest {
        let token = self.token();
        let protocol = |(name, metadata): &(&str, &'static str)| Protocol {
            name: (*name).to_owned(),
            metadata: Bytes::from_static(metadata.as_bytes()),
        };
        JoinRequest {
            token,
            group_id: GROUP.to_owned(),
            identity: client.identity.clone(),
            new_member_id: format!("m{}", token.0),
            client_id: "client".to_owned(),
            client_host: "/127.0.0.1".to_owned(),
            session_timeout_ms: SESSION_MS as i32,
            rebalance_timeout_ms: REBALANCE_MS as i32,
            protocol_type: "consumer".to_owned(),
            protocols: client.protocols.iter().map(protocol).collect(),
            requires_known_member_id: true,
            supports_skip_assignment: true,
        }
    }

    fn send_join(&mut self, request: &JoinRequest) -> RequestToken {
        let effects = self.groups.join(request, self.now);
        self.take(effects);
        request.token
    }

    /// Sends a JoinGroup; if that gives the client a member id, sends another with it (KIP-394).
    fn join(&mut self, client: &mut Client) -> RequestToken {
        let request = self.join_request(client);
        let token = self.send_join(&request);
        let Some(Answer::Join(_, Err(refused))) = self.answers.get(&token) else { return token };
        if refused.error != GroupError::MemberIdRequired {
            return token;
        }
        client.identity.member_id.clone_from(&refused.member_id);
        let request = self.join_request(client);
        self.send_join(&request)
    }

    /// The answer to a JoinGroup, which tells the client its id and generation.
    fn joined(&mut self, token: RequestToken, client: &mut Client) -> Joined {
        match self.answers.get(&token) {
            Some(Answer::Join(_, Ok(joined))) => {
                client.identity.member_id.clone_from(&joined.member_id);
                client.generation = joined.generation.0;
                joined.clone()
            }
            other => panic!("expected to be in the group, got {other:?}"),
        }
    }

    fn join_error(&self, token: RequestToken) -> GroupError {
        match self.answers.get(&token) {
            Some(Answer::Join(_, Err(refused))) => refused.error,
            other => panic!("expected a refusal, got {other:?}"),
        }
    }

    fn sync(&mut self, client: &Client, assignments: &[(&Client, &'static str)]) -> RequestToken {
        let token = self.token();
        let assignments = assignments.iter().map(|(member, assignment)| {
            let bytes = Bytes::from_static(assignment.as_bytes());
            (member.identity.member_id.clone(), bytes)
        });
        let request = SyncRequest {
            token,
            group_id: GROUP.to_owned(),
            identity: client.identity.clone(),
            generation: Generation(client.generation),
            protocol_type: Some("consumer".to_owned()),
            protocol_name: None,
            assignments: assignments.collect(),
        };
        let effects = self.groups.sync(&request, self.now);
        self.take(effects);
        token
    }

    fn synced(&self, token: RequestToken) -> Result<&[u8], GroupError> {
        match self.answers.get(&token) {
            Some(Answer::Sync(_, Ok(synced))) => Ok(&synced.assignment),
            Some(Answer::Sync(_, Err(error))) => Err(*error),
            other => panic!("expected an answer, got {other:?}"),
        }
    }

    fn heartbeat(&mut self, client: &Client) -> Result<(), GroupError> {
        let request = HeartbeatRequest {
            group_id: GROUP.to_owned(),
            identity: client.identity.clone(),
            generation: Generation(client.generation),
        };
        self.groups.heartbeat(&request, self.now)
    }

    fn leave(&mut self, members: &[MemberIdentity]) -> Vec<Option<GroupError>> {
        let request = LeaveRequest { group_id: GROUP.to_owned(), members: members.to_vec() };
        let (outcomes, effects) = self.groups.leave(&request, self.now);
        self.take(effects);
        outcomes.expect("the group answers").into_iter().map(|o| o.error).collect()
    }

    fn commit(&mut self, client: &Client, topic: &str, offset: i64) -> RequestToken {
        let token = self.token();
        let request = CommitRequest {
            token,
            group_id: GROUP.to_owned(),
            identity: client.identity.clone(),
            generation: Generation(client.generation),
            retention_ms: None,
            partitions: vec![CommitPartition {
                topic: topic.to_owned(),
                partition: 0,
                offset,
                leader_epoch: Some(3),
                metadata: None,
            }],
            knows_group_id_not_found: true,
        };
        let effects = self.groups.commit(request, self.now);
        self.take(effects);
        token
    }

    fn commit_result(&self, token: RequestToken) -> Result<(), GroupError> {
        match self.answers.get(&token) {
            Some(Answer::Commit(_, result)) => result.clone().map(|outcomes| {
                assert!(outcomes.iter().all(|o| o.error.is_none()), "{outcomes:?}");
            }),
            other => panic!("expected an answer, got {other:?}"),
        }
    }

    fn offset(&self, topic: &str) -> Option<i64> {
        self.groups.committed(GROUP, topic, 0).map(|committed| committed.offset)
    }

    fn state(&self) -> GroupState {
        self.groups.describe(GROUP).map_or(GroupState::Dead, |group| group.state)
    }

    /// Members of a Stable group, the first of them its leader; each is assigned its number.
    fn stable<const N: usize>(&mut self, mut clients: [Client; N]) -> [Client; N] {
        const PARTS: [&str; 5] = ["p0", "p1", "p2", "p3", "p4"];
        let tokens: Vec<_> = clients.iter_mut().map(|client| self.join(client)).collect();
        // Each that came late makes the initial rebalance wait once more.
        self.advance(2 * INITIAL_DELAY_MS);
        for (client, token) in clients.iter_mut().zip(tokens) {
            let joined = self.joined(token, client);
            assert_eq!(joined.generation, Generation(1));
        }
        let assigned: Vec<(&Client, &str)> = clients.iter().zip(PARTS).collect();
        for follower in &clients[1..] {
            self.sync(follower, &[]);
        }
        self.sync(&clients[0], &assigned);
        self.settle();
        assert_eq!(self.state(), GroupState::Stable);
        clients
    }
}
