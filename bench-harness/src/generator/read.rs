//! Reads a shard's share of the partitions, once for each reader and each group, and verifies every record.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use ringlane_client::{
    Client, Consumer, ConsumerConfig, Either, Error, Fetched, GroupConfig, GroupConsumer,
    Isolation, OffsetReset, Position, race,
};
use ringlane_reactor::{Instant, Notify, Queue, Reactor, Task};

use super::Job;
use super::drain::Drain;
use super::plan::{Run, Times};
use super::send::client_config;
use super::tally::Tally;
use crate::record::{Stream, read};
use crate::verify::Check;

/// The pause after an error that the client could not hide.
pub(super) const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// How long members may take to leave their groups.
const LEAVE_MAX: Duration = Duration::from_secs(5);

/// The reading part of a shard.
pub(super) struct Readers {
    reactor: Reactor,
    tally: Tally,
    run: Run,
    partitions: usize,
    /// Whether a late reader's latency says something of the tail: nobody else is there.
    late_is_tail: bool,
    times: Cell<Option<Times>>,
    /// By reader and stream; groups are numbered behind the readers.
    checks: RefCell<BTreeMap<(u32, Stream), Check>>,
    backlog: RefCell<Drain>,
    /// Members leave when it rings.
    ending: Cell<bool>,
    end_bell: Notify,
}

/// A reader with the partitions that this shard reads for it.
pub(super) struct Reader {
    number: u32,
    /// It begins when there is a backlog.
    is_late: bool,
    consumer: Consumer,
}

/// The readers of a shard that wait for the start, and the members that are in their groups already.
pub(super) struct Connected {
    pub(super) readers: Vec<Reader>,
    pub(super) members: Vec<Task<()>>,
}

impl Readers {
    /// Connects the readers of this shard, and has its members join their groups.
    pub(super) async fn connect(
        job: &Job,
        reactor: &Reactor,
        run: &Run,
        tally: &Tally,
    ) -> Result<(Rc<Self>, Connected), Error> {
        let scenario = &job.scenario;
        let own = Rc::new(Self {
            reactor: reactor.clone(),
            tally: tally.clone(),
            run: run.clone(),
            partitions: scenario.partitions as usize,
            late_is_tail: !scenario.has_tail_reader(),
            times: Cell::new(None),
            checks: RefCell::default(),
            backlog: RefCell::default(),
            ending: Cell::new(false),
            end_bell: Notify::new(),
        });
        let at_the_tail = scenario.readers - scenario.late_readers;
        let mut readers = Vec::new();
        for number in 0..scenario.readers {
            let topics = run.topics.iter().map(String::as_str);
            if let Some(consumer) = assigned(job, reactor, number, topics).await? {
                readers.push(Reader { number, is_late: number >= at_the_tail, consumer });
            }
        }
        let (shard, shards) = (u32::from(reactor.shard().0), u32::from(reactor.shard_count()));
        let mut members = Vec::new();
        for group in 0..scenario.groups {
            for _ in (0..scenario.consumers).filter(|member| (group + member) % shards == shard) {
                let client = Client::connect(reactor, client_config(job, "member")).await?;
                let topics = run.topics.iter().map(String::as_str);
                let mut config = GroupConfig::new(&run.group(group), topics);
                config.consumer = consumer_config(job);
                let member = GroupConsumer::new(&client, config);
                let task = own.clone().be_member(scenario.readers + group, member);
                members.push(reactor.spawn(Queue::Client, task));
            }
        }
        Ok((own, Connected { readers, members }))
    }

