//! The task that sends: looks which partitions may go, groups them by leader, and hands each leader one request after the
//! other, up to the bound in flight. What takes time (connecting, leaders, the identity) happens in tasks beside it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use ringlane_batch::{ProducerEpoch, ProducerId};
use ringlane_reactor::{Instant, Notify, Queue};
use ringlane_wire::messages::InitProducerIdRequest;

use super::Acks;
use super::ProducerConfig;
use super::batch::{Batch, Identity};
use super::coordinator::Coordinator;
use super::queue::{Pace, Readiness};
use super::request;
use super::state::{QueueIndex, State};
use super::transaction::{EXPLICIT_PRODUCE_VERSION_MAX, Transaction};
use super::transactional::add_partitions;
use crate::client::Client;
use crate::error::Error;
use crate::metadata::NodeId;

/// What the producer, its sender and the requests under way share.
pub(super) struct Shared {
    pub(super) client: Client,
    pub(super) config: ProducerConfig,
    pub(super) state: RefCell<State>,
    /// Rings when the sender has to look.
    pub(super) wake: Notify,
    /// Rings when batches ended.
    pub(super) ended: Notify,
    /// Of a transactional producer.
    pub(super) coordinator: Option<Rc<Coordinator>>,
}

/// Batches that go into one request.
pub(super) type Load = Vec<(QueueIndex, Batch)>;

impl Shared {
    pub(super) fn new(client: Client, mut config: ProducerConfig) -> Self {
        config.idempotent &= config.acks != Acks::None;
        let id = config.transactional_id.as_deref();
        let coordinator = id.map(|id| Rc::new(Coordinator::new(client.clone(), id)));
        let state = RefCell::new(State::new(id.map(|_| Transaction::default())));
        Self { client, config, state, wake: Notify::new(), ended: Notify::new(), coordinator }
    }

    /// The highest version in which a transaction's records may be sent.
    pub(super) fn produce_version_max(&self) -> i16 {
        let state = self.state.borrow();
        match state.transaction.as_ref().is_some_and(Transaction::is_implicit) {
            true => i16::MAX,
            false => EXPLICIT_PRODUCE_VERSION_MAX,
        }
    }

    pub(super) async fn wait_for_room(&self) {
        loop {
            let ended = self.ended.notified();
            if self.state.borrow().buffered_bytes() < self.config.buffer_bytes_max {
                return;
            }
            ended.await;
        }
    }

    pub(super) async fn flush(&self) -> Result<(), Error> {
        self.state.borrow_mut().flushes += 1;
        self.wake.notify_all();
        loop {
            let ended = self.ended.notified();
            if self.state.borrow().batch_count == 0 {
                break;
            }
            ended.await;
        }
        let mut state = self.state.borrow_mut();
        state.flushes -= 1;
        state.first_error.take().map_or(Ok(()), Err)
    }

    /// Takes in what became of the batches of a request to `node`.
    pub(super) fn answered(
        &self,
        node: NodeId,
        ends: Vec<(QueueIndex, Batch, Result<i64, Error>)>,
    ) {
        {
            let mut state = self.state.borrow_mut();
            let to_node = state.nodes.get_mut(&node).expect("a request went there");
            to_node.in_flight -= 1;
            for (index, batch, end) in ends {
                state.answered(self, index, batch, end);
            }
        }
        self.ended.notify_all();
        self.wake.notify_all();
    }
}

/// Sends for as long as the producer lives.
pub(super) async fn run(shared: Rc<Shared>) {
    let reactor = shared.client.reactor().clone();
    loop {
        let wake = shared.wake.notified();
        let now = reactor.now();
        let plan = plan(&shared, now);
        if plan.expired {
            shared.ended.notify_all();
        }
        for (node, ready) in plan.ready {
            send_to(&shared, node, ready);
        }
        add_partitions(&shared);
        // With transactions the coordinator gives identities, at the start and behind a transaction with a gap.
        if let Some(old) = plan.needs_identity.filter(|_| shared.coordinator.is_none()) {
            identify(&shared, old);
        }
        refresh(&shared);
        match plan.next {
            Some(next) => drop(reactor.timeout(next - reactor.now(), wake).await),
            None => wake.await,
        }
    }
}

/// What the sender does in one look.
#[derive(Default)]
struct Plan {
    ready: BTreeMap<NodeId, Vec<QueueIndex>>,
    /// Some partition needs an identity other than this one.
    needs_identity: Option<Option<Identity>>,
    /// When to look again, if nothing happens.
    next: Option<Instant>,
    expired: bool,
}

impl Plan {
    fn look_at(&mut self, when: Instant) {
        self.next = Some(self.next.map_or(when, |next| next.min(when)));
    }
}

fn plan(shared: &Shared, now: Instant) -> Plan {
    let mut plan = Plan::default();
    let mut guard = shared.state.borrow_mut();
    let state = &mut *guard;
    let pace = Pace {
        linger: shared.config.linger,
        batch_bytes: shared.config.batch_bytes,
        in_flight_max: shared.config.in_flight_max,
        idempotent: shared.config.idempotent,
        flushing: state.flushes > 0 || state.buffered_bytes() >= shared.config.buffer_bytes_max,
    };
    let batch_count = state.batch_count;
    for index in state.active.clone() {
        state.expire(&shared.config, index, now);
        let queue = &mut state.queues[index];
        let Some(oldest) = queue.oldest() else {
            if queue.is_empty() {
                state.active.remove(&index);
            }
            continue;
        };
        plan.look_at(oldest + shared.config.delivery_timeout);
        let mut readiness = queue.readiness(&pace, now);
        if let Readiness::NeedsIdentity(old) = readiness {
            match state.identity.filter(|&identity| Some(identity) != old) {
                Some(identity) => {
                    queue.identify(identity);
                    readiness = Readiness::Ready;
                }
                None => plan.needs_identity = Some(old),
            }
        }
        let is_admitted = |own: &mut Option<Transaction>| {
            own.as_mut().is_none_or(|transaction| transaction.admits(index))
        };
        match readiness {
            Readiness::NotBefore(when) => plan.look_at(when),
            Readiness::Ready if !is_admitted(&mut state.transaction) => {}
            Readiness::Ready => match shared.client.known_leader(&queue.topic, queue.index) {
                Some(leader) => plan.ready.entry(leader).or_default().push(index),
                None => drop(state.stale.insert(queue.topic.clone())),
            },
            Readiness::Blocked | Readiness::NeedsIdentity(_) => {}
        }
    }
    plan.expired = state.batch_count < batch_count;
    plan
}

