//! The log on the real ring and file system: what the simulation promises holds there. With `RINGLANE_TEST_DIR` set the
//! files stay in that directory, for Kafka's own tools to read.

mod common;

use std::path::{Path, PathBuf};
use std::sync::mpsc;

use common::{EPOCH, TOPIC, durable, group_sync, read_all};
use ringlane_batch::{
    BatchBuilder, BatchFields, Codec, Offset, PartitionIndex, ProducerEpoch, ProducerId, Sequence,
    TimestampMs,
};
use ringlane_reactor::{Reactor, ShardConfig, run_shards};
use ringlane_storage::{Log, LogConfig, LogDirectory, Origin, partition_directory_name};

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

async fn story(reactor: Reactor, data: PathBuf, keep: bool) -> std::io::Result<()> {
    let disk = reactor.disk();
    let directory = LogDirectory::open(&reactor, &data, 1, None).await.expect("it is ours");
    let name = partition_directory_name("orders", PartitionIndex(0));
    let path = data.join(&name);
    let config =
        LogConfig { segment_bytes: 20_000, index_interval_bytes: 1000, ..LogConfig::default() };
    let sync = group_sync(&reactor);
    let log = Log::create(&sync, &path, TOPIC, config.clone()).await.expect("a new log");
    for n in 0..100 {
        let mut bytes = compressed_batch(CODECS[n as usize % CODECS.len()], n);
        log.append(&mut bytes, EPOCH, Origin::Client, reactor.wall_clock_ms())
            .await
            .expect("the disk takes it");
    }
    durable(&log).await;
    assert!(log.segment_count() > 1, "{} segments", log.segment_count());
    let before = read_all(&log).await;
    // The process is as good as gone: nothing was closed.
    drop(log);
    let (log, report) = Log::open(&sync, &path, config.clone(), None).await.expect("it recovers");
    assert_eq!((report.log_end.0, report.truncated_bytes), (2000, 0));
    assert_eq!(read_all(&log).await, before);
    let found = log.offset_for_timestamp(TimestampMs(1_700_000_000_777)).await.expect("readable");
    assert_eq!(found.expect("there is one").offset, Offset(777));
    let end = log.close().await.expect("the disk takes it");
    directory.close(&[(name, end)].into()).await.expect("the disk takes it");

    let directory = LogDirectory::open(&reactor, &data, 1, None).await.expect("it is ours");
    assert!(directory.clean_shutdown().is_some());
    let (log, report) = Log::open(&sync, &path, config, Some(end)).await.expect("it opens");
    assert_eq!((report.scanned_bytes, report.missing_since_clean_stop), (0, 0));
    assert_eq!(read_all(&log).await, before);
    if !keep {
        log.delete().await.expect("the disk takes it");
        drop(directory);
        disk.remove_dir_all(&data).await?;
    }
    Ok(())
}

#[test]
fn a_log_on_the_real_file_system_survives_its_process() {
    let kept = std::env::var_os("RINGLANE_TEST_DIR");
    let keep = kept.is_some();
    let data = kept.map_or_else(
        || std::env::temp_dir().join(format!("ringlane-log-{}", std::process::id())),
        |dir| Path::new(&dir).to_path_buf(),
    );
    let (done, ended) = mpsc::channel();
    run_shards(&ShardConfig::single(), move |reactor| {
        let (data, done) = (data.clone(), done.clone());
        async move {
            let result = story(reactor, data, keep).await;
            let _ = done.send(());
            result
        }
    })
    .expect("the shard runs");
    ended.recv().expect("the story was told to its end");
}
