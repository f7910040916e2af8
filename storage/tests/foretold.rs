//! What [`log_recoveries`] says that a start would do is what the start does, of a log whose process was killed and of whose
//! files some were cut or removed meanwhile.

mod common;

use std::path::{Path, PathBuf};

use common::*;
use ringlane_batch::{HighWatermark, Offset, PartitionIndex};
use ringlane_reactor::sim::{CrashKind, HostId, Options, Simulation};
use ringlane_reactor::{Disk, Reactor};
use ringlane_storage::Log;
use ringlane_storage::inspect::{
    LogRecovery, PartitionPath, Reach, Remedy, log_recoveries, verify_log,
};

const LOST: &str = "records that were acknowledged are lost";

const CHECKPOINT: &str = "/data/journal/shard-0.checkpoint";
const KEPT: &str = "/data/kept.checkpoint";

/// Where the log ends, or why it stays offline.
type End = Result<i64, String>;

/// Lets a log live, kills its process, has `harm` change its files, and asks what a start would do: the start does that.
fn end_after<F: Future<Output = ()> + 'static>(
    life: impl FnOnce(Reactor, Log) -> F + 'static,
    harm: impl FnOnce(&mut Simulation, HostId),
) -> End {
    let (mut simulation, host) = world(Options::seed(1));
    simulation.block_on(host, |reactor| async move {
        let log = create(&reactor, small()).await;
        life(reactor, log).await;
    });
    simulation.crash(host, CrashKind::Process);
    harm(&mut simulation, host);
    let said = simulation.block_on(host, |reactor| async move { foretold(&reactor.disk()).await });
    let done = simulation.block_on(host, started);
    match (&said, &done) {
        (Err(said), Err(done)) => assert!(done.contains(said), "said: {said}; done: {done}"),
        _ => assert_eq!(said, done, "what was said, and what was done"),
    }
    done
}

/// Says so where a start refuses the log because of what lies in its directory.
fn refused_for(harm: impl FnOnce(&mut Simulation, HostId), because: &str) {
    let end = end_after(lived, harm);
    assert!(end.as_ref().is_err_and(|reason| reason.contains(because)), "{end:?}");
}

#[test]
fn a_directory_in_the_place_of_an_index_is_told() {
    for kind in ["index", "timeindex"] {
        let path = segment(0).with_extension(kind);
        let harm = |simulation: &mut Simulation, host| {
            simulation.remove_file(host, &path).expect("it is there");
            simulation.create_dir(host, &path).expect("nothing is there");
        };
        refused_for(harm, "is a directory");
    }
}

#[test]
fn a_swap_that_is_none_is_told() {
    for bytes in [&b""[..], &[0x5a; 5000]] {
        let harm = |simulation: &mut Simulation, host| {
            let path = segment(0).with_extension("log.swap");
            simulation.write_file(host, path, bytes).expect("written");
        };
        refused_for(harm, "is no segment that a compaction left");
    }
}

/// A start cannot write there, and serves nothing of the directory.
#[test]
fn a_journal_that_cannot_be_written_is_told() {
    for path in ["/data/journal/shard-0-0.journal", CHECKPOINT] {
        let (mut simulation, host) = world(Options::seed(1));
        simulation.block_on(host, |reactor| async move {
            let log = create(&reactor, small()).await;
            lived(reactor, log).await;
        });
        simulation.crash(host, CrashKind::Process);
        simulation.seal(host, path).expect("it is there");
        simulation.block_on(host, move |reactor| async move {
            let told = look(&reactor.disk()).await.problem.expect("a start ends there");
            assert!(told.contains(path) && told.contains("cannot be written"), "{told}");
        });
    }
}