    /// The start is known: readers read until the task is dropped, late ones from `begin` on.
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
        let late_from = reader.is_late.then_some(begin);
        self.reactor.sleep_until(late_from.unwrap_or_default()).await;
        loop {
            let polled = reader.consumer.poll().await;
            self.take(reader.number, late_from, polled).await;
        }
    }

    /// Reads as a member of a group until the end, and leaves it.
    async fn be_member(self: Rc<Self>, number: u32, mut member: GroupConsumer) {
        while !self.ending.get() {
            let ending = self.end_bell.notified();
            match race(member.poll(), ending).await {
                Either::Left(polled) => self.take(number, None, polled).await,
                Either::Right(()) => break,
            }
        }
        // What it fails to tell, the coordinator finds out when the session times out.
        let _ = self.reactor.timeout(LEAVE_MAX, member.leave()).await;
    }

    async fn take(&self, number: u32, late_from: Option<Instant>, polled: Result<Fetched, Error>) {
        let outcome = polled.and_then(|fetched| self.verify(number, late_from, &fetched));
        if let Err(error) = outcome {
            self.tally.failed(&error);
            self.reactor.sleep(RETRY_PAUSE).await;
        }
    }

    fn verify(
        &self,
        reader: u32,
        late_from: Option<Instant>,
        fetched: &Fetched,
    ) -> Result<(), Error> {
        let now = self.reactor.now();
        // Members join before the start is known; what comes so early is not of this run.
        let Some(times) = self.times.get() else { return Ok(()) };
        let topic = self.run.topic_number(&fetched.topic);
        let partition = topic * self.partitions + fetched.partition as usize;
        let is_tail = late_from.is_none() || self.late_is_tail;
        let mut checks = self.checks.borrow_mut();
        let mut backlog = self.backlog.borrow_mut();
        let mut first = None;
        fetched.for_each(|record| {
            let stamp = record.value.and_then(read).filter(|stamp| stamp.run == self.run.id);
            let (Some(stamp), Some(value)) = (stamp, record.value) else {
                return self.tally.count(|counts| counts.corrupted += 1);
            };
            first.get_or_insert(stamp.intended);
            let check = checks.entry((reader, stamp.stream)).or_default();
            if !check.see(stamp.sequence) {
                return;
            }
            let is_measured = times.is_measured(stamp.intended);
            match is_tail {
                true => self.tally.consumed(partition, now - stamp.intended, is_measured),
                false => self.tally.count(|counts| counts.consumed.add(is_measured)),
            }
            if let Some(begin) = late_from.filter(|begin| stamp.intended < *begin) {
                backlog.take(value.len(), now - begin);
            }
        })?;
        let Some(first) = first else { return Ok(()) };
        let waited = fetched.answered_at - fetched.asked_at.max(first);
        if late_from.is_some_and(|begin| first < begin) {
            backlog.fetched(waited);
        }
        if is_tail && times.is_measured(first) {
            self.tally.fetched(partition, waited);
        }
        Ok(())
    }

    /// Has the members leave their groups.
    pub(super) async fn end(&self, members: Vec<Task<()>>) {
        self.ending.set(true);
        self.end_bell.notify_all();
        for member in members {
            member.await;
        }
    }

    /// What the readers have seen.
    pub(super) fn take_checks(&self) -> BTreeMap<(u32, Stream), Check> {
        self.checks.take()
    }

    /// What late readers found.
    pub(super) fn take_backlog(&self) -> Drain {
        self.backlog.take()
    }
}

/// A consumer of this shard's share of the partitions, from their start; none where it has no share. Readers with different
/// numbers find theirs on different shards.
pub(super) async fn assigned<'a>(
    job: &Job,
    reactor: &Reactor,
    number: u32,
    topics: impl Iterator<Item = &'a str>,
) -> Result<Option<Consumer>, Error> {
    let (shard, shards) = (u32::from(reactor.shard().0), u32::from(reactor.shard_count()));
    let own = |partition: &u32| (partition + number) % shards == shard;
    let partitions: Vec<u32> = (0..job.scenario.partitions).filter(own).collect();
    if partitions.is_empty() {
        return Ok(None);
    }
    let client = Client::connect(reactor, client_config(job, "reader")).await?;
    let mut consumer = Consumer::new(&client, consumer_config(job));
    let mut places = Vec::new();
    for topic in topics {
        client.topic(topic).await?;
        let place = |&partition| (topic, partition as i32, Position::Offset(0));
        places.extend(partitions.iter().map(place));
    }
    consumer.assign(places);
    Ok(Some(consumer))
}

fn consumer_config(job: &Job) -> ConsumerConfig {
    let isolation = match job.scenario.has_transactions() {
        true => Isolation::ReadCommitted,
        false => Isolation::ReadUncommitted,
    };
    ConsumerConfig { reset: OffsetReset::Earliest, isolation, ..ConsumerConfig::default() }
}
