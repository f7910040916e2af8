//! A broker with two log directories (KIP-112): when the device of one fails, its logs answer KAFKA_STORAGE_ERROR and everything in
//! the other goes on; nothing is created anew in the place of what cannot be reached; once it works again, a restart has it all.

use std::collections::BTreeSet;
use std::time::Duration;

use ringlane_batch::Codec;
use ringlane_reactor::sim::{CrashKind, Options};

use super::SEEDS;
use crate::client::{Acks, Client, Failure, ProduceSpec, TopicSpec, batch_of};
use crate::cluster::Cluster;

const SECOND: &str = "/second";
const PARTITIONS: i32 = 4;
const OFFLINE: &str = "KAFKA_STORAGE_ERROR";

fn cluster(seed: u64) -> Cluster {
    let settings = ["log.dirs=/data,/second"];
    let mut cluster = Cluster::new(Options::seed(seed), 2, &settings);
    cluster.start();
    create(&mut cluster, "orders");
    cluster
}

fn create(cluster: &mut Cluster, topic: &'static str) {
    let created = cluster.client(move |mut client| async move {
        client.create_topic(&TopicSpec::durable(topic, PARTITIONS)).await
    });
    created.expect("nothing keeps it from being created");
}

async fn put(
    client: &mut Client,
    topic: &str,
    partition: i32,
    value: &str,
) -> Result<i64, Failure> {
    let batch = batch_of(&[value.as_bytes().to_vec()], Codec::None, None);
    client.produce(&ProduceSpec { topic, partition, acks: Acks::All, batch }).await
}

/// Puts one value to every partition; what came of each.
fn put_all(
    cluster: &mut Cluster,
    topic: &'static str,
    value: &'static str,
) -> Vec<Result<i64, Failure>> {
    cluster.client(move |mut client| async move {
        let mut outcomes = Vec::new();
        for partition in 0..PARTITIONS {
            outcomes.push(put(&mut client, topic, partition, value).await);
        }
        outcomes
    })
}

/// Every partition has these values, in this order.
fn assert_has(cluster: &mut Cluster, partitions: &BTreeSet<i32>, values: &[&str]) {
    for partition in partitions.clone() {
        let fetched = cluster
            .client(move |mut client| async move { client.fetch("orders", partition, 0, 0).await });
        let fetched = fetched.unwrap_or_else(|failure| panic!("partition {partition}: {failure}"));
        let found = fetched.records.iter().map(|record| String::from_utf8_lossy(&record.value));
        assert_eq!(found.collect::<Vec<_>>(), values, "partition {partition}");
    }
}

/// The partitions of `topic` in a directory.
fn within(cluster: &Cluster, directory: &str, topic: &str) -> BTreeSet<i32> {
    let prefix = format!("{directory}/{topic}-");
    let files = cluster.simulation.files(cluster.broker);
    let partition = |path: &String| path.strip_prefix(&prefix)?.split_once('/')?.0.parse().ok();
    files.iter().filter_map(partition).collect()
}

/// Those in the second directory are refused, the others take their record.
fn assert_second_is_offline(cluster: &Cluster, outcomes: Vec<Result<i64, Failure>>, offset: i64) {
    let second = within(cluster, SECOND, "orders");
    for (partition, outcome) in (0..).zip(outcomes) {
        match second.contains(&partition) {
            true => {
                let outcome = outcome.map_err(|failure| failure.to_string());
                let refused = outcome.as_ref().is_err_and(|why| why.contains(OFFLINE));
                assert!(refused, "partition {partition}: {outcome:?}");
            }
            false => assert_eq!(outcome.ok(), Some(offset), "partition {partition}"),
        }
    }
}