/// Once it was removed, as the remedy says, nothing is wrong any more; a start leaves it as it is.
#[test]
fn a_damaged_snapshot_is_to_be_removed() {
    let (mut simulation, host) = world(Options::seed(1));
    simulation.block_on(host, |reactor| async move {
        let log = create(&reactor, small()).await;
        for n in 0..60 {
            append(&log, batch(n)).await;
        }
        log.close().await.expect("a good disk");
    });
    let snapshot = |name: &String| name.ends_with(".snapshot");
    let path = simulation.files(host).into_iter().find(snapshot).expect("one a segment");
    simulation.write_file(host, &path, b"no snapshot").expect("written");
    for _ in 0..2 {
        let problems = simulation.block_on(host, |reactor| async move {
            let told = look(&reactor.disk()).await;
            verify_log(&reactor.disk(), &dir(), Some(&told), &|_| ()).await.problems
        });
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert_eq!(problems[0].remedy, Remedy::Remove);
        simulation.block_on(host, |reactor| async move {
            open(&reactor, small()).await.close().await.expect("a good disk");
        });
    }
    simulation.remove_file(host, &path).expect("it is there");
    simulation.block_on(host, |reactor| async move {
        open(&reactor, small()).await.close().await.expect("a good disk");
        let told = look(&reactor.disk()).await;
        let problems = verify_log(&reactor.disk(), &dir(), Some(&told), &|_| ()).await.problems;
        assert_eq!(problems, []);
    });
}

/// The first segments are gone, and no journal or checkpoint says that anything deleted them.
#[test]
fn a_start_that_moves_without_a_deletion_is_told() {
    let (mut simulation, host) = world(Options::seed(1));
    let base = simulation.block_on(host, |reactor| async move {
        let log = create(&reactor, small()).await;
        for n in 0..100 {
            append(&log, batch(n)).await;
        }
        durable(&log).await;
        log.checkpoint().await.expect("a good disk");
        log.segment_end(Offset(0)).0
    });
    simulation.crash(host, CrashKind::Process);
    remove(0)(&mut simulation, host);
    simulation.block_on(host, move |reactor| async move {
        let lost = |reach: Reach| (reach.start_lost, reach.first);
        let told = look(&reactor.disk()).await;
        assert_eq!(told.reach.clone().map(lost), Some((Some(Offset(0)), Offset(base))));
        let report = verify_log(&reactor.disk(), &dir(), Some(&told), &|_| ()).await;
        let said = report.problems.iter().any(|problem| problem.what.contains("started at 0"));
        assert!(said, "{:?}", report.problems);
        let manager = manager(&reactor).await;
        let (log, report) = Log::open(&manager, &dir(), KEY, small()).await.expect("it opens");
        assert_eq!(report.start_lost, Some((Offset(0), Offset(base))));
        assert_eq!(log.log_start().0, base);
        begin(&manager).await;
        // Said once: the next start knows where it starts.
        log.delete_records_before(Offset(base + 20), HighWatermark(base + 20)).await.expect("kept");
        log.close().await.expect("a good disk");
        let told = look(&reactor.disk()).await.reach.expect("it can be read");
        assert_eq!(told.start_lost, None, "deleted by who may");
    });
}

async fn look(disk: &Disk) -> LogRecovery {
    let (topic, partition, path) = ("orders".to_string(), PartitionIndex(0), dir());
    let partitions = [PartitionPath { topic, partition, path }];
    let data = Path::new("/data");
    let told = log_recoveries(disk, data, &partitions, &|_| true, &|_, _| true, &|_| ()).await;
    told.expect("a good disk").remove(0)
}

async fn foretold(disk: &Disk) -> End {
    let told = look(disk).await;
    told.problem.map_or(Ok(told.reach.expect("it can be read").log_end_offset.0), Err)
}

async fn started(reactor: Reactor) -> End {
    let manager = manager(&reactor).await;
    let opened = Log::open(&manager, &dir(), KEY, small()).await;
    opened.map(|(log, _)| log.log_end().0).map_err(|error| error.to_string())
}

/// Two batches that a checkpoint covers, and two that only the journal holds for certain.
async fn half_covered(log: &Log) {
    for n in 0..4 {
        append(log, batch(n)).await;
        durable(log).await;
        if n == 1 {
            log.checkpoint().await.expect("a good disk");
        }
    }
}

async fn lived(_: Reactor, log: Log) {
    half_covered(&log).await;
}

fn segment(base: i64) -> PathBuf {
    dir().join(format!("{base:020}.log"))
}

