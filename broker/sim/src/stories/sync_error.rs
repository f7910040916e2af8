//! A failed sync takes the log offline at once: nothing more is acknowledged, nobody is told that it worked, and the
//! other requests of the broker go on (fsyncgate: a sync that failed is never tried again as if nothing had happened).

use ringlane_reactor::sim::{CrashKind, DiskFaults};

use super::{SEEDS, all, code, create, put};
use crate::cluster::Cluster;

#[test]
fn a_sync_error_takes_the_log_offline() {
    for seed in SEEDS {
        let mut cluster = Cluster::serving(seed);
        create(&mut cluster, "orders");
        put(&mut cluster, "orders", "one").expect("a good disk");
        let broken = DiskFaults { sync_error_one_in: 1, ..DiskFaults::default() };
        cluster.simulation.set_disk_faults(cluster.broker, broken);
        let offline = Some("KAFKA_STORAGE_ERROR");
        assert_eq!(code(put(&mut cluster, "orders", "two")).map(|code| code.name()), offline);
        cluster.simulation.set_disk_faults(cluster.broker, DiskFaults::default());
        assert_eq!(code(put(&mut cluster, "orders", "three")).map(|code| code.name()), offline);
        create(&mut cluster, "others");
        put(&mut cluster, "others", "four").expect("another log is another matter");
        cluster.restart(CrashKind::Power);
        let there = all(&mut cluster, "orders");
        assert_eq!(there[0], "one", "{there:?}");
        put(&mut cluster, "orders", "five").expect("a good disk again");
    }
}
