//! The wall clock jumps back by a day: waiting fetches end in time (they count on the monotonic clock), the log goes on,
//! and a restart finds everything.

use std::time::Duration;

use ringlane_reactor::sim::CrashKind;

use super::{SEEDS, all, create, put};
use crate::cluster::Cluster;

#[test]
fn a_clock_that_jumps_back_stops_nothing() {
    for seed in SEEDS {
        let mut cluster = Cluster::serving(seed);
        create(&mut cluster, "orders");
        put(&mut cluster, "orders", "one").expect("a good disk");
        cluster.simulation.jump_wall_clock(cluster.broker, -86_400_000);
        let waited = cluster.client(|mut client| async move {
            let before = client.reactor().now();
            client.fetch("orders", 0, 1, 500).await.expect("nothing is there yet");
            client.reactor().now() - before
        });
        assert!(waited >= Duration::from_millis(500) && waited < Duration::from_secs(1));
        assert_eq!(put(&mut cluster, "orders", "two").ok(), Some(1));
        cluster.restart(CrashKind::Power);
        assert_eq!(all(&mut cluster, "orders"), ["one", "two"]);
    }
}
