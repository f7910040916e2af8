//! What a round of checkpoints may claim of a log: what its file has, as the log was at one moment, whatever workers,
//! truncations and the end of the log do meanwhile. The journal keeps the rest.

mod common;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use common::*;
use ringlane_batch::{HighWatermark, Offset, PartitionIndex};
use ringlane_reactor::sim::{CrashKind, DiskFaults, HostId, Options, Simulation};
use ringlane_reactor::{Queue, Reactor};
use ringlane_storage::{
    AppendError, HeldConfig, Log, LogConfig, LogManager, LogManagerConfig, Origin, Recovered,
};

const KIB: u64 = 1 << 10;
const PAGE: u64 = 4 * KIB;

/// With producers that are remembered.
fn config() -> LogConfig {
    LogConfig { producer_id_expiration_ms: i64::MAX, ..LogConfig::default() }
}

/// Logs that hold up to 20 KiB each, in a directory whose rounds only the tests ask for.
async fn create_logs<const N: usize>(reactor: &Reactor) -> (LogManager, [Log; N]) {
    let (disk, data) = (reactor.disk(), Path::new("/data"));
    disk.create_dir_all(data).await.unwrap();
    disk.sync_dir(Path::new("/")).await.unwrap();
    let recovered = Arc::new(Recovered::read(&disk, data).await.unwrap());
    let held = HeldConfig {
        bytes_max: 1 << 20,
        log_share_bytes: 20 * KIB,
        leaving_bytes_max: 1 << 20,
        reserved_step_max: 16 * KIB,
    };
    let rounds = LogManagerConfig { held, checkpoint_interval_bytes: u64::MAX, ..manager_config() };
    let manager = LogManager::new(reactor, data, recovered, rounds);
    let mut logs = Vec::new();
    for n in 0..N {
        let (dir, key) = (data.join(format!("orders-{n}")), (TOPIC, PartitionIndex(n as i32)));
        logs.push(Log::create(&manager, &dir, key, config()).await.unwrap());
    }
    begin(&manager).await;
    (manager, logs.try_into().unwrap_or_else(|_| unreachable!("as many as were asked for")))
}

/// A disk of 1 GiB, of which that much is left for `free_bytes`.
fn nearly_full(reactor: &Reactor, free_bytes: u64) -> DiskFaults {
    let space = reactor.disk().space(Path::new("/data")).unwrap();
    let used = space.total_bytes - space.free_bytes;
    DiskFaults { capacity_bytes: used + free_bytes, ..DiskFaults::default() }
}

fn large_disk() -> DiskFaults {
    DiskFaults { capacity_bytes: 1 << 30, ..DiskFaults::default() }
}

async fn length(reactor: &Reactor) -> u64 {
    let path = dir().join("00000000000000000000.log");
    reactor.disk().read(&path, 1 << 20).await.unwrap().len() as u64
}

#[test]
fn a_round_does_not_claim_what_a_worker_found_no_space_for() {
    let (mut simulation, host) = world(Options::seed(1));
    simulation.set_disk_faults(host, large_disk());
    let (log, full) = simulation.block_on(host, |reactor| async move {
        let (_, [log]) = create_logs(&reactor).await;
        append(&log, batch_of(&[1], 9000, None)).await;
        // Enough for the shard's file, which says what is on disk.
        (log, nearly_full(&reactor, PAGE))
    });
    simulation.set_disk_faults(host, full);
    let log = simulation.block_on(host, |_| async move {
        assert!(log.checkpoint().await.is_err(), "the journal has to keep it");
        assert_eq!((log.recovery_point().0, log.is_offline()), (0, None));
        log
    });
    simulation.set_disk_faults(host, large_disk());
    simulation.block_on(host, |reactor| async move {
        log.checkpoint().await.unwrap();
        assert_eq!((log.recovery_point().0, length(&reactor).await), (1, log.size_bytes()));
    });
}

