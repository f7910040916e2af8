//! Logs that are many: created together, and idle without open files.

mod common;

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use common::*;
use ringlane_batch::{Offset, PartitionIndex};
use ringlane_reactor::Reactor;
use ringlane_reactor::sim::{CrashKind, Options};
use ringlane_storage::{Log, LogConfig, LogDirectory, LogManager, NewLog, StorageError};

const DATA: &str = "/data";
/// Enough to be created together.
const LOGS: i32 = 40;

fn directory(n: i32) -> PathBuf {
    Path::new(DATA).join(format!("orders-{n}"))
}

fn new_logs() -> Vec<NewLog> {
    let config: Rc<LogConfig> = small().into();
    let new = |n| NewLog {
        directory: directory(n),
        key: (TOPIC, PartitionIndex(n)),
        config: config.clone(),
    };
    (0..LOGS).map(new).collect()
}

/// The manager of a broker that has just started, and how many logs it found.
async fn start(reactor: &Reactor) -> (LogManager, usize) {
    let directory = LogDirectory::open(reactor, Path::new(DATA), 1, None).await.expect("its own");
    let partitions = directory.partitions().await.expect("nothing that is torn");
    for partition in partitions.iter().filter(|partition| partition.topic_id.is_none()) {
        directory.remove(&partition.path).await.expect("a good disk");
    }
    let manager = manager_in(reactor, Path::new(DATA), &partitions).await;
    let found = partitions.iter().filter(|partition| partition.topic_id.is_some());
    for partition in found.clone() {
        let key = (TOPIC, partition.partition);
        let (log, _) = Log::open(&manager, &partition.path, key, small()).await.expect("it opens");
        assert_eq!(log.log_end().0, 0);
    }
    (manager, found.count())
}

#[test]
fn logs_created_together_survive_a_power_cut() {
    for seed in seeds(20) {
        let (mut simulation, host) = world(Options::seed(seed));
        simulation.block_on(host, |reactor| async move {
            let (manager, found) = start(&reactor).await;
            assert_eq!(found, 0);
            for created in Log::create_all(&manager, new_logs()).await {
                created.expect("a good disk");
            }
        });
        simulation.crash(host, CrashKind::Power);
        simulation.block_on(host, |reactor| async move {
            let (_, found) = start(&reactor).await;
            assert_eq!(found, LOGS as usize, "the creation was answered");
        });
    }
}

#[test]
fn a_power_cut_leaves_each_of_many_logs_created_or_not() {
    for seed in seeds(150) {
        let (mut simulation, host) = world(Options::seed(seed));
        simulation.crash_at(host, 1 + seed * 3, CrashKind::Power);
        let _ = simulation.try_block_on(host, |reactor| async move {
            let (manager, _) = start(&reactor).await;
            Log::create_all(&manager, new_logs()).await
        });
        simulation.crash(host, CrashKind::Power);
        simulation.block_on(host, |reactor| async move {
            let (manager, found) = start(&reactor).await;
            let created = Log::create_all(&manager, new_logs()).await;
            let exist = |log: &&Result<_, _>| matches!(log, Err(StorageError::Exists(_)));
            assert_eq!(created.iter().filter(exist).count(), found);
            let others = created.iter().filter(|log| log.is_ok()).count();
            assert_eq!(others, LOGS as usize - found, "what was half created is created again");
        });
    }
}

#[test]
fn a_log_that_nobody_uses_has_no_open_files() {
    let (mut simulation, host) = world(Options::seed(1));
    simulation.block_on(host, |reactor| async move {
        let (manager, _) = start(&reactor).await;
        let mut logs: Vec<Log> = Vec::new();
        for created in Log::create_all(&manager, new_logs()).await {
            logs.push(created.expect("a good disk"));
        }
        begin(&manager).await;
        assert_eq!(manager.open_log_count(), 0, "they were only created");
        for n in 0..100 {
            append(&logs[0], batch(n)).await;
        }
        append(&logs[1], batch(0)).await;
        assert_eq!(manager.open_log_count(), 2);
        reactor.sleep(Duration::from_secs(11)).await;
        assert_eq!(manager.open_log_count(), 0, "nobody appends any more");
        assert!(logs[0].segment_count() > 1);
        let read = logs[0].read(Offset(0), 100, Offset(i64::MAX), true).await;
        assert!(!read.expect("it can be read").batches.is_empty());
        assert_eq!(manager.open_log_count(), 1, "an old segment is read");
        reactor.sleep(Duration::from_secs(11)).await;
        assert_eq!(manager.open_log_count(), 0, "nobody reads any more");
        append(&logs[0], batch(100)).await;
        durable(&logs[0]).await;
        assert_eq!(read_all(&logs[0]).await.len(), 101 * batch(0).len());
    });
}