/// Sends to `node` as much of `ready` as may be in flight, each request with at most one batch of a partition.
fn send_to(shared: &Rc<Shared>, node: NodeId, ready: Vec<QueueIndex>) {
    let Some(connection) = shared.client.existing_connection(node) else {
        return connect(shared, node, &ready);
    };
    let mut ready = ready.into_iter().peekable();
    while ready.peek().is_some() {
        let mut load: Load = Vec::new();
        {
            let mut guard = shared.state.borrow_mut();
            let state = &mut *guard;
            let to_node = state.nodes.entry(node).or_default();
            if to_node.in_flight >= shared.config.in_flight_max {
                return;
            }
            to_node.in_flight += 1;
            let mut bytes = 0;
            while let Some(&index) = ready.peek() {
                let queue = &mut state.queues[index];
                bytes += queue.first_len_bytes();
                if !load.is_empty() && bytes > shared.config.request_bytes_max {
                    break;
                }
                load.push((index, queue.take(shared.config.idempotent)));
                ready.next();
            }
        }
        request::send(shared, node, &connection, load);
    }
    // More of the same partitions may go at once, in requests of their own.
    shared.wake.notify_all();
}

/// Connects to `node` in a task of its own; meanwhile its partitions wait. When it fails, so does what waits for it: once.
fn connect(shared: &Rc<Shared>, node: NodeId, ready: &[QueueIndex]) {
    {
        let mut state = shared.state.borrow_mut();
        let to_node = state.nodes.entry(node).or_default();
        if std::mem::replace(&mut to_node.connecting, true) {
            return;
        }
    }
    let (shared, ready) = (shared.clone(), ready.to_vec());
    let reactor = shared.client.reactor().clone();
    let connect = async move {
        let outcome = shared.client.connection(node).await;
        {
            let mut state = shared.state.borrow_mut();
            state.nodes.entry(node).or_default().connecting = false;
            if let Err(error) = outcome {
                for index in ready {
                    let topic = state.queues[index].topic.clone();
                    state.stale.insert(topic);
                    if let Some(first) = state.queues[index].first_mut() {
                        first.last_error = Some(Rc::new(error.clone()));
                    }
                }
            }
        }
        shared.wake.notify_all();
    };
    reactor.spawn(Queue::Client, connect).detach();
}

/// Asks for an identity other than `old`, in a task of its own.
fn identify(shared: &Rc<Shared>, old: Option<Identity>) {
    {
        let mut state = shared.state.borrow_mut();
        if state.identity.is_some() && state.identity != old {
            return shared.wake.notify_all();
        }
        if std::mem::replace(&mut state.identifying, true) {
            return;
        }
    }
    let shared = shared.clone();
    let reactor = shared.client.reactor().clone();
    let ask = async move {
        let outcome = ask_identity(&shared.client).await;
        {
            let mut state = shared.state.borrow_mut();
            state.identifying = false;
            match outcome {
                Ok(identity) => state.identity = Some(identity),
                // It was tried for as long as calls are: batches that are left run into their delivery timeout.
                Err(error) if error.is_retriable() => {}
                Err(error) => state.fail(error),
            }
        }
        shared.ended.notify_all();
        shared.wake.notify_all();
    };
    reactor.spawn(Queue::Client, ask).detach();
}

async fn ask_identity(client: &Client) -> Result<Identity, Error> {
    let request = InitProducerIdRequest { transactional_id: None, ..Default::default() };
    let identity = client.call_any(&request, |answer| {
        let response = answer.decode::<InitProducerIdRequest<'_>>()?;
        answer.check(response.error_code, "", None)?;
        let (id, epoch) =
            (ProducerId(response.producer_id), ProducerEpoch(response.producer_epoch));
        Ok(Identity { id, epoch })
    });
    identity.await
}

/// Asks for the leaders of topics that may have changed, in a task of its own, with a pause between two attempts.
fn refresh(shared: &Rc<Shared>) {
    let topics = {
        let mut state = shared.state.borrow_mut();
        if state.stale.is_empty() || std::mem::replace(&mut state.refreshing, true) {
            return;
        }
        std::mem::take(&mut state.stale)
    };
    let shared = shared.clone();
    let reactor = shared.client.reactor().clone();
    let ask = async move {
        let names: Vec<&str> = topics.iter().map(|topic| &**topic).collect();
        // What fails is asked again as long as a partition of it has something to send.
        let outcome = shared.client.refresh(&names).await;
        let reactor = shared.client.reactor();
        reactor.sleep(shared.client.config().backoff_min).await;
        {
            let mut state = shared.state.borrow_mut();
            state.refreshing = false;
            if let Err(error) = outcome {
                state.explain(&topics, &Rc::new(error));
            }
        }
        shared.wake.notify_all();
    };
    reactor.spawn(Queue::Client, ask).detach();
}
