//! Single stories of compaction: a crash at each step of a round, damage, lags, the throttle, memory that is too small.

mod common;

use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use common::*;
use ringlane_batch::{
    BatchBuilder, BatchFields, Codec, Offset, PartitionIndex, TimestampMs, batches,
};
use ringlane_reactor::sim::{CrashKind, DiskFaults, HostId, Options, Simulation};
use ringlane_reactor::{OpenOptions, Reactor};
use ringlane_storage::{
    Cleanable, Cleaned, Cleaner, CleanerConfig, CompactionConfig, Log, LogConfig, ScrubConfig,
    Scrubber,
};

const COMPACTION: CompactionConfig = CompactionConfig {
    min_cleanable_dirty_ratio: 0.0,
    min_compaction_lag_ms: 0,
    max_compaction_lag_ms: i64::MAX,
    delete_retention_ms: 60_000,
};

fn compacted(compaction: CompactionConfig) -> LogConfig {
    LogConfig { compaction: Some(compaction), ..small() }
}

async fn put(log: &Log, timestamp: i64, key: &str, value: Option<&[u8]>) {
    let mut builder = BatchBuilder::new(Codec::None);
    builder.append(TimestampMs(timestamp), Some(key.as_bytes()), value, &[]);
    append(log, builder.finish(&BatchFields::default()).to_vec()).await;
}

/// `count` records over ten keys, then a checkpoint.
async fn fill(log: &Log, count: i64) {
    for n in 0..count {
        put(log, n, &format!("k{}", n % 10), Some(&[n as u8; 100])).await;
    }
    log.checkpoint().await.expect("a good disk");
}

async fn rows(log: &Log) -> Vec<(i64, String, bool)> {
    let bytes = read_all(log).await;
    let mut rows = Vec::new();
    for batch in batches(&bytes) {
        let records = batch.expect("whole batches").records(1 << 20).expect("it decompresses");
        for record in records.iter().map(|record| record.expect("a good record")) {
            let key = String::from_utf8(record.key.expect("a key").to_vec()).expect("text");
            rows.push((record.offset.0, key, record.value.is_some()));
        }
    }
    rows
}

/// Where the last record of each key is.
async fn state(log: &Log) -> BTreeMap<String, i64> {
    rows(log).await.into_iter().map(|(offset, key, _)| (key, offset)).collect()
}

async fn clean_with(reactor: &Reactor, log: &Log, config: CleanerConfig) -> Option<Cleaned> {
    let cleanable = Cleanable { log: log.clone(), last_stable: log.log_end().offset() };
    Cleaner::new(reactor, config).clean_dirtiest(vec![cleanable]).await
}

async fn clean(reactor: &Reactor, log: &Log) -> Option<Cleaned> {
    clean_with(reactor, log, CleanerConfig::default()).await
}

/// A host with a log of `count` records, closed.
fn filled(seed: u64, count: i64, config: LogConfig) -> (Simulation, HostId) {
    let (mut simulation, host) = world(Options::seed(seed));
    simulation.block_on(host, move |reactor| async move {
        let log = create(&reactor, config).await;
        reactor.disk().sync_dir(Path::new("/")).await.expect("a good disk");
        fill(&log, count).await;
        log.close().await.expect("a good disk");
    });
    (simulation, host)
}

#[test]
fn a_round_keeps_the_last_record_of_each_key_and_gives_the_space_back() {
    let (mut simulation, host) = filled(1, 200, compacted(COMPACTION));
    simulation.block_on(host, |reactor| async move {
        let log = open(&reactor, compacted(COMPACTION)).await;
        let (before, size, count) = (state(&log).await, log.size_bytes(), log.segment_count());
        let cleaned = clean(&reactor, &log).await.expect("it is due");
        assert_eq!(state(&log).await, before);
        assert!(log.size_bytes() < size / 2, "{size} bytes became {}", log.size_bytes());
        assert!(log.segment_count() <= count);
        assert_eq!(clean(&reactor, &log).await, None, "nothing is dirty any more");
        log.close().await.expect("a good disk");
        let log = open(&reactor, compacted(COMPACTION)).await;
        assert_eq!((state(&log).await, log.recovery_point().0), (before, 200));
        assert_eq!(clean(&reactor, &log).await, None, "a restart knows what was cleaned");
        assert!(cleaned.to.0 > 150);
        fill(&log, 40).await;
        clean(&reactor, &log).await.expect("it is due");
        assert!(log.segment_count() < count / 2, "what became small shares a segment");
    });
}

