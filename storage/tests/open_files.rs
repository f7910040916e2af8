//! The bound on open descriptors: files that others close under an append are opened again.

mod common;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use common::*;
use ringlane_batch::PartitionIndex;
use ringlane_reactor::Queue;
use ringlane_reactor::sim::Options;
use ringlane_storage::{Log, LogConfig, LogManager, LogManagerConfig, Recovered};

/// Every log but one has its files closed by the next one's append, also those whose append waits for the journal.
#[test]
fn an_append_that_waits_finds_its_files_closed_and_opens_them_again() {
    const LOGS: i32 = 3;
    let (mut simulation, host) = world(Options::seed(1));
    simulation.block_on(host, |reactor| async move {
        let (disk, data) = (reactor.disk(), Path::new("/data"));
        disk.create_dir_all(data).await.expect("a good disk");
        let recovered = Recovered::read(&disk, data).await.expect("a new directory");
        let config = LogManagerConfig { open_logs_max: 1, ..manager_config() };
        let manager = LogManager::new(&reactor, data, Arc::new(recovered), config);
        let mut logs = Vec::new();
        let mut appends = Vec::new();
        for n in 0..LOGS {
            let (dir, key) = (data.join(format!("orders-{n}")), (TOPIC, PartitionIndex(n)));
            let created = Log::create(&manager, &dir, key, LogConfig::default()).await;
            logs.push(created.expect("a new log"));
        }
        for log in &logs {
            let appended = log.clone();
            let append = async move { append(&appended, batch(1)).await };
            appends.push(reactor.spawn(Queue::Client, append));
            reactor.sleep(Duration::from_secs(1)).await;
        }
        // The journal opens only now.
        begin(&manager).await;
        for (log, append) in logs.iter().zip(appends) {
            assert_eq!(append.await.base_offset.0, 0);
            durable(log).await;
            assert_eq!(read_all(log).await.len(), batch(1).len());
        }
    });
}
