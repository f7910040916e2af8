//! Bit rot: the scrubber and reads find it, the log refuses what is lost and serves the rest.

mod common;

use std::path::PathBuf;
use std::time::Duration;

use common::*;
use ringlane_batch::{Offset, batches};
use ringlane_reactor::Reactor;
use ringlane_reactor::sim::{DiskFaults, HostId, Options, Simulation};
use ringlane_storage::{DamagedRange, Log, ReadError, ScrubConfig, Scrubber};

/// A host with a closed log of 60 batches in segments of a dozen.
fn with_log() -> (Simulation, HostId) {
    let (mut simulation, host) = world(Options::seed(1));
    simulation.block_on(host, async |reactor: Reactor| {
        let log = create(&reactor, small()).await;
        for n in 0..60 {
            append(&log, batch(n)).await;
        }
        assert!(log.segment_count() > 3);
        log.close().await.unwrap();
    });
    (simulation, host)
}

fn scrubber(reactor: &Reactor, bytes_per_second: u64) -> Scrubber {
    let interval = Duration::from_secs(600);
    Scrubber::new(reactor, ScrubConfig { bytes_per_second, interval })
}

/// Reads each offset by itself: those that are refused as damaged.
async fn refused(log: &Log) -> Vec<i64> {
    let mut refused = Vec::new();
    for n in 0..60 {
        match log.read(Offset(n), 1, Offset(60), true).await {
            Ok(read) => {
                let views: Vec<_> = batches(&read.batches[0]).map(Result::unwrap).collect();
                assert_eq!((views.len(), views[0].base_offset()), (1, Offset(n)));
                assert!(views[0].crc_is_valid());
            }
            Err(ReadError::Damaged(range)) => {
                assert!(range.offsets.contains(&Offset(n)), "{range:?} for {n}");
                refused.push(n);
            }
            Err(other) => panic!("offset {n}: {other}"),
        }
    }
    refused
}

fn len() -> u64 {
    batch(0).len() as u64
}

#[test]
fn the_scrubber_finds_a_flipped_bit_before_anyone_reads_it() {
    let (mut simulation, host) = with_log();
    let file = dir().join("00000000000000000000.log");
    simulation.corrupt(host, &file, 3 * len() + 70).unwrap();
    simulation.block_on(host, async move |reactor: Reactor| {
        let log = open(&reactor, small()).await;
        assert_eq!(log.damaged_ranges(), []);
        let report = scrubber(&reactor, 1 << 30).scrub(&log).await;
        assert_eq!(report.damaged_ranges, 1);
        let positions = 3 * len()..4 * len();
        let what = "the checksum does not match".to_string();
        let range = DamagedRange { file, positions, offsets: Offset(3)..Offset(4), what };
        assert_eq!(log.damaged_ranges(), [range]);
        assert_eq!(scrubber(&reactor, 1 << 30).scrub(&log).await.damaged_ranges, 0, "known by now");
        assert_eq!(refused(&log).await, [3]);
    });
}

#[test]
fn a_read_finds_it_and_what_lies_around_is_served() {
    let (mut simulation, host) = with_log();
    // A value, the magic of a batch, a length: in the middle, one behind the other, at the end of a segment.
    for (file, position) in [(0, 4 * len() + 70), (0, 7 * len() + 16), (0, 8 * len() + 10)] {
        let file = dir().join(format!("{file:020}.log"));
        simulation.corrupt(host, file, position).unwrap();
    }
    simulation.block_on(host, async |reactor: Reactor| {
        let log = open(&reactor, small()).await;
        let refused = refused(&log).await;
        assert!(refused.starts_with(&[4, 7, 8]), "{refused:?}");
        assert!(refused.len() < 6, "the index leads beyond a length that is wrong: {refused:?}");
        let read = log.read(Offset(0), 1 << 20, Offset(60), true).await.unwrap();
        assert_eq!(read.next_offset, Offset(4), "up to the damage");
        let ranges = log.damaged_ranges();
        assert_eq!(ranges.len(), 2, "neighbours are one range: {ranges:?}");
    });
}

#[test]
fn the_tail_of_the_active_segment_is_checked_by_reads() {
    let (mut simulation, host) = world(Options::seed(1));
    let file = dir().join("00000000000000000000.log");
    simulation.block_on(host, async |reactor: Reactor| {
        let log = create(&reactor, small()).await;
        for n in 0..5 {
            append(&log, batch(n)).await;
        }
        log.close().await.unwrap();
    });
    simulation.corrupt(host, file, 4 * len() + 70).unwrap();
    simulation.block_on(host, async |reactor: Reactor| {
        let log = open(&reactor, small()).await;
        let read = log.read(Offset(4), 1 << 20, Offset(5), true).await;
        assert!(matches!(read, Err(ReadError::Damaged(_))), "{read:?}");
        assert_eq!(append(&log, batch(5)).await.base_offset, Offset(5));
        assert_eq!(log.read(Offset(5), 1, Offset(6), true).await.unwrap().next_offset, Offset(6));
    });
}

#[test]
fn a_bit_that_flips_on_the_way_is_no_damage() {
    let (mut simulation, host) = with_log();
    let faults = DiskFaults { read_flip_one_in: 40, ..DiskFaults::default() };
    simulation.set_disk_faults(host, faults);
    simulation.block_on(host, async |reactor: Reactor| {
        let log = open(&reactor, small()).await;
        for n in 0..600 {
            // A read may meet two such bits in a row and give up; it never serves one, nor blames the disk for ever.
            if let Ok(read) = log.read(Offset(n % 60), 300, Offset(60), true).await {
                assert!(batches(&read.batches[0]).all(|batch| batch.unwrap().crc_is_valid()));
            }
        }
    });
}

