//! What is sent and how it is checked, the same at every broker: messages of 200 bytes, each with a sequence and a checksum,
//! handed to the client in batches of a given size while at most a given number is not acknowledged yet.

use std::time::Duration;

use ringlane_reactor::Instant;

use crate::record::{Body, HEADER_BYTES, Stamp, read, write};
use crate::verify::{Check, Faults, Sent};

/// The paper's message, in bytes: all of it the sender's own, whatever the protocol puts around it.
pub const MESSAGE_BYTES: usize = 200;

/// Messages that may be unacknowledged, and that a consumer is given ahead: the paper's prefetch, "up to 1000 messages or
/// about 200KB".
pub const WINDOW: u64 = 1000;

/// One producer's work and one consumer's.
#[derive(Clone, Debug)]
pub struct Load {
    /// The topic, queue, stream or subject.
    pub place: String,
    /// Marks the messages of this run.
    pub run: u64,
    /// How many are sent, unless `limit` comes first.
    pub messages: u64,
    /// How many go to the broker as one unit, where its protocol has one.
    pub batch: u64,
    /// Nothing is sent after this long.
    pub limit: Duration,
}

impl Load {
    /// Whether the next batch is sent, `sent` messages and `elapsed` after the first; how many messages it has.
    pub fn next_batch(&self, sent: u64, elapsed: Duration) -> Option<u64> {
        assert!(sent <= self.messages, "no more is sent than was asked for");
        let left = self.messages - sent;
        (left > 0 && elapsed < self.limit).then(|| self.batch.min(left))
    }

    /// Batches that may be unacknowledged.
    pub fn batches_in_flight(&self) -> usize {
        usize::try_from(WINDOW / self.batch).unwrap_or(1).max(1)
    }
}

/// What came of a phase.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Done {
    /// Messages that were acknowledged, or consumed.
    pub messages: u64,
    /// From the first to the last, without the connection's making.
    pub elapsed: Duration,
}

/// Writes the messages of a load, one after the other.
pub struct Messages {
    run: u64,
    next: u64,
    body: Body,
    value: Vec<u8>,
}

impl Messages {
    /// The messages of `load`, from the first.
    pub fn new(load: &Load) -> Self {
        Self { run: load.run, next: 0, body: Body::random(load.run), value: Vec::new() }
    }

    /// The next message.
    #[expect(clippy::should_implement_trait, reason = "it lends its buffer, as no iterator can")]
    pub fn next(&mut self) -> &[u8] {
        const { assert!(MESSAGE_BYTES >= HEADER_BYTES, "a message has room for its stamp") };
        self.body.fill(&mut self.value, MESSAGE_BYTES);
        let stamp =
            Stamp { run: self.run, stream: 0, sequence: self.next, intended: Instant::default() };
        write(&mut self.value, &stamp);
        self.next += 1;
        &self.value
    }
}

/// Checks what is consumed.
#[derive(Debug)]
pub struct Tally {
    run: u64,
    expected: u64,
    check: Check,
    consumed: u64,
    corrupted: u64,
}

impl Tally {
    /// For the consumer of `load`, of which so many messages were acknowledged.
    pub fn new(load: &Load, expected: u64) -> Self {
        Self { run: load.run, expected, check: Check::default(), consumed: 0, corrupted: 0 }
    }

    /// Takes in a message.
    pub fn see(&mut self, value: &[u8]) {
        self.consumed += 1;
        let is_ours = |stamp: &Stamp| {
            (stamp.run, stamp.stream) == (self.run, 0) && stamp.sequence < self.expected
        };
        match read(value).filter(|stamp| value.len() == MESSAGE_BYTES && is_ours(stamp)) {
            Some(stamp) => drop(self.check.see(stamp.sequence)),
            None => self.corrupted += 1,
        }
    }

    /// How many came, whatever they were.
    pub fn consumed(&self) -> u64 {
        self.consumed
    }

    /// Whether as many came as were acknowledged.
    pub fn is_complete(&self) -> bool {
        self.consumed >= self.expected
    }

    /// Those that were not what was sent.
    pub fn corrupted(&self) -> u64 {
        self.corrupted
    }

    /// What is wrong, once nothing more comes.
    pub fn faults(&self) -> Faults {
        self.check.faults(&Sent { count: self.expected, unacknowledged: Vec::new() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(messages: u64, batch: u64) -> Load {
        let limit = Duration::from_secs(5);
        Load { place: "paper".into(), run: 7, messages, batch, limit }
    }

    #[test]
    fn batches_end_with_the_messages_or_the_time() {
        let load = load(120, 50);
        let at = |sent, seconds| load.next_batch(sent, Duration::from_secs(seconds));
        assert_eq!(
            (at(0, 0), at(50, 1), at(100, 1), at(120, 1)),
            (Some(50), Some(50), Some(20), None)
        );
        assert_eq!(at(50, 5), None);
        assert_eq!(load.batches_in_flight(), 20);
        assert_eq!(self::load(1, 1).batches_in_flight(), 1000);
        assert_eq!(self::load(1, 5000).batches_in_flight(), 1);
    }

    fn seen(sequences: &[usize]) -> (Faults, u64, bool) {
        let load = load(4, 1);
        let mut messages = Messages::new(&load);
        let all: Vec<Vec<u8>> = (0..4).map(|_| messages.next().to_vec()).collect();
        let mut tally = Tally::new(&load, 4);
        sequences.iter().for_each(|&at| tally.see(&all[at]));
        (tally.faults(), tally.corrupted(), tally.is_complete())
    }

    #[test]
    fn a_tally_finds_what_is_wrong() {
        let none = Faults::default();
        assert_eq!(seen(&[0, 1, 2, 3]), (none, 0, true));
        assert_eq!(seen(&[0, 1, 3]), (Faults { lost: 1, ..none }, 0, false));
        assert_eq!(seen(&[0, 1, 1, 2, 3]), (Faults { duplicated: 1, ..none }, 0, true));
        assert_eq!(seen(&[0, 2, 1, 3]), (Faults { reordered: 1, ..none }, 0, true));
    }

    #[test]
    fn what_is_not_the_runs_own_is_counted_as_such() {
        let load = load(1, 1);
        let mut value = Messages::new(&load).next().to_vec();
        let mut tally = Tally::new(&load, 1);
        tally.see(&value[..MESSAGE_BYTES - 1]);
        value[100] ^= 1;
        tally.see(&value);
        tally.see(Messages::new(&Load { run: 8, ..load.clone() }).next());
        assert_eq!((tally.corrupted(), tally.consumed(), tally.faults().lost), (3, 3, 1));
    }
}
