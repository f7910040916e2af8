//! What a log holds back from its segment: readers have it, the journal keeps it, and it is written when there is time.

mod common;

use common::*;
use ringlane_batch::Offset;
use ringlane_reactor::OpenOptions;
use ringlane_reactor::sim::{CrashKind, DiskFaults, Options};
use ringlane_storage::{LogConfig, ReadError};

#[test]
fn what_is_held_back_is_read_and_written_when_the_journal_rests() {
    run(|reactor| async move {
        let log = create(&reactor, LogConfig::default()).await;
        let file = dir().join("00000000000000000000.log");
        let file = reactor.disk().open(&file, OpenOptions::READ).await.unwrap();
        append(&log, batch(1)).await;
        append(&log, batch(2)).await;
        assert_eq!(file.len().unwrap(), 0, "the journal gets them first");
        let before = read_all(&log).await;
        assert_eq!(before.len() as u64, log.size_bytes());
        durable(&log).await;
        while file.len().unwrap() < log.size_bytes() {
            reactor.yield_now().await;
        }
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

#[test]
fn what_is_held_back_outlives_a_full_disk_too() {
    let (mut simulation, host) = world(Options::seed(5));
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
    let log = simulation.block_on(host, |_| async move {
        log.set_config(LogConfig { durable: false, ..LogConfig::default() });
        assert_eq!(log.acknowledgeable_end(), Offset(1), "the file has nothing of the second");
        assert!(log.checkpoint().await.is_err(), "the journal has to keep both");
        assert_eq!((log.is_offline(), read_all(&log).await.len() as u64), (None, log.size_bytes()));
        log
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
}
