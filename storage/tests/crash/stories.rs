//! What a seed found once, told by itself, and what none would find.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ringlane_batch::{HighWatermark, Offset, TimestampMs, batches};
use ringlane_reactor::sim::{CrashKind, DiskFaults, Options};
use ringlane_reactor::{OpenOptions, Queue, Reactor};
use ringlane_storage::inspect::{producers, verify_log};
use ringlane_storage::journal::JournalConfig;
use ringlane_storage::{Log, LogConfig, LogManager, LogManagerConfig, Recovered};

use crate::common::*;
use crate::process::Process;
use crate::roles::Role;
use crate::world::{Life, World};

/// A torn tail at the recovery point, cut by recovery; the next batch rolls, so that nothing is written over it.
#[test]
fn a_tail_that_was_cut_does_not_come_back_behind_what_is_durable() {
    for seed in seeds(30) {
        let (mut simulation, host) = world(Options::seed(seed));
        simulation.block_on(host, |reactor| async move {
            let log = create(&reactor, small()).await;
            append(&log, batch(1)).await;
            log.close().await.expect("a good disk");
            let path = dir().join("00000000000000000000.log");
            let file = reactor.disk().open(&path, OpenOptions::WRITE).await.expect("it is there");
            file.write_at(&[1; 600], file.len().expect("a good disk")).expect("a good disk");
            file.sync_data().await.expect("a good disk");
            reactor.disk().sync_dir(Path::new("/")).await.expect("a good disk");
            let log = open(&reactor, LogConfig { segment_bytes: 200, ..small() }).await;
            append(&log, batch(2)).await;
            assert_eq!(log.segment_count(), 2);
            durable(&log).await;
        });
        simulation.crash(host, CrashKind::Power);
        simulation.block_on(host, |reactor| async move {
            let log = open(&reactor, small()).await;
            assert_eq!(log.log_end().0, 2);
            assert_eq!(read_all(&log).await.len(), 2 * batch(1).len());
        });
    }
}

/// The index files of every segment are gone, the active one's too, of which the checkpoint says how long they were.
#[test]
fn indexes_that_somebody_removed_are_built_anew() {
    let (mut simulation, host) = world(Options::seed(1));
    simulation.block_on(host, |reactor| async move {
        let log = create(&reactor, small()).await;
        for n in 0..30 {
            append(&log, batch(n)).await;
        }
        log.close().await.expect("a good disk");
        for name in names(&reactor, &dir()).await.iter().filter(|name| name.ends_with("index")) {
            reactor.disk().remove_file(&dir().join(name)).await.expect("it is there");
        }
        let log = open(&reactor, small()).await;
        assert!(log.segment_count() > 1);
        for n in 0..30 {
            let at = log.offset_for_timestamp(TimestampMs(n)).await.expect("a good disk");
            assert_eq!(at.map(|at| at.offset.0), Some(n));
        }
        log.close().await.expect("a good disk");
        let report = verify_log(&reactor.disk(), &dir(), None, &|_| ()).await;
        assert_eq!(report.problems, []);
    });
}

/// An append waits for room in the journal while rounds come and go, each of which closes the files of idle logs.
#[test]
fn an_append_that_waits_for_long_finds_its_files_open() {
    let (mut simulation, host) = world(Options::seed(1));
    simulation.block_on(host, |reactor| async move {
        let (manager, log) = {
            create(&reactor, small()).await.close().await.expect("a good disk");
            open_with_manager(&reactor, small()).await
        };
        for round in 0..40 {
            let appends = (0..12).map(|n| {
                let log = log.clone();
                let append = async move { append(&log, batch_of(&[n], 900, None)).await };
                reactor.spawn(Queue::Client, append)
            });
            let appends: Vec<_> = appends.collect();
            reactor.yield_now().await;
            if round % 2 == 0 {
                manager.checkpoint().await.expect("a good disk");
            }
            for append in appends {
                append.await;
            }
        }
        durable(&log).await;
    });
}

/// The log's start lies within a batch, and so does the cut.
#[test]
fn a_cut_in_the_batch_of_the_start_leaves_an_empty_log_there() {
    let (mut simulation, host) = world(Options::seed(1));
    simulation.block_on(host, |reactor| async move {
        let log = create(&reactor, small()).await;
        append(&log, batch_of(&[1, 2, 3, 4], 10, None)).await;
        durable(&log).await;
        let deleted = log.delete_records_before(Offset(2), HighWatermark(4)).await;
        assert_eq!(deleted.expect("a good disk").0, 2);
        assert_eq!(log.truncate_to(Offset(3)).await.expect("a good disk").0, 2);
        assert_eq!(append(&log, batch(9)).await.base_offset.0, 2);
        durable(&log).await;
        reactor.disk().sync_dir(Path::new("/")).await.expect("a good disk");
    });
    simulation.crash(host, CrashKind::Power);
    simulation.block_on(host, |reactor| async move {
        let log = open(&reactor, small()).await;
        assert_eq!((log.log_start().0, log.log_end().0), (2, 3));
        assert_eq!(read_all(&log).await.len(), batch(9).len());
    });
}