#[test]
fn what_is_in_the_other_directory_goes_on() {
    for seed in SEEDS {
        let mut cluster = cluster(seed);
        let (first, second) =
            (within(&cluster, "/data", "orders"), within(&cluster, SECOND, "orders"));
        assert_eq!((first.len(), second.len()), (2, 2), "new logs go where the fewest are");
        assert!(put_all(&mut cluster, "orders", "one").iter().all(Result::is_ok));
        cluster.simulation.fail_directory(cluster.broker, SECOND).expect("it is there");
        let outcomes = put_all(&mut cluster, "orders", "two");
        assert_second_is_offline(&cluster, outcomes, 1);
        cluster.simulation.run_for(Duration::from_secs(1));
        cluster.simulation.mend_directories(cluster.broker);
        // What failed is not tried again as if nothing had happened.
        let outcomes = put_all(&mut cluster, "orders", "three");
        assert_second_is_offline(&cluster, outcomes, 2);
        create(&mut cluster, "others");
        assert_eq!(within(&cluster, SECOND, "others"), BTreeSet::new());
        assert!(put_all(&mut cluster, "others", "one").iter().all(Result::is_ok));
        cluster.restart(if seed % 2 == 0 { CrashKind::Power } else { CrashKind::Process });
        assert_has(&mut cluster, &first, &["one", "two", "three"]);
        for outcome in put_all(&mut cluster, "orders", "four") {
            outcome.expect("a good disk again");
        }
    }
}

/// A stop in order leaves the directory that works clean, and the other to the next start.
#[test]
fn a_broker_with_a_failed_directory_stops_in_order() {
    for seed in SEEDS {
        let mut cluster = cluster(seed);
        assert!(put_all(&mut cluster, "orders", "one").iter().all(Result::is_ok));
        cluster.simulation.fail_directory(cluster.broker, SECOND).expect("it is there");
        let outcomes = put_all(&mut cluster, "orders", "two");
        assert_second_is_offline(&cluster, outcomes, 1);
        cluster.simulation.run_for(Duration::from_secs(1));
        cluster.stop();
        assert_eq!(cluster.exit(), Some(Ok(())));
        cluster.simulation.mend_directories(cluster.broker);
        let files = cluster.simulation.files(cluster.broker);
        let marked = files.iter().filter(|path| path.ends_with(".kafka_cleanshutdown"));
        assert_eq!(marked.collect::<Vec<_>>(), ["/data/.kafka_cleanshutdown"]);
        cluster.start();
        let first = within(&cluster, "/data", "orders");
        assert_has(&mut cluster, &first, &["one", "two"]);
    }
}

#[test]
fn a_directory_that_fails_at_the_start_is_left_out() {
    for seed in SEEDS {
        let mut cluster = cluster(seed);
        let second = within(&cluster, SECOND, "orders");
        assert!(put_all(&mut cluster, "orders", "one").iter().all(Result::is_ok));
        cluster.crash(CrashKind::Power);
        cluster.simulation.fail_directory(cluster.broker, SECOND).expect("it is there");
        cluster.start();
        let outcomes = put_all(&mut cluster, "orders", "two");
        assert_second_is_offline(&cluster, outcomes, 1);
        create(&mut cluster, "others");
        assert!(put_all(&mut cluster, "others", "one").iter().all(Result::is_ok));
        cluster.crash(CrashKind::Power);
        cluster.simulation.mend_directories(cluster.broker);
        cluster.start();
        assert_eq!(within(&cluster, SECOND, "orders"), second, "nothing was created twice");
        assert_has(&mut cluster, &second, &["one"]);
        assert!(put_all(&mut cluster, "orders", "three").iter().all(Result::is_ok));
    }
}

