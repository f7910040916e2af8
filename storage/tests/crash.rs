//! Crashes at every kind of write and sync. Whatever the seed: what was reported durable is there afterwards, byte for
//! byte; what is there is a prefix of what was appended, offsets dense; a killed process (whose page cache stays) loses
//! nothing at all that an append returned for; and the log goes on from there. `RINGLANE_SEED` replays one, `RINGLANE_SEEDS` runs that many.

mod common;

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;

use common::*;
use ringlane_batch::{LeaderEpoch, Offset, batches};
use ringlane_reactor::sim::{CrashKind, Options};
use ringlane_reactor::{OpenOptions, Reactor, Rng};
use ringlane_storage::{Log, LogConfig, LogDirectory, Origin, StorageError};

const SEEDS: u64 = 400;
const ROUNDS: usize = 4;

/// What the process told the world before it died.
#[derive(Default)]
struct Witness {
    /// Its creation was reported, or something in it durable.
    created: bool,
    /// What was appended, as stamped: the log's bytes are a prefix of it.
    appended: Vec<u8>,
    /// Everything before it was reported durable.
    durable_end: i64,
    /// Everything before it was appended and not truncated since.
    kept_end: i64,
    /// What a truncation that did not return was going to cut, and where to. Until something behind that is durable, a
    /// power cut may bring it back: the truncation has then not happened.
    uncut: Option<(Vec<u8>, i64)>,
    /// The page cache was lost since the log was checked.
    power_cut: bool,
}

type Shared = Rc<RefCell<Witness>>;

fn bytes_before(log: &[u8], end: i64) -> usize {
    let whole = batches(log).map(|batch| batch.expect("the witness holds batches"));
    whole.take_while(|batch| batch.next_offset().0 <= end).map(|batch| batch.len()).sum()
}

async fn open_or_create(reactor: &Reactor, witness: &Shared) -> (LogDirectory, Log) {
    let directory = LogDirectory::open(reactor, Path::new("/data"), 1, None).await;
    let directory = directory.expect("nobody else has it");
    assert!(!directory.was_left_cleanly(), "it was never left cleanly");
    (directory, open_or_create_log(reactor, witness).await)
}

async fn open_or_create_log(reactor: &Reactor, witness: &Shared) -> Log {
    let manager = manager(reactor).await;
    let log = match Log::open(&manager, &dir(), KEY, small()).await {
        Ok((log, _)) => log,
        Err(error @ StorageError::Corrupt { .. }) => {
            assert!(!witness.borrow().created, "a log that was created is there: {error}");
            let log = Log::create(&manager, &dir(), KEY, small()).await;
            witness.borrow_mut().created = true;
            log.expect("what is left is in nobody's way")
        }
        Err(other) => panic!("{other}"),
    };
    begin(&manager).await;
    log
}

/// Compares what is there with what was told, and goes on from what is there.
async fn check(log: &Log, witness: &Shared) {
    let found = read_all(log).await;
    let mut witness = witness.borrow_mut();
    let uncut = witness.uncut.as_ref().is_some_and(|(uncut, _)| uncut.starts_with(&found));
    let expected = witness.appended.starts_with(&found) || uncut;
    assert!(expected, "not what was appended, or not in its order");
    let end = log.log_end().0;
    assert!(end >= witness.durable_end, "lost {end}..{}, which was durable", witness.durable_end);
    if !witness.power_cut {
        assert!(
            end >= witness.kept_end,
            "lost {end}..{}, though the cache stayed",
            witness.kept_end
        );
    }
    let mut expected = 0;
    for batch in batches(&found) {
        let batch = batch.expect("a valid batch");
        assert!(batch.crc_is_valid());
        assert_eq!(batch.base_offset().0, expected, "dense offsets");
        assert_eq!(batch.leader_epoch(), log.epoch_at(batch.base_offset()));
        expected = batch.next_offset().0;
    }
    assert_eq!(expected, end);
    witness.appended = found;
    witness.kept_end = end;
    witness.power_cut = false;
}