/// Walks the cut through every write and sync of a round, and of the start that finds what it left.
#[test]
fn a_crash_at_any_step_of_a_round_leaves_the_same_state() {
    let cut_until = |seed, kind| {
        let mut cuts = 0;
        loop {
            let (mut simulation, host) = filled(seed, 60, compacted(COMPACTION));
            simulation.crash_at(host, cuts, kind);
            let ended = simulation.try_block_on(host, |reactor| async move {
                let log = open(&reactor, compacted(COMPACTION)).await;
                clean(&reactor, &log).await.expect("it is due");
            });
            // The start after it is cut too, and then the power fails.
            simulation.crash(host, kind);
            simulation.crash_at(host, cuts % 7, kind);
            let _ = simulation.try_block_on(host, |reactor| async move {
                open(&reactor, compacted(COMPACTION)).await;
            });
            simulation.crash(host, CrashKind::Power);
            simulation.block_on(host, move |reactor| async move {
                let log = open(&reactor, compacted(COMPACTION)).await;
                let expected = (50..60).map(|n| (format!("k{}", n % 10), n)).collect();
                assert_eq!(state(&log).await, expected, "cut at {cuts}");
                assert_eq!(log.log_end().0, 60);
                for name in names(&reactor, &dir()).await {
                    assert!(!name.ends_with(".swap") && !name.ends_with(".cleaned"), "{name}");
                }
                clean(&reactor, &log).await;
                assert_eq!(state(&log).await, expected, "cut at {cuts}, and cleaned again");
                assert!(rows(&log).await.len() < 40);
            });
            if ended.is_ok() {
                return cuts;
            }
            cuts += 1;
        }
    };
    for seed in 0..8 {
        for kind in [CrashKind::Process, CrashKind::Power] {
            let cuts = cut_until(seed, kind);
            assert!(cuts > 30, "{cuts} operations are not a round");
        }
    }
}

#[test]
fn a_tombstone_is_seen_for_its_time_and_then_goes() {
    let (mut simulation, host) = filled(2, 0, compacted(COMPACTION));
    simulation.block_on(host, |reactor| async move {
        let log = open(&reactor, compacted(COMPACTION)).await;
        put(&log, 1, "gone", Some(b"old")).await;
        put(&log, 2, "gone", None).await;
        fill(&log, 40).await;
        clean(&reactor, &log).await.expect("it is due");
        let of_gone = |rows: Vec<(i64, String, bool)>| -> Vec<_> {
            rows.into_iter().filter(|row| row.1 == "gone").map(|row| (row.0, row.2)).collect()
        };
        assert_eq!(of_gone(rows(&log).await), [(1, false)], "the tombstone stays, its record goes");
        reactor.sleep(Duration::from_millis(59_000)).await;
        fill(&log, 40).await;
        clean(&reactor, &log).await.expect("it is due");
        assert_eq!(of_gone(rows(&log).await), [(1, false)]);
        reactor.sleep(Duration::from_millis(1_000)).await;
        fill(&log, 40).await;
        clean(&reactor, &log).await.expect("it is due");
        assert_eq!(of_gone(rows(&log).await), []);
    });
}

#[test]
fn a_map_that_is_too_small_cleans_step_by_step() {
    let (mut simulation, host) = filled(3, 100, compacted(COMPACTION));
    simulation.block_on(host, |reactor| async move {
        let log = open(&reactor, compacted(COMPACTION)).await;
        let before = state(&log).await;
        let config = CleanerConfig { dedupe_buffer_bytes: 5 * 24, ..CleanerConfig::default() };
        let (mut next, mut rounds) = (Offset(0), 0);
        while let Some(cleaned) = clean_with(&reactor, &log, config).await {
            assert_eq!(cleaned.from, next, "it goes on where it stopped");
            (next, rounds) = (cleaned.to, rounds + 1);
            assert_eq!(state(&log).await, before);
        }
        assert!(rounds > 15, "four keys a round: {rounds} rounds");
    });
}

#[test]
fn the_throttle_holds_the_rate_and_others_run_meanwhile() {
    let (mut simulation, host) = filled(4, 200, compacted(COMPACTION));
    simulation.block_on(host, |reactor| async move {
        let log = open(&reactor, compacted(COMPACTION)).await;
        let rate = 5_000.0;
        let config = CleanerConfig {
            io_max_bytes_per_second: rate,
            io_buffer_bytes: 1 << 10,
            ..CleanerConfig::default()
        };
        let began = reactor.now();
        let cleaned = clean_with(&reactor, &log, config).await.expect("it is due");
        let seconds = (reactor.now() - began).as_secs_f64();
        // The dirty part is read twice, and what is left is written.
        let bytes = (2 * cleaned.bytes_before + cleaned.bytes_after) as f64;
        let expected = bytes / rate;
        assert!(
            seconds > expected - 0.2 && seconds < expected * 1.1,
            "{bytes} bytes took {seconds} s, not {expected}"
        );
    });
}