#[test]
fn where_space_cannot_be_reserved_ahead_the_shard_writes() {
    let (mut simulation, host) = world(Options::seed(1));
    simulation.set_disk_faults(host, large_disk());
    let (log, full) = simulation.block_on(host, |reactor| async move {
        let (_, [log]) = create_logs(&reactor).await;
        // 24 KiB, for which 32 are reserved. A worker has got them, and not begun.
        append(&log, batch_of(&[1], 12_000, None)).await;
        append(&log, batch_of(&[2], 12_000, None)).await;
        assert_eq!(length(&reactor).await, 0);
        (log, nearly_full(&reactor, 7 * PAGE))
    });
    simulation.set_disk_faults(host, full);
    simulation.block_on(host, |reactor| async move {
        log.checkpoint().await.unwrap();
        assert_eq!((log.recovery_point().0, log.is_offline()), (2, None));
        assert_eq!(length(&reactor).await, log.size_bytes());
    });
}

/// Every operation takes up to 0.2 s.
fn slow_disk() -> DiskFaults {
    DiskFaults { slow_one_in: 1, ..DiskFaults::default() }
}

#[test]
fn a_round_leaves_to_the_next_what_is_appended_behind_what_workers_write() {
    let (mut simulation, host) = world(Options::seed(2));
    let (manager, [log]) =
        simulation.block_on(host, |reactor| async move { create_logs(&reactor).await });
    simulation.set_disk_faults(host, slow_disk());
    let acknowledged = simulation.block_on(host, |reactor| async move {
        append(&log, batch_of(&[1], 9000, None)).await;
        let round = log.clone();
        let round = reactor.spawn(Queue::Background, async move { round.checkpoint().await });
        while !manager.round_stats().running {
            reactor.yield_now().await;
        }
        for _ in 0..20 {
            append(&log, batch(2)).await;
            reactor.sleep(Duration::from_millis(1)).await;
        }
        round.await.unwrap();
        assert_eq!(log.recovery_point().0, 1);
        durable(&log).await;
        log.log_end()
    });
    simulation.crash(host, CrashKind::Power);
    simulation.set_disk_faults(host, DiskFaults::default());
    simulation.block_on(host, move |reactor| async move {
        let log = open(&reactor, config()).await;
        assert_eq!(log.log_end(), acknowledged, "the journal has what the round left");
    });
}

/// The sequence after that of the last batch in the log.
fn next(sequence: i32) -> Vec<u8> {
    batch_of(&[7], 50, Some((4, 0, sequence)))
}

/// A log of so many records, each of them a batch of one producer and all of them in a round, and another log.
fn logs_of(simulation: &mut Simulation, host: HostId, records: i32) -> [Log; 2] {
    simulation.block_on(host, move |reactor| async move {
        let (_, [log, other]) = create_logs(&reactor).await;
        for sequence in 0..records {
            append(&log, next(sequence)).await;
        }
        log.checkpoint().await.unwrap();
        [log, other]
    })
}

/// Cuts `log` to one record on a slow disk, while rounds run that `dirty` asks for, until a crash at one of so many operations.
/// Answers whether that was quicker than the cut.
fn crash_amid_a_cut(
    (simulation, host): (&mut Simulation, HostId),
    [log, dirty]: [Log; 2],
    operations: u64,
    kind: CrashKind,
) -> bool {
    let slow = DiskFaults { slow_one_in: 2, ..DiskFaults::default() };
    simulation.set_disk_faults(host, slow);
    simulation.crash_at(host, operations, kind);
    let cut = simulation.try_block_on(host, |reactor| async move {
        let rounds = async move { while dirty.checkpoint().await.is_ok() {} };
        reactor.spawn(Queue::Background, rounds).detach();
        log.truncate_to(Offset(1)).await.unwrap();
    });
    simulation.crash(host, kind);
    simulation.crash_at(host, u64::MAX / 2, kind);
    simulation.set_disk_faults(host, DiskFaults::default());
    cut.is_err()
}