/// Cuts the segment at `base` to `len` bytes.
fn cut(base: i64, len: usize) -> impl FnOnce(&mut Simulation, HostId) {
    move |simulation, host| {
        let bytes = simulation.read_file(host, segment(base)).expect("it is there");
        simulation.write_file(host, segment(base), &bytes[..len]).expect("written");
    }
}

fn remove(base: i64) -> impl FnOnce(&mut Simulation, HostId) {
    move |simulation, host| simulation.remove_file(host, segment(base)).expect("it is there")
}

#[test]
fn what_only_the_journal_holds_is_written_back() {
    assert_eq!(end_after(lived, |_, _| ()), Ok(4));
    assert_eq!(end_after(lived, cut(0, 2 * batch(0).len())), Ok(4));
}

/// The batches of the journal lie behind the hole: with them the file would look long enough.
#[test]
fn a_segment_that_is_shorter_than_what_was_synced_is_told() {
    for len in [0, 1, batch(0).len(), 2 * batch(0).len() - 1] {
        let end = end_after(lived, cut(0, len));
        assert!(end.as_ref().is_err_and(|reason| reason.contains(LOST)), "{len}: {end:?}");
    }
    let end = end_after(lived, remove(0));
    assert!(end.as_ref().is_err_and(|reason| reason.contains(LOST)), "{end:?}");
}

/// Nothing of the journal belongs into it.
#[test]
fn a_short_segment_is_told_without_the_journal_too() {
    let covered = |_, log: Log| async move {
        append(&log, batch(1)).await;
        log.checkpoint().await.expect("a good disk");
    };
    let end = end_after(covered, cut(0, 5));
    assert!(end.as_ref().is_err_and(|reason| reason.contains(LOST)), "{end:?}");
}

/// A truncation to this place or before explains that the segment is short, and one behind it does not.
#[test]
fn a_truncation_explains_a_short_segment() {
    let len = batch(0).len();
    let truncated = |reactor: Reactor, log: Log| async move {
        half_covered(&log).await;
        keep_checkpoint(&reactor.disk()).await;
        log.truncate_to(Offset(1)).await.expect("a good disk");
        append(&log, batch(9)).await;
        durable(&log).await;
    };
    let harmed = |len| {
        end_after(truncated, move |simulation, host| {
            put_checkpoint_back(simulation, host);
            cut(0, len)(simulation, host);
        })
    };
    assert_eq!(harmed(len), Ok(2));
    let end = harmed(len - 1);
    assert!(end.as_ref().is_err_and(|reason| reason.contains(LOST)), "{end:?}");
}

/// The log starts behind all that belongs there; or not.
#[test]
fn a_deletion_explains_a_short_segment() {
    let harmed = |start| {
        let deleted = move |reactor: Reactor, log: Log| async move {
            half_covered(&log).await;
            for n in 4..40 {
                append(&log, batch(n)).await;
            }
            durable(&log).await;
            keep_checkpoint(&reactor.disk()).await;
            let deleted = log.delete_records_before(Offset(start), HighWatermark(40)).await;
            deleted.expect("a good disk");
        };
        end_after(deleted, |simulation, host| {
            put_checkpoint_back(simulation, host);
            simulation.write_file(host, segment(0), b"short").expect("written");
        })
    };
    assert_eq!(harmed(30), Ok(40));
    let end = harmed(3);
    assert!(end.as_ref().is_err_and(|reason| reason.contains(LOST)), "{end:?}");
}

/// What the shard's checkpoint says now is what a start will find: no later one has taken its place.
async fn keep_checkpoint(disk: &Disk) {
    let bytes = disk.read(Path::new(CHECKPOINT), 1 << 20).await.expect("it is there");
    disk.replace(Path::new(KEPT), &bytes).await.expect("a good disk");
}

fn put_checkpoint_back(simulation: &mut Simulation, host: HostId) {
    let bytes = simulation.read_file(host, KEPT).expect("it is there");
    simulation.write_file(host, CHECKPOINT, &bytes).expect("written");
}

