//! An idempotent producer is cut off while a batch is under way, and sends it again over a new connection when it can: the
//! batch is there once, and both answers would name the same offset (KIP-98).

use std::time::Duration;

use ringlane_batch::Codec;

use super::{SEEDS, all, create};
use crate::client::{Acks, Client, ProduceSpec, batch_of};
use crate::cluster::{BROKER, Cluster};

async fn produce_numbered(mut client: Client) -> i64 {
    let (id, epoch) = client.init_producer_id().await.expect("it is not cut off yet");
    client.reactor().sleep(Duration::from_secs(1)).await;
    let batch = batch_of(&[b"one".to_vec()], Codec::None, Some((id, epoch, 0)));
    let (topic, partition, acks) = ("orders", 0, Acks::All);
    loop {
        let spec = ProduceSpec { topic, partition, acks, batch: batch.clone() };
        match client.produce(&spec).await {
            Ok(offset) => return offset,
            Err(failure) => assert!(failure.code().is_none(), "{failure}"),
        }
    }
}

#[test]
fn an_idempotent_producer_that_is_cut_off_writes_once() {
    for seed in SEEDS {
        let mut cluster = Cluster::serving(seed);
        create(&mut cluster, "orders");
        let host = cluster.client_host();
        cluster.spawn(host, |reactor| async move {
            assert_eq!(produce_numbered(Client::new(&reactor, BROKER)).await, 0);
        });
        cluster.simulation.run_for(Duration::from_millis(900));
        let broker = cluster.broker;
        cluster.simulation.partition_one_way(broker, host);
        cluster.simulation.run_for(Duration::from_secs(50));
        cluster.simulation.heal(broker, host);
        cluster
            .simulation
            .run_until(|simulation| !simulation.is_running(host), Duration::from_secs(300));
        assert_eq!(cluster.simulation.exit(host), Some(Ok(())));
        assert_eq!(all(&mut cluster, "orders"), ["one"]);
    }
}
