//! The batches of one partition, in order: which may go now, and what an answer does to those behind it. Pure: no time but
//! what is passed in, no I/O.
//!
//! Order is kept on retry: once a batch came back unacknowledged nothing is sent until all in flight came back; then they go
//! again in their order. An idempotent producer may have several in flight, since a broker refuses what is out of order;
//! without, one at a time.

use std::collections::{BTreeSet, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use ringlane_batch::Sequence;
use ringlane_reactor::Instant;
use ringlane_wire::ErrorCode;

use super::batch::{Batch, Identity, Stamp};
use crate::error::Error;

pub(super) struct PartitionQueue {
    pub(super) topic: Rc<str>,
    pub(super) index: i32,
    next_number: u64,
    /// In order; the last may still be filled.
    waiting: VecDeque<Batch>,
    /// Numbers of those that were sent and not answered yet.
    in_flight: BTreeSet<u64>,
    /// Came back to be sent again, in the order in which they came back.
    returned: Vec<Batch>,
    /// Nothing is sent before.
    retry_at: Instant,
    retries: u32,
    identity: Option<Identity>,
    next_sequence: Sequence,
    /// A batch with a sequence was given up: the broker may wait for that sequence for ever, so what has none yet needs a
    /// new identity.
    has_gap: bool,
}

/// Whether the first waiting batch can go.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Readiness {
    /// Now.
    Ready,
    /// Not before this, if nothing happens.
    NotBefore(Instant),
    /// Not before an answer comes (or a record).
    Blocked,
    /// Once the partition has an identity that is not this one.
    NeedsIdentity(Option<Identity>),
}

/// When a batch goes.
pub(super) struct Pace {
    pub(super) linger: Duration,
    pub(super) batch_bytes: usize,
    pub(super) in_flight_max: usize,
    pub(super) idempotent: bool,
    /// Someone waits for everything to be acknowledged.
    pub(super) flushing: bool,
}

/// What became of a batch that was answered.
pub(super) enum Answered {
    Acknowledged(Batch, i64),
    GivenUp(Batch, Error),
    /// It is in the queue again.
    Again,
}

impl PartitionQueue {
    pub(super) fn new(topic: Rc<str>, index: i32) -> Self {
        Self {
            topic,
            index,
            next_number: 0,
            waiting: VecDeque::new(),
            in_flight: BTreeSet::new(),
            returned: Vec::new(),
            retry_at: Instant::default(),
            retries: 0,
            identity: None,
            next_sequence: Sequence(0),
            has_gap: false,
        }
    }

    /// The batch at the end, or a new one that `make` gives its number.
    pub(super) fn last(&mut self) -> Option<&mut Batch> {
        self.waiting.back_mut()
    }

    pub(super) fn push(&mut self, make: impl FnOnce(u64) -> Batch) -> &mut Batch {
        self.waiting.push_back(make(self.next_number));
        self.next_number += 1;
        self.waiting.back_mut().expect("it was just put there")
    }

