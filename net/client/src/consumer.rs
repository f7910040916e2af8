//! Reads records: fetches from the leaders of the assigned partitions, one request a leader at a time, and hands out what
//! came, partition by partition. While one piece is used the next fetch is under way.

mod aborted;
mod assigned;
mod fetch;
mod fetched;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use ringlane_reactor::{Instant, Notify, Queue};

use crate::client::Client;
use crate::error::Error;
use crate::metadata::NodeId;
use crate::offsets::Position;
use assigned::Assigned;

pub use fetched::Fetched;

/// What to do when the offset to read from is no longer there (`auto.offset.reset`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OffsetReset {
    /// Go on with the first record there is.
    Earliest,
    /// Go on behind the last.
    Latest,
    /// Fail.
    Fail,
}

/// Which records a consumer sees (`isolation.level`, KIP-98).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Isolation {
    /// All, as soon as they are acknowledged; also those of transactions that are open or were aborted.
    #[default]
    ReadUncommitted = 0,
    /// Those of committed transactions and those of none, up to the first transaction that is still open.
    ReadCommitted = 1,
}

/// The settings of a consumer. Kafka's name of each stands beside it.
#[derive(Clone, Debug)]
pub struct ConsumerConfig {
    /// A broker answers once it has this many bytes (`fetch.min.bytes`) ...
    pub min_bytes: i32,
    /// ... or after this long (`fetch.max.wait.ms`).
    pub max_wait: Duration,
    /// The most bytes of an answer (`fetch.max.bytes`); a first batch that is longer comes nevertheless.
    pub max_bytes: i32,
    /// The most bytes of one partition (`max.partition.fetch.bytes`).
    pub partition_max_bytes: i32,
    /// Where to go on when an offset is gone (`auto.offset.reset`).
    pub reset: OffsetReset,
    /// Which records it sees (`isolation.level`).
    pub isolation: Isolation,
    /// Whether the CRC of each batch is checked (`check.crcs`).
    pub check_crcs: bool,
    /// What a batch may be decompressed, in bytes: more is refused, not allocated.
    pub decompressed_bytes_max: usize,
}

impl Default for ConsumerConfig {
    fn default() -> Self {
        Self {
            min_bytes: 1,
            max_wait: Duration::from_millis(500),
            max_bytes: 50 << 20,
            partition_max_bytes: 1 << 20,
            reset: OffsetReset::Fail,
            isolation: Isolation::ReadUncommitted,
            check_crcs: true,
            decompressed_bytes_max: 1 << 30,
        }
    }
}

/// See the file's head. Control batches are passed over.
pub struct Consumer {
    shared: Rc<Shared>,
}

/// What the consumer and its requests share.
struct Shared {
    client: Client,
    config: ConsumerConfig,
    state: RefCell<State>,
    /// Rings when something is ready, or a request ended.
    bell: Notify,
}

type Place = (Rc<str>, i32);

#[derive(Default)]
struct State {
    /// Counts assignments: what was asked for an earlier one is thrown away.
    assignment: u64,
    partitions: BTreeMap<Place, Assigned>,
    ready: VecDeque<Result<Fetched, Error>>,
    /// Leaders that have not answered the last fetch yet.
    fetching: BTreeSet<NodeId>,
    /// Topics whose positions are being looked up.
    resolving: BTreeSet<Rc<str>>,
    stale: BTreeSet<Rc<str>>,
    refreshing: bool,
}

impl Consumer {
    /// A consumer on `client`, without partitions.
    pub fn new(client: &Client, config: ConsumerConfig) -> Self {
        let state = RefCell::default();
        Self {
            shared: Rc::new(Shared { client: client.clone(), config, state, bell: Notify::new() }),
        }
    }

    /// Reads these partitions from now on, and no others. What was fetched and not handed out yet is dropped.
    pub fn assign<'a>(&mut self, partitions: impl IntoIterator<Item = (&'a str, i32, Position)>) {
        let mut state = self.shared.state.borrow_mut();
        let mut names: BTreeSet<Rc<str>> = BTreeSet::new();
        let mut place = |topic: &str, partition: i32| {
            let name = names.get(topic).cloned().unwrap_or_else(|| topic.into());
            names.insert(name.clone());
            (name, partition)
        };
        let assignment = state.assignment + 1;
        let partitions = partitions.into_iter();
        let partitions = partitions.map(|(t, p, position)| (place(t, p), Assigned::new(position)));
        *state = State { assignment, partitions: partitions.collect(), ..State::default() };
        drop(state);
        self.shared.bell.notify_all();
    }

    /// The next piece of a partition. It can be dropped at any await without losing records.
    ///
    /// # Errors
    /// What does not pass, or not within the client's retry timeout. It may be called again afterwards.
    pub async fn poll(&mut self) -> Result<Fetched, Error> {
        let reactor = self.shared.client.reactor().clone();
        loop {
            let bell = self.shared.bell.notified();
            if let Some(ready) = self.take_ready() {
                self.shared.ask();
                return ready;
            }
            match self.shared.ask() {
                Some(next) => drop(reactor.timeout(next - reactor.now(), bell).await),
                None => bell.await,
            }
        }
    }

    fn take_ready(&mut self) -> Option<Result<Fetched, Error>> {
        let mut state = self.shared.state.borrow_mut();
        let ready = state.ready.pop_front()?;
        if let Ok(fetched) = &ready {
            let place = (fetched.topic.clone(), fetched.partition);
            let assigned = state.partitions.get_mut(&place).expect("what is ready is assigned");
            assigned.hand_out(fetched.next_offset());
        }
        Some(ready)
    }

    /// Behind the last record of a partition that was handed out; `None` while its position is being looked up.
    pub fn position(&self, topic: &str, partition: i32) -> Option<i64> {
        let state = self.shared.state.borrow();
        state.partitions.get(&(topic.into(), partition))?.position()
    }

    /// The assigned partitions with their positions, as [`Self::position`].
    pub fn positions(&self) -> Vec<(Rc<str>, i32, Option<i64>)> {
        let state = self.shared.state.borrow();
        let positions = state.partitions.iter();
        positions.map(|((topic, p), assigned)| (topic.clone(), *p, assigned.position())).collect()
    }
}

