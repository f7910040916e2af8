//! What a log does when its disk is full or fails, a story at a time, on the simulated disk.

mod common;

use std::time::Duration;

use common::*;
use ringlane_batch::{LeaderEpoch, Offset, PartitionIndex};
use ringlane_reactor::sim::{DiskFaults, HostId, Options, Simulation};
use ringlane_storage::{AppendError, Log, LogConfig, Origin};

#[test]
fn a_full_disk_refuses_the_batch_and_takes_the_next_when_there_is_room() {
    let (mut simulation, host) = world(Options::seed(3));
    let log = simulation.block_on(host, |reactor| async move {
        let log = create(&reactor, small()).await;
        append(&log, batch(1)).await;
        durable(&log).await;
        log
    });
    simulation.set_disk_faults(host, DiskFaults { capacity_bytes: 0, ..DiskFaults::default() });
    let log = simulation.block_on(host, |_| async move {
        // Larger than a page, of which the disk counts whole ones.
        let large = || batch_of(&[2], 5000, None);
        log.set_config(LogConfig { segment_bytes: 10_000, ..small() });
        let refused = log.append(&mut large(), EPOCH, Origin::Client, 0).await;
        assert_eq!(refused, Err(AppendError::StorageFull));
        // The same at the start of a new segment.
        log.set_config(LogConfig { segment_bytes: 5100, ..small() });
        let refused = log.append(&mut large(), EPOCH, Origin::Client, 0).await;
        assert_eq!(refused, Err(AppendError::StorageFull));
        assert_eq!((log.log_end().0, log.is_offline()), (1, None));
        log.assign_epoch(LeaderEpoch(2));
        log.append(&mut batch(2), LeaderEpoch(2), Origin::Client, 0).await.ok();
        assert!(log.checkpoint().await.is_err(), "no room for a snapshot");
        assert_eq!(log.is_offline(), None);
        log
    });
    simulation.set_disk_faults(host, DiskFaults::default());
    simulation.block_on(host, |reactor| async move {
        for n in 2..10 {
            log.append(&mut batch(n), LeaderEpoch(2), Origin::Client, 0).await.unwrap();
        }
        let before = read_all(&log).await;
        log.close().await.unwrap();
        let log = open(&reactor, small()).await;
        assert_eq!(read_all(&log).await, before);
        assert_eq!((log.recovery_point().0, log.latest_epoch()), (log.log_end().0, LeaderEpoch(2)));
        let start = log.end_offset_for_epoch(EPOCH).unwrap();
        assert_eq!(start, (EPOCH, Offset(1)), "the failed checkpoint forgot nothing");
    });
}

#[test]
fn a_failed_sync_takes_the_log_offline_for_good() {
    let (mut simulation, host) = world(Options::seed(3));
    let log = simulation.block_on(host, |reactor| async move { create(&reactor, small()).await });
    let broken = DiskFaults { sync_error_one_in: 1, ..DiskFaults::default() };
    simulation.set_disk_faults(host, broken);
    let log = simulation.block_on(host, |_| async move {
        log.set_config(LogConfig { durable: false, flush_messages: 1, ..small() });
        append(&log, batch(1)).await;
        assert_eq!(log.acknowledgeable_end(), Offset(0));
        while log.is_offline().is_none() {
            log.durable_changed().await;
        }
        log
    });
    simulation.set_disk_faults(host, DiskFaults::default());
    simulation.block_on(host, |_| async move {
        let refused = log.append(&mut batch(2), EPOCH, Origin::Client, 0).await;
        assert!(matches!(refused, Err(AppendError::Offline(reason)) if reason.contains("sync")));
        assert_eq!(log.durable_end().0, 0, "never acknowledged");
        assert!(log.checkpoint().await.is_err() && log.close().await.is_err());
    });
}

#[test]
fn a_failed_write_takes_the_log_offline() {
    let (mut simulation, host) = world(Options::seed(3));
    let log = simulation.block_on(host, |reactor| async move { create(&reactor, small()).await });
    let broken = DiskFaults { write_error_one_in: 1, ..DiskFaults::default() };
    simulation.set_disk_faults(host, broken);
    simulation.block_on(host, |_| async move {
        log.set_config(LogConfig { durable: false, ..small() });
        let refused = log.append(&mut batch(2), EPOCH, Origin::Client, 0).await;
        assert!(matches!(refused, Err(AppendError::Offline(_))));
        assert!(log.is_offline().is_some());
        assert_eq!(log.log_end().0, 0);
    });
}

/// Of a log with one complete segment all that a round has left to write is the snapshot at the second one's base.
fn snapshot_waits(simulation: &mut Simulation, host: HostId) -> Log {
    simulation.block_on(host, |reactor| async move {
        let log = create(&reactor, small()).await;
        while log.segment_count() == 1 {
            append(&log, batch(1)).await;
        }
        durable(&log).await;
        in_its_file(&reactor, log.log_end().0 - 1, 1).await;
        log
    })
}

