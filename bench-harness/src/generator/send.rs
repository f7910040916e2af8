//! Sends a shard's records when they are meant to be sent. Nothing here waits for an acknowledgement before it sends the next
//! record: a target that stalls makes latencies, not gaps.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use ringlane_client::{Client, ClientConfig, Error, Producer, ProducerConfig};
use ringlane_reactor::Reactor;

use super::Job;
use super::desk::Desk;
use super::outgoing::Outgoing;
use super::plan::{Run, Times};
use super::tally::Tally;
use super::transact::Lanes;
use crate::record::Stream;
use crate::schedule::Schedule;
use crate::units::Rate;
use crate::verify::Sent;

/// How long a record is tried.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(30);

/// Records sent in a row while behind, before the shard's other tasks have their turn.
pub(super) const TURN_RECORDS: u32 = 64;

/// Between two waits for the schedule. At rates above 20,000 records/s those that are due meanwhile leave together, at most
/// this late, which their lag and latency contain: a timer for each record costs more than the record, half of a core at
/// 300,000/s on a virtual machine.
const PACE: Duration = Duration::from_micros(50);

/// How long after the measured time what is late may still be sent.
const CATCH_UP: Duration = Duration::from_secs(1);

/// The sending part of a shard.
pub(super) struct Senders {
    pub(super) job: Rc<Job>,
    pub(super) reactor: Reactor,
    pub(super) tally: Tally,
    /// By the producer's number.
    pub(super) producers: BTreeMap<u32, Producer>,
    pub(super) streams: RefCell<BTreeMap<Stream, Outgoing>>,
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
            let producer = Producer::new(&client, producer_config(&job, run, number));
            if job.scenario.has_transactions() {
                producer.init_transactions().await?;
            }
            producers.insert(number, producer);
        }
        let (reactor, tally) = (reactor.clone(), tally.clone());
        Ok(Rc::new(Self { job, reactor, tally, producers, streams: RefCell::default() }))
    }

    /// Sends until the end of the measured time. What is left then is acknowledged in tasks beside it.
    pub(super) async fn send(self: Rc<Self>, run: Run, times: Times) {
        let desk = Rc::new(Desk::new(&self, run, times));
        let lanes = Lanes::start(&desk);
        let outcome = match self.job.scenario.rate {
            Rate::PerSecond(rate) => self.send_on_schedule(&desk, &lanes, rate).await,
            Rate::Max => self.send_flat_out(&desk, &lanes).await,
        };
        if let Err(error) = outcome {
            self.tally.failed(&error);
        }
        lanes.finish().await;
        self.tally.count(|counts| counts.sending_ended = true);
    }

    async fn send_on_schedule(&self, desk: &Desk, lanes: &Lanes, rate: f64) -> Result<(), Error> {
        let scenario = &self.job.scenario;
        let arrival = scenario.arrival.clone();
        let (warm_up, duration) = (scenario.warm_up.0, scenario.duration.0);
        let times = desk.times;
        let schedule = Schedule::new(arrival, rate, warm_up, duration, desk.run.id);
        let mut value = Vec::new();
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
            if lanes.have_failed() {
                break;
            }
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
            desk.send(lanes, number, intended, &mut value).await?;
        }
        Ok(())
    }

    /// The closed loop: a record is meant to be sent when there is room for it.
    async fn send_flat_out(&self, desk: &Desk, lanes: &Lanes) -> Result<(), Error> {
        let times = desk.times;
        self.reactor.sleep_until(times.start).await;
        if self.producers.is_empty() {
            return Ok(());
        }
        let mut value = Vec::new();
        let producer = |number: u64| desk.placer.producer(number);
        let numbers = (0u64..).filter(|number| self.producers.contains_key(&producer(*number)));
        for (sent, number) in (1u32..).zip(numbers) {
            let has_room = lanes.wait_for_room(producer(number)).await;
            let now = self.reactor.now();
            if now >= times.window_end || lanes.have_failed() {
                break;
            }
            if !has_room {
                continue;
            }
            desk.send(lanes, number, now, &mut value).await?;
            if sent.is_multiple_of(TURN_RECORDS) {
                self.reactor.yield_now().await;
            }
        }
        Ok(())
    }

    /// What was sent on each stream, once no task of this sends any more.
    pub(super) fn sent(&self) -> Vec<(Stream, Sent)> {
        let streams = self.streams.borrow();
        streams.iter().map(|(stream, outgoing)| (*stream, outgoing.sent())).collect()
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

fn producer_config(job: &Job, run: &Run, number: u32) -> ProducerConfig {
    let scenario = &job.scenario;
    let transaction = scenario.transaction_duration.0;
    ProducerConfig {
        acks: scenario.acks.0,
        idempotent: scenario.idempotent,
        codec: scenario.compression.0,
        linger: scenario.linger.0,
        batch_bytes: scenario.batch_size.0 as usize,
        buffer_bytes_max: scenario.buffer.0 as usize,
        delivery_timeout: DELIVERY_TIMEOUT,
        transactional_id: scenario.has_transactions().then(|| run.transactional_id(number)),
        // What is under way when it ends is still acknowledged, and then committed.
        transaction_timeout: transaction + DELIVERY_TIMEOUT,
        ..ProducerConfig::default()
    }
}
