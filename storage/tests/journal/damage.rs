//! Disks that lie, decay or misdirect: what was acknowledged and is not there is reported, with its log, and nothing wrong
//! is given out. The end of the journal is the exception by nature: a lost last group looks like one never written.

use std::collections::BTreeMap;
use std::rc::Rc;

use ringlane_batch::PartitionIndex;
use ringlane_reactor::sim::{CrashKind, DiskFaults, HostId, Options, Simulation};
use ringlane_reactor::{Reactor, Rng};
use ringlane_storage::journal::{Damage, Journal};

use super::common::{seeds, world};
use super::world::*;

const LOGS: i32 = 3;

type Payloads = BTreeMap<(i32, u64), Vec<u8>>;

/// Adds groups of a few entries each, one after the other, and gives what was added.
async fn add_groups(
    journal: &Journal,
    logs: &[Rc<CountedLog>],
    count: u64,
    rng: &mut Rng,
) -> Payloads {
    let mut added = Payloads::new();
    for _ in 0..count {
        for log in logs {
            for _ in 0..rng.below(3) {
                let payload = vec![rng.next_u64() as u8; rng.below(2000) as usize];
                let sequence = log.add(journal, &payload).await.expect("writes do not fail here");
                added.insert((log.number, sequence), payload);
            }
        }
        for log in logs {
            log.settled().await;
        }
    }
    added
}

/// Every entry is found as it was added, or its log is named; and no log is named that misses nothing.
fn check(added: &Payloads, recovered: &Recovered) -> u64 {
    let unknown = recovered.damage.iter().any(|damage| damage.logs.is_none());
    let listed = |damage: &Damage| damage.logs.clone().unwrap_or_default();
    let named: Vec<PartitionIndex> =
        recovered.damage.iter().flat_map(listed).map(|log| log.partition).collect();
    let mut missing = 0;
    for ((log, sequence), payload) in added {
        match recovered.logs.get(log).and_then(|entries| entries.get(sequence)) {
            Some(found) => assert_eq!(found, payload, "a wrong payload of log {log}"),
            None => {
                missing += 1;
                let told = unknown || named.contains(&PartitionIndex(*log));
                assert!(told, "entry {sequence} of log {log} is gone, and nobody says so");
            }
        }
    }
    for log in named {
        let all = added.keys().filter(|(number, _)| *number == log.0).count();
        let found = recovered.logs.get(&log.0).map_or(0, BTreeMap::len);
        assert!(found < all, "log {log} misses nothing and is named");
    }
    missing
}

async fn recovered(reactor: Reactor) -> Recovered {
    recover(&reactor, &Checkpoint { from: 1, ..Checkpoint::default() }).await
}

/// Writes groups while the disk has `faults`, three more while it has none, and cuts the power.
fn with_faults(seed: u64, faults: DiskFaults) -> (Simulation, HostId, Payloads) {
    let (mut simulation, host) = world(Options::seed(seed));
    let mut rng = Rng::new(seed);
    let (journal, logs) = simulation.block_on(host, |reactor| async move {
        let journal = open(&reactor, tiny(), 1).await;
        let logs: Vec<_> = (0..LOGS).map(|log| CountedLog::new(log, 0)).collect();
        (journal, logs)
    });
    let mut added = Payloads::new();
    for (count, faults) in [(2, DiskFaults::default()), (4, faults), (3, DiskFaults::default())] {
        simulation.set_disk_faults(host, faults);
        let (journal, logs, mut part) = (journal.clone(), logs.clone(), Rng::new(rng.next_u64()));
        added.extend(simulation.block_on(host, move |_| async move {
            add_groups(&journal, &logs, count, &mut part).await
        }));
    }
    drop((journal, logs));
    simulation.crash(host, CrashKind::Power);
    (simulation, host, added)
}

fn faults_are_reported(faults: DiskFaults) {
    let mut missing = 0;
    let count = 200;
    for seed in seeds(count) {
        let (mut simulation, host, added) = with_faults(seed, faults);
        let recovered = simulation.block_on(host, recovered);
        missing += check(&added, &recovered);
    }
    assert!(missing > 0, "the faults have to do something");
}

#[test]
fn a_lost_write_is_reported() {
    faults_are_reported(DiskFaults { sync_lost_one_in: 4, ..DiskFaults::default() });
}

