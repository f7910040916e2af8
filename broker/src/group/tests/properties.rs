//! Random events against one group, with the invariants that no order of events may break:
//! - one generation has one leader, and generations only grow;
//! - each request is answered at most once (the shell of these tests checks that), and in the end at least once;
//! - the members of a Stable group all have an assignment, and what waits has a deadline (checked by
//!   `assert_consistent` after every event);
//! - what the log holds is what a restart builds.

use proptest::prelude::*;

use super::*;

/// What may happen to one of the clients, or to all.
#[derive(Clone, Debug)]
enum Event {
    Join {
        who: usize,
        subscription: usize,
    },
    Sync {
        who: usize,
    },
    Heartbeat {
        who: usize,
    },
    Leave {
        who: usize,
    },
    Commit {
        who: usize,
    },
    /// The process starts again: it has forgotten its member id.
    Restart {
        who: usize,
    },
    Delete,
    Stored {
        failure: bool,
        which: usize,
    },
    Pass {
        ms: u64,
    },
}

const CLIENTS: usize = 4;

/// Failures are shrunk and shown, not saved beside the sources.
fn cases(count: u32) -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(count) }
}

fn any_event() -> impl Strategy<Value = Event> {
    let who = || 0..CLIENTS;
    prop_oneof![
        6 => (who(), 0..2usize).prop_map(|(who, subscription)| Event::Join { who, subscription }),
        6 => who().prop_map(|who| Event::Sync { who }),
        3 => who().prop_map(|who| Event::Heartbeat { who }),
        1 => who().prop_map(|who| Event::Leave { who }),
        2 => who().prop_map(|who| Event::Commit { who }),
        1 => who().prop_map(|who| Event::Restart { who }),
        1 => Just(Event::Delete),
        6 => (prop::bool::weighted(0.1), 0..3usize)
            .prop_map(|(failure, which)| Event::Stored { failure, which }),
        4 => prop_oneof![Just(100), Just(3_000), Just(9_999), Just(61_000)]
            .prop_map(|ms| Event::Pass { ms }),
    ]
}

/// The clients as they see themselves, and what was seen of the group.
struct World {
    shell: Shell,
    clients: Vec<Client>,
    asked: Vec<RequestToken>,
    owners: BTreeMap<RequestToken, usize>,
    seen: usize,
    leaders: BTreeMap<i32, String>,
    last_generation: i32,
}

impl World {
    fn new() -> Self {
        let clients = vec![client(), client(), static_client("s"), static_client("t")];
        assert_eq!(clients.len(), CLIENTS);
        Self {
            shell: Shell::new(),
            clients,
            asked: Vec::new(),
            owners: BTreeMap::new(),
            seen: 0,
            leaders: BTreeMap::new(),
            last_generation: 0,
        }
    }

    fn happen(&mut self, event: &Event) {
        match event {
            Event::Join { who, subscription } => {
                let client = &mut self.clients[*who];
                client.protocols =
                    vec![[("range", "a"), ("range", "b")][*subscription], ("sticky", "c")];
                let request = self.shell.join_request(client);
                let token = self.shell.send_join(&request);
                self.owners.insert(token, *who);
                self.asked.push(token);
            }
            Event::Sync { who } => {
                let everybody: Vec<Client> = self.clients.clone();
                let assigned: Vec<(&Client, &str)> =
                    everybody.iter().map(|client| (client, "part")).collect();
                let token = self.shell.sync(&everybody[*who], &assigned);
                self.asked.push(token);
            }
            Event::Heartbeat { who } => {
                let _ = self.shell.heartbeat(&self.clients[*who]);
            }
            Event::Leave { who } => {
                let members = vec![self.clients[*who].identity.clone()];
                let request = LeaveRequest { group_id: GROUP.to_owned(), members };
                let (_, effects) = self.shell.groups.leave(&request, self.shell.now);
                self.shell.take(effects);
            }
            Event::Commit { who } => {
                let token = self.shell.commit(&self.clients[*who], "orders", 1);
                self.asked.push(token);
            }
            Event::Restart { who } => self.clients[*who].identity.member_id.clear(),
            Event::Delete => {
                let token = self.shell.token();
                let effects = self.shell.groups.delete(token, GROUP, self.shell.now);
                self.shell.take(effects);
                self.asked.push(token);
            }
            Event::Stored { failure, which } => self.store(*failure, *which),
            Event::Pass { ms } => self.shell.advance(*ms),
        }
        self.look();
    }

