//! Single stories of compaction: a crash at each step of a round, damage, lags, the throttle, memory that is too small.

mod beside;
#[path = "../common/mod.rs"]
mod common;
mod failures;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use common::*;
use ringlane_batch::{BatchBuilder, BatchFields, BatchView, Codec, Offset, TimestampMs, batches};
use ringlane_reactor::Reactor;
use ringlane_reactor::sim::{CrashKind, HostId, Options, Simulation};
use ringlane_storage::inspect::{rebuild_index, verify_log};
use ringlane_storage::{
    Cleanable, Cleaned, Cleaner, CleanerConfig, CompactionConfig, Log, LogConfig,
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

/// A consumer whose fetches come back without records, one for each segment that was emptied, gives up (librdkafka).
#[test]
fn a_read_passes_over_segments_without_records() {
    let (mut simulation, host) = filled(1, 200, compacted(COMPACTION));
    simulation.block_on(host, |reactor| async move {
        let log = open(&reactor, compacted(COMPACTION)).await;
        clean(&reactor, &log).await.expect("it is due");
        let (first, end) = (rows(&log).await[0].0, log.log_end().offset());
        let read = log.read(Offset(0), 1 << 20, end, true).await.expect("a good disk");
        let held =
            |batch: BatchView<'_>| batch.record_count() > 0 && batch.last_offset().0 >= first;
        let mut found = batches(&read.batches[0]).map(|batch| batch.expect("whole batches"));
        assert!(first > 100 && found.any(held), "from 0 on, {first} is found");
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

/// A producer's last batch stays as a header, with a timestamp of records that are gone.
#[test]
fn indexes_of_a_compacted_log_that_are_built_anew_are_right() {
    let (mut simulation, host) = world(Options::seed(5));
    simulation.block_on(host, |reactor| async move {
        let log = create(&reactor, compacted(COMPACTION)).await;
        append(&log, batch_of(&[5000], 50, Some((1, 0, 0)))).await;
        put(&log, 10, "key", Some(b"newer")).await;
        fill(&log, 60).await;
        clean(&reactor, &log).await.expect("it is due");
        log.close().await.expect("a good disk");
        let disk = reactor.disk();
        for name in names(&reactor, &dir()).await.iter().filter(|name| name.ends_with(".log")) {
            rebuild_index(&disk, &dir().join(name), 100, &|_| {}).await.expect("a good disk");
        }
        let report = verify_log(&disk, &dir(), None, &|_| ()).await;
        assert_eq!(report.problems, []);
    });
}
