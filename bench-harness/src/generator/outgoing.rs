//! What is on its way on one stream, and the task that notes when each record of it is acknowledged.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use ringlane_client::Delivery;
use ringlane_reactor::{Instant, Notify, Queue, Reactor, Task};

use super::plan::Times;
use super::tally::Tally;
use crate::verify::Sent;

/// One stream.
pub(super) struct Outgoing {
    pub(super) next_sequence: u64,
    pub(super) waiting: Rc<Waiting>,
    _acknowledger: Task<()>,
}

/// Records that are not acknowledged yet, in the order in which they were sent: the order in which they are acknowledged.
#[derive(Default)]
pub(super) struct Waiting {
    queue: RefCell<VecDeque<(Delivery, Instant, u64)>>,
    news: Notify,
    /// Of the record that waits for room in the producer: it is not yet in the queue.
    sending: Cell<Option<u64>>,
    /// Of the record at whose acknowledgement the task waits: it is no longer in the queue.
    current: Cell<Option<u64>>,
    unacknowledged: RefCell<Vec<u64>>,
}

impl Outgoing {
    /// A stream into `partition`, counted over all topics.
    pub(super) fn open(reactor: &Reactor, tally: &Tally, partition: usize, times: Times) -> Self {
        let waiting = Rc::new(Waiting::default());
        let task = acknowledge(reactor.clone(), waiting.clone(), partition, tally.clone(), times);
        let acknowledger = reactor.spawn(Queue::Client, task);
        Self { next_sequence: 0, waiting, _acknowledger: acknowledger }
    }

    /// What was sent on it, once nothing more is.
    pub(super) fn sent(&self) -> Sent {
        let waiting = &self.waiting;
        let mut unacknowledged = waiting.unacknowledged.borrow().clone();
        unacknowledged.extend(waiting.current.get().into_iter().chain(waiting.sending.get()));
        unacknowledged.extend(waiting.queue.borrow().iter().map(|(_, _, sequence)| sequence));
        Sent { count: self.next_sequence, unacknowledged }
    }
}

impl Waiting {
    /// The record with this sequence goes to the producer.
    pub(super) fn begin(&self, sequence: u64) {
        self.sending.set(Some(sequence));
    }

    /// The producer does not take it.
    pub(super) fn give_up(&self, sequence: u64) {
        self.sending.set(None);
        self.unacknowledged.borrow_mut().push(sequence);
    }

    /// The producer has it.
    pub(super) fn has(&self, delivery: Delivery, intended: Instant, sequence: u64) {
        self.sending.set(None);
        self.queue.borrow_mut().push_back((delivery, intended, sequence));
        self.news.notify_all();
    }
}

/// Notes the acknowledgements of a stream.
async fn acknowledge(
    reactor: Reactor,
    waiting: Rc<Waiting>,
    partition: usize,
    tally: Tally,
    times: Times,
) {
    loop {
        let news = waiting.news.notified();
        let first = waiting.queue.borrow_mut().pop_front();
        let Some((delivery, intended, sequence)) = first else {
            news.await;
            continue;
        };
        waiting.current.set(Some(sequence));
        let outcome = delivery.await;
        waiting.current.set(None);
        let is_measured = times.is_measured(intended);
        match outcome {
            Ok(_) => tally.acknowledged(partition, reactor.now() - intended, is_measured),
            Err(error) => {
                tally.count(|counts| counts.unacknowledged.add(is_measured));
                tally.failed(&error);
                waiting.unacknowledged.borrow_mut().push(sequence);
            }
        }
    }
}
