//! The host has another number of cores at each start, and dies during some of them: partitions move between shards, and what
//! the shards of before had acknowledged, in journals of theirs, is there whoever owns it now.

use ringlane_batch::Codec;
use ringlane_reactor::sim::CrashKind;

use crate::client::{Acks, Client, ProduceSpec, TopicSpec, batch_of};
use crate::cluster::Cluster;

const PARTITIONS: i32 = 4;

async fn put_everywhere(mut client: Client, value: u8, offset: i64) {
    for partition in 0..PARTITIONS {
        let batch = batch_of(&[vec![value]], Codec::None, None);
        let (topic, acks) = ("orders", Acks::All);
        let put = client.produce(&ProduceSpec { topic, partition, acks, batch }).await;
        assert_eq!(put.ok(), Some(offset), "partition {partition}");
    }
}

async fn all_are_there(mut client: Client, count: u8) {
    for partition in 0..PARTITIONS {
        let fetched = client.fetch("orders", partition, 0, 0).await;
        let fetched = fetched.unwrap_or_else(|failure| panic!("partition {partition}: {failure}"));
        let values: Vec<_> = fetched.records.iter().map(|record| record.value[0]).collect();
        assert_eq!(values, (0..count).collect::<Vec<_>>(), "partition {partition}");
    }
}

/// Starts with each number of cores; each start is cut off at its n-th disk operation, and done again.
fn story(seed: u64, operation: u64, kind: CrashKind) {
    let mut cluster = Cluster::serving(seed);
    let created = cluster.client(|mut client| async move {
        client.create_topic(&TopicSpec::durable("orders", PARTITIONS)).await
    });
    created.expect("nothing keeps it from being created");
    for (value, shards) in [1, 2, 3, 1].into_iter().enumerate() {
        let value = value as u8;
        cluster.client(move |client| put_everywhere(client, value, i64::from(value)));
        cluster.crash(kind);
        cluster.set_shards(shards);
        cluster.boot();
        cluster.crash_at(operation, kind);
        cluster.crash(kind);
        cluster.start();
        cluster.client(move |client| all_are_there(client, value + 1));
    }
}

#[test]
fn what_other_cores_acknowledged_is_there() {
    for operation in 0..60 {
        story(operation, operation, CrashKind::Power);
        story(100 + operation, operation, CrashKind::Process);
    }
}