#[test]
fn a_wrong_bit_is_reported() {
    faults_are_reported(DiskFaults { page_flip_one_in: 8, ..DiskFaults::default() });
}

#[test]
fn a_misdirected_page_is_reported() {
    faults_are_reported(DiskFaults { page_astray_one_in: 8, ..DiskFaults::default() });
}

/// One wrong byte in one entry, or in a header, of the second of three groups.
#[test]
fn the_damaged_log_is_named_and_the_others_are_not() {
    let cases = [
        // (the byte of the second block, the logs named)
        (0, Some(vec![0, 1])),
        // Behind the header and the list of one log, in the payload of the first entry.
        (56 + 32 + 72 + 10, Some(vec![0])),
        // The payload of the second one, behind 72 and 100 bytes rounded up to 176.
        (56 + 32 + 176 + 72 + 10, Some(vec![1])),
    ];
    for (byte, named) in cases {
        let (mut simulation, host) = world(Options::seed(9));
        simulation.block_on(host, |reactor| async move {
            let journal = open(&reactor, tiny(), 1).await;
            let logs: Vec<_> = (0..3).map(|log| CountedLog::new(log, 0)).collect();
            for group in [vec![2], vec![0, 1], vec![2]] {
                for log in &group {
                    logs[*log].add(&journal, &[1; 100]).await.expect("there is room");
                }
                for log in &group {
                    logs[*log].settled().await;
                }
            }
            journal.close().await;
        });
        let path = "/data/journal/shard-0-0.journal";
        simulation.corrupt(host, path, 4096 + byte).expect("the file is longer");
        let recovered = simulation.block_on(host, recovered);
        assert_eq!(recovered.damage.len(), 1);
        let damage = &recovered.damage[0];
        assert_eq!(damage.groups, 2..3);
        let logs =
            damage.logs.as_ref().map(|logs| logs.iter().map(|log| log.partition.0).collect());
        assert_eq!(logs, named);
        assert_eq!(recovered.logs[&2].len(), 2, "the other groups are whole");
    }
}

#[test]
fn two_lost_groups_in_a_row_may_concern_any_log() {
    let (mut simulation, host) = world(Options::seed(9));
    simulation.block_on(host, |reactor| async move {
        let journal = open(&reactor, tiny(), 1).await;
        let log = CountedLog::new(0, 0);
        for _ in 0..4 {
            log.add(&journal, b"payload").await.expect("there is room");
            log.settled().await;
        }
        journal.close().await;
    });
    for block in [1, 2] {
        let path = "/data/journal/shard-0-0.journal";
        simulation.corrupt(host, path, block * 4096 + 30).expect("the file is longer");
    }
    let recovered = simulation.block_on(host, recovered);
    assert_eq!(recovered.damage, [Damage { groups: 2..4, logs: None }]);
}

/// The bytes of another broker's journal, and those of another place, are nobody's.
#[test]
fn foreign_and_copied_files_are_not_believed() {
    let (mut simulation, host) = world(Options::seed(9));
    simulation.block_on(host, |reactor| async move {
        let journal = Journal::open(&reactor, dir(), 0, tiny(), ID + 1, 1).await;
        let journal = journal.expect("a good disk");
        let log = CountedLog::new(0, 0);
        log.add(&journal, b"payload").await.expect("there is room");
        journal.close().await;
    });
    let bytes = simulation.read_file(host, "/data/journal/shard-0-0.journal").expect("it is there");
    simulation.write_file(host, "/data/journal/shard-0-1.journal", &bytes).expect("a file");
    simulation.write_file(host, "/data/journal/shard-1-0.journal", &bytes).expect("a file");
    simulation.block_on(host, |reactor| async move {
        let disk = reactor.disk();
        for (id, shard, groups, foreign) in
            [(Some(ID), 0, 0, 1), (Some(ID + 1), 0, 1, 0), (None, 0, 1, 0), (None, 1, 0, 0)]
        {
            let reader = ringlane_storage::journal::Reader::open(&disk, dir(), shard, id, 1).await;
            let mut reader = reader.expect("a good disk");
            assert_eq!(reader.foreign_groups(), foreign);
            let mut found = 0;
            while reader.next().await.expect("a good disk").is_some() {
                found += 1;
            }
            assert_eq!(found, groups);
        }
    });
}
