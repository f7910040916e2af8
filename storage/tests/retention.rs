//! Retention and DeleteRecords of a log in the simulation: what goes, what stays readable, and that a crash at any point of
//! a deletion leaves a log without holes whose start never goes back. `RINGLANE_SEED` replays one seed of the crash test,
//! `RINGLANE_SEEDS` runs that many.

mod common;

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use common::*;
use ringlane_batch::{HighWatermark, LeaderEpoch, LogStartOffset, Offset, TimestampMs, batches};
use ringlane_reactor::sim::{CrashKind, DiskFaults, Options};
use ringlane_reactor::{OpenOptions, Reactor, Rng};
use ringlane_storage::{Log, LogConfig, LogDirectory, Origin, ReadError};

const SEEDS: u64 = 300;

/// One batch a segment, which never expires unless a test says so.
fn one_a_segment() -> LogConfig {
    let segment_bytes = batch(1).len() as u64;
    LogConfig { segment_bytes, retention_ms: -1, file_delete_delay_ms: 1000, ..small() }
}

fn all(log: &Log) -> HighWatermark {
    HighWatermark(log.log_end().0)
}

async fn retain(log: &Log) -> usize {
    log.enforce_retention(all(log)).await.expect("a good disk")
}

async fn delete_before(log: &Log, offset: i64) -> LogStartOffset {
    log.delete_records_before(Offset(offset), all(log)).await.expect("a good disk")
}

/// A log of `count` batches with the timestamps 0, 1, 2 and so on, all durable.
async fn log_of(reactor: &Reactor, config: LogConfig, count: i64) -> Log {
    let log = create(reactor, config).await;
    for timestamp in 0..count {
        append(&log, batch(timestamp)).await;
    }
    durable(&log).await;
    log
}

async fn make_data_directory_durable(reactor: &Reactor) {
    let opened = LogDirectory::open(reactor, Path::new("/data"), 1, None).await;
    opened.expect("nobody else has it");
}

fn on_a_host<F: Future<Output = ()> + 'static>(test: impl FnOnce(Reactor) -> F + 'static) {
    let (mut simulation, host) = world(Options::seed(1));
    simulation.block_on(host, test);
}

async fn read_error(log: &Log, from: i64) -> Option<ReadError> {
    log.read(Offset(from), 1000, Offset(i64::MAX), true).await.err()
}

#[test]
fn the_oldest_segments_go_by_size_and_the_rest_stays() {
    on_a_host(|reactor| async move {
        let log = log_of(&reactor, one_a_segment(), 5).await;
        let keep = 2 * batch(1).len() as i64;
        log.set_config(LogConfig { retention_bytes: keep, ..one_a_segment() });
        assert_eq!(log.enforce_retention(HighWatermark(1)).await.expect("a good disk"), 1);
        assert_eq!(retain(&log).await, 2);
        assert_eq!((log.log_start().0, log.log_end().0, log.segment_count()), (3, 5, 2));
        assert!(matches!(read_error(&log, 2).await, Some(ReadError::OffsetOutOfRange { .. })));
        let kept = read_all(&log).await;
        assert_eq!(batches(&kept).count(), 2);
        assert_eq!(retain(&log).await, 0);
        log.close().await.expect("a good disk");
        let log = open(&reactor, one_a_segment()).await;
        assert_eq!((log.log_start().0, log.log_end().0), (3, 5));
        assert_eq!(read_all(&log).await, kept);
    });
}

/// The look at old segments reads their files; meanwhile the active one gets a fresh batch, and another rolls it.
#[test]
fn what_is_appended_while_retention_looks_stays() {
    for seed in seeds(60) {
        let (mut simulation, host) = world(Options::seed(seed));
        simulation.block_on(host, move |reactor| async move {
            let segment_bytes = 2 * batch(1).len() as u64;
            let config = LogConfig { segment_bytes, segment_ms: i64::MAX, ..one_a_segment() };
            let log = log_of(&reactor, config.clone(), 15).await;
            log.close().await.expect("a good disk");
            let expiring = LogConfig { retention_ms: 60_000, ..config };
            let log = open(&reactor, expiring).await;
            let retained = log.clone();
            let looking = reactor.spawn(ringlane_reactor::Queue::Background, async move {
                retain(&retained).await;
            });
            reactor.sleep(Duration::from_micros(seed * 20)).await;
            let fresh = [batch(reactor.wall_clock_ms()), batch(reactor.wall_clock_ms())];
            let mut offsets = Vec::new();
            for batch in fresh {
                offsets.push(append(&log, batch).await.base_offset);
            }
            looking.await;
            assert!(log.log_start().offset() <= offsets[0], "seed {seed}: {offsets:?}");
        });
    }
}

