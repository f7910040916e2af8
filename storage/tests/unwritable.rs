//! Logs whose own files cannot be written, as after `chattr +i`: they go offline alone, and nothing that was acknowledged is lost.

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::*;
use ringlane_batch::{Offset, PartitionIndex};
use ringlane_reactor::Reactor;
use ringlane_reactor::sim::{CrashKind, HostId, Options, Simulation};
use ringlane_storage::{
    Log, LogKey, LogManager, Origin, PartitionDirectory, Recovered, keep, replay, replay_kept,
};

const DATA: &str = "/data";

fn directory(n: i32) -> PathBuf {
    Path::new(DATA).join(format!("orders-{n}"))
}

fn key(n: i32) -> LogKey {
    (TOPIC, PartitionIndex(n))
}

fn found(n: i32) -> PartitionDirectory {
    let (topic, partition, path) = ("orders".to_string(), PartitionIndex(n), directory(n));
    PartitionDirectory { topic, partition, path, topic_id: Some(TOPIC) }
}

/// A broker of one shard with two logs.
struct Broker {
    manager: LogManager,
    logs: [Log; 2],
}

/// What a broker does at its start, kept files included; `is_clean` as the marker of a clean stop would say.
async fn start(reactor: &Reactor, is_clean: bool) -> Broker {
    let (disk, data) = (reactor.disk(), Path::new(DATA));
    let partitions = [found(0), found(1)];
    let mut recovered = Recovered::read(&disk, data).await.expect("whole checkpoints");
    for journal in recovered.journals_for(0, 1, is_clean) {
        let replayed = replay(reactor, data, &recovered, &partitions, journal, 3).await;
        recovered.merge(replayed.expect("a good disk"));
    }
    replay_kept(&disk, &mut recovered, &partitions).await.expect("whole files");
    let recovered = Arc::new(recovered);
    let manager = LogManager::new(reactor, data, recovered.clone(), manager_config());
    let open = async |n| Log::open(&manager, &directory(n), key(n), small()).await;
    let (first, second) = (open(0).await, open(1).await);
    manager.settle().await.expect("a good disk");
    let offline: BTreeMap<_, _> = manager.unwritable_logs().into_iter().collect();
    keep(&disk, data, &recovered, &offline).await.expect("a good disk");
    manager.begin().await.expect("a good disk");
    recovered.remove_kept(&disk, &offline).await.expect("a good disk");
    Broker { manager, logs: [first, second].map(|opened| opened.expect("it opens").0) }
}

fn with_logs(seed: u64) -> (Simulation, HostId, Broker) {
    let (mut simulation, host) = world(Options::seed(seed));
    let broker = simulation.block_on(host, |reactor| async move {
        reactor.disk().create_dir_all(Path::new(DATA)).await.expect("a good disk");
        let manager = manager_in(&reactor, Path::new(DATA), &[]).await;
        let create = async |n| Log::create(&manager, &directory(n), key(n), small()).await;
        let logs = [create(0).await, create(1).await].map(|created| created.expect("a new log"));
        begin(&manager).await;
        Broker { manager, logs }
    });
    (simulation, host, broker)
}

/// Appends until the log has so many segments more, or takes nothing; waits until what it took may be acknowledged, or never will be.
async fn fill(log: &Log, segments: usize) {
    let wanted = log.segment_count() + segments;
    while log.segment_count() < wanted {
        if log.append(&mut batch(1), EPOCH, Origin::Client, 0).await.is_err() {
            return;
        }
    }
    while log.durable_end().offset() < log.log_end().offset() && log.is_offline().is_none() {
        log.durable_changed().await;
    }
}

/// The batches before `end`, which were acknowledged, as far as a start gives them back.
async fn bytes_before(log: &Log, end: Offset) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut next = log.log_start().offset();
    while next < end {
        let read = log.read(next, 1000, end, true).await.expect("it can be read");
        assert!(read.next_offset > next, "a read at {next} makes progress");
        read.batches.iter().for_each(|slice| bytes.extend_from_slice(slice));
        next = read.next_offset;
    }
    bytes
}

/// What can be acknowledged of each log, and its bytes.
async fn acknowledged(broker: &Broker) -> Vec<(Offset, Vec<u8>)> {
    let mut all = Vec::new();
    for log in &broker.logs {
        let end = log.acknowledgeable_end();
        all.push((end, bytes_before(log, end).await));
    }
    all
}

/// The first log is sealed in the midst of work; the other one is served, through many turns of the journal.
fn one_is_sealed(
    simulation: &mut Simulation,
    host: HostId,
    broker: Broker,
    what: impl Fn(&Simulation, HostId) -> PathBuf,
) -> Broker {
    let broker = simulation.block_on(host, |_| async move {
        broker.manager.checkpoint().await.expect("a good disk");
        for log in &broker.logs {
            fill(log, 1).await;
            append(log, batch(2)).await;
            durable(log).await;
        }
        broker
    });
    simulation.seal(host, what(simulation, host)).expect("it is there");
    simulation.block_on(host, |_| async move {
        let [sealed, other] = &broker.logs;
        fill(sealed, 1).await;
        broker.manager.checkpoint().await.expect("the other logs have theirs");
        fill(other, 100).await;
        assert_eq!((broker.manager.is_offline(), other.is_offline()), (None, None));
        let reason = sealed.is_offline().expect("it takes nothing more");
        assert!(reason.contains("not permitted"), "{reason}");
        broker
    })
}

