//! Appends to real logs and waits until all is acknowledgeable, as a produce does: `depth` producers, each with one request
//! at a time, and in each request a record for every partition.

use std::cell::{Cell, RefCell};
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use ringlane_batch::{
    BatchBuilder, BatchFields, Codec, LeaderEpoch, PartitionIndex, TimestampMs, TopicId,
};
use ringlane_reactor::{Instant, Queue, Reactor};
use ringlane_storage::journal::{JournalConfig, JournalStats};
use ringlane_storage::{
    LOGS_PREFETCHED, Log, LogConfig, LogManager, LogManagerConfig, Origin, Recovered, RoundStats,
};

use crate::args::{Args, Shape};
use crate::cpu::Cpu;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Journal,
    /// Each record by an `fdatasync` of its log, one after the other.
    Fdatasync,
    /// The logs that have changed meanwhile, many at a time: what durability without a journal can be at best.
    Grouped,
}

/// What one side did.
#[derive(Default)]
pub(crate) struct Outcome {
    pub(crate) records: u64,
    pub(crate) elapsed: Duration,
    /// Waits in which no round of checkpoints ran, and the others, in µs and in order.
    pub(crate) waits: [Vec<u32>; 2],
    pub(crate) journal: JournalStats,
    pub(crate) turnovers: f64,
    /// Records a second in each whole turnover.
    pub(crate) turnover_rates: Vec<f64>,
    pub(crate) rounds: RoundStats,
    /// CPU of the shard for a record, and of the ring's kernel workers, in µs.
    pub(crate) cpu_us: (f64, f64),
}

impl Outcome {
    pub(crate) fn rate(&self) -> f64 {
        self.records as f64 / self.elapsed.as_secs_f64()
    }

    /// The average write of the journal, in whole blocks.
    pub(crate) fn group_bytes(&self) -> u64 {
        let average = self.journal.bytes / self.journal.groups.max(1);
        average.next_multiple_of(4096)
    }
}

struct Load {
    reactor: Reactor,
    manager: LogManager,
    batch: Vec<u8>,
    side: Side,
    /// Whether the memory of some logs is fetched before they are appended to.
    prefetches: bool,
    begin: Cell<Instant>,
    deadline: Cell<Instant>,
    /// Bytes of groups that end the run, and those of one turnover.
    bytes_max: Cell<u64>,
    turnover_bytes: u64,
    /// When each turnover ended, with the records by then.
    turnovers: RefCell<Vec<(Instant, u64)>>,
    records: Cell<u64>,
    waits: RefCell<[Vec<u32>; 2]>,
}

pub(crate) async fn run(
    reactor: Reactor,
    args: Args,
    dir: PathBuf,
    shape: Shape,
    side: Side,
) -> io::Result<Outcome> {
    crate::fresh(&reactor, &dir).await?;
    let (files, file_bytes) = match side {
        Side::Journal => (args.files, args.file_bytes),
        // Not used: its zeros are not to be written beside what is measured.
        Side::Fdatasync | Side::Grouped => (2, 4 << 20),
    };
    let journal = JournalConfig { files, file_bytes, ..JournalConfig::default() };
    let turnover_bytes = args.file_bytes * u64::from(args.files);
    let open_logs_max = args.open_logs.unwrap_or(shape.partitions.max(1));
    let mut config =
        LogManagerConfig { journal, open_logs_max, held: args.held, ..LogManagerConfig::default() };
    let mut depth = shape.depth;
    if side == Side::Fdatasync {
        (config.concurrent_syncs_max, depth) = (1, 1);
    }
    let (manager, logs) = open(&reactor, &dir, config, shape.partitions, side).await;
    let load = Rc::new(Load {
        reactor: reactor.clone(),
        manager: manager.clone(),
        batch: batch(args.record_bytes),
        side,
        prefetches: args.prefetches,
        begin: Cell::new(reactor.now()),
        deadline: Cell::new(reactor.now()),
        bytes_max: Cell::new(0),
        turnover_bytes,
        turnovers: RefCell::default(),
        records: Cell::new(0),
        waits: RefCell::default(),
    });
    // Once round: what a log needs for its first append is not measured.
    load.round(&logs, 1).await;
    manager.checkpoint().await.expect("the disk takes it");
    let seconds = if side == Side::Journal { args.seconds_max } else { args.seconds };
    if side == Side::Journal {
        // The first turnover has the zeros of a new journal written beside it, once in the life of a broker.
        load.measure(&logs, depth, seconds, turnover_bytes).await;
    }
    let outcome = load.measure(&logs, depth, seconds, args.turnovers * turnover_bytes).await;
    for log in &logs {
        // What is closed is removed next.
        log.go_offline("the run has ended");
    }
    manager.close().await;
    crate::remove(&reactor, &dir).await?;
    Ok(outcome)
}

