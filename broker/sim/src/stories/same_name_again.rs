//! A topic is deleted and its name used again, with a crash between: nothing of the old one is in the new one (KIP-516).

use ringlane_reactor::sim::CrashKind;

use super::{SEEDS, all, create, put};
use crate::cluster::Cluster;

#[test]
fn a_name_that_is_used_again_starts_empty() {
    for seed in SEEDS {
        let mut cluster = Cluster::serving(seed);
        create(&mut cluster, "orders");
        put(&mut cluster, "orders", "old").expect("a good disk");
        let deleted =
            cluster.client(|mut client| async move { client.delete_topic("orders").await });
        deleted.expect("it is there");
        if seed % 2 == 0 {
            cluster.restart(CrashKind::Power);
        }
        create(&mut cluster, "orders");
        assert_eq!(put(&mut cluster, "orders", "new").ok(), Some(0));
        cluster.restart(if seed % 3 == 0 { CrashKind::Process } else { CrashKind::Power });
        assert_eq!(all(&mut cluster, "orders"), ["new"]);
    }
}
