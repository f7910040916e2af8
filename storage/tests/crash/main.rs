//! Crashes at every kind of write and sync, of three logs that share one manager; one of them begins without durability, and
//! all of them change theirs. Whatever the seed: what was reported durable is there afterwards, byte for byte; what is
//! there is a prefix of what was appended, offsets dense, indexes right, producers remembered; a killed process (whose
//! page cache stays) loses nothing at all that an append returned for; and the logs go on from there. `RINGLANE_SEED`
//! replays one, `RINGLANE_SEEDS` runs that many.

#[path = "../common/mod.rs"]
mod common;
mod lies;
mod witness;

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use common::*;
use ringlane_batch::{LeaderEpoch, Offset, PartitionIndex};
use ringlane_reactor::sim::{CrashKind, Options};
use ringlane_reactor::{OpenOptions, Reactor, Rng};
use ringlane_storage::{
    Log, LogConfig, LogDirectory, LogKey, LogManager, Origin, PartitionDirectory, StorageError,
};
use witness::{Witness, bytes_before, draw_batch, indexes_agree, producers_are_remembered, views};

const SEEDS: u64 = 300;
const ROUNDS: usize = 4;
const LOGS: i32 = 3;

/// Of each log.
type Shared = Rc<RefCell<Vec<Witness>>>;

fn new_witnesses() -> Shared {
    Rc::new(RefCell::new((0..LOGS).map(|_| Witness::default()).collect()))
}

/// A process with its logs.
struct Process {
    reactor: Reactor,
    _directory: LogDirectory,
    manager: LogManager,
    logs: Vec<Log>,
    witnesses: Shared,
    rng: Rng,
    epoch: LeaderEpoch,
}

fn place(number: i32) -> (LogKey, PathBuf) {
    ((TOPIC, PartitionIndex(number)), PathBuf::from(format!("/data/orders-{number}")))
}

fn config(number: i32) -> LogConfig {
    LogConfig { durable: number < 2, ..small() }
}

async fn manager_of_all(reactor: &Reactor) -> LogManager {
    let directories = (0..LOGS).map(place).map(|((_, partition), path)| PartitionDirectory {
        topic: "orders".to_string(),
        partition,
        path,
        topic_id: Some(TOPIC),
    });
    manager_in(reactor, Path::new("/data"), &directories.collect::<Vec<_>>()).await
}

async fn open_or_create(manager: &LogManager, number: i32, witness: &mut Witness) -> Log {
    let (key, dir) = place(number);
    match Log::open(manager, &dir, key, config(number)).await {
        Ok((log, _)) => log,
        Err(error @ StorageError::Corrupt { .. }) => {
            assert!(!witness.created, "a log that was created is there: {error}");
            let log = Log::create(manager, &dir, key, config(number)).await;
            witness.created = true;
            log.expect("what is left is in nobody's way")
        }
        Err(other) => panic!("{other}"),
    }
}

impl Process {
    #[expect(clippy::await_holding_refcell_ref, reason = "one task; nobody else looks meanwhile")]
    async fn start(reactor: &Reactor, witnesses: &Shared, seed: u64, epoch: i32) -> Self {
        let directory = LogDirectory::open(reactor, Path::new("/data"), 1, None).await;
        let directory = directory.expect("nobody else has it");
        let manager = manager_of_all(reactor).await;
        let mut logs = Vec::new();
        for (number, witness) in (0..).zip(witnesses.borrow_mut().iter_mut()) {
            logs.push(open_or_create(&manager, number, witness).await);
        }
        begin(&manager).await;
        Self {
            reactor: reactor.clone(),
            _directory: directory,
            manager,
            logs,
            witnesses: witnesses.clone(),
            rng: Rng::new(seed),
            epoch: LeaderEpoch(epoch),
        }
    }

    fn witness<T>(&self, number: usize, act: impl FnOnce(&mut Witness) -> T) -> T {
        act(&mut self.witnesses.borrow_mut()[number])
    }

    async fn check(&self) {
        for (number, log) in self.logs.iter().enumerate() {
            let found = read_all(log).await;
            self.witness(number, |witness| witness.check(log, found.clone()));
            indexes_agree(log, &found).await;
            producers_are_remembered(log, &found, self.epoch).await;
        }
    }

    async fn work(&mut self, steps: usize) {
        for _ in 0..steps {
            let number = self.rng.below(self.logs.len() as u64) as usize;
            let log = self.logs[number].clone();
            match self.rng.below(100) {
                0..70 => self.append(number).await,
                70..82 => durable(&log).await,
                82..88 => log.checkpoint().await.expect("a good disk"),
                88..91 => self.truncate(number).await,
                91..95 => self.change_durability(&log),
                _ => durable_changed_or_end(&log).await,
            }
            self.reactor.yield_now().await;
            for (number, log) in self.logs.iter().enumerate() {
                self.witness(number, |witness| witness.look(log));
            }
        }
    }

