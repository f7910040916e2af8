//! What a power cut leaves behind the last acknowledged record, garbage or half a batch, is cut off; offsets go on where
//! the acknowledged ones ended.

use ringlane_reactor::sim::CrashKind;

use super::{SEEDS, all, create, put};
use crate::cluster::{Cluster, DATA};

#[test]
fn a_torn_tail_is_cut_and_the_log_goes_on() {
    for seed in SEEDS {
        let mut cluster = Cluster::serving(seed);
        create(&mut cluster, "orders");
        assert_eq!(put(&mut cluster, "orders", "one").ok(), Some(0));
        assert_eq!(put(&mut cluster, "orders", "two").ok(), Some(1));
        // From the journal into the segment.
        cluster.restart(CrashKind::Power);
        cluster.crash(CrashKind::Power);
        let path = format!("{DATA}/orders-0/00000000000000000000.log");
        let mut log = cluster.simulation.read_file(cluster.broker, &path).expect("it is there");
        log.extend_from_within(..40 + seed as usize);
        cluster.simulation.write_file(cluster.broker, &path, &log).expect("a good disk");
        cluster.start();
        assert_eq!(all(&mut cluster, "orders"), ["one", "two"]);
        assert_eq!(put(&mut cluster, "orders", "three").ok(), Some(2));
    }
}