    /// Ends one of the appends under way: reports may be out of order, the log is not.
    fn store(&mut self, failure: bool, which: usize) {
        let which = which.min(self.shell.appends.len().saturating_sub(1));
        let Some(append) = self.shell.appends.remove(which) else { return };
        let result = if failure { Err(AppendError::Unavailable) } else { Ok(()) };
        let effects = self.shell.groups.appended(append.id, result, self.shell.now);
        self.shell.take(effects);
    }

    /// Clients read their answers; the group is held against what was seen of it.
    fn look(&mut self) {
        for (token, who) in &self.owners {
            match self.shell.answers.get(token) {
                Some(Answer::Join(_, Ok(joined))) => {
                    let leader = &joined.leader;
                    // A restarted static leader of a Stable group goes by a new name.
                    let known = self.leaders.entry(joined.generation.0).or_insert(leader.clone());
                    if joined.skip_assignment {
                        known.clone_from(leader);
                    }
                    if joined.members.len() > 1 {
                        assert_eq!(*leader, joined.member_id, "only the leader learns of others");
                    }
                    if joined.generation.0 >= self.clients[*who].generation {
                        self.clients[*who].identity.member_id.clone_from(&joined.member_id);
                        self.clients[*who].generation = joined.generation.0;
                    }
                }
                Some(Answer::Join(_, Err(refused)))
                    if refused.error == GroupError::MemberIdRequired =>
                {
                    self.clients[*who].identity.member_id.clone_from(&refused.member_id);
                }
                _ => {}
            }
        }
        self.owners.retain(|token, _| !self.shell.answers.contains_key(token));
        self.check_group();
        self.seen += 1;
    }

    fn check_group(&mut self) {
        let Some(entry) = self.shell.groups.entries.get(GROUP) else {
            self.last_generation = 0;
            self.leaders.clear();
            return;
        };
        let group = &entry.group;
        group.assert_consistent();
        assert!(group.generation.0 >= self.last_generation, "generations only grow");
        self.last_generation = group.generation.0;
        let in_generation =
            matches!(group.state(), GroupState::CompletingRebalance | GroupState::Stable);
        if in_generation && group.state() == GroupState::CompletingRebalance {
            let leader = group.leader.clone().unwrap();
            let known = self.leaders.entry(group.generation.0).or_insert(leader.clone());
            assert_eq!(*known, leader, "one generation has one leader");
        }
        if group.state() == GroupState::Stable {
            assert!(group.members.values().all(|m| m.assignment.is_some()));
        }
    }

    /// The clients are gone and the log works: time alone answers whatever waits.
    fn end(&mut self) {
        for _ in 0..20 {
            self.shell.settle();
            self.shell.advance(REBALANCE_MS);
            self.look();
        }
        self.shell.settle();
        for token in &self.asked {
            assert!(self.shell.answers.contains_key(token), "{token:?} never had an answer");
        }
        if let Some(entry) = self.shell.groups.entries.get(GROUP) {
            assert_eq!(entry.group.state(), GroupState::Empty, "everybody was given up");
        }
    }
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn no_order_of_events_breaks_a_group(events in prop::collection::vec(any_event(), 1..120)) {
        let mut world = World::new();
        for event in &events {
            world.happen(event);
        }
        world.end();
        prop_assert!(world.seen > events.len());
    }
}

proptest! {
    #![proptest_config(cases(100))]

    #[test]
    fn a_restart_builds_what_was_visible(events in prop::collection::vec(any_event(), 1..80)) {
        let mut world = World::new();
        for event in &events {
            // The log takes everything, in order, so memory and log must agree whenever nothing is under way.
            match event {
                Event::Stored { .. } => {
                    world.shell.settle();
                    world.look();
                }
                other => world.happen(other),
            }
        }
        world.shell.settle();
        let mut replay = Replay::new();
        for record in &world.shell.log {
            prop_assert_eq!(replay.apply(&record.key, record.value.as_deref()), Ok(()));
        }
        let (replayed, _) = replay.finish(GroupConfig::default(), world.shell.now);
        let offsets = |groups: &Groups| -> Vec<i64> {
            groups.all_committed(GROUP).map(|(_, _, committed)| committed.offset).collect()
        };
        prop_assert_eq!(offsets(&replayed), offsets(&world.shell.groups));
        let (then, now) = (replayed.describe(GROUP), world.shell.groups.describe(GROUP));
        if now.as_ref().is_some_and(|group| group.state == GroupState::Stable) {
            prop_assert_eq!(then, now);
        }
    }
}
