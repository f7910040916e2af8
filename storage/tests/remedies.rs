//! What [`verify_log`] says is to be done about what is wrong in the files of a log whose process was killed: what it leaves
//! to a start is whole after one, and what it does not is as wrong as before.

mod common;

use std::path::{Path, PathBuf};

use common::*;
use ringlane_batch::{HighWatermark, Offset, PartitionIndex};
use ringlane_reactor::sim::{CrashKind, HostId, Options, Simulation};
use ringlane_reactor::{Disk, Reactor};
use ringlane_storage::Log;
use ringlane_storage::inspect::{LogReport, PartitionPath, log_recoveries, verify_log};

/// The names of the files with something wrong, each with what to do about it.
type Remedies = Vec<(String, &'static str)>;

/// What is told before and after a start of a log that lived, was killed, and had its files changed by `harm`.
fn told<F: Future<Output = ()> + 'static>(
    life: impl FnOnce(Reactor, Log) -> F + 'static,
    harm: impl FnOnce(&mut Simulation, HostId),
) -> (Remedies, Remedies) {
    let (mut simulation, host) = world(Options::seed(1));
    simulation.block_on(host, |reactor| async move {
        let log = create(&reactor, small()).await;
        life(reactor, log).await;
    });
    simulation.crash(host, CrashKind::Process);
    harm(&mut simulation, host);
    let verified = |reactor: Reactor| async move { verified(&reactor.disk()).await };
    let before = simulation.block_on(host, verified);
    simulation.block_on(host, |reactor| async move {
        let manager = manager(&reactor).await;
        if let Ok((log, _)) = Log::open(&manager, &dir(), KEY, small()).await {
            begin(&manager).await;
            log.close().await.expect("a good disk");
        }
    });
    (before, simulation.block_on(host, verified))
}

async fn verified(disk: &Disk) -> Remedies {
    let (topic, partition, path) = ("orders".to_string(), PartitionIndex(0), dir());
    let (partitions, data) = ([PartitionPath { topic, partition, path }], Path::new("/data"));
    let told = log_recoveries(disk, data, &partitions, &|_| true, &|_, _| true, &|_| ()).await;
    let told = told.expect("a good disk").remove(0);
    let LogReport { problems, .. } = verify_log(disk, &dir(), Some(&told), &|_| ()).await;
    let name = |path: PathBuf| path.file_name().expect("a name").to_string_lossy().into_owned();
    problems.into_iter().map(|p| (name(p.path), p.remedy.name())).collect()
}

fn of(file: &str, remedy: &'static str) -> (String, &'static str) {
    (file.to_string(), remedy)
}

fn path(name: &str) -> PathBuf {
    dir().join(name)
}

const LOG: &str = "00000000000000000000.log";
const INDEX: &str = "00000000000000000000.index";

/// Two batches that a checkpoint covers, and two that only the journal holds for certain.
async fn half_covered(reactor: Reactor, log: Log) {
    for n in 0..4 {
        append(&log, batch(n)).await;
        durable(&log).await;
        if n == 1 {
            log.checkpoint().await.expect("a good disk");
        }
    }
    in_its_file(&reactor, 0, log.size_bytes()).await;
}

/// The same, and so many more that there are several segments.
async fn rolled(reactor: Reactor, log: Log) {
    half_covered(reactor, log.clone()).await;
    for n in 4..40 {
        append(&log, batch(n)).await;
    }
    durable(&log).await;
    assert!(log.segment_count() > 2);
}

/// Changes a byte of the file's batch number `nth`.
fn flip(file: &'static str, nth: usize) -> impl FnOnce(&mut Simulation, HostId) {
    flip_byte(file, nth, 30)
}

fn flip_byte(file: &'static str, nth: usize, byte: usize) -> impl FnOnce(&mut Simulation, HostId) {
    move |simulation, host| {
        let mut bytes = simulation.read_file(host, path(file)).expect("it is there");
        let at = nth * batch(0).len() + byte;
        bytes.resize(bytes.len().max(at + 1), 0);
        bytes[at] ^= 0x10;
        simulation.write_file(host, path(file), &bytes).expect("written");
    }
}

#[test]
fn what_the_journal_holds_a_start_writes_back() {
    for nth in [2, 3] {
        assert_eq!(told(half_covered, flip(LOG, nth)), (vec![of(LOG, "start")], vec![]));
    }
    // A segment in the midst of those is gone, with its indexes; another one is empty.
    let second = |simulation: &mut Simulation, host| {
        let logs = simulation.files(host).into_iter().filter(|file| file.ends_with(".log"));
        let mut logs: Vec<String> = logs.collect();
        logs.sort();
        logs.swap_remove(1)
    };
    let (before, after) = told(rolled, |simulation, host| {
        let log = second(simulation, host);
        for suffix in ["log", "index", "timeindex"] {
            let file = Path::new(&log).with_extension(suffix);
            simulation.remove_file(host, file).expect("it is there");
        }
    });
    assert_eq!((before.len(), before[0].1, after), (1, "start", vec![]), "{before:?}");
    let (before, after) = told(rolled, |simulation, host| {
        let log = second(simulation, host);
        simulation.write_file(host, log, b"").expect("written");
    });
    assert!(
        !before.is_empty() && before.iter().all(|(_, remedy)| *remedy == "start"),
        "{before:?}"
    );
    assert_eq!(after, vec![]);
}

