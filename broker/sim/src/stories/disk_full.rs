//! A full disk refuses records, whole, and harms none: when there is room again the log goes on.

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
