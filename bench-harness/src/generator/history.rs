//! Records that were there before the run, in a topic of their own: stored before the start, read from their beginning while the
//! run is measured, so that old data is wanted beside new. Each is verified: it is the one that is next in its partition.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use ringlane_client::{Client, Consumer, Error, Fetched, Producer, ProducerConfig, ProducerRecord};
use ringlane_reactor::{Instant, Queue, Reactor, Rng, Task};

use super::Job;
use super::drain::Drain;
use super::plan::Run;
use super::read::{RETRY_PAUSE, assigned};
use super::send::client_config;
use super::tally::Tally;
use crate::record::{Body, Stamp, read, write};

/// How the history is stored: in large batches, as fast as the target takes it.
const BATCH_BYTES: usize = 256 << 10;
const LINGER: Duration = Duration::from_millis(10);

/// A shard's share of the history and its readers.
pub(super) struct History {
    reactor: Reactor,
    tally: Tally,
    run_id: u64,
    /// In each partition.
    records: u64,
    read: RefCell<Drain>,
}

impl History {
    /// Stores this shard's partitions, and connects its readers of what it and the others store.
    pub(super) async fn store(
        job: &Job,
        reactor: &Reactor,
        run: &Run,
        tally: &Tally,
    ) -> Result<(Rc<Self>, Vec<Consumer>), Error> {
        let own = Rc::new(Self {
            reactor: reactor.clone(),
            tally: tally.clone(),
            run_id: run.id,
            records: job.scenario.history_records(),
            read: RefCell::default(),
        });
        let mut consumers = Vec::new();
        if let Some(topic) = &run.history {
            own.store_in(job, topic).await?;
            for number in 0..job.scenario.history_readers {
                let topics = std::iter::once(topic.as_str());
                consumers.extend(assigned(job, reactor, number, topics).await?);
            }
        }
        Ok((own, consumers))
    }

    async fn store_in(&self, job: &Job, topic: &str) -> Result<(), Error> {
        let (shard, shards) = (self.reactor.shard().0, self.reactor.shard_count());
        let is_own = |partition: &u32| partition % u32::from(shards) == u32::from(shard);
        let partitions: Vec<u32> = (0..job.scenario.partitions).filter(is_own).collect();
        let client = Client::connect(&self.reactor, client_config(job, "history")).await?;
        let config = ProducerConfig {
            codec: job.scenario.compression.0,
            linger: LINGER,
            batch_bytes: BATCH_BYTES,
            delivery_timeout: job.scenario.patience.0,
            ..ProducerConfig::default()
        };
        let producer = Producer::new(&client, config);
        let mut body = match &job.sample {
            Some(sample) => Body::sample(sample.clone()),
            None => Body::random(self.run_id),
        };
        let (mut rng, mut value) = (Rng::new(self.run_id), Vec::new());
        for sequence in 0..self.records {
            for &partition in &partitions {
                body.fill(&mut value, job.scenario.record_size.pick(&mut rng));
                let intended = self.reactor.now();
                let (run, stream) = (self.run_id, partition);
                write(&mut value, &Stamp { run, stream, sequence, intended });
                let record = ProducerRecord { value: Some(&value), ..ProducerRecord::default() };
                drop(producer.send(topic, Some(partition as i32), &record).await?);
            }
            self.reactor.yield_now().await;
        }
        producer.flush().await
    }

    /// Reads all of it, once, from `begin` on.
    pub(super) fn start(
        self: &Rc<Self>,
        consumers: Vec<Consumer>,
        partitions: u32,
        begin: Instant,
    ) -> Vec<Task<()>> {
        let start = |consumer| {
            let own = self.clone();
            let read = async move { own.read(consumer, partitions, begin).await };
            self.reactor.spawn(Queue::Client, read)
        };
        consumers.into_iter().map(start).collect()
    }

    async fn read(&self, mut consumer: Consumer, partitions: u32, begin: Instant) {
        self.reactor.sleep_until(begin).await;
        // By partition, which record is next.
        let mut next: BTreeMap<i32, u64> = BTreeMap::new();
        let share = consumer.positions().len();
        assert!(share <= partitions as usize, "a reader has at most all of them");
        while next.values().filter(|next| **next >= self.records).count() < share {
            let outcome = match consumer.poll().await {
                Ok(fetched) => {
                    let next = next.entry(fetched.partition).or_default();
                    self.verify(&fetched, next, begin)
                }
                Err(error) => Err(error),
            };
            if let Err(error) = outcome {
                self.tally.failed(&error);
                self.reactor.sleep(RETRY_PAUSE).await;
            }
        }
    }

    fn verify(&self, fetched: &Fetched, next: &mut u64, begin: Instant) -> Result<(), Error> {
        let now = self.reactor.now();
        let mut drain = self.read.borrow_mut();
        drain.fetched(fetched.answered_at - fetched.asked_at);
        fetched.for_each(|record| {
            let value = record.value.unwrap_or_default();
            let stamp = read(value).filter(|stamp| {
                (stamp.run, stamp.stream, stamp.sequence)
                    == (self.run_id, fetched.partition as u32, *next)
            });
            match stamp {
                Some(_) => drain.take(value.len(), now - begin),
                None => self.tally.count(|counts| counts.corrupted += 1),
            }
            *next += 1;
        })
    }

    /// What was read.
    pub(super) fn take_read(&self) -> Drain {
        self.read.take()
    }
}