/// The journal goes on in other segments, which are whole.
#[test]
fn a_short_segment_is_told_whatever_comes_behind_it() {
    let rolled = |_, log: Log| async move {
        half_covered(&log).await;
        for n in 4..40 {
            append(&log, batch(n)).await;
        }
        durable(&log).await;
        assert!(log.segment_count() > 1);
    };
    assert_eq!(end_after(rolled, |_, _| ()), Ok(40));
    let end = end_after(rolled, cut(0, 5));
    assert!(end.as_ref().is_err_and(|reason| reason.contains(LOST)), "{end:?}");
}

/// A log that is empty, and was recorded so, of which nothing was ever synced.
#[test]
fn a_missing_segment_of_an_empty_log_is_told() {
    let empty = |_, log: Log| async move { log.checkpoint().await.expect("a good disk") };
    assert_eq!(end_after(empty, |_, _| ()), Ok(0));
    let end = end_after(empty, remove(0));
    assert!(end.as_ref().is_err_and(|reason| reason.contains("are missing")), "{end:?}");
}

/// The same with a record in the journal: a replay makes the segment anew.
#[test]
fn the_journal_makes_a_missing_segment_of_an_empty_log() {
    let one = |_, log: Log| async move {
        log.checkpoint().await.expect("a good disk");
        append(&log, batch(1)).await;
        durable(&log).await;
    };
    assert_eq!(end_after(one, remove(0)), Ok(1));
}

/// What the journal cuts is there afterwards, however little is left in it.
#[test]
fn a_truncation_makes_a_missing_segment_of_an_empty_log() {
    let emptied = |reactor: Reactor, log: Log| async move {
        log.checkpoint().await.expect("a good disk");
        keep_checkpoint(&reactor.disk()).await;
        append(&log, batch(1)).await;
        durable(&log).await;
        log.truncate_to(Offset(0)).await.expect("a good disk");
    };
    let end = end_after(emptied, |simulation, host| {
        put_checkpoint_back(simulation, host);
        remove(0)(simulation, host);
    });
    assert_eq!(end, Ok(0));
}

/// All has expired, and whichever segments are left, there is nothing to lose; while the log does not start behind all that
/// is recorded, there is.
#[test]
fn a_log_of_which_all_was_deleted_opens_empty_at_its_start() {
    let harmed = |start, removes: fn(&str) -> bool| {
        let deleted = move |_, log: Log| async move {
            for n in 0..40 {
                append(&log, batch(n)).await;
            }
            durable(&log).await;
            log.checkpoint().await.expect("a good disk");
            let deleted = log.delete_records_before(Offset(start), HighWatermark(40)).await;
            deleted.expect("a good disk");
        };
        end_after(deleted, move |simulation, host| {
            for file in simulation.files(host) {
                if file.starts_with("/data/orders-0/") && removes(&file) {
                    simulation.remove_file(host, &file).expect("it is there");
                }
            }
        })
    };
    let is_segment: fn(&str) -> bool = |file| file.ends_with(".log");
    assert_eq!(harmed(40, is_segment), Ok(40));
    let end = harmed(39, is_segment);
    assert!(end.as_ref().is_err_and(|reason| reason.contains("are missing")), "{end:?}");
}

/// The same while an older segment is still there.
#[test]
fn segments_that_were_deleted_and_are_still_there_hold_nothing() {
    let deleted = |reactor: Reactor, log: Log| async move {
        for n in 0..40 {
            append(&log, batch(n)).await;
        }
        durable(&log).await;
        let old = segment(0);
        let bytes = reactor.disk().read(&old, 1 << 20).await.expect("it is there");
        let deleted = log.delete_records_before(Offset(40), HighWatermark(40)).await;
        deleted.expect("a good disk");
        for name in names(&reactor, &dir()).await.iter().filter(|name| name.ends_with(".log")) {
            reactor.disk().remove_file(&dir().join(name)).await.expect("it is there");
        }
        reactor.disk().replace(&old, &bytes).await.expect("a good disk");
    };
    assert_eq!(end_after(deleted, |_, _| ()), Ok(40));
}
