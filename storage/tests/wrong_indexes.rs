//! Index files that are not what their segments call for, whatever is in them: no look-up of an offset or of a time gives another answer
//! for that.

mod common;

use common::*;
use ringlane_batch::{Offset, TimestampMs};
use ringlane_reactor::Reactor;
use ringlane_reactor::sim::{HostId, Options, Simulation};
use ringlane_storage::{Log, LogConfig};

/// One record each; the times go back now and then.
const BATCHES: i64 = 150;

fn time_of(offset: i64) -> i64 {
    1000 + offset * 10 - if offset % 7 == 3 { 35 } else { 0 }
}

fn config() -> LogConfig {
    LogConfig { segment_bytes: 4000, index_interval_bytes: 100, ..small() }
}

/// The files of complete segments whose names end so.
fn files(simulation: &Simulation, host: HostId, ends: &str) -> Vec<String> {
    let all = simulation.files(host).into_iter();
    let mut found: Vec<_> =
        all.filter(|path| path.contains("orders-0/") && path.ends_with(ends)).collect();
    found.pop();
    assert!(found.len() > 1, "complete segments have some");
    found
}

fn written() -> (Simulation, HostId) {
    let (mut simulation, host) = world(Options::seed(1));
    simulation.block_on(host, |reactor| async move {
        let log = create(&reactor, config()).await;
        for offset in 0..BATCHES {
            append(&log, batch(time_of(offset))).await;
        }
        log.close().await.expect("a good disk");
    });
    (simulation, host)
}

async fn every_time_is_found(log: &Log) {
    let times: Vec<i64> = (0..BATCHES).map(time_of).collect();
    for time in (900..1000 + BATCHES * 10 + 20).step_by(7) {
        let expected = times.iter().position(|at| *at >= time).map(|at| at as i64);
        let found = log.offset_for_timestamp(TimestampMs(time)).await.expect("a good disk");
        assert_eq!(found.map(|found| found.offset.0), expected, "the first at {time} or later");
    }
    let largest = times.iter().max().expect("there are some");
    let expected = times.iter().position(|at| at == largest).expect("it is there") as i64;
    let found = log.max_timestamp().await.expect("a good disk").expect("it has timestamps");
    assert_eq!((found.offset.0, found.timestamp.0), (expected, *largest));
}

async fn every_offset_is_found(log: &Log) {
    for offset in (0..BATCHES).rev() {
        // First: a read that meets a wrong index has it looked into no more.
        let max_bytes = 200 + offset as usize * 7 % 1000;
        let span = log.span(Offset(offset), 1..=max_bytes, Offset(i64::MAX)).await;
        let read = log.read(Offset(offset), 1, Offset(i64::MAX), true).await.expect("it is there");
        assert_eq!(read.next_offset.0, offset + 1);
        if let Some(span) = span {
            // Each batch has one record, and as many bytes as the others.
            let batches = span.range.len() / read.batches[0].len();
            assert_eq!(span.range.len(), batches * read.batches[0].len());
            assert_eq!(span.next_offset.0, offset + batches as i64);
        }
        let bytes = &read.batches[0];
        assert_eq!(i64::from_be_bytes(*bytes.first_chunk().expect("a batch")), offset);
    }
}

async fn look_up_all(reactor: Reactor, times_first: bool) {
    let log = open(&reactor, config()).await;
    if times_first {
        every_time_is_found(&log).await;
    }
    every_offset_is_found(&log).await;
    every_time_is_found(&log).await;
    log.close().await.expect("a good disk");
}

/// Changes the index files that end so, and looks up everything.
fn look_up_after(ends: &[&str], change: impl Fn(&mut Vec<u8>, u64)) {
    for seed in 0..6 {
        let (mut simulation, host) = written();
        let of_all = ends.iter().flat_map(|ends| files(&simulation, host, ends));
        for path in of_all.collect::<Vec<_>>() {
            let mut bytes = simulation.read_file(host, &path).expect("it is there");
            change(&mut bytes, seed);
            simulation.write_file(host, &path, &bytes).expect("it is there");
        }
        simulation.block_on(host, move |reactor| look_up_all(reactor, seed % 2 == 0));
    }
}

/// Bytes as they come.
fn noise(bytes: &mut [u8], seed: u64) {
    let mut state = seed * 2 + 1;
    for byte in bytes {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        *byte = (state >> 56) as u8;
    }
}