async fn open(
    reactor: &Reactor,
    dir: &Path,
    config: LogManagerConfig,
    partitions: usize,
    side: Side,
) -> (LogManager, Vec<Log>) {
    let recovered = Recovered::read(&reactor.disk(), dir).await.expect("an empty directory");
    let manager = LogManager::new(reactor, dir, Arc::new(recovered), config);
    let config = match side {
        Side::Journal => LogConfig::default(),
        Side::Fdatasync | Side::Grouped => {
            LogConfig { durable: false, flush_messages: 1, ..LogConfig::default() }
        }
    };
    let mut logs = Vec::new();
    for n in 0..partitions {
        let key = (TopicId([7; 16]), PartitionIndex(n as i32));
        let path = dir.join(format!("bench-{n}"));
        let log = Log::create(&manager, &path, key, config.clone()).await;
        logs.push(log.expect("the disk takes it"));
    }
    manager.settle().await.expect("the disk takes it");
    manager.begin().await.expect("the disk takes it");
    (manager, logs)
}

fn batch(record_bytes: usize) -> Vec<u8> {
    let mut builder = BatchBuilder::new(Codec::None);
    let value = vec![b'x'; record_bytes];
    builder.append(TimestampMs(1_700_000_000_000), None, Some(&value), &[]);
    builder.finish(&BatchFields::default()).to_vec()
}

impl Load {
    async fn measure(
        self: &Rc<Self>,
        logs: &[Log],
        depth: usize,
        seconds: Duration,
        bytes_max: u64,
    ) -> Outcome {
        self.bytes_max.set(bytes_max);
        let (journal, rounds) = (self.manager.journal_stats(), self.manager.round_stats());
        let begin = self.reactor.now();
        self.records.set(0);
        self.waits.take();
        self.turnovers.take();
        self.begin.set(begin);
        self.deadline.set(begin + seconds);
        let cpu = Cpu::now();
        self.round(logs, depth).await;
        let cpu_us = Cpu::now().per_record(cpu, self.records.get());
        let elapsed = self.reactor.now() - begin;
        let stats = self.manager.journal_stats();
        let journal = JournalStats {
            groups: stats.groups - journal.groups,
            entries: stats.entries - journal.entries,
            bytes: stats.bytes - journal.bytes,
            waits_full: stats.waits_full - journal.waits_full,
        };
        let after = self.manager.round_stats();
        let rounds = RoundStats {
            rounds: after.rounds - rounds.rounds,
            sync_time: after.sync_time - rounds.sync_time,
            ..after
        };
        let mut waits = self.waits.take();
        waits.iter_mut().for_each(|waits| waits.sort_unstable());
        Outcome {
            records: self.records.get(),
            elapsed,
            waits,
            journal,
            turnovers: journal.bytes as f64 / self.turnover_bytes as f64,
            turnover_rates: self.turnover_rates(),
            rounds,
            cpu_us,
        }
    }

    fn turnover_rates(&self) -> Vec<f64> {
        let mut before = (self.begin.get(), 0);
        let mut rates = Vec::new();
        for &(at, records) in self.turnovers.borrow().iter() {
            let taken = (at - before.0).as_secs_f64();
            rates.push((records - before.1) as f64 / taken);
            before = (at, records);
        }
        rates
    }

    /// All producers, until each has ended: after one request each when the time is up already.
    async fn round(self: &Rc<Self>, logs: &[Log], depth: usize) {
        let base = self.manager.journal_stats().bytes;
        let producers: Vec<_> = (0..depth)
            .map(|n| {
                let (this, mut logs) = (self.clone(), logs.to_vec());
                // Not all at the same log.
                let first = n * logs.len() / depth;
                logs.rotate_left(first);
                self.reactor.spawn(Queue::Client, async move { this.produce_to(logs, base).await })
            })
            .collect();
        for producer in producers {
            producer.await;
        }
    }

    async fn produce_to(&self, logs: Vec<Log>, base: u64) {
        loop {
            let now = self.request(&logs).await;
            let bytes = self.manager.journal_stats().bytes - base;
            let done = self.side == Side::Journal && bytes >= self.bytes_max.get();
            let turnovers = self.turnovers.borrow().len() as u64;
            if bytes >= (turnovers + 1) * self.turnover_bytes {
                self.turnovers.borrow_mut().push((now, self.records.get()));
            }
            if done || now >= self.deadline.get() {
                return;
            }
        }
    }

    /// A record for each of `logs`, until all may be acknowledged. Answers when that was.
    async fn request(&self, logs: &[Log]) -> Instant {
        let before = self.manager.round_stats();
        let begin = self.reactor.now();
        let mut ends = Vec::with_capacity(logs.len());
        // What an append stamps lies outside the checksum: the next may have the same bytes.
        let mut bytes = self.batch.clone();
        for some in logs.chunks(LOGS_PREFETCHED) {
            if self.prefetches {
                some.iter().for_each(Log::prefetch);
            }
            for log in some {
                let appended = log.append(&mut bytes, LeaderEpoch(1), Origin::Client, 0).await;
                ends.push(appended.expect("the disk takes it").last_offset.plus(1));
            }
        }
        for (log, end) in logs.iter().zip(ends) {
            log.acknowledgeable(end).await;
            assert!(log.acknowledgeable_end() >= end, "{:?}", log.is_offline());
        }
        let (now, after) = (self.reactor.now(), self.manager.round_stats());
        let during = before.running || after.running || after.rounds != before.rounds;
        let wait = u32::try_from((now - begin).as_micros()).unwrap_or(u32::MAX);
        self.waits.borrow_mut()[usize::from(during)].push(wait);
        self.records.set(self.records.get() + logs.len() as u64);
        now
    }
}
