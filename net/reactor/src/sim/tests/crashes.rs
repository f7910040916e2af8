//! What a crash leaves on the disk.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;

use super::{SEEDS, address, ip, one_host};
use crate::sim::{CrashKind, HostId, Simulation};
use crate::{AddressReservation, Disk, OpenOptions, Queue, Reactor};

const PATH: &str = "/file";

async fn create(disk: &Disk, path: &str, content: &[u8]) -> crate::File {
    let file = disk.open(Path::new(path), OpenOptions::CREATE_EMPTY).await.expect("opens");
    file.write_at(content, 0).expect("writes");
    file.sync_data().await.expect("syncs");
    disk.sync_dir(Path::new("/")).await.expect("syncs");
    file
}

/// A file of 16 synced sectors of ones, of which the 4 from the eighth on are then twos, unsynced; and the disk after.
fn overwritten(seed: u64, kind: CrashKind) -> Vec<u8> {
    let (mut simulation, host) = one_host(seed);
    simulation.block_on(host, |reactor| async move {
        let file = create(&reactor.disk(), PATH, &[1; 16 * 512]).await;
        file.write_at(&[2; 4 * 512], 8 * 512).expect("writes");
    });
    simulation.crash(host, kind);
    simulation.read_file(host, PATH).expect("the synced name is there")
}

#[test]
fn power_loss_tears_unsynced_sectors_and_no_others() {
    let mut outcomes = BTreeSet::new();
    for seed in SEEDS {
        let content = overwritten(seed, CrashKind::Power);
        assert_eq!(content.len(), 16 * 512, "seed {seed}");
        let sectors: Vec<u8> = content
            .chunks(512)
            .map(|sector| {
                assert!(sector.iter().all(|byte| *byte == sector[0]), "seed {seed}: torn within");
                sector[0]
            })
            .collect();
        let synced = [&sectors[..8], &sectors[12..]].concat();
        assert!(synced.iter().all(|&byte| byte == 1), "seed {seed}: {sectors:?}");
        outcomes.insert(sectors[8..12].to_vec());
    }
    assert!(outcomes.contains(&vec![1; 4]), "all lost");
    assert!(outcomes.contains(&vec![2; 4]), "all kept");
    assert!(outcomes.len() > 4, "and mixtures: {outcomes:?}");
}

#[test]
fn the_end_of_a_process_leaves_the_page_cache() {
    for seed in SEEDS {
        assert_eq!(overwritten(seed, CrashKind::Process)[8 * 512..12 * 512], [2; 4 * 512]);
    }
}

#[test]
fn an_unsynced_end_of_a_file_is_anywhere_between() {
    let mut lengths = BTreeSet::new();
    for seed in SEEDS {
        let (mut simulation, host) = one_host(seed);
        simulation.block_on(host, |reactor| async move {
            let file = create(&reactor.disk(), PATH, &[1; 1000]).await;
            file.write_at(&[2; 9000], 1000).expect("writes");
        });
        simulation.crash(host, CrashKind::Power);
        let content = simulation.read_file(host, PATH).expect("there");
        assert!((1000..=10_000).contains(&content.len()), "seed {seed}: {}", content.len());
        assert_eq!(content[..1000], [1; 1000], "seed {seed}");
        assert!(content[1000..].iter().all(|&byte| byte == 0 || byte == 2), "seed {seed}");
        lengths.insert(content.len());
    }
    assert!(lengths.contains(&1000) && lengths.contains(&10_000) && lengths.len() > 5);
}

#[test]
fn a_sync_covers_what_was_written_before_it_and_not_what_is_written_while_it_runs() {
    let mut later = BTreeSet::new();
    for seed in SEEDS {
        let (mut simulation, host) = one_host(seed);
        simulation.block_on(host, |reactor| async move {
            let file = create(&reactor.disk(), PATH, &[]).await;
            file.write_at(&[1; 600], 0).expect("writes");
            let sync = file.sync_data();
            let write = async {
                reactor.yield_now().await;
                file.write_at(&[2; 600], 600).expect("writes");
            };
            let mut write = std::pin::pin!(write);
            let mut sync = std::pin::pin!(sync);
            let mut written = false;
            std::future::poll_fn(|cx| {
                let synced = sync.as_mut().poll(cx);
                if !written {
                    written = write.as_mut().poll(cx).is_ready();
                }
                synced
            })
            .await
            .expect("syncs");
            assert!(written, "the write came in between");
        });
        simulation.crash(host, CrashKind::Power);
        let content = simulation.read_file(host, PATH).expect("there");
        assert!(content.len() >= 600, "seed {seed}");
        assert_eq!(content[..600], [1; 600], "seed {seed}");
        later.insert(content.get(1100) == Some(&2));
    }
    assert_eq!(later.len(), 2, "the later write is kept or lost");
}

