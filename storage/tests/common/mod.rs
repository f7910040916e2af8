//! What the tests of the log share: a simulated host, small segments, batches made on the spot.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ringlane_batch::{
    BatchBuilder, BatchFields, Codec, LeaderEpoch, Offset, PartitionIndex, ProducerEpoch,
    ProducerId, Sequence, TimestampMs, TopicId,
};
use ringlane_reactor::sim::{HostId, Options, Simulation};
use ringlane_reactor::{OpenOptions, Reactor};
use ringlane_storage::journal::JournalConfig;
use ringlane_storage::{
    Appended, HeldConfig, Log, LogConfig, LogKey, LogManager, LogManagerConfig, Origin,
    PartitionDirectory, Recovered, replay, replay_kept,
};

pub(crate) const TOPIC: TopicId = TopicId([9; 16]);
pub(crate) const KEY: LogKey = (TOPIC, PartitionIndex(0));
pub(crate) const EPOCH: LeaderEpoch = LeaderEpoch(1);

/// A simulation of one host, decided by `options`.
pub(crate) fn world(options: Options) -> (Simulation, HostId) {
    let mut simulation = Simulation::new(options);
    let host = simulation.host("broker", IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), 1);
    (simulation, host)
}

/// Tells a story on a disk without faults.
pub(crate) fn run<F: Future<Output = ()> + 'static>(story: impl FnOnce(Reactor) -> F + 'static) {
    let (mut simulation, host) = world(Options::seed(1));
    simulation.block_on(host, story);
}

pub(crate) fn dir() -> PathBuf {
    PathBuf::from("/data/orders-0")
}

/// Segments of a few batches with an index entry for nearly each.
pub(crate) fn small() -> LogConfig {
    LogConfig {
        segment_bytes: 2000,
        index_interval_bytes: 100,
        producer_id_expiration_ms: i64::MAX,
        ..LogConfig::default()
    }
}

/// A journal that turns over soon.
pub(crate) fn manager_config() -> LogManagerConfig {
    LogManagerConfig {
        journal: JournalConfig { file_bytes: 32 << 10, files: 3, group_bytes_max: 8 << 10 },
        checkpoint_interval_bytes: 6000,
        // Two or three small batches: kernel workers get some, and the shard writes others itself.
        held: HeldConfig {
            bytes_max: 1000,
            log_share_bytes: 300,
            leaving_bytes_max: 600,
            reserved_step_max: 16 << 10,
        },
        // A dozen batches.
        tail_bytes_max: 5000,
        ..LogManagerConfig::default()
    }
}

/// What a broker of one shard does before it opens its logs in `data`; [`begin`] is what it does afterwards.
pub(crate) async fn manager_in(
    reactor: &Reactor,
    data: &Path,
    partitions: &[PartitionDirectory],
) -> LogManager {
    let disk = reactor.disk();
    disk.create_dir_all(data).await.expect("a good disk");
    let mut recovered = Recovered::read(&disk, data).await.expect("whole checkpoints");
    for journal in recovered.journals_for(0, 1, false) {
        let replayed = replay(reactor, data, &recovered, partitions, journal, 3).await;
        recovered.merge(replayed.expect("a good disk"));
    }
    replay_kept(&disk, &mut recovered, partitions).await.expect("whole files");
    LogManager::new(reactor, data, Arc::new(recovered), manager_config())
}

/// The same for the log of these tests.
pub(crate) async fn manager(reactor: &Reactor) -> LogManager {
    let (topic, partition, path) = ("orders".to_string(), PartitionIndex(0), dir());
    let directory = PartitionDirectory { topic, partition, path, topic_id: Some(TOPIC) };
    manager_in(reactor, Path::new("/data"), &[directory]).await
}

pub(crate) async fn begin(manager: &LogManager) {
    manager.settle().await.expect("a good disk");
    manager.begin().await.expect("a good disk");
}

/// A batch of `timestamps.len()` records with values of `value_len` bytes.
pub(crate) fn batch_of(
    timestamps: &[i64],
    value_len: usize,
    producer: Option<(i64, i16, i32)>,
) -> Vec<u8> {
    let mut builder = BatchBuilder::new(Codec::None);
    for (n, timestamp) in timestamps.iter().enumerate() {
        let value = vec![n as u8; value_len];
        builder.append(TimestampMs(*timestamp), Some(b"key"), Some(&value), &[]);
    }
    let producer =
        producer.map(|(id, epoch, first)| (ProducerId(id), ProducerEpoch(epoch), Sequence(first)));
    builder.finish(&BatchFields { producer, ..BatchFields::default() }).to_vec()
}

