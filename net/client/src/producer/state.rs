//! What a producer holds: the queues of its partitions, which of them have something to send, and how much it all is.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use ringlane_batch::TimestampMs;
use ringlane_reactor::Instant;

use super::batch::{Batch, Delivery, Identity};
use super::partitioner::Sticky;
use super::queue::{Answered, PartitionQueue};
use super::sender::Shared;
use super::transaction::Transaction;
use super::transactional::batch_failed;
use super::{ProducerConfig, ProducerRecord};
use crate::backoff::pause;
use crate::error::Error;
use crate::metadata::{NodeId, TopicInfo};

/// A partition's place in [`State::queues`].
pub(super) type QueueIndex = usize;

/// See the file's head.
#[derive(Default)]
pub(super) struct State {
    pub(super) queues: Vec<PartitionQueue>,
    topics: BTreeMap<Rc<str>, TopicQueues>,
    /// Queues with something to send.
    pub(super) active: BTreeSet<QueueIndex>,
    pub(super) nodes: BTreeMap<NodeId, NodeState>,
    pub(super) identity: Option<Identity>,
    /// A task asks for an identity.
    pub(super) identifying: bool,
    /// Topics whose leaders must be asked for anew, and whether a task does so.
    pub(super) stale: BTreeSet<Rc<str>>,
    pub(super) refreshing: bool,
    /// Batches that are neither acknowledged nor given up, and their bytes.
    pub(super) batch_count: usize,
    buffered_bytes: usize,
    /// How many wait for all of it.
    pub(super) flushes: usize,
    /// Of the first batch given up since the last flush.
    pub(super) first_error: Option<Error>,
    fatal: Option<Error>,
    /// Of a transactional producer.
    pub(super) transaction: Option<Transaction>,
}

struct TopicQueues {
    first_queue: Vec<QueueIndex>,
    sticky: Sticky,
}

/// What is under way to a broker.
#[derive(Default)]
pub(super) struct NodeState {
    pub(super) in_flight: usize,
    /// A task connects.
    pub(super) connecting: bool,
}

impl State {
    /// Nothing sent yet, with transactions or without.
    pub(super) fn new(transaction: Option<Transaction>) -> Self {
        Self { transaction, ..Self::default() }
    }

    pub(super) fn knows(&self, topic: &str) -> bool {
        self.topics.contains_key(topic)
    }

    /// Has a queue for each partition of a topic. A topic that was created anew with fewer keeps those it had.
    pub(super) fn learn(&mut self, topic: &TopicInfo) {
        let known = self
            .topics
            .entry(topic.name.clone())
            .or_insert_with(|| TopicQueues { first_queue: Vec::new(), sticky: Sticky::default() });
        for index in known.first_queue.len()..topic.partitions.len() {
            known.first_queue.push(self.queues.len());
            self.queues.push(PartitionQueue::new(topic.name.clone(), index as i32));
        }
    }

    pub(super) fn partition_count(&self, topic: &str) -> usize {
        self.topics.get(topic).map_or(0, |known| known.first_queue.len())
    }

    /// The partition for a record without a key: one that has a leader, if any has.
    pub(super) fn sticky_partition(&mut self, shared: &Shared, topic: &str, bytes: usize) -> usize {
        let count = self.partition_count(topic);
        let led = shared.client.known_topic(topic).map_or_else(Vec::new, |known| {
            let led = known.partitions.iter().take(count).enumerate();
            led.filter(|(_, info)| info.leader.is_some()).map(|(index, _)| index).collect()
        });
        let candidates = if led.is_empty() { (0..count).collect() } else { led };
        let known = self.topics.get_mut(topic).expect("the topic was learned");
        let random = || shared.client.reactor().random_u64();
        known.sticky.next(&candidates, bytes, shared.config.batch_bytes, random)
    }

    /// Puts a record into the last batch of a partition, or a new one. Also whether the sender has to look: there is a new
    /// batch, or one is full.
    pub(super) fn append(
        &mut self,
        shared: &Shared,
        topic: &str,
        partition: usize,
        record: &ProducerRecord<'_>,
        timestamp: TimestampMs,
    ) -> (Delivery, bool) {
        let ProducerConfig { batch_bytes, codec, .. } = shared.config;
        let form = (codec, self.transaction.is_some());
        let index = self.topics[topic].first_queue[partition];
        let queue = &mut self.queues[index];
        if let Some(last) = queue.last() {
            let before = last.len_bytes();
            if let Some(delivery) = last.append(record, timestamp, batch_bytes) {
                self.buffered_bytes += last.len_bytes() - before;
                return (delivery, last.len_bytes() >= batch_bytes);
            }
        }
        let now = shared.client.reactor().now();
        let batch = queue.push(|number| Batch::new(number, partition as i32, form, now));
        let delivery = batch.append(record, timestamp, batch_bytes);
        let delivery = delivery.expect("an open batch takes its first record");
        self.buffered_bytes += batch.len_bytes();
        self.batch_count += 1;
        self.active.insert(index);
        (delivery, true)
    }

