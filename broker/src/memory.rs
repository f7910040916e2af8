//! The bytes that a shard's connections hold: requests received and not yet answered, answers not yet taken. At the bound
//! connections wait; of those that then do not move, the one that holds most goes. What was begun for a client that has left
//! is held until it has ended: an append that waits for the disk keeps its batch, whoever waits for the answer.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};
use std::time::Duration;

use ringlane_reactor::{Instant, Notify, Reactor};

use crate::race::race;

/// At the bound, a connection that waits for its client and has not moved for this long is in the way.
const STALE: Duration = Duration::from_secs(1);

/// A connection that holds less than this is read whatever other connections hold: small requests are always served, unless
/// work for clients that have left fills the bound by itself.
const SMALL_BYTES: usize = 4096;

/// How often a connection that waits for room looks again, at most.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// What one connection holds.
pub(crate) struct Account {
    ledger: Rc<Ledger>,
    number: u64,
    held_bytes: Cell<usize>,
    progressed_at: Cell<Instant>,
    /// What it waits for its client to do: to send the rest of a frame, to read an answer.
    is_receiving: Cell<bool>,
    is_sending: Cell<bool>,
    has_left: Cell<bool>,
    /// Rings when the connection is to close for memory's sake.
    evict: Notify,
    evicted: Cell<bool>,
}

/// All accounts of a shard.
pub(crate) struct Ledger {
    limit_bytes: usize,
    held_bytes: Cell<usize>,
    /// Of these, what is held for clients that have left.
    left_bytes: Cell<usize>,
    accounts: RefCell<BTreeMap<u64, Weak<Account>>>,
    next: Cell<u64>,
    room: Notify,
}

impl Ledger {
    /// A ledger that makes connections wait above `limit_bytes`.
    pub(crate) fn new(limit_bytes: usize) -> Rc<Self> {
        Rc::new(Self {
            limit_bytes,
            held_bytes: Cell::new(0),
            left_bytes: Cell::new(0),
            accounts: RefCell::new(BTreeMap::new()),
            next: Cell::new(0),
            room: Notify::new(),
        })
    }

    /// An account for a new connection.
    pub(crate) fn open(self: &Rc<Self>, now: Instant) -> Rc<Account> {
        let number = self.next.replace(self.next.get() + 1);
        let account = Rc::new(Account {
            ledger: self.clone(),
            number,
            held_bytes: Cell::new(0),
            progressed_at: Cell::new(now),
            is_receiving: Cell::new(false),
            is_sending: Cell::new(false),
            has_left: Cell::new(false),
            evict: Notify::new(),
            evicted: Cell::new(false),
        });
        self.accounts.borrow_mut().insert(number, Rc::downgrade(&account));
        account
    }

    /// Tells every connection that has not moved for `idle` to close; answers when the stalest of the others last moved.
    pub(crate) fn close_idle(&self, now: Instant, idle: Duration) -> Option<Instant> {
        let mut oldest = None;
        for account in self.accounts.borrow().values().filter_map(Weak::upgrade) {
            let progressed_at = account.progressed_at.get();
            if progressed_at + idle <= now {
                account.close();
            } else {
                oldest =
                    Some(oldest.map_or(progressed_at, |oldest: Instant| oldest.min(progressed_at)));
            }
        }
        oldest
    }

    fn is_full(&self) -> bool {
        self.held_bytes.get() >= self.limit_bytes
    }

    /// Whether what clients left behind fills the bound: no connection could make room, and none is read. A client that
    /// sends, leaves and comes again would otherwise have another request taken up each time.
    fn is_full_of_left(&self) -> bool {
        self.left_bytes.get() >= self.limit_bytes
    }

    /// Closes, of the connections whose clients have not moved for [`STALE`], the one that holds most, unless the last one
    /// told to close has not yet given back what it holds. One that waits for this broker is never in the way. Answers
    /// when to look again.
    fn evict_one(&self, now: Instant) -> Instant {
        let accounts = self.accounts.borrow();
        let waiting: Vec<_> = accounts
            .values()
            .filter_map(Weak::upgrade)
            .filter(|account| account.waits_for_client() && account.held_bytes.get() > 0)
            .collect();
        if !self.is_full_of_left() && !waiting.iter().any(|account| account.evicted.get()) {
            let is_stale = |account: &&Rc<Account>| account.progressed_at.get() + STALE <= now;
            let victim = waiting.iter().filter(is_stale).max_by_key(|held| held.held_bytes.get());
            if let Some(account) = victim {
                account.close();
            }
        }
        let first = waiting.iter().map(|account| account.progressed_at.get()).min();
        first.map_or(now + STALE, |first| first + STALE).max(now + LOOK_AGAIN)
    }
}

impl Account {
    /// Holds bytes that are there already (they came from the socket or the log).
    pub(crate) fn take(self: &Rc<Self>, bytes: usize) -> Held {
        self.add(bytes);
        Held { account: self.clone(), bytes }
    }

