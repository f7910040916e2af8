//! What a round does when segments are damaged, and where space or descriptors run out.

use std::path::Path;
use std::time::Duration;

use ringlane_batch::{PartitionIndex, batches};
use ringlane_reactor::sim::DiskFaults;
use ringlane_reactor::{OpenOptions, Reactor};
use ringlane_storage::{Cleanable, Cleaner, CleanerConfig, Log, LogConfig};

use crate::common::*;
use crate::{COMPACTION, clean, compacted, fill, filled, put, state};

#[test]
fn a_damaged_log_is_left_alone_and_the_others_are_cleaned() {
    let (mut simulation, host) = filled(7, 100, compacted(COMPACTION));
    simulation.block_on(host, |reactor| async move {
        let path = dir().join("00000000000000000000.log");
        let file = reactor.disk().open(&path, OpenOptions::WRITE).await.expect("it is there");
        file.write_at(b"rot", 90).expect("a good disk");
        let (manager, log) = open_with_manager(&reactor, compacted(COMPACTION)).await;
        let (other, key) = (Path::new("/data/orders-1"), (TOPIC, PartitionIndex(1)));
        let other = Log::create(&manager, other, key, compacted(COMPACTION)).await;
        let other = other.expect("a new log");
        fill(&other, 40).await;
        let cleaner = Cleaner::new(&reactor, CleanerConfig::default());
        let both = || {
            [&log, &other]
                .map(|log| Cleanable { log: log.clone(), last_stable: log.log_end().offset() })
        };
        let mut cleaned = Vec::new();
        for _ in 0..3 {
            cleaned.extend(cleaner.clean_dirtiest(both().into()).await);
        }
        assert_eq!(cleaned.len(), 1, "the damaged one is tried once");
        assert_eq!(cleaned[0].directory, other.directory());
        assert_eq!(log.size_bytes(), log_bytes(&reactor).await, "its files are as they were");
        assert!(!names(&reactor, &dir()).await.iter().any(|name| name.ends_with(".cleaned")));
    });
}

/// Descriptors run out in the midst of a round, and are there again later.
#[test]
fn a_round_waits_for_descriptors_where_it_cannot_stop() {
    let mut cleaned_after = 0;
    for seed in seeds(40) {
        let (mut simulation, host) = filled(seed, 80, compacted(COMPACTION));
        let (log, before, round) = simulation.block_on(host, move |reactor| async move {
            let log = open(&reactor, compacted(COMPACTION)).await;
            let before = state(&log).await;
            let (cleaned, cleaning) = (log.clone(), reactor.clone());
            let round = reactor.spawn(ringlane_reactor::Queue::Background, async move {
                clean(&cleaning, &cleaned).await
            });
            reactor.sleep(Duration::from_micros(seed * 250)).await;
            (log, before, round)
        });
        let no_descriptors = DiskFaults { no_descriptors: true, ..DiskFaults::default() };
        simulation.set_disk_faults(host, no_descriptors);
        simulation.run_for(Duration::from_secs(1));
        simulation.set_disk_faults(host, DiskFaults::default());
        cleaned_after += simulation.block_on(host, move |reactor| async move {
            let done = round.await.is_some();
            assert_eq!(log.is_offline(), None, "seed {seed}");
            assert_eq!(state(&log).await, before, "seed {seed}");
            log.close().await.expect("a good disk");
            assert_eq!(state(&open(&reactor, compacted(COMPACTION)).await).await, before);
            u32::from(done)
        });
    }
    assert!(cleaned_after > 0);
}

/// The checksum leaves out a batch's offset. A wrong one would make the newest record of a key look older than another, or
/// reach where no segment goes.
#[test]
fn a_batch_with_a_wrong_offset_is_not_cleaned() {
    let path = dir().join("00000000000000000000.log");
    for bit in [0, 3, 20, 40, 63] {
        for batch in [0, 3, 7] {
            let (mut simulation, host) = filled(7, 100, compacted(COMPACTION));
            let mut bytes = simulation.read_file(host, &path).expect("it is there");
            let lens: Vec<_> = batches(&bytes).map(|batch| batch.expect("whole").len()).collect();
            let at = lens[..batch].iter().sum::<usize>();
            bytes[at + 7 - bit / 8] ^= 1 << (bit % 8);
            simulation.write_file(host, &path, &bytes).expect("written");
            simulation.block_on(host, move |reactor| async move {
                let log = open(&reactor, compacted(COMPACTION)).await;
                assert_eq!(clean(&reactor, &log).await, None, "bit {bit} of batch {batch}");
                assert_eq!(
                    log.size_bytes(),
                    log_bytes(&reactor).await,
                    "its files are as they were"
                );
            });
        }
    }
}

