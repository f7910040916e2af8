//! Each fault of a disk does what its rule says, and nothing else.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use super::{SEEDS, ip, one_host};
use crate::sim::{CrashKind, DiskFaults, HostId, Options, Simulation};
use crate::{File, OpenOptions, Reactor};

const PATH: &str = "/file";

fn host_with(seed: u64, disk: DiskFaults) -> (Simulation, HostId) {
    let mut simulation = Simulation::new(Options { disk, ..Options::seed(seed) });
    let host = simulation.host("one", ip(1), 1);
    simulation.write_file(host, PATH, &[1; 8192]).expect("put there");
    (simulation, host)
}

async fn open(reactor: &Reactor) -> File {
    reactor.disk().open(Path::new(PATH), OpenOptions::WRITE).await.expect("opens")
}

#[test]
fn a_failed_write_has_written_a_prefix() {
    let faults = DiskFaults { write_error_one_in: 1, ..DiskFaults::default() };
    let mut prefixes = BTreeSet::new();
    for seed in SEEDS {
        let (mut simulation, host) = host_with(seed, faults);
        let error = simulation.block_on(host, |reactor| async move {
            open(&reactor).await.write_at(&[2; 100], 0).expect_err("fails")
        });
        assert_eq!(error.raw_os_error(), Some(libc::EIO));
        let content = simulation.read_file(host, PATH).expect("there");
        let prefix = content.iter().take_while(|&&byte| byte == 2).count();
        assert!(content[prefix..].iter().all(|&byte| byte == 1), "seed {seed}");
        prefixes.insert(prefix);
    }
    assert!(prefixes.len() > 10);
}

#[test]
fn after_a_failed_sync_the_next_one_succeeds_and_saves_nothing() {
    let faults = DiskFaults { sync_error_one_in: 1, ..DiskFaults::default() };
    let mut after = BTreeSet::new();
    for seed in SEEDS {
        let (mut simulation, host) = host_with(seed, faults);
        simulation.block_on(host, |reactor| async move {
            let file = open(&reactor).await;
            file.write_at(&[2; 4096], 0).expect("writes");
            file.sync_data().await.expect_err("fails");
        });
        simulation.set_disk_faults(host, DiskFaults::default());
        simulation.block_on(host, |reactor| async move {
            open(&reactor).await.sync_data().await.expect("the error was told once");
        });
        simulation.crash(host, CrashKind::Power);
        let content = simulation.read_file(host, PATH).expect("there");
        assert_eq!(content[4096..], [1; 4096]);
        after.insert(content[0]);
    }
    assert_eq!(after, BTreeSet::from([1, 2]), "the pages were written or not");
}

#[test]
fn a_lost_sync_is_unseen_until_the_power_goes() {
    let faults = DiskFaults { sync_lost_one_in: 1, ..DiskFaults::default() };
    let (mut simulation, host) = host_with(1, faults);
    let seen = simulation.block_on(host, |reactor| async move {
        let file = open(&reactor).await;
        file.write_at(&[2; 100], 0).expect("writes");
        file.sync_data().await.expect("says that it worked");
        file.read_at(vec![0; 100], 0).await.expect("reads")
    });
    assert_eq!(seen, [2; 100]);
    simulation.crash(host, CrashKind::Power);
    assert_eq!(simulation.read_file(host, PATH).expect("there"), [1; 8192]);
}

#[test]
fn a_flipped_page_differs_by_one_bit() {
    let faults = DiskFaults { page_flip_one_in: 1, ..DiskFaults::default() };
    let (mut simulation, host) = host_with(1, faults);
    simulation.block_on(host, |reactor| async move {
        let file = open(&reactor).await;
        file.write_at(&[2; 4096], 4096).expect("writes");
        file.sync_data().await.expect("syncs");
    });
    simulation.crash(host, CrashKind::Power);
    let content = simulation.read_file(host, PATH).expect("there");
    assert_eq!(content[..4096], [1; 4096]);
    let flipped: u32 = content[4096..].iter().map(|&byte| (byte ^ 2).count_ones()).sum();
    assert_eq!(flipped, 1);
}

