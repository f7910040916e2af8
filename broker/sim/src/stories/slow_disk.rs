//! A disk that becomes slow: whoever produces waits for it, in a queue that the journal's open group bounds, and everything is
//! acknowledged in the end, in order.

use std::time::Duration;

use ringlane_batch::Codec;
use ringlane_reactor::sim::{CrashKind, DiskFaults, Options};

use super::{SEEDS, create};
use crate::client::{Acks, Client, ProduceSpec, batch_of};
use crate::cluster::{BROKER, Cluster};

const BATCHES: usize = 64;
/// Several times the journal, in all.
const VALUE_BYTES: usize = 4000;

/// Sends everything at once, and then waits for the answers.
async fn produce_all(mut client: Client) {
    let connection = client.connection().await.expect("the broker serves");
    for number in 0..BATCHES {
        let batch = batch_of(&[vec![number as u8; VALUE_BYTES]], Codec::None, None);
        let spec = ProduceSpec { topic: "orders", partition: 0, acks: Acks::All, batch };
        connection.send_produce(&spec).await.expect("a good network");
    }
    for number in 0..BATCHES {
        assert_eq!(connection.produced().await.ok(), Some(number as i64), "in order");
    }
}

#[test]
fn producers_wait_for_a_slow_disk_and_lose_nothing() {
    for seed in SEEDS {
        let mut cluster = Cluster::new(Options::seed(seed), 2, &[]);
        cluster.start();
        create(&mut cluster, "orders");
        let latency_max = Duration::from_millis(100);
        let slow = DiskFaults { latency_max, ..DiskFaults::default() };
        cluster.simulation.set_disk_faults(cluster.broker, slow);
        let host = cluster.client_host();
        cluster.spawn(host, |reactor| produce_all(Client::new(&reactor, BROKER)));
        let limit = Duration::from_secs(300);
        cluster.simulation.run_until(|simulation| !simulation.is_running(host), limit);
        assert_eq!(cluster.simulation.exit(host), Some(Ok(())));
        cluster.simulation.set_disk_faults(cluster.broker, DiskFaults::default());
        cluster.restart(CrashKind::Power);
        let there = cluster.client(|mut client| async move {
            let mut count = 0;
            loop {
                let fetched = client.fetch("orders", 0, count as i64, 0).await.expect("it serves");
                if fetched.records.is_empty() {
                    return count;
                }
                for record in fetched.records {
                    assert_eq!(record.value, vec![count as u8; VALUE_BYTES]);
                    count += 1;
                }
            }
        });
        assert_eq!(there, BATCHES);
    }
}
