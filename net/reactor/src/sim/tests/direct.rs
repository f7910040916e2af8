//! What crashes and faults make of direct writes, of a sync of everything, and of the hint to write back.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::Duration;

use super::{SEEDS, ip, one_host};
use crate::sim::{CrashKind, DiskFaults, HostId, Options, Simulation, Stopped};
use crate::{DirectFile, File, OpenOptions, Queue, Reactor};

const PATH: &str = "/file";
const BLOCK: usize = DirectFile::BLOCK_BYTES;
/// Sectors of a page.
const SECTORS: usize = BLOCK / 512;

fn host_with(seed: u64, disk: DiskFaults) -> (Simulation, HostId) {
    let mut simulation = Simulation::new(Options { disk, ..Options::seed(seed) });
    let host = simulation.host("one", ip(1), 1);
    simulation.write_file(host, PATH, &[1; 4 * BLOCK]).expect("put there");
    (simulation, host)
}

async fn open(reactor: &Reactor) -> File {
    reactor.disk().open(Path::new(PATH), OpenOptions::WRITE).await.expect("opens")
}

async fn open_direct(reactor: &Reactor) -> DirectFile {
    reactor.disk().open_direct(Path::new(PATH), OpenOptions::CREATE).await.expect("opens")
}

/// Writes `blocks` blocks of `byte` from block `at` on, durably.
async fn write(
    reactor: &Reactor,
    file: &DirectFile,
    byte: u8,
    at: usize,
    blocks: usize,
) -> io::Result<()> {
    let mut buffer = reactor.direct_buffer(blocks * BLOCK);
    buffer.fill(byte);
    file.write_durable(buffer, blocks * BLOCK, (at * BLOCK) as u64).await.0
}

/// The byte that each sector is made of.
fn sectors(content: &[u8]) -> Vec<u8> {
    let whole = |sector: &[u8]| {
        assert!(sector.iter().all(|byte| *byte == sector[0]), "torn within");
        sector[0]
    };
    content.chunks(512).map(whole).collect()
}

/// The sectors of the second block after a crash of `kind` while it was on its way, or, with `cut`, by the cut falling on it.
fn interrupted(seed: u64, kind: CrashKind, cut: bool, then_power: bool) -> Vec<u8> {
    let (mut simulation, host) = host_with(seed, DiskFaults::default());
    if cut {
        simulation.crash_at(host, 0, kind);
        let stopped = simulation.try_block_on(host, |reactor| async move {
            let file = open_direct(&reactor).await;
            write(&reactor, &file, 2, 1, 1).await
        });
        assert_eq!(stopped.err(), Some(Stopped::Crashed), "seed {seed}");
    } else {
        simulation.block_on(host, |reactor| async move {
            let file = open_direct(&reactor).await;
            let own = reactor.clone();
            let writes = async move { write(&own, &file, 2, 1, 1).await };
            reactor.spawn(Queue::Client, writes).detach();
            reactor.yield_now().await;
        });
        simulation.crash(host, kind);
    }
    if then_power {
        simulation.crash(host, CrashKind::Power);
    }
    let sectors = sectors(&simulation.read_file(host, PATH).expect("there"));
    let beside = [&sectors[..SECTORS], &sectors[2 * SECTORS..]].concat();
    assert_eq!(beside, vec![1; 3 * SECTORS], "seed {seed}: other pages are as they were");
    sectors[SECTORS..2 * SECTORS].to_vec()
}

#[test]
fn a_write_on_its_way_is_torn_at_sectors_by_either_crash() {
    for kind in [CrashKind::Power, CrashKind::Process] {
        for cut in [false, true] {
            let outcome = |seed| interrupted(seed, kind, cut, false);
            let outcomes: BTreeSet<_> = (0..100).map(outcome).collect();
            assert!(outcomes.contains(&vec![1; SECTORS]), "{kind:?} {cut}: none");
            assert!(outcomes.contains(&vec![2; SECTORS]), "{kind:?} {cut}: all");
            assert!(outcomes.len() > 5, "{kind:?} {cut}: and mixtures: {outcomes:?}");
        }
    }
}