/// A batch of one record.
pub(crate) fn batch(timestamp: i64) -> Vec<u8> {
    batch_of(&[timestamp], 50, None)
}

/// Appends as the leader of [`EPOCH`].
pub(crate) async fn append(log: &Log, mut bytes: Vec<u8>) -> Appended {
    log.append(&mut bytes, EPOCH, Origin::Client, 0).await.expect("the log takes it")
}

pub(crate) async fn create(reactor: &Reactor, config: LogConfig) -> Log {
    let manager = manager(reactor).await;
    let log = Log::create(&manager, &dir(), KEY, config).await.expect("a new log");
    begin(&manager).await;
    log
}

pub(crate) async fn open(reactor: &Reactor, config: LogConfig) -> Log {
    open_with_manager(reactor, config).await.1
}

pub(crate) async fn open_with_manager(reactor: &Reactor, config: LogConfig) -> (LogManager, Log) {
    let manager = manager(reactor).await;
    let (log, _) = Log::open(&manager, &dir(), KEY, config).await.expect("the log opens");
    begin(&manager).await;
    (manager, log)
}

/// Waits until everything appended is durable.
pub(crate) async fn durable(log: &Log) {
    while log.durable_end().offset() < log.log_end().offset() {
        assert_eq!(log.is_offline(), None);
        log.durable_changed().await;
    }
}

/// Ready when the segment at `base` of the log has `bytes` in its file: what is held back is written when the journal rests.
pub(crate) async fn in_its_file(reactor: &Reactor, base: i64, bytes: u64) {
    let file = dir().join(format!("{base:020}.log"));
    let file = reactor.disk().open(&file, OpenOptions::READ).await.expect("it is there");
    while file.len().expect("a good disk") < bytes {
        reactor.sleep(Duration::from_millis(1)).await;
    }
}

/// All bytes from the log's start to its end.
pub(crate) async fn read_all(log: &Log) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut next = log.log_start().offset();
    while next < log.log_end().offset() {
        let read = log.read(next, 1000, Offset(i64::MAX), true).await.expect("it can be read");
        assert!(read.next_offset > next, "a read at {next} makes progress");
        read.batches.iter().for_each(|slice| bytes.extend_from_slice(slice));
        next = read.next_offset;
    }
    bytes
}

/// The names in the log's directory.
pub(crate) async fn names(reactor: &Reactor, dir: &Path) -> Vec<String> {
    let entries = reactor.disk().list(dir).await.expect("the directory is there");
    entries.into_iter().map(|entry| entry.name).collect()
}

/// The seeds to run: `RINGLANE_SEED` alone, or those that `RINGLANE_SEEDS` says (`from..to`, or how many), or `default_count`.
pub(crate) fn seeds(default_count: u64) -> std::ops::Range<u64> {
    let number = |text: &str| text.parse().expect("a number");
    let one = std::env::var("RINGLANE_SEED").map(|text| number(&text));
    let several = std::env::var("RINGLANE_SEEDS");
    match (one, several.as_deref().map(|text| text.split_once("..").ok_or(text))) {
        (Ok(seed), _) => seed..seed + 1,
        (_, Ok(Ok((from, to)))) => number(from)..number(to),
        (_, Ok(Err(count))) => 0..number(count),
        _ => 0..default_count,
    }
}

/// Runs `run` with each seed; a panic is told with the command that replays it.
pub(crate) fn each_seed(test: &str, seeds: impl IntoIterator<Item = u64>, run: impl Fn(u64)) {
    let mut failed = Vec::new();
    for seed in seeds {
        let run = std::panic::AssertUnwindSafe(|| run(seed));
        if std::panic::catch_unwind(run).is_err() {
            let command = "cargo test -p ringlane-storage --test";
            eprintln!("seed {seed} failed; replay it: RINGLANE_SEED={seed} {command} {test}");
            failed.push(seed);
        }
    }
    assert!(failed.is_empty(), "{} seeds failed: {failed:?}", failed.len());
}
