//! What a log gives to be sent straight from its file, where the rest of the log has something to say about that.

mod common;

use std::path::Path;
use std::sync::Arc;

use common::*;
use ringlane_batch::Offset;
use ringlane_reactor::Reactor;
use ringlane_storage::{Log, LogConfig, LogManager, LogManagerConfig, Recovered, Span};

/// A log of which the file has twenty batches, and may have so many open beside others.
async fn written(reactor: &Reactor, open_logs_max: usize) -> Log {
    let (disk, data) = (reactor.disk(), Path::new("/data"));
    disk.create_dir_all(data).await.expect("a good disk");
    let recovered = Recovered::read(&disk, data).await.expect("a new directory");
    let config = LogManagerConfig { open_logs_max, ..manager_config() };
    let manager = LogManager::new(reactor, data, Arc::new(recovered), config);
    let config = LogConfig { segment_bytes: 1 << 20, ..small() };
    let log = Log::create(&manager, &dir(), KEY, config).await.expect("a new log");
    begin(&manager).await;
    for timestamp in 1..=20 {
        append(&log, batch(timestamp)).await;
    }
    durable(&log).await;
    in_its_file(reactor, 0, 20 * batch(1).len() as u64).await;
    log
}

/// The simulated page cache has what is asked for now and then only.
async fn span(log: &Log) -> Option<Span> {
    for _ in 0..100 {
        let span = log.span(Offset(0), 1..=10_000, Offset(i64::MAX)).await;
        if span.is_some() {
            return span;
        }
    }
    None
}

/// What went wrong with a log's files may be what readers would be sent: they have it read and looked at.
#[test]
fn a_log_that_is_offline_gives_copies_alone() {
    run(|reactor| async move {
        let log = written(&reactor, 100).await;
        assert_eq!(span(&log).await.expect("it is there").next_offset, Offset(20));
        log.go_offline("its disk failed");
        assert!(span(&log).await.is_none());
        assert_eq!(read_all(&log).await.len(), 20 * batch(1).len());
    });
}

/// Each span has a file open that its log may close: clients that do not read must not take the descriptors of others.
#[test]
fn no_more_files_are_kept_open_for_spans_than_a_quarter_of_what_logs_may_have() {
    run(|reactor| async move {
        let log = written(&reactor, 8).await;
        let first = span(&log).await.expect("two are allowed");
        let second = span(&log).await.expect("two are allowed");
        assert!(span(&log).await.is_none());
        drop(second);
        assert!(span(&log).await.is_some(), "one has been sent");
        drop(first);
    });
    run(|reactor| async move {
        let log = written(&reactor, 100_000).await;
        let mut kept = Vec::new();
        while let Some(span) = span(&log).await {
            kept.push(span);
        }
        assert_eq!(kept.len(), 64);
    });
}
