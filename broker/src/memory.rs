//! The bytes that a shard's connections hold: requests received and not yet answered, answers not yet taken. At the bound
//! connections wait; if the bound stands in everyone's way, the connection that holds most and has moved least goes.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};
use std::time::Duration;

use ringlane_reactor::{Instant, Notify};

/// What one connection holds.
pub(crate) struct Account {
    ledger: Rc<Ledger>,
    number: u64,
    held_bytes: Cell<usize>,
    progressed_at: Cell<Instant>,
    /// Rings when the connection is to close for memory's sake.
    evict: Notify,
    evicted: Cell<bool>,
}

/// All accounts of a shard.
pub(crate) struct Ledger {
    limit_bytes: usize,
    held_bytes: Cell<usize>,
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

    /// Tells the connection that holds bytes and has not moved for the longest time to close.
    fn evict_one(&self) {
        let accounts = self.accounts.borrow();
        let victim = accounts
            .values()
            .filter_map(Weak::upgrade)
            .filter(|account| account.held_bytes.get() > 0 && !account.evicted.get())
            .min_by_key(|account| account.progressed_at.get());
        if let Some(account) = victim {
            account.close();
        }
    }
}

impl Account {
    /// Adds bytes that are there already (they came from the socket or the log).
    pub(crate) fn add(&self, bytes: usize) {
        self.held_bytes.set(self.held_bytes.get() + bytes);
        self.ledger.held_bytes.set(self.ledger.held_bytes.get() + bytes);
    }

    /// Gives bytes back.
    ///
    /// # Panics
    /// When more is given back than was added.
    pub(crate) fn release(&self, bytes: usize) {
        let held = self.held_bytes.get().checked_sub(bytes);
        self.held_bytes.set(held.expect("an account releases what it holds"));
        self.ledger.held_bytes.set(self.ledger.held_bytes.get() - bytes);
        self.ledger.room.notify_all();
    }

    /// Notes that the connection took or gave bytes.
    pub(crate) fn progressed(&self, now: Instant) {
        self.progressed_at.set(now);
    }

    fn close(&self) {
        self.evicted.set(true);
        self.evict.notify_all();
    }

    /// Waits until the shard is below its bound. A connection in the middle of a frame does not wait, since its frame
    /// could then never end: instead, at the bound, the one that is most in the way is closed.
    pub(crate) async fn wait_for_room(&self, mid_frame: bool) {
        while self.ledger.is_full() {
            self.ledger.evict_one();
            if mid_frame {
                return;
            }
            let room = self.ledger.room.notified();
            if self.ledger.is_full() {
                room.await;
            }
        }
    }

    /// Ready when this connection is told to close.
    pub(crate) async fn evicted(&self) {
        while !self.evicted.get() {
            self.evict.notified().await;
        }
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        let left = self.held_bytes.get();
        self.ledger.held_bytes.set(self.ledger.held_bytes.get() - left);
        self.ledger.accounts.borrow_mut().remove(&self.number);
        self.ledger.room.notify_all();
    }
}