#[test]
fn what_the_end_of_a_process_let_land_is_not_safe_from_the_loss_of_power() {
    let landed = |seed| interrupted(seed, CrashKind::Process, false, false) == [2; SECTORS];
    let lost = |&seed: &u64| interrupted(seed, CrashKind::Process, false, true) != [2; SECTORS];
    assert!((0..100).filter(|seed| landed(*seed)).filter(lost).count() > 0);
}

#[test]
fn a_completed_durable_write_survives_whatever_comes_after() {
    for seed in 0..200 {
        let (mut simulation, host) = one_host(seed);
        simulation.create_dir(host, "/").expect("the root");
        simulation.block_on(host, move |reactor| async move {
            let (file, cached) = (open_direct(&reactor).await, open(&reactor).await);
            reactor.disk().sync_dir(Path::new("/")).await.expect("syncs");
            cached.write_at(&[9; 6 * BLOCK], 0).expect("writes");
            if seed % 2 == 0 {
                cached.sync_data().await.expect("syncs");
                cached.set_len(100).expect("cuts");
            }
            // A sync that knows older bytes of the same pages ends after the write.
            let own = cached.clone();
            let sync = async move { own.sync_data().await };
            let sync = reactor.spawn(Queue::Client, sync);
            reactor.yield_now().await;
            write(&reactor, &file, 2, 2, 2).await.expect("writes");
            if seed % 3 > 0 {
                sync.await.expect("syncs");
            }
            if seed % 3 > 1 {
                cached.sync_data().await.expect("syncs");
            }
            cached.write_at(&[3; 10], 0).expect("writes beside it");
            let content = cached.read_at(vec![0; 2 * BLOCK], 2 * BLOCK as u64).await;
            assert_eq!(content.expect("reads"), [2; 2 * BLOCK]);
        });
        simulation.crash(host, CrashKind::Power);
        let content = simulation.read_file(host, PATH).expect("there");
        assert!(content.len() >= 4 * BLOCK, "seed {seed}: {}", content.len());
        assert!(content[2 * BLOCK..4 * BLOCK] == [2; 2 * BLOCK], "seed {seed}");
    }
}

#[test]
fn a_cut_after_a_durable_write_is_there_or_not_and_nothing_between() {
    let mut cuts_kept = BTreeSet::new();
    for seed in SEEDS {
        let (mut simulation, host) = host_with(seed, DiskFaults::default());
        simulation.block_on(host, |reactor| async move {
            let file = open_direct(&reactor).await;
            write(&reactor, &file, 2, 1, 1).await.expect("writes");
            open(&reactor).await.set_len(BLOCK as u64).expect("cuts");
        });
        simulation.crash(host, CrashKind::Power);
        let content = simulation.read_file(host, PATH).expect("there");
        let cut = content.len() <= BLOCK;
        assert!(cut || content[BLOCK..2 * BLOCK] == [2; BLOCK], "seed {seed}");
        cuts_kept.insert(cut);
    }
    assert_eq!(cuts_kept.len(), 2);
}

#[test]
fn a_write_that_is_not_durable_is_safe_after_a_sync_only() {
    for synced in [false, true] {
        let mut outcomes = BTreeSet::new();
        for seed in SEEDS {
            let (mut simulation, host) = host_with(seed, DiskFaults::default());
            simulation.block_on(host, move |reactor| async move {
                let file = open_direct(&reactor).await;
                let mut buffer = reactor.direct_buffer(BLOCK);
                buffer.fill(2);
                file.write(buffer, BLOCK, 0).await.0.expect("writes");
                if synced {
                    file.sync_data().await.expect("syncs");
                }
            });
            simulation.crash(host, CrashKind::Power);
            let content = simulation.read_file(host, PATH).expect("there");
            outcomes.insert(sectors(&content[..BLOCK]));
        }
        assert_eq!(outcomes.len() == 1, synced, "{outcomes:?}");
        assert!(outcomes.contains(&vec![2; SECTORS]));
    }
}

#[test]
fn a_dropped_write_lands_later_wholly_in_part_or_not() {
    let mut outcomes = BTreeSet::new();
    for seed in 0..100 {
        let (mut simulation, host) = host_with(seed, DiskFaults::default());
        simulation.block_on(host, |reactor| async move {
            let file = open_direct(&reactor).await;
            let _ = reactor.timeout(Duration::ZERO, write(&reactor, &file, 2, 0, 1)).await;
            reactor.sleep(Duration::from_millis(10)).await;
        });
        outcomes.insert(sectors(&simulation.read_file(host, PATH).expect("there"))[..8].to_vec());
    }
    assert!(outcomes.contains(&vec![1; SECTORS]) && outcomes.contains(&vec![2; SECTORS]));
    assert!(outcomes.len() > 5);
}