    /// Takes in what became of a batch that was sent.
    pub(super) fn answered(
        &mut self,
        shared: &Shared,
        index: QueueIndex,
        batch: Batch,
        answer: Result<i64, Error>,
    ) {
        let reactor = shared.client.reactor();
        if answer.is_err() {
            self.stale.insert(self.queues[index].topic.clone());
        }
        let config = shared.client.config();
        let pause = |n| pause(n, config.backoff_min, config.backoff_max, reactor.random_u64());
        let queue = &mut self.queues[index];
        match queue.answered(batch, answer, reactor.now(), pause) {
            Answered::Acknowledged(batch, offset) => self.end(batch, Ok(offset)),
            Answered::GivenUp(batch, error) => self.end(batch, Err(error)),
            Answered::Again => {}
        }
        if !self.queues[index].is_empty() {
            self.active.insert(index);
        }
    }

    /// The end of a batch.
    pub(super) fn end(&mut self, batch: Batch, end: Result<i64, Error>) {
        assert!(self.batch_count > 0, "a batch ends once");
        assert!(self.buffered_bytes >= batch.len_bytes(), "what ends was counted");
        self.batch_count -= 1;
        self.buffered_bytes -= batch.len_bytes();
        if let Err(error) = &end {
            self.first_error.get_or_insert_with(|| error.clone());
            let transaction = self.transaction.as_mut();
            let is_over = transaction.is_some_and(|own| batch_failed(own, error));
            if is_over && self.fatal.is_none() {
                self.fail(error.clone());
            }
        }
        batch.end(end);
    }

    /// Gives up what was tried for longer than the delivery timeout.
    pub(super) fn expire(&mut self, config: &ProducerConfig, index: QueueIndex, now: Instant) {
        let since_start = std::time::Duration::from_nanos(now.as_nanos());
        let Some(limit) = since_start.checked_sub(config.delivery_timeout) else { return };
        let limit = Instant::default() + limit;
        for batch in self.queues[index].expire(limit) {
            let (within, last) = (config.delivery_timeout, batch.last_error.clone());
            self.end(batch, Err(Error::NotDelivered { within, last }));
        }
    }

    /// Remembers why what waits for the leaders of `topics` cannot go, for whoever is told that it was given up.
    pub(super) fn explain(&mut self, topics: &BTreeSet<Rc<str>>, error: &Rc<Error>) {
        for &index in &self.active {
            let queue = &mut self.queues[index];
            if topics.contains(&queue.topic)
                && let Some(first) = queue.first_mut()
            {
                first.last_error = Some(error.clone());
            }
        }
    }

    /// Nothing can be sent any more, for `error`.
    pub(super) fn fail(&mut self, error: Error) {
        self.fatal.get_or_insert_with(|| error.clone());
        self.give_up(&error);
    }

    /// Gives up all that waits to be sent.
    pub(super) fn give_up(&mut self, error: &Error) {
        for index in std::mem::take(&mut self.active) {
            for batch in self.queues[index].expire(Instant::from_nanos(u64::MAX)) {
                self.end(batch, Err(error.clone()));
            }
        }
    }

    /// Every partition produces as `identity` from now on, from sequence 0; nothing is on its way.
    pub(super) fn become_identity(&mut self, identity: Identity) {
        assert_eq!(self.batch_count, 0, "nothing is on its way under the identity before");
        self.queues.iter_mut().for_each(PartitionQueue::forget_identity);
        self.identity = Some(identity);
    }

    /// Whether a broker may wait for a sequence that will never come.
    pub(super) fn has_gap(&self) -> bool {
        self.queues.iter().any(PartitionQueue::has_gap)
    }

    pub(super) fn fatal(&self) -> Option<Error> {
        self.fatal.clone()
    }

    pub(super) fn buffered_bytes(&self) -> usize {
        self.buffered_bytes
    }
}