#[test]
fn segments_go_by_age_the_active_one_too() {
    on_a_host(|reactor| async move {
        let log = create(&reactor, one_a_segment()).await;
        let now = reactor.wall_clock_ms();
        for age_ms in [3000, 2000, 1000] {
            append(&log, batch(now - age_ms)).await;
        }
        durable(&log).await;
        log.close().await.expect("a good disk");
        // Opened anew, so that the timestamps of complete segments have to be looked up.
        let log = open(&reactor, LogConfig { retention_ms: 1500, ..one_a_segment() }).await;
        assert_eq!(retain(&log).await, 2);
        assert_eq!(log.log_start().0, 2);
        reactor.sleep(Duration::from_secs(1)).await;
        assert_eq!(retain(&log).await, 1);
        assert_eq!((log.log_start().0, log.log_end().0, log.segment_count()), (3, 3, 1));
        assert_eq!(retain(&log).await, 0, "an empty active segment stays");
        assert_eq!(append(&log, batch(now)).await.base_offset.0, 3);
    });
}

/// The names of the old segments and of the new one are not durable at once; whichever a power cut leaves, there is nothing
/// to lose.
#[test]
fn a_log_of_which_all_has_expired_outlives_a_power_cut() {
    for seed in seeds(60) {
        let (mut simulation, host) = world(Options::seed(seed));
        simulation.block_on(host, move |reactor| async move {
            make_data_directory_durable(&reactor).await;
            let log = log_of(&reactor, one_a_segment(), 3).await;
            log.checkpoint().await.expect("a good disk");
            log.set_config(LogConfig { retention_ms: 0, ..one_a_segment() });
            assert_eq!(retain(&log).await, 3);
            std::mem::forget(log);
        });
        simulation.crash(host, CrashKind::Power);
        simulation.block_on(host, move |reactor| async move {
            let log = open(&reactor, one_a_segment()).await;
            assert_eq!((log.log_start().0, log.log_end().0), (3, 3), "seed {seed}");
            assert_eq!(append(&log, batch(1)).await.base_offset.0, 3);
        });
    }
}

#[test]
fn a_policy_without_delete_keeps_everything_but_what_lies_before_the_start() {
    on_a_host(|reactor| async move {
        let keeping = LogConfig {
            cleanup_deletes: false,
            retention_ms: 0,
            retention_bytes: 0,
            ..one_a_segment()
        };
        let log = log_of(&reactor, keeping, 3).await;
        assert_eq!(retain(&log).await, 0);
        assert_eq!(delete_before(&log, 3).await.0, 3);
        assert_eq!(log.segment_count(), 1, "the active segment holds the start");
        append(&log, batch(1)).await;
        durable(&log).await;
        assert_eq!(log.segment_count(), 2);
        assert_eq!(retain(&log).await, 1);
        assert_eq!(log.log_start().0, 3);
    });
}

#[test]
fn removed_files_wait_under_another_name_and_their_readers_go_on() {
    on_a_host(|reactor| async move {
        let log = log_of(&reactor, one_a_segment(), 3).await;
        log.checkpoint().await.expect("a good disk");
        let path = dir().join("00000000000000000000.log");
        let reader = reactor.disk().open(&path, OpenOptions::READ).await.expect("it is there");
        delete_before(&log, 1).await;
        let deleted = |names: &[String]| names.iter().filter(|n| n.ends_with(".deleted")).count();
        let found = names(&reactor, &dir()).await;
        assert_eq!(deleted(&found), 3, "{found:?}");
        assert!(!found.contains(&"00000000000000000000.log".to_string()));
        reactor.sleep(Duration::from_millis(900)).await;
        assert_eq!(deleted(&names(&reactor, &dir()).await), 3);
        reactor.sleep(Duration::from_millis(200)).await;
        assert_eq!(deleted(&names(&reactor, &dir()).await), 0);
        let len = batch(1).len();
        assert_eq!(reader.read_at(vec![0; len], 0).await.expect("still readable").len(), len);
        // What a stop leaves, the next start removes.
        delete_before(&log, 2).await;
        log.close().await.expect("a good disk");
        open(&reactor, one_a_segment()).await;
        assert_eq!(deleted(&names(&reactor, &dir()).await), 0);
    });
}