#[test]
fn a_throttle_that_is_eased_frees_the_round_that_waits() {
    let (mut simulation, host) = filled(4, 200, compacted(COMPACTION));
    simulation.block_on(host, |reactor| async move {
        let log = open(&reactor, compacted(COMPACTION)).await;
        let hardly = CleanerConfig { io_max_bytes_per_second: 1.0, ..CleanerConfig::default() };
        let cleaner = Rc::new(Cleaner::new(&reactor, hardly));
        let cleanable = Cleanable { log: log.clone(), last_stable: log.log_end().offset() };
        let cleaning = cleaner.clone();
        let round = reactor.spawn(ringlane_reactor::Queue::Background, async move {
            cleaning.clean_dirtiest(vec![cleanable]).await
        });
        reactor.sleep(Duration::from_secs(60)).await;
        let eased = reactor.now();
        cleaner.set_config(CleanerConfig::default());
        assert!(round.await.is_some());
        assert!(reactor.now() - eased < Duration::from_secs(2));
    });
}

#[test]
fn a_cleaner_that_waits_for_its_next_look_obeys_a_shorter_wait() {
    let (mut simulation, host) = filled(4, 200, compacted(COMPACTION));
    simulation.block_on(host, |reactor| async move {
        let log = open(&reactor, LogConfig { compaction: None, ..small() }).await;
        let seldom = CleanerConfig { backoff_ms: 1 << 40, ..CleanerConfig::default() };
        let cleaner = Rc::new(Cleaner::new(&reactor, seldom));
        let (cleaning, cleaned) = (cleaner.clone(), log.clone());
        let endless = reactor.spawn(ringlane_reactor::Queue::Background, async move {
            let last_stable = cleaned.log_end().offset();
            cleaning.run(|| vec![Cleanable { log: cleaned.clone(), last_stable }]).await;
        });
        reactor.sleep(Duration::from_secs(1)).await;
        let before = log.size_bytes();
        log.set_config(compacted(COMPACTION));
        cleaner.set_config(CleanerConfig { backoff_ms: 10, ..CleanerConfig::default() });
        reactor.sleep(Duration::from_secs(1)).await;
        assert!(log.size_bytes() < before);
        drop(endless);
    });
}

#[test]
fn a_log_that_is_not_to_be_compacted_any_more_is_left_as_it_is() {
    for seed in seeds(40) {
        let (mut simulation, host) = filled(seed, 80, compacted(COMPACTION));
        simulation.block_on(host, move |reactor| async move {
            let log = open(&reactor, compacted(COMPACTION)).await;
            let (cleaned, cleaning) = (log.clone(), reactor.clone());
            // Of six seconds it waits nearly all for what it may read and write.
            let slow = CleanerConfig {
                io_max_bytes_per_second: 5000.0,
                io_buffer_bytes: 1 << 10,
                ..CleanerConfig::default()
            };
            let round = reactor.spawn(ringlane_reactor::Queue::Background, async move {
                clean_with(&cleaning, &cleaned, slow).await
            });
            reactor.sleep(Duration::from_millis(seed * 137)).await;
            log.set_config(small());
            let (changed, left) = (reactor.now(), log.size_bytes());
            assert_eq!(round.await, None, "seed {seed}");
            assert!(reactor.now() - changed < Duration::from_millis(1500), "seed {seed}");
            assert_eq!(log.size_bytes(), left, "seed {seed}");
        });
    }
}

#[test]
fn young_records_wait_and_old_ones_are_cleaned_at_any_ratio() {
    let (mut simulation, host) = filled(5, 100, small());
    simulation.block_on(host, |reactor| async move {
        let log = open(&reactor, small()).await;
        assert_eq!(clean(&reactor, &log).await, None, "it is not compacted");
        let now_ms = reactor.wall_clock_ms();
        // Timestamps of the records are 0..100: the lag ends between them.
        let young = CompactionConfig { min_compaction_lag_ms: now_ms - 50, ..COMPACTION };
        log.set_config(compacted(young));
        let cleaned = clean(&reactor, &log).await.expect("the older half is due");
        assert!((30..=52).contains(&cleaned.to.0), "cleaned up to {}", cleaned.to);
        let ratio = CompactionConfig { min_cleanable_dirty_ratio: 1.0, ..COMPACTION };
        log.set_config(compacted(ratio));
        assert_eq!(clean(&reactor, &log).await, None, "not dirty enough");
        let overdue = CompactionConfig { max_compaction_lag_ms: now_ms - 100, ..ratio };
        log.set_config(compacted(overdue));
        assert!(clean(&reactor, &log).await.is_some(), "too old to wait");
    });
}

