//! What a sync of everything covers, and what the hint to write back does.

use std::collections::BTreeSet;
use std::path::Path;

use super::{SEEDS, one_host};
use crate::sim::{CrashKind, DiskFaults, HostId, Simulation};
use crate::{File, OpenOptions, Queue, Reactor};

async fn create(reactor: &Reactor, path: &str, content: &[u8]) -> File {
    let file = reactor.disk().open(Path::new(path), OpenOptions::CREATE).await.expect("opens");
    file.write_at(content, 0).expect("writes");
    file
}

/// Files and names in several directories, none synced.
async fn scatter(reactor: &Reactor) -> File {
    let disk = reactor.disk();
    for directory in ["/a/b", "/c"] {
        disk.create_dir_all(Path::new(directory)).await.expect("is made");
    }
    create(reactor, "/a/b/one", &[1; 5000]).await;
    create(reactor, "/c/two", &[2; 5000]).await;
    create(reactor, "/c/gone", &[3; 5000]).await;
    disk.rename(Path::new("/c/two"), Path::new("/a/two")).await.expect("is renamed");
    disk.remove_file(Path::new("/c/gone")).await.expect("is removed");
    let cut = create(reactor, "/cut", &[4; 5000]).await;
    cut.set_len(10).expect("is cut");
    cut
}

const SCATTERED: [(&str, u8, usize); 3] =
    [("/a/b/one", 1, 5000), ("/a/two", 2, 5000), ("/cut", 4, 10)];

/// The contents that are as a sync of everything leaves them.
fn whole(simulation: &Simulation, host: HostId) -> Vec<bool> {
    let is_whole = |&(path, byte, len): &(&str, u8, usize)| {
        simulation.read_file(host, path).is_ok_and(|content| content == vec![byte; len])
    };
    SCATTERED.iter().map(is_whole).collect()
}

#[test]
fn a_sync_of_everything_covers_every_file_and_name_before_it_and_none_after() {
    let mut later = BTreeSet::new();
    for seed in SEEDS {
        let (mut simulation, host) = one_host(seed);
        simulation.block_on(host, |reactor| async move {
            let cut = scatter(&reactor).await;
            let disk = reactor.disk();
            let sync = async move { disk.sync_file_system(Path::new("/c")).await };
            let sync = reactor.spawn(Queue::Client, sync);
            reactor.yield_now().await;
            cut.write_at(&[5; 10], 10).expect("writes");
            sync.await.expect("syncs");
        });
        simulation.crash(host, CrashKind::Power);
        let cut = simulation.read_file(host, "/cut").expect("there");
        assert_eq!(cut[..10], [4; 10], "seed {seed}");
        later.insert(cut.len() == 20 && cut[10..] == [5; 10]);
        let files = simulation.files(host);
        assert_eq!(files, ["/a/b/one", "/a/two", "/cut"], "seed {seed}");
        assert_eq!(whole(&simulation, host)[..2], [true, true], "seed {seed}");
    }
    assert_eq!(later.len(), 2, "the later write is kept or lost");
}

#[test]
fn without_the_sync_all_of_it_may_be_lost() {
    let survivors: BTreeSet<_> = SEEDS
        .map(|seed| {
            let (mut simulation, host) = one_host(seed);
            simulation.block_on(host, |reactor| async move { drop(scatter(&reactor).await) });
            simulation.crash(host, CrashKind::Power);
            whole(&simulation, host)
        })
        .collect();
    assert!(survivors.contains(&vec![false; 3]));
}

/// What is whole after a sync of everything under `faults` and the loss of power; whether the sync said that it worked.
fn after_faults(seed: u64, faults: DiskFaults, retry: bool) -> (bool, Vec<bool>) {
    let (mut simulation, host) = one_host(seed);
    simulation.block_on(host, |reactor| async move { drop(scatter(&reactor).await) });
    let sync =
        |reactor: Reactor| async move { reactor.disk().sync_file_system(Path::new("/")).await };
    simulation.set_disk_faults(host, faults);
    let worked = simulation.block_on(host, sync).is_ok();
    simulation.set_disk_faults(host, DiskFaults::default());
    if retry {
        simulation.block_on(host, sync).expect("the error was told once");
    }
    simulation.crash(host, CrashKind::Power);
    (worked, whole(&simulation, host))
}

#[test]
fn after_a_failed_sync_of_everything_the_next_one_saves_no_page() {
    let faults = DiskFaults { sync_error_one_in: 1, ..DiskFaults::default() };
    let mut outcomes = BTreeSet::new();
    for seed in SEEDS {
        let (worked, whole) = after_faults(seed, faults, true);
        assert!(!worked);
        outcomes.insert(whole);
    }
    assert!(outcomes.len() > 3, "each file was written or not: {outcomes:?}");
}

#[test]
fn a_lost_sync_of_everything_says_that_it_worked() {
    let faults = DiskFaults { sync_lost_one_in: 1, ..DiskFaults::default() };
    for seed in SEEDS {
        assert_eq!(after_faults(seed, faults, false), (true, vec![false; 3]), "seed {seed}");
    }
}

#[test]
fn the_crash_cut_falls_on_a_sync_of_everything() {
    let mut outcomes = BTreeSet::new();
    for seed in 0..100 {
        let (mut simulation, host) = one_host(seed);
        simulation.block_on(host, |reactor| async move {
            drop(scatter(&reactor).await);
            for path in ["/", "/a", "/a/b", "/c"] {
                reactor.disk().sync_dir(Path::new(path)).await.expect("syncs");
            }
        });
        simulation.crash_at(host, 0, CrashKind::Power);
        let stopped = simulation.try_block_on(host, |reactor| async move {
            reactor.disk().sync_file_system(Path::new("/")).await
        });
        stopped.expect_err("crashed");
        outcomes.insert(whole(&simulation, host));
    }
    assert!(outcomes.contains(&vec![false; 3]) && outcomes.contains(&vec![true; 3]));
    assert!(outcomes.len() > 4, "{outcomes:?}");
}

#[test]
fn a_hint_writes_some_pages_back_and_makes_nothing_safe() {
    // How often the older of two unsynced writes is what is left, of the page that was asked for and of the other.
    let mut older = [0; 2];
    for seed in 0..200 {
        let (mut simulation, host) = one_host(seed);
        simulation.write_file(host, "/file", &[1; 8192]).expect("put there");
        simulation.block_on(host, |reactor| async move {
            let file = create(&reactor, "/file", &[2; 8192]).await;
            file.start_write_back(0, 4096);
            file.write_at(&[3; 8192], 0).expect("writes");
        });
        simulation.crash(host, CrashKind::Power);
        let content = simulation.read_file(host, "/file").expect("there");
        for (count, byte) in older.iter_mut().zip([content[0], content[4096]]) {
            *count += u32::from(byte == 2);
        }
    }
    assert!(older[0] > 2 * older[1] && older[0] < 150, "{older:?} of 200");
}