#[test]
fn the_start_may_lie_within_a_batch_and_never_goes_back() {
    on_a_host(|reactor| async move {
        let config = LogConfig { retention_ms: -1, ..small() };
        let log = create(&reactor, config.clone()).await;
        append(&log, batch_of(&[50, 10, 20], 5, None)).await;
        append(&log, batch_of(&[30, 40], 5, None)).await;
        durable(&log).await;
        assert_eq!(delete_before(&log, 1).await.0, 1);
        assert_eq!(delete_before(&log, 0).await.0, 1);
        log.truncate_to(Offset(4)).await.expect("a good disk");
        append(&log, batch_of(&[30, 40], 5, None)).await;
        durable(&log).await;
        log.close().await.expect("a good disk");
        let log = open(&reactor, config).await;
        assert_eq!((log.log_start().0, log.log_end().0), (1, 5));
        let at = |timestamp| {
            let found = log.offset_for_timestamp(TimestampMs(timestamp));
            async { found.await.expect("readable").map(|found| found.offset.0) }
        };
        assert_eq!((at(5).await, at(15).await, at(45).await), (Some(1), Some(2), None));
        assert_eq!(delete_before(&log, 3).await.0, 3);
        let newest = log.max_timestamp().await.expect("readable").expect("there are records");
        assert_eq!((newest.offset.0, newest.timestamp.0), (4, 40));
    });
}

#[test]
fn epochs_and_snapshots_follow_the_start() {
    on_a_host(|reactor| async move {
        let log = create(&reactor, one_a_segment()).await;
        for epoch in [1, 1, 2, 3] {
            log.append(&mut batch(1), LeaderEpoch(epoch), Origin::Client, 0).await.expect("taken");
        }
        durable(&log).await;
        log.checkpoint().await.expect("a good disk");
        delete_before(&log, 3).await;
        for _ in 0..2 {
            assert_eq!(log.epoch_at(Offset(3)), LeaderEpoch(3));
            assert_eq!(log.end_offset_for_epoch(LeaderEpoch(2)), Some((LeaderEpoch(2), Offset(3))));
        }
        let found = names(&reactor, &dir()).await;
        let snapshots: Vec<_> = found.iter().filter(|n| n.ends_with(".snapshot")).collect();
        assert_eq!(snapshots, ["00000000000000000003.snapshot"]);
        log.close().await.expect("a good disk");
        let log = open(&reactor, one_a_segment()).await;
        assert_eq!(log.epoch_at(Offset(3)), LeaderEpoch(3));
    });
}

/// A log that is not durable, whose tail goes with the power, does not end before a start that was made durable.
#[test]
fn a_log_that_lost_all_behind_its_start_goes_on_from_there() {
    for seed in 0..20 {
        let (mut simulation, host) = world(Options::seed(seed));
        let config = || LogConfig { durable: false, ..small() };
        simulation.block_on(host, move |reactor| async move {
            make_data_directory_durable(&reactor).await;
            let log = create(&reactor, config()).await;
            for n in 0..3 {
                append(&log, batch(n)).await;
            }
            delete_before(&log, 2).await;
            append(&log, batch(3)).await;
        });
        simulation.crash(host, CrashKind::Power);
        simulation.block_on(host, move |reactor| async move {
            let log = open(&reactor, config()).await;
            let (start, end) = (log.log_start().0, log.log_end().0);
            assert!(start == 2 && (2..=4).contains(&end), "{start}..{end}");
            assert_eq!(append(&log, batch(1)).await.base_offset.0, end);
        });
    }
}

/// A sync goes from segment to segment; meanwhile retention takes those that it has not come to.
#[test]
fn a_sync_passes_over_segments_that_are_removed_meanwhile() {
    for seed in 0..40 {
        let disk = DiskFaults { slow_one_in: 10, ..DiskFaults::default() };
        let (mut simulation, host) = world(Options { disk, ..Options::seed(seed) });
        simulation.block_on(host, |reactor| async move {
            let config = LogConfig { durable: false, flush_ms: 10_000, ..one_a_segment() };
            let log = create(&reactor, config).await;
            for timestamp in 0..6 {
                append(&log, batch(timestamp)).await;
            }
            reactor.sleep(Duration::from_secs(10)).await;
            delete_before(&log, 6).await;
            reactor.sleep(Duration::from_secs(10)).await;
            assert_eq!(log.is_offline(), None);
            append(&log, batch(6)).await;
            durable(&log).await;
        });
    }
}

#[test]
fn what_an_interrupted_deletion_left_goes_at_the_next_start() {
    on_a_host(|reactor| async move {
        let log = log_of(&reactor, one_a_segment(), 4).await;
        let first = dir().join("00000000000000000000.log");
        let content = reactor.disk().read(&first, 1 << 20).await.expect("it is there");
        delete_before(&log, 2).await;
        log.close().await.expect("a good disk");
        reactor.disk().replace(&first, &content).await.expect("a good disk");
        let log = open(&reactor, one_a_segment()).await;
        assert_eq!((log.log_start().0, log.segment_count()), (2, 2));
        let found = names(&reactor, &dir()).await;
        assert!(!found.contains(&"00000000000000000000.log".to_string()), "{found:?}");
    });
}