#[test]
fn a_round_in_the_midst_of_a_truncation_does_not_take_half_of_it_for_the_log() {
    each_seed("rounds", seeds(300), |seed| {
        let (mut simulation, host) = world(Options::seed(seed));
        let [log, _] = logs_of(&mut simulation, host, 3);
        let logs = [log.clone(), log];
        let kind = CrashKind::Power;
        let was_quicker = crash_amid_a_cut((&mut simulation, host), logs, seed % 60, kind);
        simulation.block_on(host, move |reactor| async move {
            let log = open(&reactor, config()).await;
            let left = log.log_end().0;
            assert!(left == 1 || left == 3 && was_quicker, "{left} records are left");
            for sequence in (0..4).filter(|sequence| i64::from(*sequence) != left) {
                let taken = log.append(&mut next(sequence), EPOCH, Origin::Client, 0).await;
                assert!(taken.is_err(), "{left} records are left, and it takes {sequence}");
            }
            append(&log, next(left as i32)).await;
        });
    });
}

#[test]
fn a_round_between_a_truncation_and_its_cut_keeps_the_journals_entry_of_it() {
    each_seed("rounds", seeds(300), |seed| {
        let (mut simulation, host) = world(Options::seed(seed));
        let logs = logs_of(&mut simulation, host, 30);
        let kind = [CrashKind::Power, CrashKind::Process][seed as usize % 2];
        crash_amid_a_cut((&mut simulation, host), logs, seed / 2 % 100, kind);
        simulation.block_on(host, move |reactor| async move {
            let left = open(&reactor, config()).await.log_end().0;
            assert!([1, 30].contains(&left), "{left} records are left");
        });
    });
}

#[test]
fn a_truncation_that_could_not_be_completed_is_not_recorded_as_if_it_were() {
    each_seed("rounds", seeds(300), |seed| {
        let (mut simulation, host) = world(Options::seed(seed));
        let [log, _] = logs_of(&mut simulation, host, 3);
        let broken = DiskFaults { read_error_one_in: 4, ..DiskFaults::default() };
        simulation.set_disk_faults(host, broken);
        simulation.block_on(host, |_| async move {
            let _ = log.truncate_to(Offset(1)).await;
        });
        simulation.set_disk_faults(host, DiskFaults::default());
        simulation.run_for(Duration::from_secs(10));
        simulation.crash(host, CrashKind::Process);
        simulation.block_on(host, move |reactor| async move {
            let log = open(&reactor, config()).await;
            let left = log.log_end().0 as i32;
            for sequence in (left..4).rev() {
                let taken = log.append(&mut next(sequence), EPOCH, Origin::Client, 0).await;
                let is_next = sequence == left;
                assert_eq!(taken.is_ok(), is_next, "{left} records, {sequence}: {taken:?}");
                let is_duplicate = matches!(taken, Err(AppendError::Duplicate(_)));
                assert!(!is_duplicate, "{left} records are left, and {sequence} is there already");
            }
        });
    });
}

#[test]
fn a_log_start_outlives_the_end_of_an_offline_log() {
    let (mut simulation, host) = world(Options::seed(3));
    simulation.block_on(host, |reactor| async move {
        let (_, [log, other]) = create_logs(&reactor).await;
        append(&log, batch(1)).await;
        append(&log, batch(2)).await;
        log.checkpoint().await.unwrap();
        log.delete_records_before(Offset(1), HighWatermark(2)).await.unwrap();
        log.go_offline("a read failed");
        assert!(log.close().await.is_err());
        append(&other, batch(1)).await;
        other.checkpoint().await.unwrap();
    });
    simulation.crash(host, CrashKind::Process);
    simulation.block_on(host, |reactor| async move {
        assert_eq!(open(&reactor, config()).await.log_start().0, 1);
    });
}

