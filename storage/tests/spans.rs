//! What a log gives to be sent straight from its file, where the rest of the log has something to say about that.

mod common;

use std::cell::Cell;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use common::*;
use ringlane_batch::{LogEndOffset, Offset};
use ringlane_reactor::sim::{DiskFaults, Options};
use ringlane_reactor::{AddressReservation, Part, Queue, Reactor};
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
        let span = log.span(Offset(0), 1..=20_000, Offset(i64::MAX)).await;
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

/// What a peer gets of `spans` that leave now.
async fn sent(reactor: &Reactor, spans: Vec<Span>) -> Vec<u8> {
    let here = AddressReservation::simulated(SocketAddr::from((Ipv4Addr::LOCALHOST, 9092)));
    let listener = reactor.listen(&here, 1).expect("listens");
    let client = reactor.connect(here.address()).await.expect("connects");
    let server = listener.accept().await.expect("accepts");
    let parts: Vec<Part> = spans.into_iter().map(|span| Part::File(span.range)).collect();
    let len: usize = parts.iter().map(Part::len).sum();
    client.write_parts(parts).await.expect("sends");
    let mut got = Vec::new();
    while got.len() < len {
        got.extend_from_slice(&server.read().await.expect("receives"));
    }
    got
}

/// Sockets refer to the pages of a file until the peer has them: what comes after a cut is written elsewhere.
#[test]
fn a_cut_leaves_a_client_what_it_is_being_sent() {
    run(|reactor| async move {
        let log = written(&reactor, 100).await;
        let before = read_all(&log).await;
        // Twice: the second file is as good as the first.
        for cut in [5, 3] {
            let span = span(&log).await.expect("it is there");
            let expected = before[..span.range.len()].to_vec();
            assert_eq!(log.truncate_to(Offset(cut)).await.unwrap(), LogEndOffset(cut));
            for timestamp in cut..20 {
                append(&log, batch(1000 + timestamp)).await;
            }
            durable(&log).await;
            in_its_file(&reactor, 0, before.len() as u64).await;
            assert!(sent(&reactor, vec![span]).await == expected[..], "cut at {cut}");
            let kept = cut as usize * batch(1).len();
            assert!(read_all(&log).await.starts_with(&before[..kept]));
            log.truncate_to(Offset(cut)).await.unwrap();
            for timestamp in cut..20 {
                append(&log, batch(1 + timestamp)).await;
            }
            durable(&log).await;
            in_its_file(&reactor, 0, before.len() as u64).await;
            assert!(read_all(&log).await == before);
        }
        assert!(!names(&reactor, &dir()).await.iter().any(|name| name.ends_with(".tmp")));
    });
}

/// Whatever a reader asks for while a log is being cut.
#[test]
fn a_span_given_during_a_cut_is_left_alone_too() {
    let mut given = 0;
    for seed in 0..200 {
        let (mut simulation, host) = world(Options::seed(seed));
        given += simulation.block_on(host, move |reactor| async move {
            let log = written(&reactor, 100).await;
            let before = read_all(&log).await;
            let (cut, is_over) = (log.clone(), Rc::new(Cell::new(false)));
            let over = is_over.clone();
            let cutting = reactor.spawn(Queue::Client, async move {
                cut.truncate_to(Offset(5)).await.expect("a good disk");
                over.set(true);
                for n in 5..20 {
                    append(&cut, batch(1000 + n)).await;
                }
                durable(&cut).await;
            });
            reactor.sleep(Duration::from_micros(seed * 50)).await;
            let span = span(&log).await.filter(|_| !is_over.get());
            cutting.await;
            in_its_file(&reactor, 0, before.len() as u64).await;
            let Some(span) = span else { return 0 };
            let expected = before[..span.range.len()].to_vec();
            assert!(sent(&reactor, vec![span]).await == expected, "seed {seed}");
            1
        });
    }
    assert!(given > 0, "some asked in time");
}

/// A copy needs room. Without any nothing is cut, or the truncation waits; nothing else is the matter with the log.
#[test]
fn a_full_disk_puts_a_cut_off() {
    let refusals: Vec<String> = (0..6).filter_map(cut_with_free_pages).collect();
    for tried in ["shard-0.checkpoint", "copy a segment"] {
        assert!(refusals.iter().any(|said| said.contains(tried)), "{tried}: {refusals:?}");
    }
    assert!(refusals.len() < 6, "{refusals:?}");
}

/// Batches of a log of which some pages stay that is cut there.
const LONG: i64 = 120;
const LONG_CUT: i64 = 110;

/// What a truncation says that finds so much room, before it finds enough.
#[expect(clippy::async_yields_async, reason = "it ends when there is room again")]
fn cut_with_free_pages(pages: u64) -> Option<String> {
    let (mut simulation, host) = world(Options::default());
    let (log, spans, before) = simulation.block_on(host, |reactor| async move {
        let log = written(&reactor, 100).await;
        for timestamp in 20..LONG {
            append(&log, batch(timestamp)).await;
        }
        durable(&log).await;
        in_its_file(&reactor, 0, LONG as u64 * batch(1).len() as u64).await;
        log.checkpoint().await.expect("a good disk");
        let spans = vec![span(&log).await.expect("it is there")];
        assert!(spans[0].next_offset > Offset(LONG_CUT));
        let before = read_all(&log).await;
        (log, spans, before)
    });
    let capacity_bytes = simulation.disk_bytes(host) + pages * 4096;
    simulation.set_disk_faults(host, DiskFaults { capacity_bytes, ..DiskFaults::default() });
    let (cut, unchanged) = (log.clone(), before.clone());
    let cutting = simulation.block_on(host, |reactor| async move {
        let log = cut.clone();
        let cutting =
            reactor.spawn(Queue::Client, async move { log.truncate_to(Offset(LONG_CUT)).await });
        reactor.sleep(Duration::from_secs(1)).await;
        assert_eq!(cut.is_offline(), None);
        if cut.log_end() == LogEndOffset(LONG) {
            assert!(read_all(&cut).await == unchanged);
            assert!(span(&cut).await.is_some());
            assert!(!names(&reactor, &dir()).await.iter().any(|name| name.ends_with(".log.tmp")));
        }
        cutting
    });
    simulation.set_disk_faults(host, DiskFaults::default());
    simulation.block_on(host, |reactor| async move {
        let refused = cutting.await.err();
        assert_eq!(refused.is_some(), log.log_end() == LogEndOffset(LONG));
        if refused.is_some() {
            assert_eq!(
                log.truncate_to(Offset(LONG_CUT)).await.expect("there is room"),
                LogEndOffset(LONG_CUT)
            );
        }
        for timestamp in LONG_CUT..LONG {
            append(&log, batch(1000 + timestamp)).await;
        }
        durable(&log).await;
        in_its_file(&reactor, 0, before.len() as u64).await;
        assert!(before.starts_with(&sent(&reactor, spans).await));
        refused.map(|error| error.to_string())
    })
}
