//! What a log holds back from its segment: readers have it, the journal keeps it, and it is written when there is time.

mod common;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use common::*;
use ringlane_batch::{LogEndOffset, Offset, PartitionIndex};
use ringlane_reactor::sim::{CrashKind, DiskFaults, Options};
use ringlane_reactor::{OpenOptions, Reactor};
use ringlane_storage::{
    HeldConfig, Log, LogConfig, LogManager, LogManagerConfig, ReadError, Recovered,
};

#[test]
fn what_is_held_back_is_read_and_written_when_the_journal_rests() {
    run(|reactor| async move {
        let log = create(&reactor, LogConfig::default()).await;
        let file = dir().join("00000000000000000000.log");
        let file = reactor.disk().open(&file, OpenOptions::READ).await.unwrap();
        for n in 1..=2 {
            append(&log, batch(n)).await;
            durable(&log).await;
            reactor.sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(file.len().unwrap(), 0, "a moment between two groups is no rest");
        let before = read_all(&log).await;
        assert_eq!(before.len() as u64, log.size_bytes());
        in_its_file(&reactor, 0, log.size_bytes()).await;
        assert_eq!(read_all(&log).await, before);
    });
}

#[test]
fn what_is_held_back_outlives_a_file_that_cannot_be_written() {
    let (mut simulation, host) = world(Options::seed(3));
    simulation.block_on(host, |reactor| async move {
        let log = create(&reactor, LogConfig::default()).await;
        append(&log, batch(1)).await;
        durable(&log).await;
        log.close().await.unwrap();
    });
    let log = simulation.block_on(host, |reactor| async move {
        let log = open(&reactor, LogConfig::default()).await;
        append(&log, batch(2)).await;
        // Acknowledged before anyone has turned to the file.
        log.acknowledgeable(Offset(2)).await;
        log
    });
    let broken = DiskFaults { write_error_one_in: 1, ..DiskFaults::default() };
    simulation.set_disk_faults(host, broken);
    simulation.block_on(host, |_| async move {
        while log.is_offline().is_none() {
            log.durable_changed().await;
        }
        assert!(log.checkpoint().await.is_err(), "the journal has to keep it");
    });
    simulation.set_disk_faults(host, DiskFaults::default());
    simulation.crash(host, CrashKind::Process);
    simulation.block_on(host, |reactor| async move {
        assert_eq!(open(&reactor, LogConfig::default()).await.log_end().0, 2);
    });
}

#[test]
fn damage_before_it_does_not_touch_what_is_held_back() {
    let (mut simulation, host) = world(Options::seed(3));
    let log = simulation.block_on(host, |reactor| async move {
        let log = create(&reactor, LogConfig::default()).await;
        append(&log, batch(1)).await;
        log.checkpoint().await.unwrap();
        append(&log, batch(2)).await;
        log.acknowledgeable(Offset(2)).await;
        log
    });
    simulation.corrupt(host, dir().join("00000000000000000000.log"), 70).unwrap();
    simulation.block_on(host, |_| async move {
        let damaged = log.read(Offset(0), 1, Offset(2), true).await;
        assert!(matches!(damaged, Err(ReadError::Damaged(_))), "{damaged:?}");
        assert_eq!(log.read(Offset(1), 1, Offset(2), true).await.unwrap().next_offset, Offset(2));
        assert_eq!(log.damaged_ranges().len(), 1);
    });
}

#[test]
fn what_was_held_back_is_in_the_file_when_durability_is_switched_off() {
    let (mut simulation, host) = world(Options::seed(4));
    simulation.block_on(host, |reactor| async move {
        let log = create(&reactor, LogConfig::default()).await;
        append(&log, batch(1)).await;
        log.set_config(LogConfig { durable: false, ..LogConfig::default() });
        assert_eq!(log.acknowledgeable_end(), Offset(1));
    });
    simulation.crash(host, CrashKind::Process);
    simulation.block_on(host, |reactor| async move {
        assert_eq!(open(&reactor, LogConfig::default()).await.log_end().0, 1);
    });
}

/// Tells a story with 20 seeds: with some of them at least it is about what it should be, and answers so.
fn some_seed(story: impl Fn(u64) -> bool) {
    let told = (0..20).filter(|seed| story(*seed)).count();
    assert!(told > 0, "the story was about something else with every seed");
}

#[test]
fn what_is_held_back_outlives_a_full_disk_too() {
    some_seed(|seed| {
        let (mut simulation, host) = world(Options::seed(seed));
        let log = simulation.block_on(host, |reactor| async move {
            let log = create(&reactor, LogConfig::default()).await;
            append(&log, batch(1)).await;
            log.acknowledgeable(Offset(1)).await;
            append(&log, batch(2)).await;
            log
        });
        // Faster than anyone could look: the space was there when the batches were taken.
        let full = DiskFaults { capacity_bytes: 0, ..DiskFaults::default() };
        simulation.set_disk_faults(host, full);
        let (log, is_held) = simulation.block_on(host, |_| async move {
            log.set_config(LogConfig { durable: false, ..LogConfig::default() });
            // The file has nothing of the second.
            let is_held = log.acknowledgeable_end() == Offset(1);
            assert!(log.checkpoint().await.is_err(), "the journal has to keep both");
            let read = read_all(&log).await.len() as u64;
            assert_eq!((log.is_offline(), read), (None, log.size_bytes()));
            (log, is_held)
        });
        simulation.set_disk_faults(host, DiskFaults::default());
        simulation.block_on(host, |_| async move {
            log.checkpoint().await.unwrap();
            assert_eq!(log.recovery_point().0, 2);
        });
        simulation.crash(host, CrashKind::Process);
        simulation.block_on(host, |reactor| async move {
            assert_eq!(open(&reactor, LogConfig::default()).await.log_end().0, 2);
        });
        is_held
    });
}

/// Appends until a kernel worker has got something to write, without letting it begin.
async fn append_until_some_leaves(log: &Log) {
    let mut timestamp = 0;
    while log.size_bytes() <= manager_config().held.log_share_bytes {
        timestamp += 1;
        append(log, batch(timestamp)).await;
    }
}

/// The log's first segment as it is on the disk.
async fn file_of(reactor: &Reactor) -> Vec<u8> {
    let path = dir().join("00000000000000000000.log");
    reactor.disk().read(&path, 1 << 20).await.unwrap()
}

#[test]
fn what_a_kernel_worker_writes_is_read_and_added_to_meanwhile() {
    some_seed(|seed| {
        let (mut simulation, host) = world(Options::seed(seed));
        simulation.block_on(host, |reactor| async move {
            let log = create(&reactor, LogConfig::default()).await;
            append_until_some_leaves(&log).await;
            let before = read_all(&log).await;
            append(&log, batch(8)).await;
            append(&log, batch(9)).await;
            let all = read_all(&log).await;
            assert!(all.starts_with(&before) && all.len() as u64 == log.size_bytes());
            let is_leaving = file_of(&reactor).await.len() < all.len();
            while file_of(&reactor).await.len() < all.len() {
                assert_eq!(read_all(&log).await, all);
            }
            assert_eq!((file_of(&reactor).await, read_all(&log).await), (all.clone(), all));
            is_leaving
        })
    });
}

#[test]
fn what_a_kernel_worker_writes_is_not_written_behind_a_cut() {
    for seed in 0..50 {
        let (mut simulation, host) = world(Options::seed(seed));
        let slow = DiskFaults { slow_one_in: 3, ..DiskFaults::default() };
        simulation.set_disk_faults(host, slow);
        let all = simulation.block_on(host, |reactor| async move {
            let log = create(&reactor, LogConfig::default()).await;
            append_until_some_leaves(&log).await;
            assert_eq!(log.truncate_to(Offset(1)).await.unwrap(), LogEndOffset(1));
            append(&log, batch_of(&[77], 90, None)).await;
            append(&log, batch_of(&[78], 10, None)).await;
            let all = read_all(&log).await;
            durable(&log).await;
            reactor.sleep(Duration::from_secs(2)).await;
            assert_eq!((file_of(&reactor).await, read_all(&log).await), (all.clone(), all.clone()));
            all
        });
        simulation.crash(host, CrashKind::Power);
        simulation.block_on(host, move |reactor| async move {
            let log = open(&reactor, LogConfig::default()).await;
            assert_eq!(read_all(&log).await, all, "seed {seed}");
        });
    }
}

#[test]
fn what_a_kernel_worker_cannot_write_for_want_of_space_is_held_still() {
    let (mut simulation, host) = world(Options::seed(5));
    let log = simulation.block_on(host, |reactor| async move {
        let log = create(&reactor, LogConfig::default()).await;
        append_until_some_leaves(&log).await;
        log
    });
    let full = DiskFaults { capacity_bytes: 0, ..DiskFaults::default() };
    simulation.set_disk_faults(host, full);
    let (log, all) = simulation.block_on(host, |reactor| async move {
        reactor.sleep(Duration::from_secs(1)).await;
        let all = read_all(&log).await;
        assert_eq!((log.is_offline(), all.len() as u64), (None, log.size_bytes()));
        assert!(log.checkpoint().await.is_err(), "the journal has to keep it");
        assert_eq!(file_of(&reactor).await, []);
        (log, all)
    });
    simulation.set_disk_faults(host, DiskFaults::default());
    simulation.block_on(host, |reactor| async move {
        log.checkpoint().await.unwrap();
        assert_eq!((file_of(&reactor).await, read_all(&log).await), (all.clone(), all));
    });
}

#[test]
fn a_kernel_worker_that_fails_takes_the_log_offline_and_the_journal_restores_it() {
    let (mut simulation, host) = world(Options::seed(6));
    let (log, acknowledged) = simulation.block_on(host, |reactor| async move {
        let log = create(&reactor, LogConfig::default()).await;
        append(&log, batch(1)).await;
        log.checkpoint().await.unwrap();
        append_until_some_leaves(&log).await;
        (log.clone(), log.durable_end().offset())
    });
    let broken = DiskFaults { write_error_one_in: 1, ..DiskFaults::default() };
    simulation.set_disk_faults(host, broken);
    simulation.block_on(host, |_| async move {
        while log.is_offline().is_none() {
            log.durable_changed().await;
        }
    });
    simulation.set_disk_faults(host, DiskFaults::default());
    simulation.crash(host, CrashKind::Power);
    simulation.block_on(host, move |reactor| async move {
        assert!(open(&reactor, LogConfig::default()).await.log_end().offset() >= acknowledged);
    });
}

#[test]
fn logs_hold_no_more_than_their_shares_together() {
    const LOGS: i32 = 2;
    run(|reactor| async move {
        let (disk, data) = (reactor.disk(), Path::new("/data"));
        disk.create_dir_all(data).await.unwrap();
        let recovered = Arc::new(Recovered::read(&disk, data).await.unwrap());
        // The shard writes itself: what is not held is in the file.
        let held = HeldConfig { leaving_bytes_max: 0, ..manager_config().held };
        let config = LogManagerConfig { held, ..manager_config() };
        let manager = LogManager::new(&reactor, data, recovered, config);
        let mut logs = Vec::new();
        for n in 0..LOGS {
            let (dir, key) = (data.join(format!("orders-{n}")), (TOPIC, PartitionIndex(n)));
            let log = Log::create(&manager, &dir, key, LogConfig::default()).await.unwrap();
            let file = dir.join("00000000000000000000.log");
            logs.push((log, disk.open(&file, OpenOptions::READ).await.unwrap()));
        }
        begin(&manager).await;
        let held = || logs.iter().map(|(log, file)| log.size_bytes() - file.len().unwrap()).sum();
        let mut most = 0;
        for timestamp in 0..20 {
            for (log, _) in &logs {
                append(log, batch(timestamp)).await;
                most = most.max(held());
            }
        }
        let share = manager_config().held.log_share_bytes;
        assert!((share..=share * LOGS as u64).contains(&most), "{most} bytes were held");
        manager.checkpoint().await.unwrap();
        assert_eq!(held(), 0);
    });
}

/// What a log with nine KiB takes of a disk of so many bytes, once a kernel worker has written them.
fn taken_of_a_disk_of(capacity_bytes: u64) -> u64 {
    let (mut simulation, host) = world(Options::seed(8));
    simulation.set_disk_faults(host, DiskFaults { capacity_bytes, ..DiskFaults::default() });
    simulation.block_on(host, |reactor| async move {
        // Later, when rounds of checkpoints have come to their end.
        let free = async || {
            reactor.sleep(Duration::from_secs(1)).await;
            reactor.disk().space(&dir()).unwrap().free_bytes
        };
        let log = create(&reactor, LogConfig::default()).await;
        append(&log, batch_of(&[0], 850, None)).await;
        let before = free().await;
        for timestamp in 1..10 {
            append(&log, batch_of(&[timestamp], 850, None)).await;
            while (file_of(&reactor).await.len() as u64) < log.size_bytes() {
                reactor.yield_now().await;
            }
        }
        before - free().await
    })
}

#[test]
fn space_is_reserved_ahead_unless_there_is_little_left() {
    let (most, least) = (taken_of_a_disk_of(1 << 30), taken_of_a_disk_of(20 << 20));
    assert_eq!(most - least, 4096, "16 KiB in place of 12");
}
