//! A failed sync or write takes the logs that it concerns offline at once: nothing more is acknowledged, nobody is told that it
//! worked (fsyncgate: what failed is never tried again as if nothing had happened), until a restart has read what is there. A
//! failure that concerns all logs of the only directory ends the broker.

use std::time::Duration;

use ringlane_reactor::sim::{CrashKind, DiskFaults};

use super::{SEEDS, all, code, create, put};
use crate::cluster::Cluster;

/// Within it there is a round of checkpoints, whatever is written.
const CLOCK: Duration = Duration::from_secs(90);
const OFFLINE: Option<&str> = Some("KAFKA_STORAGE_ERROR");

fn refusal(cluster: &mut Cluster, value: &'static str) -> Option<&'static str> {
    code(put(cluster, "orders", value)).map(|code| code.name())
}

/// The broker has ended by itself, and says why.
fn assert_ended(cluster: &Cluster, why: &str) {
    let ended = cluster.exit().expect("it has ended by itself").expect_err("it says why");
    assert!(ended.contains(why), "{ended}");
}

/// No round of checkpoints ends well: what is in the journal stays acknowledged, nothing follows.
#[test]
fn a_sync_error_ends_a_broker_of_one_directory() {
    for seed in SEEDS {
        let mut cluster = Cluster::serving(seed);
        create(&mut cluster, "orders");
        put(&mut cluster, "orders", "one").expect("a good disk");
        let broken = DiskFaults { sync_error_one_in: 1, ..DiskFaults::default() };
        cluster.simulation.set_disk_faults(cluster.broker, broken);
        // Journaled, or refused when the round of checkpoints was first.
        let two = put(&mut cluster, "orders", "two").is_ok();
        cluster.simulation.run_for(CLOCK);
        assert_ended(&cluster, "cannot sync");
        cluster.simulation.set_disk_faults(cluster.broker, DiskFaults::default());
        let acknowledged = ["one".to_owned(), "two".to_owned()];
        cluster.restart(CrashKind::Power);
        assert!(all(&mut cluster, "orders").starts_with(&acknowledged[..1 + usize::from(two)]));
        put(&mut cluster, "orders", "five").expect("a good disk again");
    }
}

/// Of a segment, whose log goes offline, or of the journal, as it comes.
#[test]
fn a_write_error_takes_the_log_offline() {
    let mut ended = 0;
    for seed in SEEDS {
        let mut cluster = Cluster::serving(seed);
        create(&mut cluster, "orders");
        let broken = DiskFaults { write_error_one_in: 6, ..DiskFaults::default() };
        cluster.simulation.set_disk_faults(cluster.broker, broken);
        let mut acknowledged = Vec::new();
        let refused = loop {
            match put(&mut cluster, "orders", "one") {
                Ok(offset) => assert_eq!(offset, acknowledged.len() as i64),
                Err(refused) => break refused.code().map(|code| code.name()),
            }
            acknowledged.push("one".to_owned());
        };
        assert!(refused == OFFLINE || refused.is_none(), "{refused:?}");
        cluster.simulation.set_disk_faults(cluster.broker, DiskFaults::default());
        cluster.simulation.run_for(Duration::from_secs(5));
        let mut seen = acknowledged.clone();
        if cluster.is_running() {
            assert_eq!(refusal(&mut cluster, "two"), OFFLINE);
            // The one that was refused may have come as far as the disk.
            seen = all(&mut cluster, "orders");
            assert!(seen.starts_with(&acknowledged));
        } else {
            ended += 1;
            assert_ended(&cluster, "cannot write");
        }
        cluster.restart(CrashKind::Power);
        let there = all(&mut cluster, "orders");
        assert!(there.starts_with(&seen) && there.len() <= acknowledged.len() + 1);
        assert_eq!(put(&mut cluster, "orders", "three").ok(), Some(there.len() as i64));
    }
    assert!((1..10).contains(&ended), "both happen: {ended} brokers ended");
}
