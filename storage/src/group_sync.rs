//! Syncs of logs that are not in the journal, in groups: while one group of files is synced, the logs that ask for it
//! meanwhile gather for the next.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use ringlane_reactor::{Queue, Reactor, Task};

use crate::log::Log;

/// One for each shard; cheap to clone.
///
/// Contract: a log asks with `register`, at most once until its sync begins. Its durable end then moves to what was
/// appended when that sync began, and its bell rings; a failed sync takes it offline for good (the kernel may have dropped
/// the bytes: fsyncgate). At most one group is in flight.
#[derive(Clone)]
pub(crate) struct GroupSync(Rc<Inner>);

struct Inner {
    reactor: Reactor,
    concurrent_max: usize,
    /// Logs that the group in flight does not cover.
    filling: RefCell<Vec<Log>>,
    syncing: Cell<bool>,
}

impl GroupSync {
    /// The grouped syncs of `reactor`'s shard, so many files at the same time.
    pub(crate) fn new(reactor: &Reactor, concurrent_max: usize) -> Self {
        assert!(concurrent_max > 0, "a group needs at least one sync at a time");
        Self(Rc::new(Inner {
            reactor: reactor.clone(),
            concurrent_max,
            filling: RefCell::default(),
            syncing: Cell::new(false),
        }))
    }

    /// Puts `log` into the next group.
    pub(crate) fn register(&self, log: &Log) {
        self.0.filling.borrow_mut().push(log.clone());
        if !self.0.syncing.replace(true) {
            let this = self.clone();
            self.0.reactor.spawn(Queue::Client, async move { this.run_groups().await }).detach();
        }
    }

    async fn run_groups(&self) {
        loop {
            let group = std::mem::take(&mut *self.0.filling.borrow_mut());
            if group.is_empty() {
                self.0.syncing.set(false);
                return;
            }
            self.sync_group(group).await;
        }
    }

    async fn sync_group(&self, mut group: Vec<Log>) {
        if group.len() == 1 {
            return group.remove(0).sync().await;
        }
        let mut running: VecDeque<Task<()>> = VecDeque::new();
        for log in group {
            if running.len() == self.0.concurrent_max {
                running.pop_front().expect("the bound is above zero").await;
            }
            running.push_back(self.0.reactor.spawn(Queue::Client, async move { log.sync().await }));
        }
        for task in running {
            task.await;
        }
    }
}