/// A truncation takes a batch that reaches across the log's start: nobody knows what producers have sent between the batch
/// before it and the start, and they are not refused what comes next.
#[test]
fn a_log_that_begins_anew_at_its_start_takes_any_sequence() {
    let (mut simulation, host) = world(Options::seed(1));
    let sent = |first, count| batch_of(&vec![1; count], 10, Some((7, 0, first)));
    simulation.block_on(host, move |reactor| async move {
        let log = create(&reactor, small()).await;
        append(&log, sent(0, 2)).await;
        append(&log, sent(2, 4)).await;
        durable(&log).await;
        log.delete_records_before(Offset(4), HighWatermark(6)).await.expect("a good disk");
        assert_eq!(log.truncate_to(Offset(5)).await.expect("a good disk").0, 4);
        reactor.disk().sync_dir(Path::new("/")).await.expect("a good disk");
    });
    simulation.crash(host, CrashKind::Power);
    simulation.block_on(host, move |reactor| async move {
        let log = open(&reactor, small()).await;
        assert_eq!(append(&log, sent(6, 1)).await.base_offset.0, 4);
    });
}

/// Of two shards' journals one is of no use any more, and its files are removed: of names that nobody has synced a power cut takes
/// some and leaves others.
#[test]
fn a_crash_among_journals_that_are_removed_is_no_damage() {
    let run = |seed, cut| {
        let mut world = World::new(Options::seed(seed), vec![Role::Kept], 8);
        // A round takes longer than it takes to fill a file: what no checkpoint covers reaches through several.
        let slow = DiskFaults { slow_one_in: 5, ..DiskFaults::default() };
        world.simulation.set_disk_faults(world.host, slow);
        let filled = world.boot(2, 1, |start| async move {
            let mut process = Process::start(start).await;
            for _ in 0..30 {
                process.append(0).await;
                durable(&process.logs[0]).await;
                process.look(0);
            }
        });
        assert!(filled.is_some(), "nothing interrupts it");
        let kind = CrashKind::Power;
        world.simulation.crash(world.host, kind);
        world.died(kind);
        world.simulation.set_disk_faults(world.host, DiskFaults::default());
        let life = Life { seed: 1, shards: 1, steps: 0, closes: false, kind };
        let operations = world.live(life, cut);
        world.finish(1);
        operations
    };
    for seed in seeds(10) {
        let operations = run(seed, None);
        // The removal comes last.
        for cut in operations - 8..operations {
            run(seed, Some(cut));
        }
    }
}

/// The snapshot at the base of the first segment is one that a round wrote which never ended, and everything before it is
/// deleted: the start does not come by there, and yet leaves it whole.
#[test]
fn a_torn_snapshot_at_the_first_segment_is_written_anew() {
    for seed in seeds(20) {
        let (mut simulation, host) = world(Options::seed(seed));
        let sent = |n: i64| batch_of(&[n], 50, Some((7, 0, n as i32)));
        let snapshot = simulation.block_on(host, move |reactor| async move {
            let log = create_with_rounds_on_demand(&reactor).await;
            let mut base = -1;
            while log.segment_count() == 1 {
                log.checkpoint().await.expect("a good disk");
                base = append(&log, sent(base + 1)).await.base_offset.0;
            }
            durable(&log).await;
            let deleted = log.delete_records_before(Offset(base), HighWatermark(base)).await;
            deleted.expect("a good disk");
            let path = dir().join(format!("{base:020}.snapshot"));
            reactor.disk().replace(&path, b"torn").await.expect("a good disk");
            reactor.disk().sync_dir(Path::new("/")).await.expect("a good disk");
            assert_eq!((log.recovery_point().0, log.segment_count()), (base, 1));
            path
        });
        simulation.crash(host, CrashKind::Power);
        simulation.block_on(host, move |reactor| async move {
            let log = open(&reactor, small()).await;
            log.close().await.expect("a good disk");
            let known = producers(&reactor.disk(), &snapshot).await.expect("a good disk");
            let known = known.expect("a whole snapshot");
            assert_eq!(known[0].last_offset, log.log_start().offset().plus(-1));
            let report = verify_log(&reactor.disk(), &dir(), None, &|_| ()).await;
            assert_eq!(report.problems, []);
        });
    }
}

/// The log of these tests, of a shard that has no round of checkpoints unless one is asked for.
async fn create_with_rounds_on_demand(reactor: &Reactor) -> Log {
    let (disk, data) = (reactor.disk(), Path::new("/data"));
    disk.create_dir_all(data).await.expect("a good disk");
    let recovered = Arc::new(Recovered::read(&disk, data).await.expect("an empty directory"));
    let config = LogManagerConfig {
        journal: JournalConfig { file_bytes: 1 << 20, ..manager_config().journal },
        checkpoint_interval_bytes: u64::MAX,
        ..manager_config()
    };
    let manager = LogManager::new(reactor, data, recovered, config);
    let log = Log::create(&manager, &dir(), KEY, small()).await.expect("a new log");
    begin(&manager).await;
    log
}