#[test]
fn a_pass_keeps_to_its_rate_and_repeats() {
    let (mut simulation, host) = with_log();
    simulation.block_on(host, async |reactor: Reactor| {
        let log = open(&reactor, small()).await;
        let began = reactor.now();
        let report = scrubber(&reactor, 1000).scrub(&log).await;
        let complete = log.size_bytes() - 2000;
        assert!(report.bytes >= complete - 2000, "{report:?} of {complete}");
        let took = (reactor.now() - began).as_secs();
        assert!((report.bytes / 1000..report.bytes / 1000 + 2).contains(&took), "{took} s");
        let passes = std::rc::Rc::new(std::cell::Cell::new(0));
        let (logs, counted) = (log.clone(), passes.clone());
        let endless = scrubber(&reactor, 1 << 30);
        let count = move |_| counted.set(counted.get() + 1);
        let endless = async move { endless.run(|| vec![logs.clone()], count).await };
        let half_an_hour = Duration::from_secs(1800 + 60);
        assert!(reactor.timeout(half_an_hour, endless).await.is_err(), "it goes on");
        assert_eq!(passes.get(), 4, "at once, and every ten minutes");
    });
}

#[test]
fn a_log_that_goes_while_it_is_scrubbed_is_no_error() {
    let (mut simulation, host) = with_log();
    simulation.block_on(host, async |reactor: Reactor| {
        let log = open(&reactor, small()).await;
        let (scrubber, scrubbed) = (scrubber(&reactor, 1000), log.clone());
        let scrub = async move { scrubber.scrub(&scrubbed).await };
        let task = reactor.spawn(ringlane_reactor::Queue::Background, scrub);
        reactor.sleep(Duration::from_secs(1)).await;
        log.delete().await.unwrap();
        assert_eq!(task.await.damaged_ranges, 0);
    });
}

/// The checksum covers no length: one that reaches over neighbours to a batch must not take them with it.
#[test]
fn a_length_that_reaches_over_neighbours_hides_none_that_the_index_names() {
    let (mut simulation, host) = with_log();
    let file = dir().join("00000000000000000000.log");
    let mut bytes = simulation.read_file(host, &file).unwrap();
    let longer = (5 * len() - 12) as u32;
    let at = 2 * len() as usize + 8;
    bytes[at..at + 4].copy_from_slice(&longer.to_be_bytes());
    simulation.write_file(host, &file, &bytes).unwrap();
    simulation.block_on(host, async |reactor: Reactor| {
        let log = open(&reactor, small()).await;
        let refused = refused(&log).await;
        assert!(refused.starts_with(&[2]) && refused.len() <= 2, "{refused:?}");
    });
}

/// Before any checksum is looked at, the header tells a read which batches there are.
#[test]
fn a_header_that_claims_later_offsets_does_not_hide_its_batch() {
    let (mut simulation, host) = with_log();
    let file = dir().join("00000000000000000000.log");
    // The last offset delta's first byte.
    simulation.corrupt(host, file, 5 * len() + 23).unwrap();
    simulation.block_on(host, async |reactor: Reactor| {
        let log = open(&reactor, small()).await;
        assert_eq!(refused(&log).await, [5]);
    });
}

/// In its offset, which the checksum leaves out, the sixth batch of the first segment has this bit wrong.
fn with_a_wrong_offset(bit: usize) -> (Simulation, HostId, PathBuf) {
    let (mut simulation, host) = with_log();
    let file = dir().join("00000000000000000000.log");
    let mut bytes = simulation.read_file(host, &file).unwrap();
    bytes[5 * len() as usize + 7 - bit / 8] ^= 1 << (bit % 8);
    simulation.write_file(host, &file, &bytes).unwrap();
    (simulation, host, file)
}

#[test]
fn a_batch_with_a_wrong_offset_is_not_served() {
    for bit in 0..64 {
        for scrubs in [false, true] {
            let (mut simulation, host, _) = with_a_wrong_offset(bit);
            simulation.block_on(host, async move |reactor: Reactor| {
                let log = open(&reactor, small()).await;
                if scrubs {
                    scrubber(&reactor, 1 << 30).scrub(&log).await;
                }
                let read = log.read(Offset(0), 1 << 20, Offset(60), true).await.unwrap();
                assert_eq!(read.next_offset, Offset(5), "bit {bit}");
                assert_eq!(refused(&log).await, [5], "bit {bit}");
            });
        }
    }
}

#[test]
fn indexes_are_built_up_to_a_batch_with_a_wrong_offset() {
    for bit in 0..64 {
        let (mut simulation, host, file) = with_a_wrong_offset(bit);
        for index in ["index", "timeindex"] {
            simulation.remove_file(host, file.with_extension(index)).unwrap();
        }
        simulation.block_on(host, async move |reactor: Reactor| {
            let log = open(&reactor, small()).await;
            scrubber(&reactor, 1 << 30).scrub(&log).await;
            let refused = refused(&log).await;
            assert!(refused.contains(&5), "bit {bit}: {refused:?}");
            assert!(refused.iter().all(|offset| *offset < 12), "bit {bit}: {refused:?}");
        });
    }
}
