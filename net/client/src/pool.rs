//! The connections of a client: at most one for each broker and purpose, made when first needed and again after it ended,
//! with growing pauses while that fails.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use ringlane_reactor::{Instant, Notify, Reactor};

use crate::backoff::pause;
use crate::config::ClientConfig;
use crate::connection::Connection;
use crate::error::Error;

/// What a connection is for. A broker answers a connection's requests in order, so a fetch or a join that waits must not
/// stand before what is urgent.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Purpose {
    /// Metadata and administration.
    Control,
    /// Produce and fetch.
    Data,
    /// Joining a group and all else that its coordinator is asked.
    Group,
    /// What the coordinator of a transaction is asked.
    Transaction,
}

/// A connection's purpose and address.
type Key = (Purpose, Rc<str>);

/// See the file's head.
pub(crate) struct Pool {
    reactor: Reactor,
    config: Rc<ClientConfig>,
    slots: RefCell<BTreeMap<Key, Rc<Slot>>>,
}

#[derive(Default)]
struct Slot {
    connection: RefCell<Option<Connection>>,
    connecting: Cell<bool>,
    /// Rings when an attempt to connect ended.
    attempt_ended: Notify,
    failures: Cell<u32>,
    /// Not tried before this.
    not_before: Cell<Instant>,
}

/// Ends the attempt also when its future is dropped in the middle.
struct Attempt<'a>(&'a Slot);

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        self.0.connecting.set(false);
        self.0.attempt_ended.notify_all();
    }
}

impl Pool {
    pub(crate) fn new(reactor: &Reactor, config: Rc<ClientConfig>) -> Self {
        Self { reactor: reactor.clone(), config, slots: RefCell::default() }
    }

    /// The connection to `address` that is there and alive.
    pub(crate) fn existing(&self, purpose: Purpose, address: &Rc<str>) -> Option<Connection> {
        let slots = self.slots.borrow();
        slots.get(&(purpose, address.clone()))?.alive()
    }

    /// The connection to `address`, made if need be.
    pub(crate) async fn connection(
        &self,
        purpose: Purpose,
        address: &Rc<str>,
    ) -> Result<Connection, Error> {
        let slot = {
            let mut slots = self.slots.borrow_mut();
            slots.entry((purpose, address.clone())).or_default().clone()
        };
        loop {
            if let Some(connection) = slot.alive() {
                return Ok(connection);
            }
            let ended = slot.attempt_ended.notified();
            if !slot.connecting.replace(true) {
                return self.connect(&slot, address).await;
            }
            ended.await;
        }
    }

    async fn connect(&self, slot: &Slot, address: &Rc<str>) -> Result<Connection, Error> {
        let _attempt = Attempt(slot);
        // The pause counts from the last attempt, also from one that succeeded: a broker that closes every connection at
        // once is not called in a loop.
        let attempt = slot.failures.get();
        self.reactor.sleep_until(slot.not_before.get()).await;
        let config = &self.config;
        let pause =
            pause(attempt, config.backoff_min, config.backoff_max, self.reactor.random_u64());
        let outcome = Connection::open(&self.reactor, address, config).await;
        slot.not_before.set(self.reactor.now() + pause);
        slot.failures.set(if outcome.is_ok() { 0 } else { attempt.saturating_add(1) });
        if let Ok(connection) = &outcome {
            *slot.connection.borrow_mut() = Some(connection.clone());
        }
        outcome
    }

    /// Closes all connections, once the last answers on them have come.
    pub(crate) fn clear(&self) {
        self.slots.borrow_mut().clear();
    }
}

impl Slot {
    fn alive(&self) -> Option<Connection> {
        self.connection.borrow().clone().filter(|connection| !connection.is_closed())
    }
}