/// At any of its operations a start meets a device that fails.
#[test]
fn a_directory_that_fails_during_the_start_takes_nothing_along() {
    for operation in 0..60 {
        let mut cluster = cluster(operation);
        let second = within(&cluster, SECOND, "orders");
        assert!(put_all(&mut cluster, "orders", "one").iter().all(Result::is_ok));
        cluster.crash(CrashKind::Process);
        cluster.boot();
        let host = cluster.broker;
        let begun = cluster.simulation.disk_operations(host) + operation;
        let reached = |simulation: &ringlane_reactor::sim::Simulation| {
            simulation.disk_operations(host) >= begun
        };
        cluster.simulation.run_until(reached, Duration::from_secs(5));
        cluster.simulation.fail_directory(host, SECOND).expect("it is there");
        assert!(cluster.wait_until_ready(), "{:?}", cluster.exit());
        let outcomes = put_all(&mut cluster, "orders", "two");
        assert_second_is_offline(&cluster, outcomes, 1);
        cluster.crash(CrashKind::Power);
        cluster.simulation.mend_directories(host);
        cluster.start();
        for partition in second {
            let fetched = cluster.client(move |mut client| async move {
                client.fetch("orders", partition, 0, 0).await
            });
            let records = fetched.expect("a good disk again").records;
            assert_eq!(records[0].value, b"one", "partition {partition}");
        }
    }
}

/// The disk was not mounted, or was exchanged: there is an empty directory under its name.
#[test]
fn what_an_exchanged_disk_held_stays_offline_until_it_is_given_up() {
    let mut cluster = cluster(1);
    let second = within(&cluster, SECOND, "orders");
    cluster.stop();
    let host = cluster.broker;
    for path in cluster.simulation.files(host) {
        if path.starts_with(SECOND) {
            cluster.simulation.remove_file(host, &path).expect("it is there");
        }
    }
    cluster.start();
    let outcomes = put_all(&mut cluster, "orders", "one");
    for (partition, outcome) in (0..).zip(&outcomes) {
        assert_eq!(outcome.is_err(), second.contains(&partition), "partition {partition}");
    }
    cluster.stop();
    let path = "/data/meta.properties";
    let meta = cluster.simulation.read_file(host, path).expect("it is there");
    let meta = String::from_utf8(meta).expect("text");
    let kept = meta.lines().filter(|line| !line.starts_with("ringlane.log.directories="));
    let given_up = kept.map(|line| format!("{line}\n")).collect::<String>();
    cluster.simulation.write_file(host, path, given_up.as_bytes()).expect("a file");
    cluster.start();
    assert!(put_all(&mut cluster, "orders", "two").iter().all(Result::is_ok));
}

/// The controller's data is in the first of them, and without it every log would be a stray.
#[test]
fn directories_in_another_order_are_refused_and_in_theirs_taken() {
    for other in ["log.dirs=/second,/data", "log.dirs=/second"] {
        let mut cluster = cluster(4);
        assert!(put_all(&mut cluster, "orders", "one").iter().all(Result::is_ok));
        cluster.stop();
        let before = cluster.simulation.files(cluster.broker);
        cluster.set(other);
        cluster.boot();
        assert!(!cluster.wait_until_ready(), "{other}");
        let ended = cluster.exit().expect("it has ended").expect_err("it says why");
        assert!(ended.contains("metadata.log.dir"), "{ended}");
        assert_eq!(cluster.simulation.files(cluster.broker), before, "{other}");
        cluster.set("log.dirs=/data,/second");
        cluster.start();
        assert_has(&mut cluster, &(0..PARTITIONS).collect(), &["one"]);
    }
}

#[test]
fn the_last_directory_and_that_of_the_controller_take_the_broker_along() {
    for (failing, why) in [("/data", "controller's data"), ("/second", "no log directory")] {
        let settings = match failing {
            "/data" => ["log.dirs=/data,/second", "metadata.log.dir=/data"],
            _ => ["log.dirs=/second,/third", "metadata.log.dir=/data"],
        };
        let mut cluster = Cluster::new(Options::seed(3), 2, &settings);
        cluster.start();
        create(&mut cluster, "orders");
        cluster.simulation.fail_directory(cluster.broker, failing).expect("it is there");
        if failing == SECOND {
            cluster.simulation.fail_directory(cluster.broker, "/third").expect("it is there");
        }
        put_all(&mut cluster, "orders", "one");
        let (host, limit) = (cluster.broker, Duration::from_secs(60));
        cluster.simulation.run_until(|simulation| !simulation.is_running(host), limit);
        let ended = cluster.exit().expect("it has ended").expect_err("it says why");
        assert!(ended.contains(why), "{ended}");
    }
}
