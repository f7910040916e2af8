//! A disk that lies (syncs that write nothing, decayed bytes) can cost a single replica its records, and it can only notice:
//! whatever a consumer is sent is a whole batch that someone produced, at its offset, or there is an error.

use ringlane_reactor::sim::{CrashKind, DiskFaults};

use super::{SEEDS, create, put};
use crate::cluster::{Cluster, DATA};

/// Where a batch's base offset (8 bytes) and leader epoch (4 bytes) lie. Kafka's CRC does not cover them, as a broker stamps
/// them: a bit that flips there passes for a hole that compaction left.
fn is_checked(offset: u64) -> bool {
    !matches!(offset, 0..8 | 12..16)
}

/// What the reader may be sent: a prefix of what was produced, or a refusal.
fn served(cluster: &mut Cluster) -> Option<Vec<String>> {
    cluster.client(|mut client| async move { client.all("orders").await }).ok()
}

#[test]
fn a_lost_sync_serves_a_prefix() {
    for seed in SEEDS {
        let mut cluster = Cluster::serving(seed);
        create(&mut cluster, "orders");
        put(&mut cluster, "orders", "one").expect("a good disk");
        let lying = DiskFaults { sync_lost_one_in: 1, ..DiskFaults::default() };
        cluster.simulation.set_disk_faults(cluster.broker, lying);
        put(&mut cluster, "orders", "two").expect("the disk says so");
        cluster.simulation.set_disk_faults(cluster.broker, DiskFaults::default());
        cluster.restart(CrashKind::Power);
        let there = served(&mut cluster).expect("a log that is whole, if short");
        assert!(["one", "two"].starts_with(&there.iter().map(String::as_str).collect::<Vec<_>>()));
        assert!(!there.is_empty(), "what was synced before is there");
    }
}

/// Of the segments, once a checkpoint has put everything there, in turn all bytes that a checksum covers.
#[test]
fn a_flipped_bit_in_a_segment_is_never_served() {
    let mut offset = 0;
    for seed in 0..60 {
        let mut cluster = Cluster::serving(seed);
        create(&mut cluster, "orders");
        put(&mut cluster, "orders", "one").expect("a good disk");
        cluster.restart(CrashKind::Power);
        let path = format!("{DATA}/orders-0/00000000000000000000.log");
        let first = cluster.simulation.read_file(cluster.broker, &path).expect("it is there").len();
        put(&mut cluster, "orders", "two").expect("a good disk");
        cluster.restart(CrashKind::Power);
        cluster.crash(CrashKind::Power);
        let len = cluster.simulation.read_file(cluster.broker, &path).expect("it is there").len();
        // A checked byte of either batch.
        offset = (offset + 11) % len;
        while !is_checked((offset % first) as u64) {
            offset = (offset + 11) % len;
        }
        cluster.simulation.corrupt(cluster.broker, &path, offset as u64).expect("it is there");
        cluster.start();
        let there = served(&mut cluster).unwrap_or_default();
        let there: Vec<_> = there.iter().map(String::as_str).collect();
        assert!(["one", "two"].starts_with(&there), "byte {offset}: {there:?}");
    }
}

/// Of the journal: a group that others follow was acknowledged, so its log is refused whole; in the last one a bad byte
/// looks like a write that never ended.
#[test]
fn a_flipped_bit_in_the_journal_is_never_served() {
    let mut refused = 0;
    for seed in 0..60 {
        let mut cluster = Cluster::serving(seed);
        create(&mut cluster, "orders");
        for value in ["one", "two", "three"] {
            put(&mut cluster, "orders", value).expect("a good disk");
        }
        cluster.crash(CrashKind::Power);
        let broker = cluster.broker;
        let journals = cluster.simulation.files(broker).into_iter();
        let journals = journals.filter(|path| path.ends_with(".journal"));
        let (path, groups) = journals
            .map(|path| {
                let bytes = cluster.simulation.read_file(broker, &path).expect("it is there");
                let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
                (path, used.div_ceil(4096))
            })
            .max_by_key(|(_, used)| *used)
            .expect("there is a journal");
        // In the group's header, list or entry: what follows is padding.
        let (group, byte) = (seed as usize % groups, seed as usize * 7 % 200);
        let offset = (group * 4096 + byte) as u64;
        cluster.simulation.corrupt(broker, &path, offset).expect("it is there");
        cluster.start();
        let whole = ["one", "two", "three"];
        match served(&mut cluster) {
            Some(there) => {
                let there: Vec<_> = there.iter().map(String::as_str).collect();
                let least = if group + 1 == groups { 2 } else { 3 };
                let right = whole.starts_with(&there) && there.len() >= least;
                assert!(right, "byte {byte} of group {group} of {groups}: {there:?}");
            }
            None => refused += 1,
        }
    }
    assert!(refused > 20, "damage that is noticed: {refused} times");
}
