//! A topic is created while nothing more can be opened: half of its log, which then cannot be removed either, is in nobody's way.

use std::time::Duration;

use ringlane_reactor::sim::{CrashKind, DiskFaults};

use super::{SEEDS, all, code, create, put};
use crate::client::TopicSpec;
use crate::cluster::Cluster;

fn limit(cluster: &mut Cluster, no_descriptors: bool) {
    let faults = DiskFaults { no_descriptors, ..DiskFaults::default() };
    cluster.simulation.set_disk_faults(cluster.broker, faults);
}

fn create_without_descriptors(seed: u64) -> Cluster {
    let mut cluster = Cluster::serving(seed);
    limit(&mut cluster, true);
    create(&mut cluster, "orders");
    let refused = code(put(&mut cluster, "orders", "one")).expect("an answer");
    assert_eq!(refused.name(), "KAFKA_STORAGE_ERROR");
    cluster
}

#[test]
fn it_is_served_when_there_are_descriptors() {
    for seed in SEEDS {
        let mut cluster = create_without_descriptors(seed);
        cluster.simulation.run_for(Duration::from_secs(3));
        limit(&mut cluster, false);
        cluster.simulation.run_for(Duration::from_secs(2));
        assert_eq!(put(&mut cluster, "orders", "one").ok(), Some(0));
        cluster.restart(CrashKind::Power);
        assert_eq!(all(&mut cluster, "orders"), ["one"]);
    }
}

#[test]
fn one_that_is_deleted_meanwhile_leaves_its_name_free() {
    for seed in SEEDS {
        let mut cluster = create_without_descriptors(seed);
        limit(&mut cluster, false);
        cluster
            .client(|mut client| async move { client.delete_topic("orders").await })
            .expect("it goes");
        create(&mut cluster, "orders");
        assert_eq!(put(&mut cluster, "orders", "two").ok(), Some(0));
        cluster.restart(CrashKind::Power);
        assert_eq!(all(&mut cluster, "orders"), ["two"]);
    }
}

/// Many logs are made durable together, by a sync for which there is no thread.
#[test]
fn many_that_could_not_be_synced_are_served_when_they_can() {
    for seed in SEEDS {
        let mut cluster = Cluster::serving(seed);
        let faults = DiskFaults { no_threads: true, ..DiskFaults::default() };
        cluster.simulation.set_disk_faults(cluster.broker, faults);
        let created = cluster.client(|mut client| async move {
            client.create_topic(&TopicSpec::durable("orders", 64)).await
        });
        created.expect("the controller has it");
        let refused = code(put(&mut cluster, "orders", "one")).expect("an answer");
        assert_eq!(refused.name(), "KAFKA_STORAGE_ERROR");
        limit(&mut cluster, false);
        cluster.simulation.run_for(Duration::from_secs(2));
        assert_eq!(put(&mut cluster, "orders", "one").ok(), Some(0));
    }
}
