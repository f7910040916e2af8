//! The transactions of a shard's producers. Each producer has a lane: its records queue there, the first of them begins a
//! transaction, and so long after that it is committed, as often as there is more.
//!
//! While a commit is under way the producer can send nothing, as in every Kafka client. Records come by the clock all the
//! same and wait in the lane, and their latency contains that.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use ringlane_client::Error;
use ringlane_reactor::{Instant, Notify, Queue, Task};

use super::desk::Desk;
use super::plan::Place;
use super::send::TURN_RECORDS;

/// In a closed loop so many records wait in a lane, so that it never waits for the next.
const ROOM_RECORDS: usize = 64;

/// The lanes by their producers' numbers; none without transactions.
pub(super) struct Lanes {
    lanes: BTreeMap<u32, Rc<Lane>>,
    tasks: Vec<Task<()>>,
    yard: Rc<Yard>,
}

/// What the lanes share.
#[derive(Default)]
struct Yard {
    /// Rings when a lane has room again, or has failed.
    room: Notify,
    /// A producer can do nothing any more.
    has_failed: Cell<bool>,
}

struct Lane {
    producer: u32,
    desk: Rc<Desk>,
    yard: Rc<Yard>,
    queue: RefCell<VecDeque<(Place, Instant)>>,
    /// Rings when something is in the queue, or nothing more will be.
    news: Notify,
    is_committing: Cell<bool>,
    /// Nothing more comes: what is open is committed.
    is_ending: Cell<bool>,
}

impl Lanes {
    pub(super) fn start(desk: &Rc<Desk>) -> Self {
        let senders = &desk.senders;
        let (lanes, tasks, yard) = (BTreeMap::new(), Vec::new(), Rc::default());
        let mut lanes = Self { lanes, tasks, yard };
        if !senders.job.scenario.has_transactions() {
            return lanes;
        }
        for &producer in senders.producers.keys() {
            let lane = Rc::new(Lane {
                producer,
                desk: desk.clone(),
                yard: lanes.yard.clone(),
                queue: RefCell::default(),
                news: Notify::new(),
                is_committing: Cell::new(false),
                is_ending: Cell::new(false),
            });
            lanes.tasks.push(senders.reactor.spawn(Queue::Client, lane.clone().run()));
            lanes.lanes.insert(producer, lane);
        }
        lanes
    }

    /// Takes a record, if its producer has a lane.
    pub(super) fn take(&self, place: &Place, intended: Instant) -> bool {
        let Some(lane) = self.lanes.get(&place.producer) else { return false };
        lane.queue.borrow_mut().push_back((*place, intended));
        lane.news.notify_all();
        true
    }

    /// Whether a producer can do nothing any more: then nothing more need be sent.
    pub(super) fn have_failed(&self) -> bool {
        self.yard.has_failed.get()
    }

    /// Waits until some producer has room, or one has failed. Whether this one has room.
    pub(super) async fn wait_for_room(&self, producer: u32) -> bool {
        let Some(lane) = self.lanes.get(&producer) else { return true };
        loop {
            let room = self.yard.room.notified();
            if lane.has_room() {
                return true;
            }
            if self.have_failed() || self.lanes.values().any(|lane| lane.has_room()) {
                return false;
            }
            room.await;
        }
    }

    /// Waits until all that was taken is sent and committed.
    pub(super) async fn finish(self) {
        for lane in self.lanes.values() {
            lane.is_ending.set(true);
            lane.news.notify_all();
        }
        for task in self.tasks {
            task.await;
        }
    }
}

impl Lane {
    fn has_room(&self) -> bool {
        !self.is_committing.get() && self.queue.borrow().len() < ROOM_RECORDS
    }

    async fn run(self: Rc<Self>) {
        if let Err(error) = self.transact().await {
            self.desk.senders.tally.failed(&error);
            self.yard.has_failed.set(true);
            self.yard.room.notify_all();
        }
        // What is left after a failure will not be sent.
        for (_, intended) in self.queue.take() {
            self.count_unacknowledged(intended);
        }
    }

    async fn transact(&self) -> Result<(), Error> {
        let senders = &self.desk.senders;
        let producer = &senders.producers[&self.producer];
        let duration = senders.job.scenario.transaction_duration.0;
        let mut value = Vec::new();
        while let Some(mut record) = self.next(None).await {
            producer.begin_transaction()?;
            let due = senders.reactor.now() + duration;
            for sent in 1u32.. {
                let (place, intended) = record;
                let outcome = self.desk.hand_over(&place, intended, &mut value).await;
                if let Err(error) = outcome {
                    // Something of the transaction has failed: the commit tells, and aborts it.
                    senders.tally.failed(&error);
                    self.count_unacknowledged(intended);
                    break;
                }
                if sent.is_multiple_of(TURN_RECORDS) {
                    senders.reactor.yield_now().await;
                }
                match self.next(Some(due)).await {
                    Some(next) => record = next,
                    None => break,
                }
            }
            self.is_committing.set(true);
            self.commit(due.min(senders.reactor.now())).await?;
            self.is_committing.set(false);
            self.yard.room.notify_all();
        }
        Ok(())
    }

    /// The next record; none from `until` on, or when nothing more comes.
    async fn next(&self, until: Option<Instant>) -> Option<(Place, Instant)> {
        let reactor = &self.desk.senders.reactor;
        loop {
            let news = self.news.notified();
            if until.is_some_and(|until| reactor.now() >= until) {
                return None;
            }
            if let Some(next) = self.queue.borrow_mut().pop_front() {
                // Nobody but a closed loop waits for room.
                self.yard.room.notify_all();
                return Some(next);
            }
            match until {
                _ if self.is_ending.get() => return None,
                Some(until) => drop(reactor.timeout(until - reactor.now(), news).await),
                None => news.await,
            }
        }
    }

    /// Commits what was meant to be committed at `intended`. When that fails the transaction is aborted, so that its records are
    /// missed, and the next begins.
    async fn commit(&self, intended: Instant) -> Result<(), Error> {
        let senders = &self.desk.senders;
        let producer = &senders.producers[&self.producer];
        match producer.commit_transaction().await {
            Ok(()) => {
                let latency = senders.reactor.now() - intended;
                senders.tally.committed(latency, self.desk.times.is_measured(intended));
                Ok(())
            }
            Err(error) => {
                senders.tally.failed(&error);
                senders.tally.count(|counts| counts.failed_transactions += 1);
                producer.abort_transaction().await
            }
        }
    }

    fn count_unacknowledged(&self, intended: Instant) {
        let is_measured = self.desk.times.is_measured(intended);
        self.desk.senders.tally.count(|counts| counts.unacknowledged.add(is_measured));
    }
}