impl Shared {
    /// Starts whatever can be asked now: positions, leaders, fetches. When to look again, if nothing happens.
    fn ask(self: &Rc<Self>) -> Option<Instant> {
        let now = self.client.reactor().now();
        let mut next: Option<Instant> = None;
        let mut by_leader: BTreeMap<NodeId, Vec<Place>> = BTreeMap::new();
        let mut unresolved: BTreeMap<Rc<str>, Vec<(i32, Position)>> = BTreeMap::new();
        let mut holding: BTreeSet<NodeId> = BTreeSet::new();
        let mut guard = self.state.borrow_mut();
        let state = &mut *guard;
        for ((topic, partition), assigned) in &state.partitions {
            if let Some(retry_at) = assigned.retry_at(now) {
                next = Some(next.map_or(retry_at, |next| next.min(retry_at)));
                continue;
            }
            if let Some(position) = assigned.unresolved() {
                unresolved.entry(topic.clone()).or_default().push((*partition, position));
                continue;
            }
            let Some(leader) = self.client.known_leader(topic, *partition) else {
                state.stale.insert(topic.clone());
                continue;
            };
            if assigned.is_buffered() {
                holding.insert(leader);
            } else if !assigned.is_asked() {
                by_leader.entry(leader).or_default().push((topic.clone(), *partition));
            }
        }
        // A leader is asked again when all of its last answer is handed out: a fetch for a few of its partitions would
        // keep the others waiting.
        by_leader.retain(|leader, _| !holding.contains(leader) && state.fetching.insert(*leader));
        unresolved.retain(|topic, _| state.resolving.insert(topic.clone()));
        for place in by_leader.values().flatten() {
            state.partitions.get_mut(place).expect("it was just seen").ask();
        }
        let assignment = state.assignment;
        drop(guard);
        for (topic, wanted) in unresolved {
            self.spawn(self.clone().resolve(assignment, topic, wanted));
        }
        for (leader, places) in by_leader {
            self.spawn(fetch::from_leader(self.clone(), assignment, leader, places));
        }
        self.refresh();
        next
    }

    fn spawn(&self, future: impl Future<Output = ()> + 'static) {
        self.client.reactor().spawn(Queue::Client, future).detach();
    }

    /// Runs `change` on the state unless the assignment is another one now.
    fn with_assignment(&self, assignment: u64, change: impl FnOnce(&mut State)) {
        let mut state = self.state.borrow_mut();
        if state.assignment == assignment {
            change(&mut state);
        }
        drop(state);
        self.bell.notify_all();
    }

    /// Looks up where partitions of a topic start.
    async fn resolve(
        self: Rc<Self>,
        assignment: u64,
        topic: Rc<str>,
        wanted: Vec<(i32, Position)>,
    ) {
        let found = self.client.list_offsets_as(self.config.isolation, &topic, &wanted).await;
        let retry_at = self.client.reactor().now() + self.client.config().backoff_max;
        self.with_assignment(assignment, |state| {
            state.resolving.remove(&topic);
            match found {
                Ok(found) => {
                    for at in found {
                        let place = (topic.clone(), at.partition);
                        let assigned = state.partitions.get_mut(&place);
                        assigned.expect("it was assigned").resolve(at.offset);
                    }
                }
                Err(error) => {
                    for (partition, _) in wanted {
                        let assigned = state.partitions.get_mut(&(topic.clone(), partition));
                        assigned.expect("it was assigned").wait_until(retry_at);
                    }
                    state.ready.push_back(Err(error));
                }
            }
        });
    }

    /// Asks for leaders that are not known or were wrong, with a pause between two attempts.
    fn refresh(self: &Rc<Self>) {
        let topics = {
            let mut state = self.state.borrow_mut();
            if state.stale.is_empty() || std::mem::replace(&mut state.refreshing, true) {
                return;
            }
            std::mem::take(&mut state.stale)
        };
        let (shared, assignment) = (self.clone(), self.state.borrow().assignment);
        self.spawn(async move {
            let names: Vec<&str> = topics.iter().map(|topic| &**topic).collect();
            let outcome = shared.client.refresh(&names).await;
            let now = shared.client.reactor().now();
            let patience = shared.client.config().retry_timeout;
            if let Err(error) = outcome {
                shared.with_assignment(assignment, |state| {
                    state.failed(&topics, &error, now, patience)
                });
            }
            shared.client.reactor().sleep(shared.client.config().backoff_min).await;
            shared.with_assignment(assignment, |state| state.refreshing = false);
        });
    }
}

impl State {
    /// What kept the leaders of `topics` from being known: told once it does not pass for `patience`.
    fn failed(
        &mut self,
        topics: &BTreeSet<Rc<str>>,
        error: &Error,
        now: Instant,
        patience: Duration,
    ) {
        let affected = self.partitions.iter_mut().filter(|((topic, _), _)| topics.contains(topic));
        let mut gives_up = false;
        for (_, assigned) in affected {
            gives_up |= assigned.failing(now, patience);
        }
        if gives_up {
            self.ready.push_back(Err(error.clone()));
        }
    }
}