#[test]
fn a_producer_snapshot_that_cannot_be_written_takes_the_log_offline() {
    let (mut simulation, host) = world(Options::seed(1));
    let log = snapshot_waits(&mut simulation, host);
    let broken = DiskFaults { write_error_one_in: 1, ..DiskFaults::default() };
    simulation.set_disk_faults(host, broken);
    simulation.block_on(host, |_| async move {
        assert!(log.checkpoint().await.is_err());
        let reason = log.is_offline().expect("its producers would be unknown after a truncation");
        assert!(reason.contains("producer snapshot"), "{reason}");
    });
}

/// Nothing more can be opened.
fn no_descriptors() -> DiskFaults {
    DiskFaults { no_descriptors: true, ..DiskFaults::default() }
}

#[test]
fn a_producer_snapshot_waits_for_a_descriptor() {
    let (mut simulation, host) = world(Options::seed(1));
    let log = snapshot_waits(&mut simulation, host);
    simulation.set_disk_faults(host, no_descriptors());
    let log = simulation.block_on(host, |_| async move {
        assert!(log.checkpoint().await.is_err(), "the snapshot is a file of its own");
        log
    });
    simulation.set_disk_faults(host, DiskFaults::default());
    simulation.block_on(host, |_| async move {
        log.checkpoint().await.expect("as if nothing had been");
        assert_eq!((log.is_offline(), log.recovery_point().0), (None, log.log_end().0));
    });
}

#[test]
fn a_sync_of_the_logs_own_waits_for_a_descriptor() {
    let (mut simulation, host) = world(Options::seed(3));
    let log = simulation.block_on(host, |reactor| async move {
        let log = create(&reactor, LogConfig { durable: false, ..small() }).await;
        // The names of a new segment are to be synced, for which a directory is opened.
        while log.segment_count() == 1 {
            append(&log, batch(1)).await;
        }
        log
    });
    simulation.set_disk_faults(host, no_descriptors());
    let log = simulation.block_on(host, |reactor| async move {
        log.set_config(LogConfig { durable: false, flush_messages: 1, ..small() });
        append(&log, batch(2)).await;
        reactor.sleep(Duration::from_secs(1)).await;
        assert_eq!(log.is_offline(), None);
        assert!(log.acknowledgeable_end() < log.log_end().offset(), "nothing was synced");
        log
    });
    simulation.set_disk_faults(host, DiskFaults::default());
    simulation.block_on(host, |_| async move {
        durable(&log).await;
        assert_eq!(log.acknowledgeable_end(), log.log_end().offset());
    });
}

#[test]
fn a_round_waits_for_a_thread_to_sync_on() {
    let (mut simulation, host) = world(Options::seed(3));
    let log = simulation.block_on(host, |reactor| async move { create(&reactor, small()).await });
    let no_threads = DiskFaults { no_threads: true, ..DiskFaults::default() };
    simulation.set_disk_faults(host, no_threads);
    let log = simulation.block_on(host, |_| async move {
        append(&log, batch(1)).await;
        assert!(log.checkpoint().await.is_err());
        assert_eq!(log.is_offline(), None, "the device was not asked");
        append(&log, batch(2)).await;
        durable(&log).await;
        log
    });
    simulation.set_disk_faults(host, DiskFaults::default());
    simulation.block_on(host, |_| async move {
        log.checkpoint().await.expect("as if nothing had been");
        assert_eq!(log.recovery_point().0, 2);
    });
}

/// A log goes offline while the journal's entry of its truncation is on its way: the journal does not fill up behind that.
#[test]
fn a_truncation_that_does_not_end_holds_nobody_up() {
    for seed in 0..40 {
        let options = Options { step_limit: 100_000, ..Options::seed(seed) };
        let (mut simulation, host) = world(options);
        simulation.block_on(host, move |reactor| async move {
            let manager = manager(&reactor).await;
            let key = |n| (TOPIC, PartitionIndex(n));
            let other = dir().with_file_name("orders-1");
            let log = Log::create(&manager, &dir(), key(0), small()).await.expect("a new log");
            let other = Log::create(&manager, &other, key(1), small()).await.expect("a new log");
            begin(&manager).await;
            for n in 0..10 {
                append(&log, batch(n)).await;
            }
            durable(&log).await;
            let cut = log.clone();
            let cutting = reactor.spawn(ringlane_reactor::Queue::Client, async move {
                // It may have ended before.
                let _ = cut.truncate_to(Offset(5)).await;
            });
            reactor.sleep(Duration::from_micros(seed * 70)).await;
            log.go_offline("for another reason");
            cutting.await;
            let appends = async move {
                for n in 0..1000 {
                    if other.append(&mut batch(n), EPOCH, Origin::Client, 0).await.is_err() {
                        return;
                    }
                }
            };
            let ended = reactor.timeout(Duration::from_secs(60), appends).await;
            assert!(ended.is_ok(), "seed {seed}: appends wait for ever");
        });
    }
}
