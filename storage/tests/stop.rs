//! A start after a clean stop does not look into the journals: a stop is clean only if every log was closed, and ends whatever fails.

mod common;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use common::*;
use ringlane_batch::PartitionIndex;
use ringlane_reactor::sim::{CrashKind, DiskFaults, Options};
use ringlane_reactor::{Queue, Reactor};
use ringlane_storage::{Log, LogConfig, LogManager, LogManagerConfig, Origin, Recovered};

/// Logs of a start that trusts the marker of a clean stop.
async fn manager_after_a_clean_stop(reactor: &Reactor) -> LogManager {
    let (disk, data) = (reactor.disk(), Path::new("/data"));
    disk.create_dir_all(data).await.expect("a good disk");
    let recovered = Recovered::read(&disk, data).await.expect("whole checkpoints");
    let config = LogManagerConfig { checkpoint_interval_bytes: u64::MAX, ..manager_config() };
    let manager = LogManager::new(reactor, data, Arc::new(recovered), config);
    begin(&manager).await;
    manager
}

#[test]
fn a_stop_closes_the_logs_that_came_into_being_meanwhile() {
    let (mut simulation, host) = world(Options::seed(1));
    simulation.block_on(host, |reactor| async move {
        let manager = manager_after_a_clean_stop(&reactor).await;
        let log = Log::create(&manager, &dir(), KEY, LogConfig::default()).await.unwrap();
        append(&log, batch(1)).await;
        durable(&log).await;
        assert!(manager.close().await);
    });
    simulation.crash(host, CrashKind::Power);
    simulation.block_on(host, |reactor| async move {
        let manager = manager_after_a_clean_stop(&reactor).await;
        let (log, _) = Log::open(&manager, &dir(), KEY, LogConfig::default()).await.unwrap();
        assert_eq!(log.log_end().0, 1);
    });
}

#[test]
fn groups_of_a_log_that_was_deleted_before_a_clean_stop_are_not_found_behind_later_ones() {
    let (mut simulation, host) = world(Options::seed(1));
    simulation.block_on(host, |reactor| async move {
        let manager = manager_after_a_clean_stop(&reactor).await;
        let key = (TOPIC, PartitionIndex(1));
        let deleted = Path::new("/data/orders-1");
        let log = Log::create(&manager, deleted, key, LogConfig::default()).await.unwrap();
        for timestamp in 0..8 {
            append(&log, batch(timestamp)).await;
            durable(&log).await;
        }
        log.delete().await.unwrap();
        assert!(manager.close().await);
    });
    simulation.crash(host, CrashKind::Process);
    simulation.block_on(host, |reactor| async move {
        let manager = manager_after_a_clean_stop(&reactor).await;
        let log = Log::create(&manager, &dir(), KEY, LogConfig::default()).await.unwrap();
        // Over three of the eight groups.
        append(&log, batch_of(&[1], 9000, None)).await;
        durable(&log).await;
    });
    simulation.crash(host, CrashKind::Process);
    simulation.block_on(host, |reactor| async move {
        assert_eq!(open(&reactor, LogConfig::default()).await.log_end().0, 1);
    });
}

/// Both put the shard's file together beside its place.
#[test]
fn the_last_words_of_a_stop_and_a_round_do_not_meet_in_one_file() {
    each_seed("last words", seeds(200), |seed| {
        let (mut simulation, host) = world(Options::seed(seed));
        let slow = DiskFaults { slow_one_in: 3, ..DiskFaults::default() };
        simulation.set_disk_faults(host, slow);
        simulation.block_on(host, |reactor| async move {
            let manager = manager_after_a_clean_stop(&reactor).await;
            let log = Log::create(&manager, &dir(), KEY, LogConfig::default()).await.unwrap();
            append(&log, batch(1)).await;
            durable(&log).await;
            log.delete().await.unwrap();
            manager.suspect_device();
            assert!(manager.close().await);
            // As the clock's rounds, it may outlast the stop.
            manager.checkpoint().await.unwrap();
        });
        simulation.crash(host, CrashKind::Process);
        simulation.block_on(host, |reactor| async move {
            manager_after_a_clean_stop(&reactor).await;
        });
    });
}

#[test]
fn a_stop_ends_with_a_full_journal_that_no_round_frees() {
    each_seed("stop", seeds(60), |seed| {
        let (mut simulation, host) = world(Options::seed(seed));
        let (manager, log) = simulation.block_on(host, |reactor| async move {
            let manager = manager_after_a_clean_stop(&reactor).await;
            let log = Log::create(&manager, &dir(), KEY, LogConfig::default()).await.unwrap();
            (manager, log)
        });
        let broken = DiskFaults { sync_error_one_in: 1, slow_one_in: 3, ..DiskFaults::default() };
        simulation.set_disk_faults(host, broken);
        simulation.block_on(host, |reactor| async move {
            let mut producers = Vec::new();
            for timestamp in 0..100 {
                let log = log.clone();
                let append = async move {
                    let mut batch = batch_of(&[timestamp], 2000, None);
                    log.append(&mut batch, EPOCH, Origin::Client, 0).await
                };
                producers.push(reactor.spawn(Queue::Client, append));
            }
            reactor.sleep(Duration::from_secs(1)).await;
            assert!(log.close().await.is_err());
            manager.close().await;
            for producer in producers {
                let _ = producer.await;
            }
        });
    });
}