    async fn append(&mut self, number: usize) {
        let (log, rng) = (&self.logs[number], &mut self.rng);
        let mut bytes = draw_batch(&self.witnesses.borrow()[number], rng);
        // What a crash leaves of a write that never returned is a prefix of what was appended, too.
        let mut stamped = bytes.clone();
        ringlane_batch::stamp(&mut stamped, log.log_end().offset(), self.epoch);
        let before = self.witness(number, |witness| {
            let before = witness.appended.len();
            witness.appended.extend_from_slice(&stamped);
            before
        });
        let appended = log.append(&mut bytes, self.epoch, Origin::Client, 0).await;
        let appended = appended.expect("a good disk");
        // A process that was cut off at this write does not come back from here: what it believes does not count.
        self.reactor.yield_now().await;
        self.witness(number, |witness| {
            assert_eq!(witness.appended[before..], bytes, "stamped as expected");
            witness.kept_end = appended.last_offset.0 + 1;
        });
    }

    async fn truncate(&mut self, number: usize) {
        let log = self.logs[number].clone();
        let target = (log.log_end().0 - self.rng.below(12) as i64).max(0);
        // A crash may fall before, within or behind it.
        self.witness(number, |witness| {
            let target = boundary(&witness.appended, target);
            witness.uncut = Some((witness.appended.clone(), target));
            witness.durable_end = witness.durable_end.min(target);
            witness.kept_end = witness.kept_end.min(target);
        });
        let end = log.truncate_to(Offset(target)).await.expect("a good disk").0;
        self.witness(number, |witness| {
            let kept = bytes_before(&witness.appended, end);
            witness.appended.truncate(kept);
            witness.uncut = None;
        });
    }

    fn change_durability(&mut self, log: &Log) {
        let flush_messages = [1, 4, i64::MAX as u64][self.rng.below(3) as usize];
        let durable = self.rng.one_in(2);
        log.set_config(LogConfig { durable, flush_messages, ..small() });
    }

    /// Ends in order: nothing is left to recover.
    async fn close(self) {
        for (number, log) in self.logs.iter().enumerate() {
            log.close().await.expect("a good disk");
            self.witness(number, |witness| witness.durable_end = log.log_end().0);
        }
        self.manager.close().await;
    }
}

/// The end of the last batch that ends at `target` or before.
fn boundary(log: &[u8], target: i64) -> i64 {
    let ends = views(log).map(|batch| batch.next_offset().0);
    ends.take_while(|end| *end <= target).last().unwrap_or(0)
}

/// Waits for the next ring where one is to be expected.
async fn durable_changed_or_end(log: &Log) {
    if log.durable_end().offset() < log.log_end().offset() {
        log.durable_changed().await;
    }
}

fn run(seed: u64) {
    let (mut simulation, host) = world(Options::seed(seed));
    let mut rng = Rng::new(seed ^ 0xc4a5);
    let witnesses = new_witnesses();
    for round in 0..ROUNDS {
        let kind = if rng.one_in(3) { CrashKind::Process } else { CrashKind::Power };
        simulation.crash_at(host, rng.below(200), kind);
        let (shared, round_seed) = (witnesses.clone(), rng.next_u64());
        let ended = simulation.try_block_on(host, move |reactor| async move {
            let mut process = Process::start(&reactor, &shared, round_seed, round as i32).await;
            process.check().await;
            process.work(90).await;
            if process.rng.one_in(4) {
                process.close().await;
            }
        });
        if ended.is_ok() {
            simulation.crash(host, kind);
        }
        let power_cut = kind == CrashKind::Power;
        witnesses.borrow_mut().iter_mut().for_each(|witness| witness.power_cut |= power_cut);
    }
    simulation.crash_at(host, u64::MAX / 2, CrashKind::Process);
    simulation.block_on(host, move |reactor| async move {
        let mut process = Process::start(&reactor, &witnesses, seed, 100).await;
        process.check().await;
        process.append(0).await;
        durable(&process.logs[0]).await;
        let ends: Vec<_> = process.logs.iter().map(|log| log.log_end().0).collect();
        process.close().await;
        let process = Process::start(&reactor, &witnesses, seed, 101).await;
        let points: Vec<_> = process.logs.iter().map(|log| log.recovery_point().0).collect();
        assert_eq!(points, ends, "a log that was closed has nothing to recover");
        process.check().await;
    });
}

#[test]
fn a_crash_takes_nothing_that_was_durable() {
    seeds(SEEDS).for_each(run);
}

/// A torn tail at the recovery point, cut by recovery; the next batch rolls, so that nothing is written over it.
#[test]
fn a_tail_that_was_cut_does_not_come_back_behind_what_is_durable() {
    for seed in seeds(30) {
        let (mut simulation, host) = world(Options::seed(seed));
        simulation.block_on(host, |reactor| async move {
            let log = create(&reactor, small()).await;
            append(&log, batch(1)).await;
            log.close().await.expect("a good disk");
            let path = dir().join("00000000000000000000.log");
            let file = reactor.disk().open(&path, OpenOptions::WRITE).await.expect("it is there");
            file.write_at(&[1; 600], file.len().expect("a good disk")).expect("a good disk");
            file.sync_data().await.expect("a good disk");
            reactor.disk().sync_dir(Path::new("/")).await.expect("a good disk");
            let log = open(&reactor, LogConfig { segment_bytes: 200, ..small() }).await;
            append(&log, batch(2)).await;
            assert_eq!(log.segment_count(), 2);
            durable(&log).await;
        });
        simulation.crash(host, CrashKind::Power);
        simulation.block_on(host, |reactor| async move {
            let log = open(&reactor, small()).await;
            assert_eq!(log.log_end().0, 2);
            assert_eq!(read_all(&log).await.len(), 2 * batch(1).len());
        });
    }
}