fn nothing_is_lost(
    simulation: &mut Simulation,
    host: HostId,
    is_clean: bool,
    before: Vec<(Offset, Vec<u8>)>,
) {
    simulation.mend_directories(host);
    simulation.block_on(host, move |reactor| async move {
        let broker = start(&reactor, is_clean).await;
        for (log, (end, bytes)) in broker.logs.iter().zip(before) {
            assert!(log.log_end().offset() >= end, "{} ends before {end}", log.log_end());
            assert_eq!(bytes_before(log, end).await, bytes);
            assert_eq!(log.is_offline(), None);
            append(log, batch(3)).await;
            durable(log).await;
        }
        let left = names(&reactor, &Path::new(DATA).join("journal")).await;
        assert!(left.iter().all(|name| !name.contains("kept")), "{left:?}");
    });
}

/// The file that the first log appends to.
fn active_segment(simulation: &Simulation, host: HostId) -> PathBuf {
    let of_log = |name: &String| name.starts_with("/data/orders-0/") && name.ends_with(".log");
    PathBuf::from(simulation.files(host).into_iter().rfind(of_log).expect("it has one"))
}

#[test]
fn a_log_whose_directory_may_not_be_changed_goes_offline_alone() {
    for seed in 0..20 {
        let (mut simulation, host, broker) = with_logs(seed);
        let broker = one_is_sealed(&mut simulation, host, broker, |_, _| directory(0));
        let before = simulation.block_on(host, |_| async move { acknowledged(&broker).await });
        simulation.crash(host, CrashKind::Power);
        nothing_is_lost(&mut simulation, host, false, before);
    }
}

#[test]
fn a_log_whose_segment_may_not_be_changed_goes_offline_alone() {
    for seed in 0..20 {
        let (mut simulation, host, broker) = with_logs(seed);
        let broker = one_is_sealed(&mut simulation, host, broker, active_segment);
        let before = simulation.block_on(host, |_| async move { acknowledged(&broker).await });
        simulation.crash(host, CrashKind::Power);
        nothing_is_lost(&mut simulation, host, false, before);
    }
}

#[test]
fn a_clean_stop_keeps_what_a_log_could_not_take() {
    for seed in 0..20 {
        let (mut simulation, host, broker) = with_logs(seed);
        let sealed = match seed % 2 {
            0 => active_segment,
            _ => |_: &Simulation, _| directory(0),
        };
        let (broker, before) = {
            let broker = one_is_sealed(&mut simulation, host, broker, sealed);
            simulation.block_on(host, |_| async move {
                let before = acknowledged(&broker).await;
                (broker, before)
            })
        };
        let is_clean = simulation.block_on(host, |_| async move { broker.manager.close().await });
        assert!(is_clean, "nothing but the kept file is needed");
        nothing_is_lost(&mut simulation, host, is_clean, before);
    }
}

#[test]
fn what_was_kept_of_a_log_goes_with_it() {
    let (mut simulation, host, broker) = with_logs(1);
    let broker = one_is_sealed(&mut simulation, host, broker, active_segment);
    let is_kept = |name: &String| name.ends_with(".kept");
    assert!(simulation.files(host).iter().any(is_kept));
    let other = simulation.block_on(host, |_| async move {
        let Broker { manager, logs: [sealed, other] } = broker;
        sealed.delete().await.expect("its directory may be renamed");
        fill(&other, 1).await;
        manager.checkpoint().await.expect("a good disk");
        other.is_offline()
    });
    assert_eq!((other, simulation.files(host).iter().any(is_kept)), (None, false));
}

/// Sealed in the very moment of the stop: no round came before the one of the stop.
#[test]
fn a_stop_that_finds_a_sealed_log_keeps_what_that_could_not_take() {
    for seed in 0..20 {
        let (mut simulation, host, broker) = with_logs(seed);
        let (broker, before) = simulation.block_on(host, |_| async move {
            for log in &broker.logs {
                fill(log, 1).await;
            }
            let before = acknowledged(&broker).await;
            (broker, before)
        });
        simulation.seal(host, directory(0)).expect("it is there");
        let is_clean = simulation.block_on(host, |_| async move { broker.manager.close().await });
        nothing_is_lost(&mut simulation, host, is_clean, before);
    }
}

/// The same at a start: the logs are recovered, and the first round cannot write to one.
#[test]
fn a_start_that_finds_a_sealed_log_keeps_what_the_journal_has() {
    for seed in 0..20 {
        let (mut simulation, host, broker) = with_logs(seed);
        let before = simulation.block_on(host, |_| async move {
            for log in &broker.logs {
                fill(log, 1).await;
            }
            acknowledged(&broker).await
        });
        simulation.crash(host, CrashKind::Process);
        simulation.seal(host, directory(0)).expect("it is there");
        simulation.block_on(host, |reactor| async move {
            let broker = start(&reactor, false).await;
            assert_eq!(broker.manager.is_offline(), None);
            fill(&broker.logs[1], 100).await;
            assert_eq!(broker.logs[1].is_offline(), None);
        });
        simulation.crash(host, CrashKind::Power);
        simulation.mend_directories(host);
        simulation.block_on(host, move |reactor| async move {
            let broker = start(&reactor, false).await;
            for (log, (end, bytes)) in broker.logs.iter().zip(before) {
                assert_eq!(bytes_before(log, end).await, bytes);
            }
        });
    }
}

#[test]
fn a_device_that_fails_takes_the_directory_offline() {
    let (mut simulation, host, broker) = with_logs(1);
    let broker = simulation.block_on(host, |_| async move {
        broker.logs[0].set_config(small());
        fill(&broker.logs[0], 1).await;
        broker
    });
    simulation.fail_directory(host, directory(0)).expect("it is there");
    simulation.block_on(host, |_| async move {
        broker.manager.checkpoint().await.expect_err("the device says nothing of one log");
        assert!(broker.manager.is_offline().is_some());
    });
}