#[test]
fn an_unsynced_rename_is_there_or_not_and_never_half() {
    let mut outcomes = BTreeSet::new();
    for seed in SEEDS {
        let (mut simulation, host) = one_host(seed);
        simulation.block_on(host, |reactor| async move {
            let disk = reactor.disk();
            create(&disk, "/old", b"old").await;
            create(&disk, "/new", b"new").await;
            disk.rename(Path::new("/new"), Path::new("/old")).await.expect("renames");
        });
        simulation.crash(host, CrashKind::Power);
        let old = simulation.read_file(host, "/old").expect("one of the two");
        outcomes.insert((simulation.files(host).len(), old));
    }
    let all = [(1, b"new".to_vec()), (2, b"old".to_vec())];
    assert_eq!(outcomes, BTreeSet::from(all));
}

#[test]
fn a_name_is_safe_only_after_its_directory_is_synced() {
    let mut kept = BTreeSet::new();
    for seed in SEEDS {
        let (mut simulation, host) = one_host(seed);
        simulation.block_on(host, |reactor| async move {
            let disk = reactor.disk();
            disk.create_dir_all(Path::new("/a")).await.expect("creates");
            disk.sync_dir(Path::new("/")).await.expect("syncs");
            for name in ["/a/synced", "/a/unsynced"] {
                let file = disk.open(Path::new(name), OpenOptions::CREATE).await.expect("opens");
                file.sync_data().await.expect("syncs");
                if name == "/a/synced" {
                    disk.sync_dir(Path::new("/a")).await.expect("syncs");
                }
            }
        });
        simulation.crash(host, CrashKind::Power);
        let files = simulation.files(host);
        assert_eq!(files[0], "/a/synced", "seed {seed}");
        kept.insert(files.len());
    }
    assert_eq!(kept, BTreeSet::from([1, 2]));
}

#[test]
fn a_cut_that_was_not_synced_brings_back_all_or_nothing() {
    for seed in SEEDS {
        let (mut simulation, host) = one_host(seed);
        simulation.block_on(host, |reactor| async move {
            let file = create(&reactor.disk(), PATH, &[1; 8192]).await;
            file.set_len(2048).expect("cuts");
            file.write_at(&[2; 6144], 2048).expect("writes");
        });
        simulation.crash(host, CrashKind::Power);
        let content = simulation.read_file(host, PATH).expect("there");
        assert_eq!(content[..2048], [1; 2048], "seed {seed}");
        let behind: BTreeSet<u8> = content[2048..].iter().copied().filter(|&b| b != 0).collect();
        assert!(behind.len() <= 1, "seed {seed}: old and new bytes behind the cut");
    }
}

/// Writes numbered records of 700 bytes, each synced, and tells which are.
async fn write_records(reactor: Reactor, acknowledged: Rc<RefCell<u8>>) {
    let file = create(&reactor.disk(), PATH, &[]).await;
    for number in 1..=5_u8 {
        file.write_at(&[number; 700], u64::from(number - 1) * 700).expect("writes");
        file.sync_data().await.expect("syncs");
        *acknowledged.borrow_mut() = number;
    }
}

fn run_with_records(simulation: &mut Simulation, host: HostId) -> u8 {
    let acknowledged = Rc::new(RefCell::new(0));
    let own = acknowledged.clone();
    let _ = simulation.try_block_on(host, move |reactor| write_records(reactor, own));
    simulation.run_for(Duration::from_secs(1));
    acknowledged.take()
}

#[test]
fn a_crash_can_be_cut_at_every_operation_and_keeps_what_was_synced() {
    let (mut simulation, host) = one_host(0);
    assert_eq!(run_with_records(&mut simulation, host), 5);
    let operations = simulation.disk_operations(host);
    assert_eq!(operations, 14, "create, write nothing, two syncs, and two for each record");
    for (at, kind) in
        (0..operations).flat_map(|at| [(at, CrashKind::Power), (at, CrashKind::Process)])
    {
        for seed in 0..10 {
            let (mut simulation, host) = one_host(seed);
            simulation.crash_at(host, at, kind);
            let acknowledged = run_with_records(&mut simulation, host);
            assert!(!simulation.is_running(host), "it crashed at {at}");
            assert_eq!(u64::from(acknowledged), (at.saturating_sub(4)) / 2, "at {at}");
            let content = simulation.read_file(host, PATH).unwrap_or_default();
            for number in 1..=acknowledged {
                let start = usize::from(number - 1) * 700;
                assert_eq!(content[start..start + 700], [number; 700], "seed {seed} at {at}");
            }
            let end = usize::from(acknowledged + 1) * 700;
            assert!(content.len() <= end, "seed {seed} at {at}: written past the crash");
        }
    }
}

