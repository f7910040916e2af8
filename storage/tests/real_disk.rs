//! The log on the real ring and file system: what the simulation promises holds there. With `RINGLANE_TEST_DIR` set the
//! files stay in that directory, for Kafka's own tools to read.

mod common;

use std::path::{Path, PathBuf};
use std::sync::mpsc;

use common::{EPOCH, KEY, begin, durable, manager_in, read_all};
use ringlane_batch::{
    BatchBuilder, BatchFields, Codec, Offset, ProducerEpoch, ProducerId, Sequence, TimestampMs,
};
use ringlane_reactor::{Reactor, ShardConfig, run_shards};
use ringlane_storage::{Log, LogConfig, LogDirectory, Origin};

const NAME: &str = "orders-0";
const BATCHES: i32 = 100;
const CODECS: [Codec; 5] = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];

fn compressed_batch(codec: Codec, sequence: i32) -> Vec<u8> {
    let mut builder = BatchBuilder::new(codec);
    for n in 0..20 {
        let value = format!("record {n} of batch {sequence}, long enough to be worth compressing");
        let timestamp = TimestampMs(1_700_000_000_000 + i64::from(sequence * 20 + n));
        builder.append(timestamp, Some(b"key"), Some(value.as_bytes()), &[]);
    }
    let producer = Some((ProducerId(5), ProducerEpoch(0), Sequence(sequence * 20)));
    builder.finish(&BatchFields { producer, ..BatchFields::default() }).to_vec()
}

fn config() -> LogConfig {
    LogConfig { segment_bytes: 20_000, index_interval_bytes: 1000, ..LogConfig::default() }
}

/// Appends, and ends as a process does that is killed: the log is not closed.
async fn write(reactor: Reactor, data: PathBuf) -> std::io::Result<()> {
    let _directory = LogDirectory::open(&reactor, &data, 1, None).await.expect("it is ours");
    let manager = manager_in(&reactor, &data, &[]).await;
    let log = Log::create(&manager, &data.join(NAME), KEY, config()).await.expect("a new log");
    begin(&manager).await;
    for n in 0..BATCHES {
        let mut bytes = compressed_batch(CODECS[n as usize % CODECS.len()], n);
        log.append(&mut bytes, EPOCH, Origin::Client, reactor.wall_clock_ms())
            .await
            .expect("the disk takes it");
    }
    durable(&log).await;
    assert!(log.segment_count() > 1, "{} segments", log.segment_count());
    // The end of a process would close the journal's files, for which the next start waits.
    manager.close().await;
    Ok(())
}

async fn read(reactor: Reactor, data: PathBuf, keep: bool) -> std::io::Result<()> {
    let directory = LogDirectory::open(&reactor, &data, 1, None).await.expect("it is ours");
    let path = data.join(NAME);
    let partitions = directory.partitions().await.expect("the disk reads");
    let manager = manager_in(&reactor, &data, &partitions).await;
    let (log, report) = Log::open(&manager, &path, KEY, config()).await.expect("it recovers");
    begin(&manager).await;
    assert_eq!((report.log_end.0, report.truncated_bytes), (20 * i64::from(BATCHES), 0));
    let before = read_all(&log).await;
    let found = log.offset_for_timestamp(TimestampMs(1_700_000_000_777)).await.expect("readable");
    assert_eq!(found.expect("there is one").offset, Offset(777));
    log.close().await.expect("the disk takes it");
    manager.close().await;
    directory.close().await.expect("the disk takes it");

    let directory = LogDirectory::open(&reactor, &data, 1, None).await.expect("it is ours");
    assert!(directory.was_left_cleanly());
    let manager = manager_in(&reactor, &data, &partitions).await;
    let (log, report) = Log::open(&manager, &path, KEY, config()).await.expect("it opens");
    begin(&manager).await;
    assert_eq!((report.scanned_bytes, report.fault), (0, None));
    assert_eq!(read_all(&log).await, before);
    if !keep {
        log.delete().await.expect("the disk takes it");
        manager.close().await;
        drop(directory);
        // What is left of the log goes in the background.
        let disk = reactor.disk();
        while disk.list(&data).await?.iter().any(|entry| entry.name.ends_with("-delete")) {
            reactor.yield_now().await;
        }
        reactor.disk().remove_dir_all(&data).await?;
    }
    Ok(())
}

/// Runs a story on a shard of its own, to its end.
fn tell<F: Future<Output = std::io::Result<()>> + 'static>(
    story: impl Fn(Reactor) -> F + Clone + Send + 'static,
) {
    let (done, ended) = mpsc::channel();
    run_shards(&ShardConfig::single(), move |reactor| {
        let (story, done) = (story.clone(), done.clone());
        async move {
            let result = story(reactor).await;
            let _ = done.send(());
            result
        }
    })
    .expect("the shard runs");
    ended.recv().expect("the story was told to its end");
}

#[test]
fn a_log_on_the_real_file_system_survives_its_process() {
    let kept = std::env::var_os("RINGLANE_TEST_DIR");
    let keep = kept.is_some();
    let data = kept.map_or_else(
        || std::env::temp_dir().join(format!("ringlane-log-{}", std::process::id())),
        |dir| Path::new(&dir).to_path_buf(),
    );
    let written = data.clone();
    tell(move |reactor| write(reactor, written.clone()));
    tell(move |reactor| read(reactor, data.clone(), keep));
}
