//! What a shard of the generator counts: records at each stage, and the latencies of the current interval.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use super::breakdown::{Breakdown, Kind};
use crate::percentiles::{Latencies, latencies};

/// Counts since the start. `measured` are those of the measured time, by their intended send time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Handed to a producer.
    pub sent: Stage,
    /// Acknowledged.
    pub acknowledged: Stage,
    /// Given up by the producer.
    pub unacknowledged: Stage,
    /// Consumed for the first time, by each reader.
    pub consumed: Stage,
    /// Transactions that were committed; measured are those that were meant to be in the measured time.
    pub transactions: Stage,
    /// Transactions that should have been committed, and were not.
    pub failed_transactions: u64,
    /// Consumed and not what was sent.
    pub corrupted: u64,
    /// The producers have sent all.
    pub sending_ended: bool,
    /// A producer was still behind when its time was over, and left the rest unsent.
    pub cut_short: bool,
    /// Time in which a producer had to wait for room in its buffer.
    pub blocked: Duration,
}

/// Records at one stage.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stage {
    /// All of them.
    pub all: u64,
    /// Of the measured time.
    pub measured: u64,
}

impl Stage {
    pub(super) fn add(&mut self, is_measured: bool) {
        self.all += 1;
        self.measured += u64::from(is_measured);
    }
}

impl std::ops::AddAssign for Stage {
    fn add_assign(&mut self, other: Self) {
        self.all += other.all;
        self.measured += other.measured;
    }
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.sent += other.sent;
        self.acknowledged += other.acknowledged;
        self.unacknowledged += other.unacknowledged;
        self.consumed += other.consumed;
        self.transactions += other.transactions;
        self.failed_transactions += other.failed_transactions;
        self.corrupted += other.corrupted;
        self.sending_ended &= other.sending_ended;
        self.cut_short |= other.cut_short;
        self.blocked += other.blocked;
    }
}

impl Counts {
    /// The sum over shards.
    pub fn sum<'a>(of: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut sum = Self { sending_ended: true, ..Self::default() };
        of.into_iter().for_each(|counts| sum += *counts);
        sum
    }
}

/// The latencies of measured records in an interval.
#[derive(Clone, Debug)]
pub struct Interval {
    /// Intended send to acknowledgement.
    pub produce: Latencies,
    /// Intended send to consumption.
    pub end_to_end: Latencies,
    /// What a reader waited for an answer with records, from the request or, if it came later, from the intended send of the
    /// first of them: a wait for nothing to read is not the target's.
    pub fetch: Latencies,
    /// From when a transaction was meant to be committed until the coordinator said that it is.
    pub commit: Latencies,
    /// How late the generator itself was.
    pub lag: Latencies,
}

impl Interval {
    /// Nothing yet.
    pub fn empty() -> Self {
        Self {
            produce: latencies(),
            end_to_end: latencies(),
            fetch: latencies(),
            commit: latencies(),
            lag: latencies(),
        }
    }

    /// Takes in another's.
    pub fn add(&mut self, other: &Self) {
        let grows = "a histogram that resizes takes any other";
        self.produce.add(&other.produce).expect(grows);
        self.end_to_end.add(&other.end_to_end).expect(grows);
        self.fetch.add(&other.fetch).expect(grows);
        self.commit.add(&other.commit).expect(grows);
        self.lag.add(&other.lag).expect(grows);
    }
}

/// See the file's head; shared by the tasks of a shard.
#[derive(Clone)]
pub(super) struct Tally(Rc<RefCell<Inner>>);

struct Inner {
    counts: Counts,
    interval: Interval,
    breakdown: Breakdown,
    first_error: Option<String>,
}

impl Tally {
    /// Nothing yet; the latencies of partitions are kept apart in `breakdown`.
    pub(super) fn new(breakdown: Breakdown) -> Self {
        let (counts, interval) = (Counts::default(), Interval::empty());
        let inner = Inner { counts, interval, breakdown, first_error: None };
        Self(Rc::new(RefCell::new(inner)))
    }

    pub(super) fn counts(&self) -> Counts {
        self.0.borrow().counts
    }

    /// The latencies since the last call.
    pub(super) fn take_interval(&self) -> Interval {
        std::mem::replace(&mut self.0.borrow_mut().interval, Interval::empty())
    }

    /// The latencies by partition, at the end.
    pub(super) fn take_breakdown(&self) -> Breakdown {
        std::mem::take(&mut self.0.borrow_mut().breakdown)
    }

    pub(super) fn first_error(&self) -> Option<String> {
        self.0.borrow().first_error.clone()
    }

    pub(super) fn failed(&self, error: &impl ToString) {
        self.0.borrow_mut().first_error.get_or_insert_with(|| error.to_string());
    }

    pub(super) fn count(&self, change: impl FnOnce(&mut Counts)) {
        change(&mut self.0.borrow_mut().counts);
    }

    pub(super) fn sent(&self, lag: Duration, is_measured: bool) {
        let mut inner = self.0.borrow_mut();
        inner.counts.sent.add(is_measured);
        if is_measured {
            record(&mut inner.interval.lag, lag);
        }
    }

    /// A record of this partition, counted over all topics, was acknowledged.
    pub(super) fn acknowledged(&self, partition: usize, latency: Duration, is_measured: bool) {
        let mut inner = self.0.borrow_mut();
        inner.counts.acknowledged.add(is_measured);
        if is_measured {
            let nanos = record(&mut inner.interval.produce, latency);
            inner.breakdown.record(partition, Kind::Produce, nanos);
        }
    }

    /// A transaction was committed.
    pub(super) fn committed(&self, latency: Duration, is_measured: bool) {
        let mut inner = self.0.borrow_mut();
        inner.counts.transactions.add(is_measured);
        if is_measured {
            record(&mut inner.interval.commit, latency);
        }
    }

    /// One was consumed.
    pub(super) fn consumed(&self, partition: usize, latency: Duration, is_measured: bool) {
        let mut inner = self.0.borrow_mut();
        inner.counts.consumed.add(is_measured);
        if is_measured {
            let nanos = record(&mut inner.interval.end_to_end, latency);
            inner.breakdown.record(partition, Kind::EndToEnd, nanos);
        }
    }

    /// Records of the measured time were fetched.
    pub(super) fn fetched(&self, partition: usize, latency: Duration) {
        let mut inner = self.0.borrow_mut();
        let nanos = record(&mut inner.interval.fetch, latency);
        inner.breakdown.record(partition, Kind::Fetch, nanos);
    }
}

/// Records `latency`, and gives it in ns.
fn record(latencies: &mut Latencies, latency: Duration) -> u64 {
    let nanos = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
    latencies.record(nanos).expect("a histogram that resizes takes any value");
    nanos
}