/// It may well be the last batch that there is.
#[test]
fn what_is_damaged_before_the_recovery_point_no_start_mends() {
    let covered = |_, log: Log| async move {
        for n in 0..2 {
            append(&log, batch(n)).await;
        }
        log.checkpoint().await.expect("a good disk");
    };
    for nth in [0, 1] {
        let lost = vec![of(LOG, "restore")];
        assert_eq!(told(covered, flip(LOG, nth)), (lost.clone(), lost));
    }
    let offline = vec![of("orders-0", "offline"), of(LOG, "offline")];
    let cut = |simulation: &mut Simulation, host| {
        let bytes = simulation.read_file(host, path(LOG)).expect("it is there");
        simulation.write_file(host, path(LOG), &bytes[..bytes.len() - 1]).expect("written");
    };
    let (before, after) = told(covered, cut);
    assert_eq!((&before, &before), (&after, &offline));
}

/// Somebody moved the checkpoint and the journal away: a start reads the log from its beginning.
#[test]
fn what_a_start_would_drop_is_told() {
    let (before, after) = told(half_covered, |simulation, host| {
        for file in simulation.files(host) {
            if file.starts_with("/data/journal/") {
                simulation.remove_file(host, &file).expect("it is there");
            }
        }
        flip(LOG, 1)(simulation, host);
    });
    assert_eq!((before, after), (vec![of(LOG, "cut")], vec![]));
}

#[test]
fn nothing_is_lost_where_records_were_deleted() {
    let deleted = |_, log: Log| async move {
        for n in 0..4 {
            append(&log, batch(n)).await;
        }
        durable(&log).await;
        let deleted = log.delete_records_before(Offset(2), HighWatermark(4)).await;
        deleted.expect("a good disk");
        log.checkpoint().await.expect("a good disk");
    };
    let nothing = vec![of(LOG, "none")];
    assert_eq!(told(deleted, flip(LOG, 1)), (nothing.clone(), nothing));
    let lost = vec![of(LOG, "restore")];
    assert_eq!(told(deleted, flip(LOG, 2)), (lost.clone(), lost));
}

/// No checksum covers them; the checkpoint has them, and the journal those of the batches behind the recovery point.
#[test]
fn a_leader_epoch_that_is_not_the_recorded_one_is_told() {
    let wrong = vec![of(LOG, "restore")];
    for nth in [0, 1] {
        assert_eq!(told(half_covered, flip_byte(LOG, nth, 15)), (wrong.clone(), wrong.clone()));
    }
    for nth in [2, 3] {
        assert_eq!(told(half_covered, flip_byte(LOG, nth, 15)), (vec![], vec![]));
    }
}

/// Entries behind the synced ones are built from the batches by each start after a crash, those before are not.
#[test]
fn index_entries_behind_the_synced_ones_are_left_to_a_start() {
    let with_entry = |at: fn(usize) -> usize| {
        move |simulation: &mut Simulation, host| {
            let mut bytes = simulation.read_file(host, path(INDEX)).expect("it is there");
            let at = at(bytes.len());
            bytes.resize(bytes.len().max(at + 8), 0);
            bytes[at + 7] ^= 3;
            simulation.write_file(host, path(INDEX), &bytes).expect("written");
        }
    };
    let (before, after) = told(half_covered, with_entry(|len| len));
    assert_eq!((before, after), (vec![of(INDEX, "start")], vec![]));

    // The first life ends in order: its entries are in the file, and covered.
    let lived_twice = |reactor: Reactor, log: Log| async move {
        for n in 0..4 {
            append(&log, batch(n)).await;
        }
        log.close().await.expect("a good disk");
        half_covered(reactor.clone(), open(&reactor, small()).await).await;
    };
    let partial = |simulation: &mut Simulation, host| {
        let bytes = simulation.read_file(host, path(INDEX)).expect("it is there");
        simulation.write_file(host, path(INDEX), &bytes[..bytes.len() - 1]).expect("written");
    };
    let (before, after) = told(lived_twice, partial);
    assert_eq!((before, after), (vec![of(INDEX, "start")], vec![]), "its length tells");
    let wrong = vec![of(INDEX, "rebuild-index")];
    assert_eq!(told(lived_twice, with_entry(|_| 0)), (wrong.clone(), wrong));
}
