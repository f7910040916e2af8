//! Index entries that wait in memory: the shard's checkpoint has them, so that a round of checkpoints writes no index file
//! and a start after a crash has all entries.

mod common;

use std::time::Duration;

use common::*;
use ringlane_reactor::sim::{CrashKind, HostId, Options, Simulation};
use ringlane_reactor::{OpenOptions, Reactor};
use ringlane_storage::inspect::{rebuild_index, verify_log};
use ringlane_storage::{Log, LogConfig};

/// A few more than wait in memory at once: half of the entries are in the files, the others wait.
const BATCHES: i64 = 130;
const INDEXES: [&str; 2] = ["00000000000000000000.index", "00000000000000000000.timeindex"];

/// An entry for every batch but the first.
fn dense() -> LogConfig {
    LogConfig { index_interval_bytes: 0, ..LogConfig::default() }
}

/// A log of so many batches that were checkpointed.
async fn checkpointed(reactor: &Reactor, batches: i64) -> Log {
    let log = create(reactor, dense()).await;
    for n in 0..batches {
        append(&log, batch(n)).await;
    }
    log.checkpoint().await.unwrap();
    log
}

async fn content(reactor: &Reactor, name: &str) -> Vec<u8> {
    reactor.disk().read(&dir().join(name), 1 << 20).await.unwrap()
}

async fn indexes(reactor: &Reactor) -> Vec<Vec<u8>> {
    vec![content(reactor, INDEXES[0]).await, content(reactor, INDEXES[1]).await]
}

/// What the indexes of `batches` are when they are built from the log.
fn expected(batches: i64) -> Vec<Vec<u8>> {
    let (mut simulation, host) = world(Options::seed(1));
    simulation.block_on(host, move |reactor| async move {
        checkpointed(&reactor, batches).await.close().await.unwrap();
        let log = dir().join("00000000000000000000.log");
        rebuild_index(&reactor.disk(), &log, 0, &|_| {}).await.unwrap();
        indexes(&reactor).await
    })
}

/// Opens the log after a power cut, adds a batch and closes it: the indexes.
fn indexes_after_a_power_cut(simulation: &mut Simulation, host: HostId) -> Vec<Vec<u8>> {
    simulation.crash(host, CrashKind::Power);
    simulation.block_on(host, |reactor| async move {
        open(&reactor, dense()).await.close().await.unwrap();
        indexes(&reactor).await
    })
}

#[test]
fn entries_that_wait_outlive_a_power_cut() {
    for batches in [2, 100, BATCHES] {
        let (mut simulation, host) = world(Options::seed(1));
        let written = simulation.block_on(host, move |reactor| async move {
            checkpointed(&reactor, batches).await;
            indexes(&reactor).await
        });
        let expected = expected(batches);
        assert!(written[0].len() < expected[0].len(), "a checkpoint does not write them");
        assert_eq!(indexes_after_a_power_cut(&mut simulation, host), expected, "{batches}");
    }
}

#[test]
fn a_clean_stop_leaves_none_waiting_though_nothing_else_has_changed() {
    let expected = expected(10);
    run(|reactor| async move {
        checkpointed(&reactor, 10).await.close().await.unwrap();
        assert_eq!(indexes(&reactor).await, expected);
        let log = open(&reactor, dense()).await;
        let checkpoint = content(&reactor, "../journal/shard-0.checkpoint").await;
        assert_eq!(log.recovery_point().0, 10);
        log.close().await.unwrap();
        assert_eq!(content(&reactor, "../journal/shard-0.checkpoint").await, checkpoint);
    });
}

#[test]
fn a_log_that_nobody_uses_has_none_in_the_checkpoint_either() {
    let expected = expected(100);
    run(|reactor| async move {
        let _log = checkpointed(&reactor, 100).await;
        let busy = content(&reactor, "../journal/shard-0.checkpoint").await;
        reactor.sleep(Duration::from_secs(11)).await;
        assert_eq!(indexes(&reactor).await, expected, "written when its files were closed");
        // The clock's round of checkpoints.
        reactor.sleep(Duration::from_secs(61)).await;
        let idle = content(&reactor, "../journal/shard-0.checkpoint").await;
        assert!(idle.len() + 90 * (8 + 12) < busy.len(), "{} and {}", idle.len(), busy.len());
    });
}

/// `ringlane log index --rebuild` before the next start, with another `index.interval.bytes`.
#[test]
fn entries_that_wait_do_not_follow_an_index_that_was_built_anew() {
    let (mut simulation, host) = world(Options::seed(1));
    simulation.block_on(host, |reactor| async move { checkpointed(&reactor, BATCHES).await });
    simulation.crash(host, CrashKind::Power);
    simulation.block_on(host, |reactor| async move {
        let (disk, log) = (reactor.disk(), dir().join("00000000000000000000.log"));
        let interval = batch(0).len() as u32;
        rebuild_index(&disk, &log, interval, &|_| {}).await.unwrap();
        for name in INDEXES {
            disk.open(&dir().join(name), OpenOptions::WRITE)
                .await
                .unwrap()
                .sync_data()
                .await
                .unwrap();
        }
    });
    assert_eq!(indexes_after_a_power_cut(&mut simulation, host), expected(BATCHES));
}

/// Somebody builds the indexes anew with fewer entries, of what the record knows and of what came later.
#[test]
fn entries_behind_the_recovery_point_are_not_taken_for_those_before_it() {
    let (mut simulation, host) = world(Options::seed(1));
    simulation.block_on(host, |reactor| async move {
        // Nothing waits in the record: the files have all.
        checkpointed(&reactor, 10).await.close().await.unwrap();
        let log = open(&reactor, dense()).await;
        for n in 10..100 {
            append(&log, batch(n)).await;
        }
        durable(&log).await;
        std::mem::forget(log);
    });
    simulation.crash(host, CrashKind::Process);
    simulation.block_on(host, |reactor| async move {
        let (disk, path) = (reactor.disk(), dir().join("00000000000000000000.log"));
        rebuild_index(&disk, &path, 500, &|_| {}).await.unwrap();
        open(&reactor, dense()).await.close().await.unwrap();
        let report = verify_log(&disk, &dir(), None, &|_| ()).await;
        assert_eq!(report.problems, []);
    });
}

/// The indexes under their names are those of the new segment perhaps.
#[test]
fn no_index_is_built_anew_in_the_midst_of_a_swap() {
    let (mut simulation, host) = world(Options::seed(1));
    simulation.block_on(host, |reactor| async move {
        checkpointed(&reactor, 10).await.close().await.unwrap();
    });
    let path = dir().join("00000000000000000000.log");
    simulation.write_file(host, path.with_extension("log.swap"), b"the new one").unwrap();
    simulation.block_on(host, |reactor| async move {
        let before = indexes(&reactor).await;
        let refused = rebuild_index(&reactor.disk(), &path, 500, &|_| {}).await.unwrap_err();
        assert!(refused.to_string().contains("a start of the broker completes it"), "{refused}");
        assert_eq!(indexes(&reactor).await, before);
    });
}
