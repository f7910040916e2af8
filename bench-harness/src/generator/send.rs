//! Sends a shard's records when they are meant to be sent, and notes when each is acknowledged. Nothing here waits for an
//! acknowledgement before it sends the next record: a target that stalls makes latencies, not gaps.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use ringlane_client::{
    Client, ClientConfig, Delivery, Error, Producer, ProducerConfig, ProducerRecord,
};
use ringlane_reactor::{Instant, Notify, Queue, Reactor, Task};

use super::Job;
use super::plan::{Place, Placer, Run, Times, key_bytes};
use super::tally::Tally;
use crate::record::{Body, Stamp, Stream, write};
use crate::schedule::Schedule;
use crate::units::Rate;
use crate::verify::Sent;

/// How long a record is tried.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(30);

/// Records sent in a row while behind, before the shard's other tasks have their turn.
const TURN_RECORDS: u32 = 64;

/// Between two waits for the schedule. At rates above 20,000 records/s those that are due meanwhile leave together, at most
/// this late, which their lag and latency contain: a timer for each record costs more than the record, half of a core at
/// 300,000/s on a virtual machine.
const PACE: Duration = Duration::from_micros(50);

/// How long after the measured time what is late may still be sent.
const CATCH_UP: Duration = Duration::from_secs(1);

/// A wait in [`Producer::send`] from which on the buffer was full, not merely looked at.
const BLOCKED_MIN: Duration = Duration::from_micros(100);

/// The sending part of a shard.
pub(super) struct Senders {
    job: Rc<Job>,
    reactor: Reactor,
    tally: Tally,
    /// By the producer's number.
    producers: BTreeMap<u32, Producer>,
    streams: RefCell<BTreeMap<Stream, Outgoing>>,
}

/// One stream.
struct Outgoing {
    next_sequence: u64,
    waiting: Rc<Waiting>,
    _acknowledger: Task<()>,
}

/// Records that are not acknowledged yet, in the order in which they were sent: the order in which they are acknowledged.
#[derive(Default)]
struct Waiting {
    queue: RefCell<VecDeque<(Delivery, Instant, u64)>>,
    news: Notify,
    /// Of the record that waits for room in the producer: it is not yet in the queue.
    sending: Cell<Option<u64>>,
    /// Of the record at whose acknowledgement the task waits: it is no longer in the queue.
    current: Cell<Option<u64>>,
    unacknowledged: RefCell<Vec<u64>>,
}

impl Senders {
    /// Connects the producers of this shard.
    pub(super) async fn connect(
        job: Rc<Job>,
        reactor: &Reactor,
        run: &Run,
        tally: &Tally,
    ) -> Result<Rc<Self>, Error> {
        let mut producers = BTreeMap::new();
        let (shard, shards) = (u32::from(reactor.shard().0), u32::from(reactor.shard_count()));
        for number in (0..job.scenario.producers).filter(|number| number % shards == shard) {
            let client = Client::connect(reactor, client_config(&job, "producer")).await?;
            for topic in &run.topics {
                client.topic(topic).await?;
            }
            producers.insert(number, Producer::new(&client, producer_config(&job)));
        }
        let (reactor, tally) = (reactor.clone(), tally.clone());
        Ok(Rc::new(Self { job, reactor, tally, producers, streams: RefCell::default() }))
    }

    /// Sends until the end of the measured time. What is left then is acknowledged in tasks beside it.
    pub(super) async fn send(self: Rc<Self>, run: Run, times: Times) {
        let outcome = match self.job.scenario.rate {
            Rate::PerSecond(rate) => self.send_on_schedule(&run, times, rate).await,
            Rate::Max => self.send_flat_out(&run, times).await,
        };
        if let Err(error) = outcome {
            self.tally.failed(&error);
        }
        self.tally.count(|counts| counts.sending_ended = true);
    }

    async fn send_on_schedule(&self, run: &Run, times: Times, rate: f64) -> Result<(), Error> {
        let scenario = &self.job.scenario;
        let arrival = scenario.arrival.clone();
        let (warm_up, duration) = (scenario.warm_up.0, scenario.duration.0);
        let schedule = Schedule::new(arrival, rate, warm_up, duration, run.id);
        let mut desk = Desk::new(self, run, times);
        let (mut in_a_row, mut woken_at) = (0, times.start);
        for (number, at) in (0u64..).zip(schedule) {
            let intended = times.start + at;
            if intended >= times.window_end {
                break;
            }
            if !self.producers.contains_key(&desk.placer.producer(number)) {
                continue;
            }
            in_a_row += 1;
            let now = self.reactor.now();
            if now >= times.window_end + CATCH_UP {
                self.tally.count(|counts| counts.cut_short = true);
                break;
            }
            if now < intended {
                woken_at = intended.max(woken_at + PACE);
                self.reactor.sleep_until(woken_at).await;
                in_a_row = 0;
            } else if in_a_row >= TURN_RECORDS {
                self.reactor.yield_now().await;
                in_a_row = 0;
            }
            desk.send(number, intended).await?;
        }
        Ok(())
    }