/// A round tells the state of a log a moment after it has marked the journal's end: what the journal has in between is
/// not needed.
#[test]
fn damage_to_what_a_checkpoint_covers_is_no_loss() {
    const BATCHES: i64 = 12;
    let mut covered = 0;
    for seed in seeds(40) {
        let lived = || {
            let (mut simulation, host) = world(Options::seed(seed));
            let stored = simulation.block_on(host, move |reactor| async move {
                let log = create_with_rounds_on_demand(&reactor).await;
                reactor.disk().sync_dir(Path::new("/")).await.expect("a good disk");
                let (checked, checking) = (log.clone(), reactor.clone());
                let round = reactor.spawn(Queue::Background, async move {
                    checking.sleep(Duration::from_micros(seed * 50)).await;
                    checked.checkpoint().await.expect("a good disk");
                });
                for n in 0..BATCHES {
                    append(&log, batch(n)).await;
                    durable(&log).await;
                }
                round.await;
                (read_all(&log).await, log.recovery_point().0)
            });
            simulation.crash(host, CrashKind::Process);
            (simulation, host, stored)
        };
        let (_, _, (bytes, recovery_point)) = lived();
        let mut at = 0;
        for (n, stored) in (0..).zip(batches(&bytes)) {
            let stored = stored.expect("whole").as_bytes();
            let (mut simulation, host, _) = lived();
            let is_there = (0..3).any(|file| {
                let path = format!("/data/journal/shard-0-{file}.journal");
                let mut journal = simulation.read_file(host, &path).unwrap_or_default();
                let found = journal.windows(stored.len()).position(|window| window == stored);
                if let Some(found) = found {
                    journal[found + stored.len() - 1] ^= 1;
                    simulation.write_file(host, &path, &journal).expect("written");
                }
                found.is_some()
            });
            assert!(is_there, "seed {seed}: batch {n}");
            at += stored.len();
            if n < recovery_point {
                covered += 1;
                simulation.block_on(host, move |reactor| async move {
                    let log = open(&reactor, small()).await;
                    assert_eq!(log.log_end().0, BATCHES, "seed {seed}: batch {n}");
                });
            }
        }
        assert_eq!(at, bytes.len());
    }
    assert!(covered > 0);
}

/// The journal has what came after a log was made durable, and proves nothing of what it lacks.
#[test]
fn what_came_before_the_journal_is_synced_before_what_is_in_it_counts() {
    for seed in seeds(20) {
        let (mut simulation, host) = world(Options::seed(seed));
        simulation.block_on(host, |reactor| async move {
            let log = create(&reactor, LogConfig { durable: false, ..small() }).await;
            reactor.disk().sync_dir(Path::new("/")).await.expect("a good disk");
            append(&log, batch(1)).await;
            log.set_config(small());
            append(&log, batch(2)).await;
            durable(&log).await;
        });
        simulation.crash(host, CrashKind::Power);
        simulation.block_on(host, |reactor| async move {
            assert_eq!(open(&reactor, small()).await.log_end().0, 2);
        });
    }
}

/// Nobody crashed: somebody cut a file whose bytes were synced.
#[test]
fn a_segment_that_is_shorter_than_it_was_is_refused() {
    let (mut simulation, host) = world(Options::seed(1));
    simulation.block_on(host, |reactor| async move {
        let log = create(&reactor, small()).await;
        append(&log, batch(1)).await;
        append(&log, batch(2)).await;
        log.close().await.expect("a good disk");
        let path = dir().join("00000000000000000000.log");
        let file = reactor.disk().open(&path, OpenOptions::WRITE).await.expect("it is there");
        file.set_len(batch(1).len() as u64).expect("a good disk");
        let manager = manager(&reactor).await;
        let refused = Log::open(&manager, &dir(), KEY, small()).await.err();
        let refused = refused.expect("records are lost").to_string();
        assert!(refused.contains("records that were acknowledged are lost"), "{refused}");
    });
}

/// Of the batch that holds the log's start only some records can be read.
#[test]
fn the_largest_timestamp_is_one_that_can_be_read() {
    let (mut simulation, host) = world(Options::seed(1));
    simulation.block_on(host, |reactor| async move {
        let log = create(&reactor, small()).await;
        append(&log, batch_of(&[90, 20, 30], 10, None)).await;
        append(&log, batch_of(&[25], 10, None)).await;
        durable(&log).await;
        log.delete_records_before(Offset(1), HighWatermark(4)).await.expect("a good disk");
        let largest = log.max_timestamp().await.expect("a good disk").expect("there is one");
        assert_eq!((largest.offset.0, largest.timestamp.0), (2, 30));
    });
}