async fn work(reactor: &Reactor, log: &Log, witness: &Shared, rng: &mut Rng, epoch: i32) {
    for _ in 0..60 {
        match rng.below(100) {
            0..70 => append_one(reactor, log, witness, rng, epoch).await,
            70..85 => durable(log).await,
            85..92 => log.checkpoint().await.expect("a good disk"),
            92..95 => truncate(log, witness, rng).await,
            _ => log.durable_changed_or_end().await,
        }
        reactor.yield_now().await;
        let mut witness = witness.borrow_mut();
        witness.durable_end = witness.durable_end.max(log.durable_end().0);
        witness.created |= witness.durable_end > 0;
        if witness.uncut.as_ref().is_some_and(|(_, cut)| witness.durable_end > *cut) {
            witness.uncut = None;
        }
    }
}

async fn append_one(reactor: &Reactor, log: &Log, witness: &Shared, rng: &mut Rng, epoch: i32) {
    let timestamps = vec![rng.below(1000) as i64; 1 + rng.below(3) as usize];
    let mut bytes = batch_of(&timestamps, rng.below(500) as usize, None);
    // What a crash leaves of a write that never returned is a prefix of what was appended, too.
    let mut stamped = bytes.clone();
    ringlane_batch::stamp(&mut stamped, log.log_end().offset(), LeaderEpoch(epoch));
    let before = {
        let mut witness = witness.borrow_mut();
        let before = witness.appended.len();
        witness.appended.extend_from_slice(&stamped);
        before
    };
    let appended = log.append(&mut bytes, LeaderEpoch(epoch), Origin::Client, 0).await;
    let appended = appended.expect("a good disk");
    // A process that was cut off at this write does not come back from here: what it believes does not count.
    reactor.yield_now().await;
    let mut witness = witness.borrow_mut();
    assert_eq!(witness.appended[before..], bytes, "stamped as expected");
    witness.kept_end = appended.last_offset.0 + 1;
}

async fn truncate(log: &Log, witness: &Shared, rng: &mut Rng) {
    let target = (log.log_end().0 - rng.below(12) as i64).max(0);
    {
        // A crash may fall before, within or behind it.
        let mut witness = witness.borrow_mut();
        let target = log_boundary(&witness.appended, target);
        witness.uncut = Some((witness.appended.clone(), target));
        witness.durable_end = witness.durable_end.min(target);
        witness.kept_end = witness.kept_end.min(target);
    }
    let end = log.truncate_to(Offset(target)).await.expect("a good disk").0;
    let mut witness = witness.borrow_mut();
    let kept = bytes_before(&witness.appended, end);
    witness.appended.truncate(kept);
    witness.uncut = None;
}

/// The end of the last batch that ends at `target` or before.
fn log_boundary(log: &[u8], target: i64) -> i64 {
    let ends = batches(log).map(|batch| batch.expect("batches").next_offset().0);
    ends.take_while(|end| *end <= target).last().unwrap_or(0)
}

trait Pause {
    async fn durable_changed_or_end(&self);
}

impl Pause for Log {
    /// Waits for the next ring where one is to be expected.
    async fn durable_changed_or_end(&self) {
        if self.durable_end().offset() < self.log_end().offset() {
            self.durable_changed().await;
        }
    }
}

fn run(seed: u64) {
    let (mut simulation, host) = world(Options::seed(seed));
    let mut rng = Rng::new(seed ^ 0xc4a5);
    let witness = Shared::default();
    for round in 0..ROUNDS {
        let kind = if rng.one_in(3) { CrashKind::Process } else { CrashKind::Power };
        simulation.crash_at(host, rng.below(120), kind);
        let (shared, round_seed) = (witness.clone(), rng.next_u64());
        let ended = simulation.try_block_on(host, move |reactor| async move {
            let (_directory, log) = open_or_create(&reactor, &shared).await;
            check(&log, &shared).await;
            work(&reactor, &log, &shared, &mut Rng::new(round_seed), round as i32).await;
        });
        if ended.is_ok() {
            simulation.crash(host, kind);
        }
        witness.borrow_mut().power_cut |= kind == CrashKind::Power;
    }
    simulation.crash_at(host, u64::MAX / 2, CrashKind::Process);
    simulation.block_on(host, move |reactor| async move {
        let (_directory, log) = open_or_create(&reactor, &witness).await;
        check(&log, &witness).await;
        append_one(&reactor, &log, &witness, &mut Rng::new(seed), 100).await;
        durable(&log).await;
        log.close().await.expect("a good disk");
        let log = open(&reactor, small()).await;
        assert_eq!(log.recovery_point().0, log.log_end().0);
        check(&log, &witness).await;
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