    /// Nothing waits: neither to be sent nor to be sent again.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.returned.is_empty()
    }

    pub(super) fn readiness(&self, pace: &Pace, now: Instant) -> Readiness {
        let limit = if pace.idempotent { pace.in_flight_max } else { 1 };
        let Some(first) = self.waiting.front() else { return Readiness::Blocked };
        if !self.returned.is_empty() || self.in_flight.len() >= limit {
            return Readiness::Blocked;
        }
        if now < self.retry_at {
            return Readiness::NotBefore(self.retry_at);
        }
        let is_full = self.waiting.len() > 1 || first.len_bytes() >= pace.batch_bytes;
        let lingers_until = first.created + pace.linger;
        if !is_full && !pace.flushing && self.retries == 0 && now < lingers_until {
            return Readiness::NotBefore(lingers_until);
        }
        if !pace.idempotent || first.stamp.is_some() {
            return Readiness::Ready;
        }
        match self.identity {
            Some(_) if !self.has_gap => Readiness::Ready,
            // What is in flight may still be refused, and then has to go first.
            _ if !self.in_flight.is_empty() => Readiness::Blocked,
            old => Readiness::NeedsIdentity(old),
        }
    }

    /// Whoever produces from now on, from sequence 0.
    pub(super) fn identify(&mut self, identity: Identity) {
        assert!(self.in_flight.is_empty(), "no batch of the old identity is on its way");
        assert_ne!(self.identity, Some(identity), "a gap needs a new identity");
        self.identity = Some(identity);
        self.next_sequence = Sequence(0);
        self.has_gap = false;
    }

    /// Nothing is sent under the identity that it has any more.
    pub(super) fn forget_identity(&mut self) {
        assert!(self.is_empty() && self.in_flight.is_empty(), "nothing is on its way");
        self.identity = None;
        self.has_gap = false;
    }

    /// Whether a broker may wait for a sequence that will never come.
    pub(super) fn has_gap(&self) -> bool {
        self.has_gap
    }

    /// Takes the first batch to be sent; it is ready.
    pub(super) fn take(&mut self, idempotent: bool) -> Batch {
        assert!(self.returned.is_empty(), "what came back goes first");
        let mut batch = self.waiting.pop_front().expect("a ready queue has a batch");
        if idempotent && batch.stamp.is_none() {
            let identity = self.identity.expect("a ready queue has an identity");
            batch.stamp = Some(Stamp { identity, sequence: self.next_sequence });
            self.next_sequence = self.next_sequence.plus(batch.record_count());
        }
        self.in_flight.insert(batch.number);
        batch
    }

    /// How many bytes the first batch has.
    pub(super) fn first_len_bytes(&self) -> usize {
        self.waiting.front().map_or(0, Batch::len_bytes)
    }

    /// The answer for a batch that was taken. `pause` gives the time before the retry with the number it is given.
    pub(super) fn answered(
        &mut self,
        mut batch: Batch,
        answer: Result<i64, Error>,
        now: Instant,
        pause: impl FnOnce(u32) -> Duration,
    ) -> Answered {
        let was_in_flight = self.in_flight.remove(&batch.number);
        assert!(was_in_flight, "only what is in flight is answered");
        let answered = match answer {
            Ok(offset) => {
                self.retries = 0;
                Answered::Acknowledged(batch, offset)
            }
            Err(error) if self.retries_after(&error, &mut batch) => {
                batch.last_error = Some(Rc::new(error));
                self.returned.push(batch);
                Answered::Again
            }
            Err(error) => {
                self.has_gap |= batch.stamp.is_some();
                Answered::GivenUp(batch, error)
            }
        };
        if self.in_flight.is_empty() && !self.returned.is_empty() {
            self.put_back();
            self.retry_at = now + pause(self.retries);
            self.retries += 1;
        }
        answered
    }

    /// Whether `batch` may go again. One that the broker cannot have stored under its stamp loses it.
    fn retries_after(&self, error: &Error, batch: &mut Batch) -> bool {
        match error.code() {
            Some(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER) if self.has_gap => {
                batch.stamp = None;
                true
            }
            // One before it came back, or will: its answer may be looked at later. It goes again behind that.
            Some(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER) => {
                let mut unanswered = self.in_flight.iter();
                let mut returned = self.returned.iter().map(|returned| &returned.number);
                let is_earlier = |number: &&u64| **number < batch.number;
                unanswered.next().is_some_and(|n| is_earlier(&n))
                    || returned.any(|n| is_earlier(&n))
            }
            _ => error.is_retriable(),
        }
    }

    /// What came back goes first again, in order. Behind one that lost its stamp no stamp fits.
    fn put_back(&mut self) {
        let mut returned = std::mem::take(&mut self.returned);
        returned.sort_by_key(|batch| batch.number);
        let mut lost_stamp = false;
        for batch in returned.iter_mut().chain(&mut self.waiting) {
            lost_stamp |= batch.stamp.is_none();
            if lost_stamp {
                batch.stamp = None;
            }
        }
        for batch in returned.into_iter().rev() {
            let next = self.waiting.front().map_or(u64::MAX, |next| next.number);
            assert!(batch.number < next, "the order of batches is kept");
            self.waiting.push_front(batch);
        }
    }

    /// Takes out the waiting batches made before `limit`: they are given up.
    pub(super) fn expire(&mut self, limit: Instant) -> Vec<Batch> {
        let mut expired = Vec::new();
        while self.waiting.front().is_some_and(|batch| batch.created <= limit) {
            let batch = self.waiting.pop_front().expect("there is one");
            self.has_gap |= batch.stamp.is_some();
            expired.push(batch);
        }
        expired
    }

    /// The batch that goes next.
    pub(super) fn first_mut(&mut self) -> Option<&mut Batch> {
        self.waiting.front_mut()
    }

    /// When the oldest waiting batch was made.
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.waiting.front().map(|batch| batch.created)
    }
}
