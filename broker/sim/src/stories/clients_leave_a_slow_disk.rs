//! Clients give up on a disk that stalls: they send, leave, come again and send once more. Their batches and commits wait for the
//! disk all the same, and the broker takes up no more of them than it may hold.

use std::future::Future;
use std::time::Duration;

use ringlane_batch::Codec;
use ringlane_reactor::Reactor;
use ringlane_reactor::sim::{DiskFaults, Options};
use ringlane_wire::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};

use super::{SEEDS, create};
use crate::client::{Acks, Client, Connection, ProduceSpec, batch_of};
use crate::cluster::{BROKER, Cluster};

/// Requests of at most so much; a shard then holds at most twice as much.
const REQUEST_BYTES_MAX: usize = 32 * 1024;
/// What is not taken up is not read, so its connection is idle.
const SETTINGS: &[&str] = &[
    "socket.request.max.bytes=32768",
    "queued.max.request.bytes=1",
    "connections.max.idle.ms=1000",
];
const SHARDS: u16 = 2;
const GROUP: &str = "late";
/// What `Cluster` gives a shard for its journal, and what a group of it takes beside.
const JOURNAL_BYTES: usize = 3 * 64 * 1024;
const VALUE_BYTES: usize = 3000;
/// Several times what the broker may hold, in all.
const TRIES: usize = 300;

/// Sends one produce after the other, each over a connection of its own that nobody waits on.
async fn send_and_leave(reactor: Reactor) {
    for _ in 0..TRIES {
        let mut connection = Connection::open(&reactor, BROKER).await.expect("it accepts");
        let batch = batch_of(&[vec![7; VALUE_BYTES]], Codec::None, None);
        let spec = ProduceSpec { topic: "orders", partition: 0, acks: Acks::All, batch };
        connection.send_produce(&spec).await.expect("a good network");
        reactor.sleep(Duration::from_millis(100)).await;
    }
}

/// The same with commits, each of the offset that follows.
async fn commit_and_leave(reactor: Reactor) {
    let metadata = "x".repeat(VALUE_BYTES);
    for offset in 1..=TRIES {
        let mut connection = Connection::open(&reactor, BROKER).await.expect("it accepts");
        let partitions = vec![OffsetCommitRequestPartition {
            committed_offset: offset as i64,
            committed_metadata: Some(&metadata),
            ..Default::default()
        }];
        let topic = OffsetCommitRequestTopic { name: "orders", partitions, ..Default::default() };
        let request = OffsetCommitRequest {
            group_id: GROUP,
            generation_id_or_member_epoch: -1,
            topics: vec![topic],
            ..Default::default()
        };
        connection.send(&request).await.expect("a good network");
        reactor.sleep(Duration::from_millis(100)).await;
    }
}

async fn count(mut client: Client) -> usize {
    let mut count = 0;
    loop {
        let fetched = client.fetch("orders", 0, count as i64, 0).await.expect("it serves");
        if fetched.records.is_empty() {
            return count;
        }
        count += fetched.records.len();
    }
}

/// How many commits were taken up: those that came later never were.
async fn committed(mut client: Client) -> usize {
    let offset = client.committed(GROUP, "orders", 0).await.expect("it serves");
    offset.expect("the first was taken up") as usize
}

/// What was taken up of what `send` sends to a disk that stalls, as `count` counts it, is within the bound.
fn check<S, C>(
    send: impl Fn(Reactor) -> S + Copy + 'static,
    count: impl Fn(Client) -> C + Copy + 'static,
) where
    S: Future<Output = ()> + 'static,
    C: Future<Output = usize> + 'static,
{
    for seed in SEEDS {
        let mut cluster = Cluster::new(Options::seed(seed), SHARDS, SETTINGS);
        cluster.start();
        create(&mut cluster, "orders");
        cluster.client(async |mut client: Client| {
            client.find_coordinator(GROUP).await.expect("it serves")
        });
        let stalled =
            DiskFaults { latency_max: Duration::from_secs(3600), ..DiskFaults::default() };
        cluster.simulation.set_disk_faults(cluster.broker, stalled);
        let host = cluster.client_host();
        cluster.spawn(host, send);
        let limit = Duration::from_secs(60);
        cluster.simulation.run_until(|simulation| !simulation.is_running(host), limit);
        assert_eq!(cluster.simulation.exit(host), Some(Ok(())));
        // What nobody reads meanwhile is never taken up.
        cluster.simulation.run_for(Duration::from_secs(30));
        cluster.simulation.set_disk_faults(cluster.broker, DiskFaults::default());
        cluster.simulation.run_for(Duration::from_secs(4 * 3600));
        let taken_up_bytes = VALUE_BYTES * cluster.client(count);
        let bound_bytes = JOURNAL_BYTES + usize::from(SHARDS) * 2 * REQUEST_BYTES_MAX;
        assert!(taken_up_bytes < bound_bytes, "seed {seed}: {taken_up_bytes} of {bound_bytes}");
    }
}

#[test]
fn what_clients_leave_behind_stays_within_the_bound() {
    check(send_and_leave, count);
}

#[test]
fn commits_that_clients_leave_behind_stay_within_the_bound() {
    check(commit_and_leave, committed);
}
