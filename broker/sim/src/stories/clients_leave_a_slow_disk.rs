//! Clients give up on a disk that stalls: they send, leave, come again and send once more. Their batches wait for the disk all
//! the same, and the broker takes up no more of them than it may hold.

use std::time::Duration;

use ringlane_batch::Codec;
use ringlane_reactor::Reactor;
use ringlane_reactor::sim::{DiskFaults, Options};

use super::{SEEDS, create};
use crate::client::{Acks, Client, Connection, ProduceSpec, batch_of};
use crate::cluster::{BROKER, Cluster};

/// Requests of at most so much; a shard then holds at most twice as much.
const REQUEST_BYTES_MAX: usize = 32 * 1024;
/// What is not taken up is not read, so its connection is idle.
const SETTINGS: &[&str] = &[
    "socket.request.max.bytes=32768",
    "queued.max.request.bytes=1",
    "connections.max.idle.ms=10000",
];
const SHARDS: u16 = 2;
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

#[test]
fn what_clients_leave_behind_stays_within_the_bound() {
    for seed in SEEDS {
        let mut cluster = Cluster::new(Options::seed(seed), SHARDS, SETTINGS);
        cluster.start();
        create(&mut cluster, "orders");
        let stalled =
            DiskFaults { latency_max: Duration::from_secs(3600), ..DiskFaults::default() };
        cluster.simulation.set_disk_faults(cluster.broker, stalled);
        let host = cluster.client_host();
        cluster.spawn(host, send_and_leave);
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
