//! Where one record after the other is written and handed to its producer, or to the lane that runs its producer's
//! transactions.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use ringlane_client::{Error, ProducerRecord};
use ringlane_reactor::Instant;

use super::outgoing::{Outgoing, Waiting};
use super::plan::{Place, Placer, Run, Times, key_bytes};
use super::send::Senders;
use super::transact::Lanes;
use crate::record::{Body, Stamp, write};

/// A wait for the producer from which on its buffer was full, not merely looked at.
const BLOCKED_MIN: Duration = Duration::from_micros(100);

/// See the file's head.
pub(super) struct Desk {
    pub(super) senders: Rc<Senders>,
    pub(super) run: Run,
    pub(super) times: Times,
    pub(super) placer: Placer,
    body: RefCell<Body>,
    /// When a producer last had room again: what was meant to be sent before is late through no fault of ours.
    unblocked_at: Cell<Instant>,
}

impl Desk {
    pub(super) fn new(senders: &Rc<Senders>, run: Run, times: Times) -> Self {
        let body = match &senders.job.sample {
            Some(sample) => Body::sample(sample.clone()),
            None => Body::random(run.id),
        };
        let placer = Placer::new(&senders.job.scenario, run.id);
        let (body, unblocked_at) = (RefCell::new(body), Cell::default());
        Self { senders: senders.clone(), run, times, placer, body, unblocked_at }
    }

    /// The record with this number in the schedule is due. `value` is scratch.
    pub(super) async fn send(
        &self,
        lanes: &Lanes,
        number: u64,
        intended: Instant,
        value: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let place = self.placer.place(number);
        let senders = &self.senders;
        let lag = senders.reactor.now() - intended.max(self.unblocked_at.get());
        senders.tally.sent(lag, self.times.is_measured(intended));
        if lanes.take(&place, intended) {
            return Ok(());
        }
        if self.hand_over(&place, intended, value).await? {
            self.unblocked_at.set(senders.reactor.now());
        }
        Ok(())
    }

    /// Gives a record to its producer. Whether that had no room for it at first.
    pub(super) async fn hand_over(
        &self,
        place: &Place,
        intended: Instant,
        value: &mut Vec<u8>,
    ) -> Result<bool, Error> {
        let senders = &self.senders;
        let before = senders.reactor.now();
        let (sequence, waiting) = self.write(place, intended, value);
        let key = place.key.map(key_bytes);
        let record = ProducerRecord {
            key: key.as_ref().map(<[u8; 10]>::as_slice),
            value: Some(value),
            ..ProducerRecord::default()
        };
        let topic = &self.run.topics[place.topic as usize];
        let producer = &senders.producers[&place.producer];
        waiting.begin(sequence);
        match producer.send(topic, Some(place.partition as i32), &record).await {
            Ok(delivery) => waiting.has(delivery, intended, sequence),
            Err(error) => {
                waiting.give_up(sequence);
                return Err(error);
            }
        }
        let waited = senders.reactor.now() - before;
        if waited >= BLOCKED_MIN {
            senders.tally.count(|counts| counts.blocked += waited);
        }
        Ok(waited >= BLOCKED_MIN)
    }

    /// Writes the value; its sequence and where its acknowledgement is waited for.
    fn write(&self, place: &Place, intended: Instant, value: &mut Vec<u8>) -> (u64, Rc<Waiting>) {
        let (senders, stream) = (&self.senders, self.placer.stream(place));
        let mut streams = senders.streams.borrow_mut();
        let outgoing = streams.entry(stream).or_insert_with(|| {
            let partition = stream / senders.job.scenario.producers;
            Outgoing::open(&senders.reactor, &senders.tally, partition as usize, self.times)
        });
        let sequence = outgoing.next_sequence;
        outgoing.next_sequence += 1;
        self.body.borrow_mut().fill(value, place.len_bytes);
        write(value, &Stamp { run: self.run.id, stream, sequence, intended });
        (sequence, outgoing.waiting.clone())
    }
}
