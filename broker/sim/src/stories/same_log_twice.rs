//! The same log lies in two log directories, as after a copy that was meant to be moved: the one that comes first in `log.dirs` is
//! served, and the other loses nothing while it is not, so that whoever removes the wrong one first can think again.

use std::collections::BTreeSet;

use ringlane_batch::Codec;
use ringlane_reactor::sim::{CrashKind, Options};

use super::SEEDS;
use crate::client::{Acks, Client, Failure, ProduceSpec, TopicSpec, batch_of};
use crate::cluster::Cluster;

const PARTITIONS: i32 = 2;

async fn put(client: &mut Client, partition: i32, value: &str) -> Result<i64, Failure> {
    let batch = batch_of(&[value.as_bytes().to_vec()], Codec::None, None);
    client.produce(&ProduceSpec { topic: "orders", partition, acks: Acks::All, batch }).await
}

pub(super) fn put_all(cluster: &mut Cluster, values: &'static [&'static str]) {
    cluster.client(move |mut client| async move {
        for value in values {
            for partition in 0..PARTITIONS {
                put(&mut client, partition, value).await.expect("a good disk");
            }
        }
    });
}

pub(super) fn values_of(cluster: &mut Cluster, partition: i32) -> Vec<String> {
    let fetched = cluster
        .client(move |mut client| async move { client.fetch("orders", partition, 0, 0).await });
    let records = fetched.expect("it is served").records;
    records.into_iter().map(|record| String::from_utf8(record.value).expect("text")).collect()
}

/// The files in a directory.
pub(super) fn files_in(cluster: &Cluster, directory: &str) -> Vec<String> {
    let files = cluster.simulation.files(cluster.broker).into_iter();
    files.filter(|path| path.starts_with(directory)).collect()
}

/// The partition that lives in the second directory.
fn second(cluster: &Cluster) -> i32 {
    let of =
        |partition: &i32| !files_in(cluster, &format!("/second/orders-{partition}/")).is_empty();
    let found: BTreeSet<i32> = (0..PARTITIONS).filter(of).collect();
    assert_eq!(found.len(), 1, "new logs go where the fewest are");
    found.into_iter().next().expect("one")
}

/// A broker of two directories that has lost power, and the partition that lives in the second: two records in its segment, four with
/// the journal.
pub(super) fn lived_in_two(seed: u64) -> (Cluster, i32) {
    let mut cluster = Cluster::new(Options::seed(seed), 2, &["log.dirs=/data,/second"]);
    cluster.start();
    let created = cluster.client(move |mut client| async move {
        client.create_topic(&TopicSpec::durable("orders", PARTITIONS)).await
    });
    created.expect("nothing keeps it from being created");
    put_all(&mut cluster, &["one", "two"]);
    // The stop records the log; what follows only the journal has.
    cluster.stop();
    cluster.start();
    put_all(&mut cluster, &["three", "four"]);
    cluster.crash(CrashKind::Power);
    let partition = second(&cluster);
    (cluster, partition)
}

#[test]
fn the_one_that_is_not_served_loses_nothing() {
    for seed in SEEDS {
        let (mut cluster, partition) = lived_in_two(seed);
        let host = cluster.broker;
        let copy = format!("/data/orders-{partition}/");
        for path in files_in(&cluster, &format!("/second/orders-{partition}/")) {
            let content = cluster.simulation.read_file(host, &path).expect("it is there");
            let name = path.rsplit_once('/').expect("a path").1;
            cluster.simulation.write_file(host, format!("{copy}{name}"), &content).expect("room");
        }
        let kind = if seed % 2 == 0 { CrashKind::Power } else { CrashKind::Process };
        for shards in [1, 3] {
            // The copy has what its files have, and is what is served.
            cluster.set_shards(shards);
            cluster.start();
            let served = values_of(&mut cluster, partition);
            assert!(served.starts_with(&["one".into(), "two".into()]), "{served:?}");
            put_all(&mut cluster, &["to the copy"]);
            cluster.crash(kind);
        }
        for path in files_in(&cluster, &copy) {
            cluster.simulation.remove_file(host, &path).expect("it is there");
        }
        cluster.start();
        assert_eq!(
            values_of(&mut cluster, partition),
            ["one", "two", "three", "four"],
            "seed {seed}"
        );
        cluster.restart(kind);
        assert_eq!(
            values_of(&mut cluster, partition),
            ["one", "two", "three", "four"],
            "seed {seed}"
        );
    }
}
