//! Reads a shard's share of the partitions, once for each reader, and verifies every record.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use ringlane_client::{Client, Consumer, ConsumerConfig, Error, Fetched, OffsetReset, Position};
use ringlane_reactor::{Instant, Queue, Reactor, Task};

use super::Job;
use super::plan::{Run, Times};
use super::send::client_config;
use super::tally::Tally;
use crate::record::{Stream, read};
use crate::verify::Check;

/// The pause after an error that the client could not hide.
const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// The reading part of a shard.
pub(super) struct Readers {
    reactor: Reactor,
    tally: Tally,
    run_id: u64,
    times: Cell<Option<Times>>,
    /// By reader and stream.
    checks: RefCell<BTreeMap<(u32, Stream), Check>>,
}

/// A reader with the partitions that this shard reads for it.
pub(super) struct Reader {
    number: u32,
    consumer: Consumer,
}

impl Readers {
    /// Connects the readers of this shard.
    pub(super) async fn connect(
        job: &Job,
        reactor: &Reactor,
        run: &Run,
        tally: &Tally,
    ) -> Result<(Rc<Self>, Vec<Reader>), Error> {
        let (shard, shards) = (u32::from(reactor.shard().0), u32::from(reactor.shard_count()));
        let mut connected = Vec::new();
        for number in 0..job.scenario.readers {
            let own = |partition: &u32| (partition + number) % shards == shard;
            let partitions: Vec<u32> = (0..job.scenario.partitions).filter(own).collect();
            if partitions.is_empty() {
                continue;
            }
            let client = Client::connect(reactor, client_config(job, "reader")).await?;
            let mut consumer = Consumer::new(&client, config());
            let mut assigned = Vec::new();
            for topic in &run.topics {
                client.topic(topic).await?;
                let place = |&partition| (topic.as_str(), partition as i32, Position::Offset(0));
                assigned.extend(partitions.iter().map(place));
            }
            consumer.assign(assigned);
            connected.push(Reader { number, consumer });
        }
        let readers = Self {
            reactor: reactor.clone(),
            tally: tally.clone(),
            run_id: run.id,
            times: Cell::new(None),
            checks: RefCell::default(),
        };
        Ok((Rc::new(readers), connected))
    }

    /// Reads until the task is dropped; from `begin` on.
    pub(super) fn start(
        self: &Rc<Self>,
        readers: Vec<Reader>,
        times: Times,
        begin: Instant,
    ) -> Vec<Task<()>> {
        self.times.set(Some(times));
        let start = |reader| {
            let own = self.clone();
            self.reactor.spawn(Queue::Client, async move { own.read(reader, begin).await })
        };
        readers.into_iter().map(start).collect()
    }

    async fn read(self: Rc<Self>, mut reader: Reader, begin: Instant) {
        self.reactor.sleep_until(begin).await;
        loop {
            let outcome = match reader.consumer.poll().await {
                Ok(fetched) => self.verify(reader.number, &fetched),
                Err(error) => Err(error),
            };
            if let Err(error) = outcome {
                self.tally.failed(&error);
                self.reactor.sleep(RETRY_PAUSE).await;
            }
        }
    }

    fn verify(&self, reader: u32, fetched: &Fetched) -> Result<(), Error> {
        let now = self.reactor.now();
        let times = self.times.get().expect("set before the first record");
        let mut checks = self.checks.borrow_mut();
        fetched.for_each(|record| {
            let stamp = record.value.and_then(read).filter(|stamp| stamp.run == self.run_id);
            let Some(stamp) = stamp else {
                return self.tally.count(|counts| counts.corrupted += 1);
            };
            let check = checks.entry((reader, stamp.stream)).or_default();
            if check.see(stamp.sequence) {
                self.tally.consumed(now - stamp.intended, times.is_measured(stamp.intended));
            }
        })
    }

    /// What the readers have seen.
    pub(super) fn take_checks(&self) -> BTreeMap<(u32, Stream), Check> {
        self.checks.take()
    }
}

fn config() -> ConsumerConfig {
    ConsumerConfig { reset: OffsetReset::Earliest, ..ConsumerConfig::default() }
}