#[test]
fn the_operation_of_the_cut_is_done_in_part_wholly_or_not() {
    let mut lengths = BTreeSet::new();
    for seed in SEEDS {
        let (mut simulation, host) = one_host(seed);
        simulation.crash_at(host, 5, CrashKind::Process);
        let _ = simulation.try_block_on(host, |reactor| async move {
            let file = create(&reactor.disk(), PATH, &[1; 100]).await;
            file.write_at(&[2; 100], 100).expect("writes");
            file.write_at(&[3; 100], 200).expect("the process does not see its crash");
            assert_eq!(file.len().expect("has a length"), 300);
            reactor.yield_now().await;
            unreachable!("nothing runs past the crash");
        });
        lengths.insert(simulation.read_file(host, PATH).expect("there").len());
    }
    assert!(lengths.iter().all(|len| (200..=300).contains(len)), "{lengths:?}");
    assert!(lengths.contains(&200) && lengths.contains(&300) && lengths.len() > 2);
}

#[test]
fn of_two_syncs_at_once_the_one_that_began_later_counts() {
    for seed in SEEDS {
        let (mut simulation, host) = one_host(seed);
        simulation.block_on(host, |reactor| async move {
            let file = create(&reactor.disk(), PATH, &[]).await;
            let start = |byte: u8| {
                let file = file.clone();
                reactor.spawn(Queue::Client, async move {
                    file.write_at(&[byte; 600], 0).expect("writes");
                    file.sync_data().await.expect("syncs");
                })
            };
            let first = start(1);
            reactor.yield_now().await;
            start(2).await;
            first.await;
        });
        simulation.crash(host, CrashKind::Power);
        assert_eq!(simulation.read_file(host, PATH).expect("there"), [2; 600], "seed {seed}");
    }
}

#[test]
fn a_name_that_is_given_again_is_never_lost_with_its_first_file() {
    let mut kept = BTreeSet::new();
    for seed in SEEDS {
        let (mut simulation, host) = one_host(seed);
        simulation.block_on(host, |reactor| async move {
            let disk = reactor.disk();
            create(&disk, "/a", b"first").await;
            disk.rename(Path::new("/a"), Path::new("/b")).await.expect("renames");
            disk.open(Path::new("/a"), OpenOptions::CREATE_NEW).await.expect("opens");
        });
        simulation.crash(host, CrashKind::Power);
        let files = simulation.files(host);
        let content = |path| simulation.read_file(host, path).unwrap_or_default();
        assert!(content("/a") == b"first" || content("/b") == b"first", "seed {seed}: {files:?}");
        kept.insert(files);
    }
    let both = vec!["/a".to_string(), "/b".to_string()];
    assert_eq!(kept.len(), 3, "before, after and between: {kept:?}");
    assert!(kept.contains(&both));
}

#[test]
fn a_process_past_its_crash_sends_nothing() {
    for seed in SEEDS {
        let (mut simulation, server) = one_host(seed);
        let client = simulation.host("client", ip(2), 1);
        simulation.start(server, |reactor| async move {
            let file = reactor.disk().open(Path::new(PATH), OpenOptions::CREATE).await?;
            let listener = reactor.listen(&AddressReservation::simulated(address(1)), 1)?;
            let stream = listener.accept().await?;
            file.write_at(b"promise", 0)?;
            stream.write_all(vec![Bytes::from_static(b"kept")]).await
        });
        simulation.crash_at(server, 1, CrashKind::Power);
        let seen = simulation.block_on(client, |reactor| async move {
            let stream = loop {
                match reactor.connect(address(1)).await {
                    Ok(stream) => break stream,
                    Err(_) => reactor.sleep(Duration::from_millis(1)).await,
                }
            };
            stream.read().await.map(|chunk| chunk.len()).map_err(|error| error.kind())
        });
        assert_eq!(seen, Err(ErrorKind::ConnectionReset), "seed {seed}");
    }
}

#[test]
fn a_crash_that_never_came_ends_with_its_process() {
    let (mut simulation, host) = one_host(1);
    simulation.start(host, |_| async { Ok(()) });
    simulation.crash_at(host, 0, CrashKind::Process);
    assert!(simulation.run_until_idle(Duration::from_secs(1)));
    assert_eq!(run_with_records(&mut simulation, host), 5);
}
