//! What waits for an acknowledgement when the disk fails or the topic is deleted: two things that a client must tell apart.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use ringlane_batch::{BatchBuilder, BatchFields, Codec, TimestampMs};
use ringlane_reactor::sim::{Options, Simulation};
use ringlane_reactor::{Queue, Reactor};
use ringlane_storage::{LogManager, LogManagerConfig, Recovered};

use super::*;
use crate::config::BrokerConfig;

fn run<F: Future<Output = ()> + 'static>(story: impl FnOnce(Reactor) -> F + 'static) {
    let mut simulation = Simulation::new(Options::seed(1));
    let host = simulation.host("broker", IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), 1);
    simulation.block_on(host, story);
}

/// A durable partition, and the end of a record that is in its log and not yet on disk.
async fn with_a_record_in_flight(reactor: &Reactor) -> (Rc<Partition>, Offset) {
    let (recovered, config) = (Recovered::default(), LogManagerConfig::default());
    let logs = LogManager::new(reactor, Path::new("/data"), Arc::new(recovered), config);
    let key = (TopicId([9; 16]), PartitionIndex(0));
    let created = Log::create(&logs, Path::new("/data/orders-0"), key, LogConfig::default()).await;
    logs.settle().await.expect("a good disk");
    logs.begin().await.expect("a good disk");
    let config = TopicConfig::defaults(&BrokerConfig::defaults());
    let log = created.expect("a new log");
    let partition = Partition::lead("orders".into(), key, log, LeaderEpoch(0), config);
    let mut builder = BatchBuilder::new(Codec::None);
    builder.append(TimestampMs(1), None, Some(b"value"), &[]);
    let batch = builder.finish(&BatchFields::default()).to_vec();
    let appended = partition.append(batch, Origin::Client, 1).await.expect("appended");
    let end = appended.last_offset.plus(1);
    assert!(partition.high_watermark().offset() < end, "durable takes longer than appended");
    (partition, end)
}

#[test]
fn what_is_on_disk_is_acknowledged() {
    run(|reactor| async move {
        let (partition, end) = with_a_record_in_flight(&reactor).await;
        assert_eq!(partition.acknowledged(end).await, Ok(()));
    });
}

#[test]
fn a_deleted_topic_is_not_a_failed_disk() {
    run(|reactor| async move {
        let (partition, end) = with_a_record_in_flight(&reactor).await;
        let waiting = partition.clone();
        let waiting = reactor.spawn(Queue::Client, async move { waiting.acknowledged(end).await });
        partition.end();
        partition.log.clone().delete().await.expect("deleted");
        assert_eq!(waiting.await, Err(Unacknowledged::Gone));
        assert_eq!(partition.acknowledged(end.plus(1)).await, Err(Unacknowledged::Gone));
    });
}

#[test]
fn a_closed_log_acknowledges_nothing_more() {
    run(|reactor| async move {
        let (partition, end) = with_a_record_in_flight(&reactor).await;
        partition.log.close().await.expect("closed");
        assert_eq!(partition.acknowledged(end.plus(1)).await, Err(Unacknowledged::LogOffline));
    });
}
