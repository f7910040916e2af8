//! What goes on beside a round: settings that change, readers, checkpoints, the scrubber, a truncation.

use std::rc::Rc;
use std::time::Duration;

use ringlane_batch::{Offset, TimestampMs};
use ringlane_storage::{Cleanable, Cleaner, CleanerConfig, LogConfig, ScrubConfig, Scrubber};

use crate::common::*;
use crate::{COMPACTION, clean, clean_with, compacted, filled, put, state};

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

/// No round of checkpoints is due for a minute: nothing was appended to speak of.
#[test]
fn what_was_rolled_a_moment_ago_is_cleaned_soon() {
    let (mut simulation, host) = filled(4, 10, compacted(COMPACTION));
    simulation.block_on(host, |reactor| async move {
        let log = open(&reactor, compacted(COMPACTION)).await;
        for n in 0..25 {
            put(&log, n, &format!("k{}", n % 10), Some(&[n as u8; 100])).await;
        }
        let (before, size) = (state(&log).await, log.size_bytes());
        let config = CleanerConfig { backoff_ms: 10, ..CleanerConfig::default() };
        let (cleaner, cleaned) = (Cleaner::new(&reactor, config), log.clone());
        let endless = reactor.spawn(ringlane_reactor::Queue::Background, async move {
            let last_stable = cleaned.log_end().offset();
            cleaner.run(|| vec![Cleanable { log: cleaned.clone(), last_stable }]).await;
        });
        reactor.sleep(Duration::from_secs(10)).await;
        assert!(log.size_bytes() < size, "{size} bytes are {}", log.size_bytes());
        assert_eq!(state(&log).await, before);
        drop(endless);
    });
}

#[test]
fn a_cleaner_that_looks_without_end_lets_others_run() {
    let (mut simulation, host) = filled(4, 200, compacted(COMPACTION));
    simulation.block_on(host, |reactor| async move {
        let log = open(&reactor, LogConfig { compaction: None, ..small() }).await;
        let always = CleanerConfig { backoff_ms: 0, ..CleanerConfig::default() };
        let (cleaner, cleaned) = (Cleaner::new(&reactor, always), log.clone());
        let endless = reactor.spawn(ringlane_reactor::Queue::Background, async move {
            let last_stable = cleaned.log_end().offset();
            cleaner.run(|| vec![Cleanable { log: cleaned.clone(), last_stable }]).await;
        });
        reactor.yield_now().await;
        append(&log, batch(1)).await;
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
