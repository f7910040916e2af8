//! The data directory: who may have it, what is in it, and what a clean stop leaves.

mod common;

use std::path::Path;
use std::time::Duration;

use common::*;
use ringlane_reactor::sim::{CrashKind, Options};
use ringlane_reactor::{Queue, Reactor};
use ringlane_storage::{LogDirectory, StorageError};

const DATA: &str = "/data";

#[test]
fn a_directory_has_one_holder_and_keeps_its_identity() {
    let (mut simulation, host) = world(Options::seed(1));
    simulation.block_on(host, |reactor| async move {
        let open = async |node, cluster| {
            LogDirectory::open(&reactor, Path::new(DATA), node, cluster).await
        };
        let directory = open(1, None).await.unwrap();
        let meta = directory.meta().clone();
        let second = open(1, None).await.err().unwrap();
        assert!(matches!(second, StorageError::InUse(_)) && second.to_string().contains("in use"));
        drop(directory);
        let directory = open(1, Some(&meta.cluster_id)).await.unwrap();
        assert_eq!(*directory.meta(), meta);
        drop(directory);
        let other = open(2, None).await.err().unwrap();
        assert!(matches!(&other, StorageError::Foreign { .. }), "{other}");
        assert!(matches!(open(1, Some("x")).await, Err(StorageError::Foreign { .. })));
        let newer = b"version=1\nringlane.format=99\ncluster.id=c\nnode.id=1\n";
        let path = Path::new(DATA).join("meta.properties");
        reactor.disk().replace(&path, newer).await.unwrap();
        let newer = open(1, None).await.err().unwrap().to_string();
        assert!(newer.contains("newer version"), "{newer}");
    });
}

/// A process is killed while it makes the directory a broker's; the next one tells its id, and the power goes.
#[test]
fn an_identity_that_was_told_stays() {
    let killed_at = |operation, seed| {
        let (mut simulation, host) = world(Options::seed(seed));
        let open = async |reactor: Reactor| {
            let opened = LogDirectory::open(&reactor, Path::new(DATA), 1, None).await;
            opened.expect("nobody else has it").meta().clone()
        };
        simulation.crash_at(host, operation, CrashKind::Process);
        let ended = simulation.try_block_on(host, open).is_ok();
        simulation.crash(host, CrashKind::Process);
        simulation.crash_at(host, u64::MAX / 2, CrashKind::Process);
        let told = simulation.block_on(host, open);
        simulation.crash(host, CrashKind::Power);
        assert_eq!(simulation.block_on(host, open), told, "killed at operation {operation}");
        ended
    };
    let operations = (0..).take_while(|operation| {
        let ended = (0..20).filter(|seed| killed_at(*operation, *seed)).count() > 0;
        !ended
    });
    assert!(operations.count() > 5, "it takes more to make a directory");
}

#[test]
fn a_clean_stop_is_known_once() {
    let (mut simulation, host) = world(Options::seed(1));
    simulation.block_on(host, move |reactor| async move {
        let open = async || LogDirectory::open(&reactor, Path::new(DATA), 1, None).await.unwrap();
        let directory = open().await;
        assert!(!directory.was_left_cleanly());
        directory.close().await.unwrap();
        let directory = open().await;
        assert!(directory.was_left_cleanly());
        drop(directory);
        assert!(!open().await.was_left_cleanly());
    });
}

/// The lock of the directory is free, and writes to the journal may still be on their way.
#[test]
fn a_start_waits_until_the_journals_of_the_one_before_are_let_go() {
    let (mut simulation, host) = world(Options::seed(1));
    simulation.block_on(host, |reactor| async move {
        let open = |reactor: Reactor| async move {
            LogDirectory::open(&reactor, Path::new(DATA), 1, None).await.map(drop)
        };
        open(reactor.clone()).await.unwrap();
        let before = manager(&reactor).await;
        begin(&before).await;
        let mut next = reactor.spawn(Queue::Client, open(reactor.clone()));
        assert!(reactor.timeout(Duration::from_secs(60), &mut next).await.is_err());
        before.close().await;
        next.await.unwrap();
    });
}

#[test]
fn partitions_are_listed_and_leftovers_removed() {
    let (mut simulation, host) = world(Options::seed(1));
    simulation.block_on(host, |reactor| async move {
        let directory = LogDirectory::open(&reactor, Path::new(DATA), 1, None).await.unwrap();
        create(&reactor, small()).await;
        let disk = reactor.disk();
        for name in [
            "half-made-3",
            "__cluster_metadata-0",
            "other",
            "orders-1.0123456789abcdef0123456789abcdef-delete",
        ] {
            disk.create_dir_all(&Path::new(DATA).join(name)).await.unwrap();
        }
        let found = directory.partitions().await.unwrap();
        let found: Vec<_> = found.iter().map(|p| (&*p.topic, p.partition.0, p.topic_id)).collect();
        assert_eq!(found, [("half-made", 3, None), ("orders", 0, Some(TOPIC))]);
        assert_eq!(directory.remove_deleted().await.unwrap(), 1);
        directory.remove(&Path::new(DATA).join("half-made-3")).await.unwrap();
        let left = names(&reactor, Path::new(DATA)).await;
        let expected =
            [".lock", "__cluster_metadata-0", "journal", "meta.properties", "orders-0", "other"];
        assert_eq!(left, expected);
    });
}

/// However large the files are: whoever deletes a log does not wait for the file system to free them.
#[test]
fn a_deleted_log_is_gone_before_its_files_are() {
    let (mut simulation, host) = world(Options::seed(1));
    simulation.block_on(host, |reactor| async move {
        let _directory = LogDirectory::open(&reactor, Path::new(DATA), 1, None).await.unwrap();
        let log = create(&reactor, small()).await;
        for n in 0..40 {
            append(&log, batch(n)).await;
        }
        let deleted = async || {
            let left = names(&reactor, Path::new(DATA)).await;
            assert!(!left.contains(&"orders-0".to_owned()), "{left:?}");
            left.iter().any(|name| name.starts_with("orders-0.") && name.ends_with("-delete"))
        };
        log.delete().await.unwrap();
        assert!(deleted().await, "its files are there under another name");
        reactor.sleep(Duration::from_secs(60)).await;
        assert!(!deleted().await, "and go");
    });
}

#[test]
fn a_deletion_that_a_power_cut_interrupts_is_finished_or_undone() {
    for seed in seeds(100) {
        let (mut simulation, host) = world(Options::seed(seed));
        simulation.block_on(host, |reactor| async move {
            let directory = LogDirectory::open(&reactor, Path::new(DATA), 1, None).await.unwrap();
            let log = create(&reactor, small()).await;
            for n in 0..40 {
                append(&log, batch(n)).await;
            }
            log.close().await.unwrap();
            drop(directory);
        });
        simulation.crash_at(host, 1 + seed % 12, CrashKind::Power);
        let _ = simulation.try_block_on(host, |reactor| async move {
            let _directory = LogDirectory::open(&reactor, Path::new(DATA), 1, None).await.unwrap();
            open(&reactor, small()).await.delete().await.unwrap();
        });
        simulation.crash(host, CrashKind::Power);
        simulation.block_on(host, |reactor| async move {
            let directory = LogDirectory::open(&reactor, Path::new(DATA), 1, None).await.unwrap();
            directory.remove_deleted().await.unwrap();
            if !directory.partitions().await.unwrap().is_empty() {
                let log = open(&reactor, small()).await;
                assert_eq!(log.log_end().0, 40, "a log is there as a whole or not at all");
                assert_eq!(read_all(&log).await.len(), 40 * batch(0).len());
            }
        });
    }
}