    /// The closed loop: a record is meant to be sent when there is room for it.
    async fn send_flat_out(&self, run: &Run, times: Times) -> Result<(), Error> {
        let mut desk = Desk::new(self, run, times);
        self.reactor.sleep_until(times.start).await;
        if self.producers.is_empty() {
            return Ok(());
        }
        let placer = Placer::new(&self.job.scenario, run.id);
        let numbers =
            (0u64..).filter(|number| self.producers.contains_key(&placer.producer(*number)));
        for (sent, number) in (1u32..).zip(numbers) {
            let now = self.reactor.now();
            if now >= times.window_end {
                break;
            }
            desk.send(number, now).await?;
            if sent.is_multiple_of(TURN_RECORDS) {
                self.reactor.yield_now().await;
            }
        }
        Ok(())
    }

    /// What was sent on each stream, once no task of this sends any more.
    pub(super) fn sent(&self) -> Vec<(Stream, Sent)> {
        let streams = self.streams.borrow();
        let sent = streams.iter().map(|(stream, outgoing)| {
            let waiting = &outgoing.waiting;
            let mut unacknowledged = waiting.unacknowledged.borrow().clone();
            unacknowledged.extend(waiting.current.get().into_iter().chain(waiting.sending.get()));
            unacknowledged.extend(waiting.queue.borrow().iter().map(|(_, _, sequence)| sequence));
            (*stream, Sent { count: outgoing.next_sequence, unacknowledged })
        });
        sent.collect()
    }

    /// Opens a stream into `partition`, counted over all topics.
    fn open(&self, partition: usize, times: Times) -> Outgoing {
        let waiting = Rc::new(Waiting::default());
        let (reactor, tally) = (self.reactor.clone(), self.tally.clone());
        let task = acknowledge(reactor, waiting.clone(), partition, tally, times);
        let acknowledger = self.reactor.spawn(Queue::Client, task);
        Outgoing { next_sequence: 0, waiting, _acknowledger: acknowledger }
    }
}

/// Where one record after the other is written.
struct Desk<'a> {
    senders: &'a Senders,
    run: &'a Run,
    times: Times,
    placer: Placer,
    body: Body,
    value: Vec<u8>,
    /// When a producer last had room again: what was meant to be sent before is late through no fault of ours.
    unblocked_at: Instant,
}

impl<'a> Desk<'a> {
    fn new(senders: &'a Senders, run: &'a Run, times: Times) -> Self {
        let body = match &senders.job.sample {
            Some(sample) => Body::sample(sample.clone()),
            None => Body::random(run.id),
        };
        let placer = Placer::new(&senders.job.scenario, run.id);
        let unblocked_at = Instant::default();
        Self { senders, run, times, placer, body, value: Vec::new(), unblocked_at }
    }

    async fn send(&mut self, number: u64, intended: Instant) -> Result<(), Error> {
        let place = self.placer.place(number);
        let senders = self.senders;
        let before = senders.reactor.now();
        let is_measured = self.times.is_measured(intended);
        senders.tally.sent(before - intended.max(self.unblocked_at), is_measured);
        let (sequence, waiting) = self.write(&place, intended);
        let key = place.key.map(key_bytes);
        let record = ProducerRecord {
            key: key.as_ref().map(<[u8; 10]>::as_slice),
            value: Some(&self.value),
            ..ProducerRecord::default()
        };
        let topic = &self.run.topics[place.topic as usize];
        let producer = &senders.producers[&place.producer];
        waiting.sending.set(Some(sequence));
        let delivery = producer.send(topic, Some(place.partition as i32), &record).await?;
        waiting.sending.set(None);
        waiting.queue.borrow_mut().push_back((delivery, intended, sequence));
        waiting.news.notify_all();
        let now = senders.reactor.now();
        if now - before >= BLOCKED_MIN {
            self.unblocked_at = now;
            senders.tally.count(|counts| counts.blocked += now - before);
        }
        Ok(())
    }

    /// Writes the value; its sequence and where its acknowledgement is waited for.
    fn write(&mut self, place: &Place, intended: Instant) -> (u64, Rc<Waiting>) {
        let stream = self.placer.stream(place);
        let mut streams = self.senders.streams.borrow_mut();
        let outgoing = streams.entry(stream).or_insert_with(|| {
            let partition = stream / self.senders.job.scenario.producers;
            self.senders.open(partition as usize, self.times)
        });
        let sequence = outgoing.next_sequence;
        outgoing.next_sequence += 1;
        self.body.fill(&mut self.value, place.len_bytes);
        write(&mut self.value, &Stamp { run: self.run.id, stream, sequence, intended });
        (sequence, outgoing.waiting.clone())
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

/// The settings of a client of this run.
pub(super) fn client_config(job: &Job, role: &str) -> ClientConfig {
    let mut config = ClientConfig::new([job.target.clone()]);
    config.client_id = format!("ringlane-bench-{role}");
    config.connect_timeout = job.scenario.patience.0;
    config.retry_timeout = job.scenario.patience.0;
    config
}

fn producer_config(job: &Job) -> ProducerConfig {
    let scenario = &job.scenario;
    ProducerConfig {
        acks: scenario.acks.0,
        idempotent: scenario.idempotent,
        codec: scenario.compression.0,
        linger: scenario.linger.0,
        batch_bytes: scenario.batch_size.0 as usize,
        buffer_bytes_max: scenario.buffer.0 as usize,
        delivery_timeout: DELIVERY_TIMEOUT,
        ..ProducerConfig::default()
    }
}
