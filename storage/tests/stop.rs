//! A stop is clean only if every log was closed: a start after a clean stop does not look into the journals.

mod common;

use std::path::Path;
use std::sync::Arc;

use common::*;
use ringlane_batch::PartitionIndex;
use ringlane_reactor::sim::Options;
use ringlane_storage::{Log, LogConfig, LogManager, Recovered};

/// Whether a manager calls the end clean when its log was, or was not, closed before.
fn ends_cleanly(close_log: bool) -> bool {
    let (mut simulation, host) = world(Options::seed(1));
    simulation.block_on(host, move |reactor| async move {
        let (disk, data) = (reactor.disk(), Path::new("/data"));
        disk.create_dir_all(data).await.expect("a good disk");
        let recovered = Recovered::read(&disk, data).await.expect("a new directory");
        let manager = LogManager::new(&reactor, data, Arc::new(recovered), manager_config());
        begin(&manager).await;
        let (dir, key) = (data.join("orders-0"), (TOPIC, PartitionIndex(0)));
        let created = Log::create(&manager, &dir, key, LogConfig::default()).await;
        let log = created.expect("a new log");
        append(&log, batch(1)).await;
        durable(&log).await;
        if close_log {
            log.close().await.expect("a good disk");
        }
        manager.close().await
    })
}

#[test]
fn a_log_that_is_still_open_keeps_a_stop_from_being_clean() {
    assert!(ends_cleanly(true));
    assert!(!ends_cleanly(false));
}