#[test]
fn a_round_that_cannot_record_a_log_trims_nothing_and_says_so() {
    let (mut simulation, host) = world(Options::seed(3));
    let in_the_way = simulation.block_on(host, |reactor| async move {
        let (_, [log]) = create_logs(&reactor).await;
        append(&log, batch(1)).await;
        append(&log, batch(2)).await;
        log.checkpoint().await.unwrap();
        log.delete_records_before(Offset(1), HighWatermark(2)).await.unwrap();
        log.set_config(LogConfig { segment_bytes: 1000, ..config() });
        while log.segment_count() == 1 {
            append(&log, batch(3)).await;
        }
        let end = log.log_end().offset();
        let in_the_way = dir().join(format!("{:020}.snapshot.tmp", end.0 - 1));
        reactor.disk().create_dir_all(&in_the_way).await.unwrap();
        durable(&log).await;
        // It needs a round.
        let deleted = log.delete_records_before(end, HighWatermark(end.0)).await;
        assert!(deleted.is_err() && log.is_offline().is_some(), "{deleted:?}");
        assert!(log.close().await.is_err());
        in_the_way
    });
    simulation.crash(host, CrashKind::Process);
    simulation.block_on(host, |reactor| async move {
        reactor.disk().remove_dir_all(&in_the_way).await.unwrap();
        let log = open(&reactor, config()).await;
        assert_eq!(log.log_start().0, 1);
    });
}

#[test]
fn what_an_offline_log_held_when_it_was_closed_stays_in_the_journal_or_is_written() {
    let (mut simulation, host) = world(Options::seed(3));
    simulation.block_on(host, |reactor| async move {
        let (_, [log, other]) = create_logs(&reactor).await;
        append(&log, batch(1)).await;
        log.acknowledgeable(Offset(1)).await;
        append(&log, batch(2)).await;
        log.go_offline("a read failed");
        assert!(log.close().await.is_err());
        for timestamp in 0..3 {
            append(&other, batch(timestamp)).await;
            other.checkpoint().await.unwrap();
        }
    });
    simulation.crash(host, CrashKind::Process);
    simulation.block_on(host, |reactor| async move {
        assert_eq!(open(&reactor, config()).await.log_end().0, 2);
    });
}

#[test]
fn a_batch_whose_log_became_durable_while_its_files_were_opened_is_in_the_journal() {
    for kind in [CrashKind::Process, CrashKind::Power] {
        let (mut simulation, host) = world(Options::seed(4));
        simulation.block_on(host, |reactor| async move {
            let (_, [log]) = create_logs(&reactor).await;
            log.set_config(LogConfig { durable: false, ..config() });
            let first = log.clone();
            let first = reactor.spawn(Queue::Client, async move { append(&first, batch(1)).await });
            reactor.yield_now().await;
            assert_eq!(log.log_end().0, 0, "its files are being opened");
            log.set_config(config());
            first.await;
            append(&log, batch(2)).await;
            log.acknowledgeable(Offset(2)).await;
        });
        simulation.crash(host, kind);
        simulation.block_on(host, |reactor| async move {
            assert_eq!(open(&reactor, config()).await.log_end().0, 2);
        });
    }
}

#[test]
fn a_sync_that_was_due_before_a_log_became_durable_does_not_prove_what_is_held() {
    each_seed("rounds", seeds(50), |seed| {
        let (mut simulation, host) = world(Options::seed(seed));
        let log = simulation.block_on(host, |reactor| async move {
            let (_, [log]) = create_logs(&reactor).await;
            log.set_config(LogConfig { durable: false, flush_ms: 10, ..config() });
            append(&log, batch(1)).await;
            log.set_config(config());
            durable(&log).await;
            log
        });
        simulation.set_disk_faults(host, slow_disk());
        simulation.block_on(host, |_| async move {
            append(&log, batch(2)).await;
            log.acknowledgeable(Offset(2)).await;
        });
        simulation.crash(host, CrashKind::Power);
        simulation.set_disk_faults(host, DiskFaults::default());
        simulation.block_on(host, |reactor| async move {
            assert_eq!(open(&reactor, config()).await.log_end().0, 2);
        });
    });
}

#[test]
fn who_waits_for_a_journal_that_fails_is_told() {
    let (mut simulation, host) = world(Options::seed(5));
    let log = simulation.block_on(host, |reactor| async move {
        let (_, [log]) = create_logs(&reactor).await;
        append(&log, batch(1)).await;
        durable(&log).await;
        log
    });
    simulation.fail_directory(host, "/data/journal").unwrap();
    simulation.block_on(host, |_| async move {
        append(&log, batch(2)).await;
        log.acknowledgeable(Offset(2)).await;
        assert!(log.is_offline().is_some());
    });
}