#[test]
fn a_page_gone_astray_lies_over_another_of_its_file() {
    let faults = DiskFaults { page_astray_one_in: 1, ..DiskFaults::default() };
    let mut after = BTreeSet::new();
    for seed in SEEDS {
        let (mut simulation, host) = host_with(seed, faults);
        simulation.block_on(host, |reactor| async move {
            let file = open(&reactor).await;
            file.write_at(&[2; 4096], 4096).expect("writes");
            file.sync_data().await.expect("syncs");
        });
        simulation.crash(host, CrashKind::Power);
        let content = simulation.read_file(host, PATH).expect("there");
        after.insert((content[0], content[4096]));
    }
    assert_eq!(after, BTreeSet::from([(1, 2), (2, 1)]));
}

#[test]
fn reads_fail_or_flip_once() {
    let faults = DiskFaults { read_flip_one_in: 2, read_error_one_in: 4, ..Default::default() };
    let (mut simulation, host) = host_with(1, faults);
    let (good, flipped, failed) = simulation.block_on(host, |reactor| async move {
        let file = open(&reactor).await;
        let mut counts = (0, 0, 0);
        for _ in 0..100 {
            match file.read_at(vec![0; 100], 0).await {
                Ok(bytes) if bytes == [1; 100] => counts.0 += 1,
                Ok(_) => counts.1 += 1,
                Err(error) => {
                    assert_eq!(error.raw_os_error(), Some(libc::EIO));
                    counts.2 += 1;
                }
            }
        }
        counts
    });
    assert!(good > 20 && flipped > 20 && failed > 10, "{good} {flipped} {failed}");
}

#[test]
fn a_full_disk_takes_what_was_reserved_and_no_more() {
    let faults = DiskFaults { capacity_bytes: 32 << 10, ..DiskFaults::default() };
    let (mut simulation, host) = host_with(1, faults);
    simulation.block_on(host, |reactor| async move {
        let file = open(&reactor).await;
        file.reserve(16 << 10).await.expect("there is room");
        assert_eq!(file.len().expect("a length"), 8192, "a reservation changes no length");
        let other = reactor.disk().open(Path::new("/other"), OpenOptions::CREATE).await;
        let other = other.expect("opens");
        other.write_at(&[1; 16 << 10], 0).expect("the rest");
        let full = other.write_at(&[1], 16 << 10).expect_err("full");
        assert_eq!(full.kind(), ErrorKind::StorageFull);
        assert_eq!(other.len().expect("a length"), 16 << 10, "nothing done");
        file.write_at(&[1; 8192], 8192).expect("was reserved");
        let full = file.reserve(20 << 10).await.expect_err("full");
        assert_eq!(full.kind(), ErrorKind::StorageFull);
        other.set_len(0).expect("cuts");
        file.reserve(20 << 10).await.expect("room again");
    });
    assert_eq!(simulation.disk_bytes(host), 20 << 10);
}

#[test]
fn a_slow_disk_is_slow() {
    let faults = DiskFaults {
        slow_one_in: 1,
        latency_max: Duration::from_millis(1),
        ..DiskFaults::default()
    };
    let (mut simulation, host) = host_with(1, faults);
    simulation.block_on(host, |reactor| async move {
        let file = open(&reactor).await;
        for _ in 0..10 {
            file.sync_data().await.expect("syncs");
        }
    });
    assert!(simulation.now().as_nanos() > 1_000_000_000);
}

#[test]
fn a_corrupted_byte_differs_by_one_bit_for_ever() {
    let (mut simulation, host) = one_host(1);
    simulation.write_file(host, "/a/b", &[0; 100]).expect("put there");
    simulation.corrupt(host, "/a/b", 50).expect("within the file");
    simulation.corrupt(host, "/a/b", 100).expect_err("behind its end");
    simulation.crash(host, CrashKind::Power);
    let content = simulation.read_file(host, "/a/b").expect("there");
    assert_eq!(content.iter().map(|byte| byte.count_ones()).sum::<u32>(), 1);
    assert_ne!(content[50], 0);
}