#[test]
fn nothing_is_touched_from_the_last_stable_offset_on() {
    let (mut simulation, host) = filled(6, 100, compacted(COMPACTION));
    simulation.block_on(host, |reactor| async move {
        let log = open(&reactor, compacted(COMPACTION)).await;
        let cleaner = Cleaner::new(&reactor, CleanerConfig::default());
        let cleanable = Cleanable { log: log.clone(), last_stable: Offset(60) };
        let cleaned = cleaner.clean_dirtiest(vec![cleanable]).await.expect("it is due");
        assert!(cleaned.to.0 <= 60);
        let found = rows(&log).await;
        assert!((60..100).all(|n| found.iter().any(|row| row.0 == n)));
    });
}

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

/// Readers that look for the same offsets while segments are replaced under them.
#[test]
fn reads_beside_a_round_see_one_side_or_the_other() {
    for seed in seeds(40) {
        let (mut simulation, host) = filled(seed, 80, compacted(COMPACTION));
        simulation.block_on(host, |reactor| async move {
            let log = open(&reactor, compacted(COMPACTION)).await;
            let (before, reading) = (state(&log).await, log.clone());
            let task_reactor = reactor.clone();
            let reader = reactor.spawn(ringlane_reactor::Queue::Client, async move {
                for n in 0..400 {
                    let found = reading.offset_for_timestamp(TimestampMs(70 + n % 10)).await;
                    assert_eq!(
                        found.expect("it can be read").expect("it is there").offset.0,
                        70 + n % 10
                    );
                    assert_eq!(state(&reading).await, before);
                    task_reactor.yield_now().await;
                }
            });
            let config = CleanerConfig { io_buffer_bytes: 1 << 10, ..CleanerConfig::default() };
            clean_with(&reactor, &log, config).await.expect("it is due");
            reader.await;
        });
    }
}

/// A round of checkpoints closes the files of complete segments, and not those of one whose files change their names: by name
/// a reader would find another segment's.
#[test]
fn readers_keep_the_files_of_a_new_segment_while_rounds_come_and_go() {
    for seed in seeds(20) {
        let (mut simulation, host) = filled(seed, 80, compacted(COMPACTION));
        simulation.block_on(host, |reactor| async move {
            let log = open(&reactor, compacted(COMPACTION)).await;
            let (before, reading, rounds) = (state(&log).await, log.clone(), log.clone());
            let reader = reactor.spawn(ringlane_reactor::Queue::Client, async move {
                for _ in 0..40 {
                    assert_eq!(state(&reading).await, before);
                }
            });
            let rounds = reactor.spawn(ringlane_reactor::Queue::Background, async move {
                for _ in 0..40 {
                    rounds.checkpoint().await.expect("a good disk");
                }
            });
            clean(&reactor, &log).await.expect("it is due");
            reader.await;
            rounds.await;
        });
    }
}

/// While the files of a new segment change their names, the old one's still has its own.
#[test]
fn a_scrub_beside_a_round_takes_nothing_for_damage() {
    for seed in seeds(30) {
        let (mut simulation, host) = filled(seed, 80, compacted(COMPACTION));
        simulation.block_on(host, move |reactor| async move {
            let log = open(&reactor, compacted(COMPACTION)).await;
            let config = ScrubConfig { bytes_per_second: 1 << 40, interval: Duration::ZERO };
            let (scrubber, scrubbed) = (Scrubber::new(&reactor, config), log.clone());
            let scrubs = reactor.spawn(ringlane_reactor::Queue::Background, async move {
                for _ in 0..40 {
                    scrubber.scrub(&scrubbed).await;
                }
            });
            clean(&reactor, &log).await.expect("it is due");
            scrubs.await;
            assert_eq!(log.damaged_ranges(), [], "seed {seed}");
        });
    }
}

#[test]
fn a_log_that_is_truncated_or_closed_under_the_cleaner_is_left_as_it_is() {
    for seed in seeds(60) {
        let (mut simulation, host) = filled(seed, 80, compacted(COMPACTION));
        simulation.block_on(host, move |reactor| async move {
            let log = open(&reactor, compacted(COMPACTION)).await;
            let cleaner = Cleaner::new(&reactor, CleanerConfig::default());
            let cleanable = Cleanable { log: log.clone(), last_stable: Offset(40) };
            let round = reactor.spawn(ringlane_reactor::Queue::Background, async move {
                cleaner.clean_dirtiest(vec![cleanable]).await
            });
            reactor.sleep(Duration::from_micros(seed * 97 % 5000)).await;
            match seed % 2 {
                0 => _ = log.truncate_to(Offset(45)).await.expect("a good disk"),
                _ => _ = log.close().await.expect("a good disk"),
            }
            round.await;
            if seed % 2 == 1 {
                assert!(log.is_offline().is_some());
            }
            let end = if seed % 2 == 0 { 45 } else { 80 };
            drop(log);
            let log = open(&reactor, compacted(COMPACTION)).await;
            let expected = (end - 10..end).map(|n| (format!("k{}", n % 10), n)).collect();
            assert_eq!(state(&log).await, expected);
        });
    }
}
