//! A full disk refuses records, whole, and harms none: when there is room again the log goes on.

use std::time::Duration;

use ringlane_reactor::sim::{CrashKind, DiskFaults};

use super::{SEEDS, all, code, create, put};
use crate::cluster::Cluster;

#[test]
fn a_full_disk_refuses_until_there_is_room() {
    for seed in SEEDS {
        let mut cluster = Cluster::serving(seed);
        create(&mut cluster, "orders");
        // Some room is reserved for the log already.
        let capacity_bytes = cluster.simulation.disk_bytes(cluster.broker) + seed * 100;
        let full = DiskFaults { capacity_bytes, ..DiskFaults::default() };
        cluster.simulation.set_disk_faults(cluster.broker, full);
        let mut taken = Vec::new();
        let refused = loop {
            match put(&mut cluster, "orders", "one") {
                Ok(offset) => assert_eq!(offset, taken.len() as i64),
                refused => break code(refused).expect("an answer"),
            }
            taken.push("one");
            assert!(taken.len() < 10_000, "a full disk takes no more");
        };
        assert_eq!(refused.name(), "KAFKA_STORAGE_ERROR");
        assert_eq!(all(&mut cluster, "orders"), taken);
        cluster.simulation.set_disk_faults(cluster.broker, DiskFaults::default());
        assert_eq!(put(&mut cluster, "orders", "two").ok(), Some(taken.len() as i64));
        taken.push("two");
        cluster.restart(CrashKind::Power);
        assert_eq!(all(&mut cluster, "orders"), taken);
    }
}

/// There is space for what the controller writes of a new topic, and none for its log.
#[test]
fn a_topic_that_is_created_on_a_full_disk_is_served_when_there_is_room() {
    for seed in SEEDS {
        let mut cluster = Cluster::serving(seed);
        let bytes = |cluster: &Cluster| cluster.simulation.disk_bytes(cluster.broker);
        create(&mut cluster, "first");
        let before = bytes(&cluster);
        create(&mut cluster, "second");
        let capacity_bytes = bytes(&cluster) + (bytes(&cluster) - before) - 1;
        let full = DiskFaults { capacity_bytes, ..DiskFaults::default() };
        cluster.simulation.set_disk_faults(cluster.broker, full);
        create(&mut cluster, "latest");
        let refused = code(put(&mut cluster, "latest", "one")).expect("an answer");
        assert_eq!(refused.name(), "KAFKA_STORAGE_ERROR");
        cluster.simulation.set_disk_faults(cluster.broker, DiskFaults::default());
        cluster.simulation.run_for(Duration::from_secs(2));
        assert_eq!(put(&mut cluster, "latest", "one").ok(), Some(0));
        cluster.restart(CrashKind::Power);
        assert_eq!(all(&mut cluster, "latest"), ["one"]);
    }
}