#[test]
fn a_failed_write_has_written_some_sectors() {
    let faults = DiskFaults { write_error_one_in: 1, ..DiskFaults::default() };
    let mut outcomes = BTreeSet::new();
    for seed in SEEDS {
        let (mut simulation, host) = host_with(seed, faults);
        let error = simulation.block_on(host, |reactor| async move {
            let file = open_direct(&reactor).await;
            write(&reactor, &file, 2, 1, 1).await.expect_err("fails")
        });
        assert_eq!(error.raw_os_error(), Some(libc::EIO));
        outcomes.insert(sectors(&simulation.read_file(host, PATH).expect("there")));
    }
    assert!(outcomes.len() > 5);
}

/// The file after a durable write of its second block under `faults`: as seen, and after the loss of power.
fn after_faults(seed: u64, faults: DiskFaults) -> (Vec<u8>, Vec<u8>) {
    let (mut simulation, host) = host_with(seed, faults);
    simulation.block_on(host, |reactor| async move {
        let file = open_direct(&reactor).await;
        write(&reactor, &file, 2, 1, 1).await.expect("says that it worked");
    });
    let seen = simulation.read_file(host, PATH).expect("there");
    simulation.crash(host, CrashKind::Power);
    (seen, simulation.read_file(host, PATH).expect("there"))
}

#[test]
fn the_faults_of_pages_fall_on_durable_writes_unseen_until_the_power_goes() {
    let lost = DiskFaults { sync_lost_one_in: 1, ..DiskFaults::default() };
    let flipped = DiskFaults { page_flip_one_in: 1, ..DiskFaults::default() };
    let astray = DiskFaults { page_astray_one_in: 1, ..DiskFaults::default() };
    let mut places = BTreeSet::new();
    for seed in SEEDS {
        for faults in [lost, flipped, astray] {
            let (seen, after) = after_faults(seed, faults);
            assert_eq!(seen[BLOCK..2 * BLOCK], [2; BLOCK], "the cache has it");
            let wrong = after.iter().filter(|&&byte| byte != 1).count();
            if faults == lost {
                assert_eq!(wrong, 0);
            } else if faults == flipped {
                let bits = |&byte: &u8| (byte ^ 2).count_ones();
                assert_eq!(after[BLOCK..2 * BLOCK].iter().map(bits).sum::<u32>(), 1);
            } else {
                assert_eq!(wrong, BLOCK);
                places.insert(after.iter().position(|&byte| byte == 2).expect("somewhere") / BLOCK);
            }
        }
    }
    assert_eq!(places, BTreeSet::from([0, 1, 2, 3]));
}

#[test]
fn a_slow_disk_is_slow_and_a_full_one_allocates_nothing() {
    let faults = DiskFaults {
        slow_one_in: 1,
        latency_max: Duration::from_millis(1),
        capacity_bytes: 6 * BLOCK as u64,
        ..DiskFaults::default()
    };
    let (mut simulation, host) = host_with(1, faults);
    simulation.block_on(host, |reactor| async move {
        let file = open_direct(&reactor).await;
        for _ in 0..5 {
            write(&reactor, &file, 2, 0, 1).await.expect("writes");
        }
        assert!(reactor.now().as_nanos() > 1_000_000_000);
        let full = write(&reactor, &file, 2, 3, 4).await.expect_err("full");
        assert_eq!(full.kind(), ErrorKind::StorageFull);
        let full = file.allocate(7 * BLOCK as u64).await.expect_err("full");
        assert_eq!(full.kind(), ErrorKind::StorageFull);
        assert_eq!(file.len().expect("a length"), 4 * BLOCK as u64);
        file.allocate(6 * BLOCK as u64).await.expect("there is room");
        let other = reactor.disk().open(Path::new("/other"), OpenOptions::CREATE).await;
        let full = other.expect("opens").write_at(&[1], 0).expect_err("all is reserved");
        assert_eq!(full.kind(), ErrorKind::StorageFull);
        write(&reactor, &file, 2, 4, 2).await.expect("was reserved");
    });
}