#[test]
fn a_shortage_holds_up_only_the_logs_that_it_concerns() {
    let (mut simulation, host) = filled(7, 200, compacted(COMPACTION));
    let (cleaner, logs) = simulation.block_on(host, |reactor| async move {
        let large = LogConfig { segment_bytes: 20_000, ..compacted(COMPACTION) };
        let (manager, other) = open_with_manager(&reactor, compacted(COMPACTION)).await;
        let (path, key) = (Path::new("/data/orders-1"), (TOPIC, PartitionIndex(1)));
        let log = Log::create(&manager, path, key, large).await.expect("a new log");
        for n in 0..200 {
            put(&log, n, &format!("k{n}"), Some(&[n as u8; 100])).await;
        }
        log.checkpoint().await.expect("a good disk");
        (Cleaner::new(&reactor, CleanerConfig::default()), [log, other])
    });
    let both = {
        let logs = logs.clone();
        move || {
            logs.each_ref()
                .map(|log| Cleanable { log: log.clone(), last_stable: log.log_end().offset() })
        }
    };
    simulation.set_disk_faults(host, DiskFaults { no_descriptors: true, ..DiskFaults::default() });
    let clean = both.clone();
    let cleaner = simulation.block_on(host, |_| async move {
        assert_eq!(cleaner.clean_dirtiest(clean().into()).await, None);
        cleaner
    });
    // Room for a segment of the other, and not for the large one of the first, all of whose records stay.
    let capacity_bytes = simulation.disk_bytes(host) + (4 << 12);
    simulation.set_disk_faults(host, DiskFaults { capacity_bytes, ..DiskFaults::default() });
    let clean = both.clone();
    let cleaner = simulation.block_on(host, |_| async move {
        let cleaned = cleaner.clean_dirtiest(clean().into()).await.expect("there is room for it");
        assert_eq!(cleaned.directory, dir());
        cleaner
    });
    simulation.set_disk_faults(host, DiskFaults::default());
    simulation.block_on(host, |_| async move {
        let cleaned =
            cleaner.clean_dirtiest(both().into()).await.expect("it was put off, not given up");
        assert_eq!(cleaned.directory, logs[0].directory());
    });
}

async fn log_bytes(reactor: &Reactor) -> u64 {
    let mut bytes = 0;
    for name in names(reactor, &dir()).await.iter().filter(|name| name.ends_with(".log")) {
        bytes += reactor.disk().metadata(&dir().join(name)).await.expect("it is there").len;
    }
    bytes
}

/// The last file of a swap is whole before it has that name: what is not comes from elsewhere.
#[test]
fn an_empty_file_under_the_name_of_a_swap_replaces_no_segment() {
    let (mut simulation, host) = filled(7, 100, compacted(COMPACTION));
    simulation.block_on(host, |reactor| async move {
        let log = open(&reactor, compacted(COMPACTION)).await;
        let before = state(&log).await;
        log.close().await.expect("a good disk");
        let path = dir().join("00000000000000000000.log.swap");
        for content in [&b""[..], b"no batch", &[0; 70]] {
            reactor.disk().replace(&path, content).await.expect("a good disk");
            let manager = manager(&reactor).await;
            let opened = Log::open(&manager, &dir(), KEY, compacted(COMPACTION)).await;
            let Err(refused) = opened else { panic!("it is refused") };
            let refused = refused.to_string();
            assert!(refused.contains("00000000000000000000.log.swap is no segment"), "{refused}");
            reactor.disk().remove_file(&path).await.expect("a good disk");
        }
        assert_eq!(state(&open(&reactor, compacted(COMPACTION)).await).await, before);
    });
}