    /// The connection has ended. What work for it still holds stays on the account until it is dropped.
    pub(crate) fn leave(&self) {
        assert!(!self.has_left.replace(true), "a connection leaves once");
        self.ledger.left_bytes.set(self.ledger.left_bytes.get() + self.held_bytes.get());
        self.ledger.accounts.borrow_mut().remove(&self.number);
    }

    fn add(&self, bytes: usize) {
        self.held_bytes.set(self.held_bytes.get() + bytes);
        self.ledger.held_bytes.set(self.ledger.held_bytes.get() + bytes);
        if self.has_left.get() {
            self.ledger.left_bytes.set(self.ledger.left_bytes.get() + bytes);
        }
    }

    fn release(&self, bytes: usize) {
        let held = self.held_bytes.get().checked_sub(bytes);
        self.held_bytes.set(held.expect("an account releases what it holds"));
        self.ledger.held_bytes.set(self.ledger.held_bytes.get() - bytes);
        if self.has_left.get() {
            self.ledger.left_bytes.set(self.ledger.left_bytes.get() - bytes);
        }
        self.ledger.room.notify_all();
    }

    /// Notes that the connection took or gave bytes.
    pub(crate) fn progressed(&self, now: Instant) {
        self.progressed_at.set(now);
    }

    /// Notes whether the client is in the middle of a frame.
    pub(crate) fn set_receiving(&self, is_receiving: bool) {
        self.is_receiving.set(is_receiving);
    }

    /// Notes whether the client has an answer to take.
    pub(crate) fn set_sending(&self, is_sending: bool) {
        self.is_sending.set(is_sending);
    }

    fn waits_for_client(&self) -> bool {
        self.is_receiving.get() || self.is_sending.get()
    }

    fn close(&self) {
        self.evicted.set(true);
        self.evict.notify_all();
    }

    /// Waits, with more than [`SMALL_BYTES`] held, until the shard is below its bound.
    pub(crate) async fn wait_to_read(&self, reactor: &Reactor) {
        if self.held_bytes.get() >= SMALL_BYTES || self.ledger.is_full_of_left() {
            self.wait_for_room(reactor).await;
        }
    }

    /// While there is no room, nobody is read, so whoever is in the way stands still, and after [`STALE`] is closed.
    async fn wait_for_room(&self, reactor: &Reactor) {
        while self.ledger.is_full() {
            let room = self.ledger.room.notified();
            let again = self.ledger.evict_one(reactor.now());
            race(room, reactor.sleep_until(again)).await;
        }
    }

    /// Waits for room and takes a quarter of it, at least `least_bytes` and at most `wanted_bytes`, for an answer that is yet
    /// to be read from the log: so there is always some room for the next.
    pub(crate) async fn hold(
        self: &Rc<Self>,
        reactor: &Reactor,
        wanted_bytes: usize,
        least_bytes: usize,
    ) -> Held {
        self.wait_for_room(reactor).await;
        let room = self.ledger.limit_bytes.saturating_sub(self.ledger.held_bytes.get());
        self.take(wanted_bytes.min((room / 4).max(least_bytes)))
    }

    /// Ready when this connection is told to close.
    pub(crate) async fn evicted(&self) {
        while !self.evicted.get() {
            self.evict.notified().await;
        }
    }
}

/// Bytes that an account holds until this is dropped.
pub(crate) struct Held {
    account: Rc<Account>,
    bytes: usize,
}

impl Held {
    /// The account that holds them.
    pub(crate) fn account(&self) -> &Rc<Account> {
        &self.account
    }

    /// How many bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Holds `bytes` from now on.
    pub(crate) fn set(&mut self, bytes: usize) {
        self.account.add(bytes);
        self.account.release(std::mem::replace(&mut self.bytes, bytes));
    }

    /// Holds `bytes` more.
    pub(crate) fn grow(&mut self, bytes: usize) {
        self.account.add(bytes);
        self.bytes += bytes;
    }

    /// Parts with `bytes` of them.
    ///
    /// # Panics
    /// When it holds fewer.
    pub(crate) fn split(&mut self, bytes: usize) -> Self {
        let left = self.bytes.checked_sub(bytes);
        self.bytes = left.expect("nothing parts with more than it holds");
        Self { account: self.account.clone(), bytes }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.account.release(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_for_one_that_has_left_is_given_back_whole() {
        let ledger = Ledger::new(100);
        let account = ledger.open(Instant::from_nanos(0));
        let before = account.take(60);
        account.leave();
        let after = account.take(50);
        assert!(ledger.is_full() && ledger.is_full_of_left());
        drop(before);
        assert!(!ledger.is_full_of_left());
        drop(after);
        assert_eq!((ledger.held_bytes.get(), ledger.left_bytes.get()), (0, 0));
    }
}
