//! Makes appends durable in groups: while one group of files is synced, the logs appended to meanwhile gather for the
//! next. Also runs the checkpoints of a shard's logs, one at a time, in the background.
//!
//! The journal will take this place for the acknowledgement; checkpoints stay as they are.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use ringlane_reactor::{Queue, Reactor, Task};

use crate::config::GroupSyncConfig;
use crate::log::Log;

/// One for each shard; cheap to clone.
///
/// Contract: a log asks with `register` after an append, at most once until its sync begins. Its durable end then moves
/// to what was appended when that sync began, and its bell rings; a failed sync takes it offline for good (the kernel may
/// have dropped the bytes: fsyncgate). At most one group is in flight.
#[derive(Clone)]
pub struct GroupSync(Rc<Inner>);

struct Inner {
    reactor: Reactor,
    config: GroupSyncConfig,
    /// Logs with appends that the group in flight does not cover.
    filling: RefCell<Vec<Log>>,
    syncing: Cell<bool>,
    checkpoints: RefCell<VecDeque<Log>>,
    checkpointing: Cell<bool>,
}

impl GroupSync {
    /// The grouped syncs of `reactor`'s shard.
    pub fn new(reactor: &Reactor, config: GroupSyncConfig) -> Self {
        assert!(config.concurrent_syncs_max > 0, "a group needs at least one sync at a time");
        Self(Rc::new(Inner {
            reactor: reactor.clone(),
            config,
            filling: RefCell::default(),
            syncing: Cell::new(false),
            checkpoints: RefCell::default(),
            checkpointing: Cell::new(false),
        }))
    }

    /// The reactor of this shard.
    pub fn reactor(&self) -> &Reactor {
        &self.0.reactor
    }

    pub(crate) fn config(&self) -> &GroupSyncConfig {
        &self.0.config
    }

    /// Puts `log` into the next group.
    pub(crate) fn register(&self, log: &Log) {
        self.0.filling.borrow_mut().push(log.clone());
        if !self.0.syncing.replace(true) {
            let this = self.clone();
            self.0.reactor.spawn(Queue::Client, async move { this.run_groups().await }).detach();
        }
    }

    /// Has a checkpoint of `log` taken soon.
    pub(crate) fn enqueue_checkpoint(&self, log: &Log) {
        self.0.checkpoints.borrow_mut().push_back(log.clone());
        if !self.0.checkpointing.replace(true) {
            let this = self.clone();
            let run = async move { this.run_checkpoints().await };
            self.0.reactor.spawn(Queue::Background, run).detach();
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
            if running.len() == self.0.config.concurrent_syncs_max {
                running.pop_front().expect("the bound is above zero").await;
            }
            running.push_back(self.0.reactor.spawn(Queue::Client, async move { log.sync().await }));
        }
        for task in running {
            task.await;
        }
    }

    async fn run_checkpoints(&self) {
        loop {
            let next = self.0.checkpoints.borrow_mut().pop_front();
            let Some(log) = next else {
                self.0.checkpointing.set(false);
                return;
            };
            log.checkpoint_in_background().await;
        }
    }
}
