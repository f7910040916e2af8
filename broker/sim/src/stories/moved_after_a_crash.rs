//! A log is moved to another log directory after a crash, without the journal that has its last records: it is not served
//! without them, and is whole again where it came from, or goes on without them when somebody says so.

use ringlane_reactor::sim::CrashKind;
use ringlane_wire::ErrorCode;

use super::SEEDS;
use super::same_log_twice::{files_in, lived_in_two, put_all, values_of};
use crate::cluster::Cluster;

/// What each partition holds.
const ALL: [&str; 4] = ["one", "two", "three", "four"];

/// The broker has lost power, and the partition has been moved to the first directory.
fn moved(seed: u64) -> (Cluster, i32) {
    let (mut cluster, partition) = lived_in_two(seed);
    rename(&mut cluster, &format!("/second/orders-{partition}/"), "/data/");
    (cluster, partition)
}

/// Moves the directory `from` below `to`.
fn rename(cluster: &mut Cluster, from: &str, to: &str) {
    let host = cluster.broker;
    let parent = from.trim_end_matches('/').rfind('/').expect("a path") + 1;
    for path in files_in(cluster, from) {
        let content = cluster.simulation.read_file(host, &path).expect("it is there");
        let moved = format!("{to}{}", &path[parent..]);
        cluster.simulation.write_file(host, &moved, &content).expect("room");
        cluster.simulation.remove_file(host, &path).expect("it is there");
    }
}

/// Two starts, the second of which finds the journals begun anew, and the log is served by neither.
fn stays_offline(cluster: &mut Cluster, partition: i32) {
    for shards in [2, 1] {
        cluster.set_shards(shards);
        cluster.start();
        let other = values_of(cluster, 1 - partition);
        assert_eq!(other, ALL, "the other one is served");
        let fetched = cluster
            .client(move |mut client| async move { client.fetch("orders", partition, 0, 0).await });
        let refused = fetched.err().and_then(|failure| failure.code());
        assert_eq!(refused, Some(ErrorCode::KAFKA_STORAGE_ERROR));
        cluster.crash(CrashKind::Power);
    }
}

#[test]
fn it_is_whole_again_where_it_came_from() {
    for seed in SEEDS {
        let (mut cluster, partition) = moved(seed);
        stays_offline(&mut cluster, partition);
        rename(&mut cluster, &format!("/data/orders-{partition}/"), "/second/");
        for _ in 0..2 {
            cluster.start();
            assert_eq!(values_of(&mut cluster, partition), ALL, "seed {seed}");
            cluster.crash(CrashKind::Power);
        }
    }
}

#[test]
fn it_goes_on_without_what_somebody_removes() {
    let mut shortest = ALL.len();
    for seed in SEEDS {
        let (mut cluster, partition) = moved(seed);
        stays_offline(&mut cluster, partition);
        let kept: Vec<_> = files_in(&cluster, "/second/journal/")
            .into_iter()
            .filter(|path| path.ends_with(".kept"))
            .collect();
        assert_eq!(kept.len(), 1);
        cluster.simulation.remove_file(cluster.broker, &kept[0]).expect("it is there");
        cluster.start();
        let values = values_of(&mut cluster, partition);
        // What the segment has; of what was not synced, the power cut may have left some.
        assert_eq!(values, ALL[..values.len()]);
        shortest = shortest.min(values.len());
        put_all(&mut cluster, &["five"]);
        cluster.restart(CrashKind::Power);
        assert_eq!(values_of(&mut cluster, partition).last().map(|v| &**v), Some("five"));
    }
    assert!(shortest < ALL.len(), "something has to be lost");
}