#[test]
fn noise_in_an_index_changes_no_answer() {
    for ends in [&[".timeindex"][..], &[".index"], &[".index", ".timeindex"]] {
        look_up_after(ends, |bytes, seed| noise(bytes, seed));
    }
}

#[test]
fn zeros_in_an_index_change_no_answer() {
    look_up_after(&[".index", ".timeindex"], |bytes, _| bytes.fill(0));
}

#[test]
fn zeros_at_the_end_of_an_index_change_no_answer() {
    look_up_after(&[".index", ".timeindex"], |bytes, seed| {
        let at = bytes.len() * seed as usize / 6;
        bytes[at..].fill(0);
    });
}

#[test]
fn an_index_whose_entries_name_the_wrong_batches_changes_no_answer() {
    // Each entry has the key of the one before it: in order, and none as it should be.
    look_up_after(&[".index"], |bytes, _| {
        for at in (8..bytes.len()).step_by(8).rev() {
            let before: [u8; 4] = *bytes[at - 8..].first_chunk().expect("an entry");
            bytes[at..at + 4].copy_from_slice(&before);
        }
    });
    look_up_after(&[".timeindex"], |bytes, _| {
        for at in (12..bytes.len()).step_by(12).rev() {
            let before: [u8; 8] = *bytes[at - 12..].first_chunk().expect("an entry");
            bytes[at..at + 8].copy_from_slice(&before);
        }
    });
}

#[test]
fn one_flipped_bit_in_an_index_changes_no_answer() {
    look_up_after(&[".index", ".timeindex"], |bytes, seed| {
        let at = bytes.len() * seed as usize / 6;
        bytes[at] ^= 1 << seed;
    });
}

/// The end of what is sent from the file is found by an entry alone.
#[test]
fn an_entry_with_too_low_an_offset_shows_nothing_that_is_not_visible_yet() {
    let sparse = || LogConfig { index_interval_bytes: 500, ..config() };
    let (mut simulation, host) = world(Options::seed(1));
    simulation.block_on(host, move |reactor| async move {
        let log = create(&reactor, sparse()).await;
        for offset in 0..BATCHES {
            append(&log, batch(time_of(offset))).await;
        }
        log.close().await.expect("a good disk");
    });
    for path in files(&simulation, host, ".index") {
        let mut bytes = simulation.read_file(host, &path).expect("it is there");
        for at in (8..bytes.len() - 8).step_by(16) {
            let before = i32::from_be_bytes(*bytes[at - 8..].first_chunk().expect("an entry"));
            bytes[at..at + 4].copy_from_slice(&(before + 1).to_be_bytes());
        }
        simulation.write_file(host, &path, &bytes).expect("it is there");
    }
    simulation.block_on(host, move |reactor| async move {
        let log = open(&reactor, sparse()).await;
        let mut spans = 0;
        for (from, visible) in (0..BATCHES).flat_map(|from| (1..20).map(move |n| (from, n))) {
            let until = Offset(from + visible);
            if let Some(span) = log.span(Offset(from), 1..=3000, until).await {
                assert!(span.next_offset <= until, "{span:?} from {from}, {visible} visible");
                spans += 1;
            }
        }
        assert!(spans > 0, "there are right entries, too");
    });
}

/// More entries than are read at once, in no order: the search must come to an end.
#[test]
fn a_long_index_in_no_order_ends_no_broker() {
    for seed in 0..20 {
        let (mut simulation, host) = world(Options::seed(1));
        let dense = || LogConfig { index_interval_bytes: 0, segment_bytes: 1 << 20, ..small() };
        simulation.block_on(host, move |reactor| async move {
            let log = create(&reactor, dense()).await;
            for offset in 0..1500 {
                append(&log, batch(1000 + offset)).await;
            }
            log.set_config(LogConfig { segment_bytes: 1000, ..dense() });
            append(&log, batch(5000)).await;
            log.close().await.expect("a good disk");
        });
        for name in ["00000000000000000000.index", "00000000000000000000.timeindex"] {
            let path = dir().join(name);
            let mut bytes = simulation.read_file(host, &path).expect("it is there");
            noise(&mut bytes, seed);
            simulation.write_file(host, &path, &bytes).expect("it is there");
        }
        simulation.block_on(host, move |reactor| async move {
            let log = open(&reactor, dense()).await;
            for offset in (0..1500).step_by(97) {
                let found = log.offset_for_timestamp(TimestampMs(1000 + offset)).await;
                assert_eq!(found.expect("a good disk").map(|found| found.offset.0), Some(offset));
            }
        });
    }
}