/// The journal has its room on a full device: records can be deleted there, and retention makes room.
#[test]
fn a_full_disk_does_not_stop_retention() {
    let (mut simulation, host) = world(Options::seed(1));
    let log = simulation.block_on(host, |reactor| async move {
        make_data_directory_durable(&reactor).await;
        let log = log_of(&reactor, one_a_segment(), 5).await;
        log.checkpoint().await.expect("a good disk");
        append(&log, batch(5)).await;
        durable(&log).await;
        log
    });
    simulation.set_disk_faults(host, DiskFaults { capacity_bytes: 0, ..DiskFaults::default() });
    let full = log.clone();
    simulation.block_on(host, |reactor| async move {
        delete_before(&full, 2).await;
        assert_eq!((full.log_start().0, full.is_offline()), (2, None));
        full.set_config(LogConfig { retention_bytes: 0, ..one_a_segment() });
        // The active segment cannot be rolled, and the one before it is not checkpointed.
        assert_eq!(retain(&full).await, 3);
        assert_eq!((full.log_start().0, full.log_end().0), (5, 6));
        let found = names(&reactor, &dir()).await;
        assert!(!found.contains(&"00000000000000000004.log".to_string()), "{found:?}");
    });
    drop(log);
    simulation.set_disk_faults(host, DiskFaults::default());
    simulation.crash(host, CrashKind::Power);
    simulation.block_on(host, |reactor| async move {
        let log = open(&reactor, one_a_segment()).await;
        assert_eq!((log.log_start().0, log.log_end().0), (5, 6));
    });
}

/// What the world was told before a crash.
#[derive(Clone, Copy, Default)]
struct Told {
    start: i64,
    durable_end: i64,
}

async fn work(log: &Log, told: &Rc<RefCell<Told>>, rng: &mut Rng) {
    for _ in 0..25 {
        match rng.below(10) {
            0..6 => {
                append(log, batch_of(&[1; 2], rng.below(40) as usize, None)).await;
            }
            6 => log.checkpoint().await.expect("a good disk"),
            7 => durable(log).await,
            8 => {
                let end = log.durable_end().0;
                let to = end - rng.below(6) as i64;
                let high_watermark = HighWatermark(end);
                let deleted = log.delete_records_before(Offset(to.max(0)), high_watermark).await;
                deleted.expect("a good disk");
            }
            _ => {
                let high_watermark = HighWatermark(log.durable_end().0);
                log.enforce_retention(high_watermark).await.expect("a good disk");
            }
        }
        let mut told = told.borrow_mut();
        assert!(log.log_start().0 >= told.start, "the start went back");
        told.start = log.log_start().0;
        told.durable_end = told.durable_end.max(log.durable_end().0);
    }
}

async fn check(log: &Log, told: &RefCell<Told>) {
    let told = { *told.borrow() };
    let (start, end) = (log.log_start().0, log.log_end().0);
    assert!(start >= told.start, "what was deleted returned: {start}, told {}", told.start);
    assert!(end >= told.durable_end, "lost {end}..{}", told.durable_end);
    let found = read_all(log).await;
    let mut next = start;
    for batch in batches(&found) {
        let batch = batch.expect("a valid batch");
        let base = batch.base_offset().0;
        assert!(base == next || (next == start && base < start), "a hole before {base}");
        assert_eq!(log.epoch_at(batch.last_offset()), EPOCH);
        next = batch.next_offset().0;
    }
    assert_eq!(next, end);
}

#[test]
fn a_crash_within_a_deletion_leaves_no_hole_and_brings_nothing_back() {
    for seed in seeds(SEEDS) {
        let (mut simulation, host) = world(Options::seed(seed));
        let mut rng = Rng::new(seed ^ 0x2e7a);
        let keep = 3 * batch(1).len() as i64;
        let config = LogConfig { segment_bytes: 300, retention_bytes: keep, ..one_a_segment() };
        let setup = config.clone();
        simulation.block_on(host, |reactor| async move {
            make_data_directory_durable(&reactor).await;
            let log = create(&reactor, setup).await;
            log.close().await.expect("a good disk");
        });
        let told = Rc::new(RefCell::new(Told::default()));
        for _ in 0..4 {
            let kind = if rng.one_in(3) { CrashKind::Process } else { CrashKind::Power };
            simulation.crash_at(host, rng.below(90), kind);
            let (told, config, work_seed) = (told.clone(), config.clone(), rng.next_u64());
            let ended = simulation.try_block_on(host, move |reactor| async move {
                let log = open(&reactor, config).await;
                check(&log, &told).await;
                durable(&log).await;
                work(&log, &told, &mut Rng::new(work_seed)).await;
            });
            if ended.is_ok() {
                simulation.crash(host, kind);
            }
        }
        simulation.crash_at(host, u64::MAX / 2, CrashKind::Process);
        simulation.block_on(host, move |reactor| async move {
            let log = open(&reactor, config).await;
            check(&log, &told).await;
            append(&log, batch(1)).await;
            durable(&log).await;
        });
    }
}
