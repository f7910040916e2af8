//! What a log does, a story at a time, on the simulated disk.

mod common;

use std::time::Duration;

use common::*;
use ringlane_batch::{
    BatchView, LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, TimestampMs, TimestampType,
};
use ringlane_reactor::OpenOptions;
use ringlane_reactor::sim::{DiskFaults, Options};
use ringlane_reactor::{Queue, Reactor};
use ringlane_storage::{
    AppendError, Log, LogConfig, Origin, ReadError, RecoveryReport, StorageError,
};

#[test]
fn an_append_gets_the_next_offsets_and_is_read_back_as_stamped() {
    run(|reactor| async move {
        let log = create(&reactor, LogConfig::default()).await;
        let mut bytes = batch_of(&[5, 6, 7], 10, None);
        let first = log.append(&mut bytes, EPOCH, Origin::Client, 0).await.unwrap();
        assert_eq!((first.base_offset, first.last_offset), (Offset(0), Offset(2)));
        assert_eq!(append(&log, batch(8)).await.base_offset, Offset(3));
        let read = log.read(Offset(1), 10_000, Offset(3), true).await.unwrap();
        assert_eq!(read.batches, vec![bytes.clone()]);
        assert_eq!((read.next_offset, read.log_end.0), (Offset(3), 4));
        let view = BatchView::parse(&bytes).unwrap();
        assert_eq!((view.leader_epoch(), view.crc_is_valid()), (EPOCH, true));
    });
}

#[test]
fn appended_is_not_durable_until_the_bell_has_rung() {
    run(|reactor| async move {
        let log = create(&reactor, LogConfig::default()).await;
        append(&log, batch(1)).await;
        assert_eq!((log.durable_end().0, log.log_end().0), (0, 1));
        let bell = log.durable_changed();
        append(&log, batch(2)).await;
        bell.await;
        assert!(log.durable_end().0 > 0);
        durable(&log).await;
        assert_eq!(log.durable_end().0, 2);
    });
}

#[test]
fn a_log_that_is_not_durable_syncs_with_its_checkpoint() {
    run(|reactor| async move {
        let config = LogConfig { durable: false, ..LogConfig::default() };
        let log = create(&reactor, config.clone()).await;
        append(&log, batch(1)).await;
        reactor.sleep(std::time::Duration::from_secs(1)).await;
        assert_eq!(log.durable_end().0, 0);
        log.checkpoint().await.unwrap();
        assert_eq!((log.durable_end().0, log.recovery_point().0), (1, 1));
        append(&log, batch(1)).await;
        log.set_config(LogConfig { durable: true, ..config });
        durable(&log).await;
    });
}

/// There is always something appended during a sync.
#[test]
fn what_is_synced_is_acknowledged_while_more_comes() {
    run(|reactor| async move {
        let config = LogConfig { durable: false, flush_messages: 1, ..LogConfig::default() };
        let log = create(&reactor, config).await;
        for n in 0..2000 {
            append(&log, batch(n)).await;
            reactor.sleep(Duration::from_micros(1)).await;
        }
        let behind = log.log_end().0 - log.acknowledgeable_end().0;
        assert!(behind < 1000, "{behind} of 2000 wait");
        durable(&log).await;
        assert_eq!(log.acknowledgeable_end(), log.log_end().offset());
    });
}

/// Kafka's flush.ms is nothing that anybody waits for.
#[test]
fn what_comes_while_flush_ms_syncs_is_acknowledged_at_once() {
    run(|reactor| async move {
        let config = LogConfig { durable: false, flush_ms: 1, ..LogConfig::default() };
        let log = create(&reactor, config).await;
        for n in 0..200 {
            append(&log, batch(n)).await;
            assert_eq!(log.acknowledgeable_end(), log.log_end().offset());
            reactor.sleep(Duration::from_micros(20)).await;
        }
        durable(&log).await;
    });
}

/// While a sync that nobody waits for is on its way.
#[test]
fn flush_messages_is_waited_for_beside_flush_ms() {
    for delay_us in 1000..1100 {
        run(move |reactor| async move {
            let (flush_messages, flush_ms) = (2, 1);
            let config =
                LogConfig { durable: false, flush_messages, flush_ms, ..LogConfig::default() };
            let log = create(&reactor, config).await;
            append(&log, batch(1)).await;
            reactor.sleep(Duration::from_micros(delay_us)).await;
            let second = append(&log, batch(2)).await.base_offset;
            let waits_from = second.max(log.durable_end().offset());
            assert!(log.acknowledgeable_end() <= waits_from, "after {delay_us} µs");
            durable(&log).await;
        });
    }
}

#[test]
fn a_sync_counts_when_the_checkpoint_says_so() {
    let (mut simulation, host) = world(Options::seed(1));
    let config = LogConfig { durable: false, ..LogConfig::default() };
    let log = simulation.block_on(host, |reactor| async move {
        let log = create(&reactor, config).await;
        append(&log, batch(1)).await;
        log
    });
    simulation.set_disk_faults(host, DiskFaults { capacity_bytes: 0, ..DiskFaults::default() });
    let log = simulation.block_on(host, |_| async move {
        assert!(log.checkpoint().await.is_err(), "no room for the shard's file");
        assert_eq!((log.durable_end().0, log.is_offline()), (0, None));
        log
    });
    simulation.set_disk_faults(host, DiskFaults::default());
    simulation.block_on(host, |_| async move {
        log.checkpoint().await.unwrap();
        assert_eq!(log.durable_end().0, 1);
    });
}

#[test]
fn reads_are_bounded_by_bytes_offset_and_range() {
    run(|reactor| async move {
        let log = create(&reactor, LogConfig::default()).await;
        for n in 0..10 {
            append(&log, batch(n)).await;
        }
        let len = batch(0).len();
        let read = async |from, bytes, until, one| {
            let read = log.read(Offset(from), bytes, Offset(until), one).await.unwrap();
            (read.len_bytes() / len, read.next_offset.0)
        };
        assert_eq!(read(2, 3 * len + 1, 99, true).await, (3, 5));
        assert_eq!(read(2, 99 * len, 5, true).await, (3, 5));
        assert_eq!(read(2, 1, 99, true).await, (1, 3));
        assert_eq!(read(2, 1, 99, false).await, (0, 2));
        assert_eq!(read(5, 99 * len, 5, true).await, (0, 5));
        assert_eq!(read(10, 99 * len, 99, true).await, (0, 10));
        let outside = log.read(Offset(11), 1, Offset(99), true).await;
        assert!(matches!(outside, Err(ReadError::OffsetOutOfRange { end, .. }) if end.0 == 10));
        assert!(log.read(Offset(-1), 1, Offset(99), true).await.is_err());
    });
}

#[test]
fn a_segment_rolls_by_size_time_and_full_index() {
    run(|reactor| async move {
        let len = batch(0).len() as u64;
        let config = LogConfig { segment_bytes: 3 * len, ..LogConfig::default() };
        let log = create(&reactor, config.clone()).await;
        for n in 0..7 {
            append(&log, batch(n)).await;
        }
        assert_eq!(log.segment_count(), 3);
        log.set_config(LogConfig { segment_ms: 100, segment_bytes: 1 << 30, ..config.clone() });
        append(&log, batch(106)).await;
        assert_eq!(log.segment_count(), 3, "100 ms after the segment's first record");
        append(&log, batch(107)).await;
        assert_eq!(log.segment_count(), 4, "101 ms after it");
        let tiny = LogConfig { segment_index_bytes: 24, index_interval_bytes: 1, ..config };
        log.set_config(LogConfig { segment_bytes: 1 << 30, ..tiny });
        for n in 0..8 {
            append(&log, batch(200 + n)).await;
        }
        assert!(log.segment_count() >= 6, "two time index entries fill an index of 24 bytes");
        let before = log.segment_count();
        log.set_config(LogConfig { segment_index_bytes: 4, ..LogConfig::default() });
        for n in 0..3 {
            append(&log, batch(300 + n)).await;
        }
        assert_eq!(
            log.segment_count(),
            before + 3,
            "no entry has room, so each batch has a segment"
        );
        let mut large = batch_of(&[0], 4 * len as usize, None);
        log.set_config(LogConfig { segment_bytes: 3 * len, ..LogConfig::default() });
        let refused = log.append(&mut large, EPOCH, Origin::Client, 0).await;
        assert!(matches!(refused, Err(AppendError::LargerThanSegment { .. })));
        assert_eq!(read_all(&log).await.len() as u64, log.size_bytes());
    });
}

#[test]
fn a_retry_is_answered_with_the_original_and_a_gap_refused() {
    run(|reactor| async move {
        let log = create(&reactor, LogConfig::default()).await;
        let original = append(&log, batch_of(&[1, 2], 9, Some((7, 0, 0)))).await;
        let offer = async |epoch, first| {
            let mut bytes = batch_of(&[1, 2], 9, Some((7, epoch, first)));
            log.append(&mut bytes, EPOCH, Origin::Client, 0).await
        };
        assert_eq!(offer(0, 0).await, Err(AppendError::Duplicate(original)));
        let gap = AppendError::OutOfOrderSequence {
            producer_id: ProducerId(7),
            found: Sequence(3),
            last: Sequence(1),
        };
        assert_eq!(offer(0, 3).await, Err(gap));
        offer(1, 0).await.unwrap();
        let fenced = AppendError::InvalidProducerEpoch {
            producer_id: ProducerId(7),
            found: ProducerEpoch(0),
            current: ProducerEpoch(1),
        };
        assert_eq!(offer(0, 2).await, Err(fenced));
        assert_eq!((log.log_end().0, log.producer_count()), (4, 1));
    });
}

#[test]
fn the_broker_gives_the_time_where_the_topic_says_so() {
    run(|reactor| async move {
        let config =
            LogConfig { timestamp_type: TimestampType::LogAppendTime, ..LogConfig::default() };
        let log = create(&reactor, config).await;
        let mut bytes = batch_of(&[1, 2], 9, Some((7, 0, 0)));
        let appended = log.append(&mut bytes, EPOCH, Origin::Client, 5000).await.unwrap();
        assert_eq!(appended.log_append_time_ms, Some(5000));
        let view = BatchView::parse(&bytes).unwrap();
        assert_eq!(view.timestamp_type(), TimestampType::LogAppendTime);
        assert_eq!((view.max_timestamp(), view.crc_is_valid()), (TimestampMs(5000), true));
        let mut retry = batch_of(&[1, 2], 9, Some((7, 0, 0)));
        let again = log.append(&mut retry, EPOCH, Origin::Client, 6000).await;
        assert_eq!(again, Err(AppendError::Duplicate(appended)));
        let found = log.offset_for_timestamp(TimestampMs(4000)).await.unwrap().unwrap();
        assert_eq!((found.offset, found.timestamp), (Offset(0), TimestampMs(5000)));
    });
}

#[test]
fn a_follower_keeps_what_its_leader_stamped() {
    run(|reactor| async move {
        let log = create(&reactor, LogConfig::default()).await;
        let copy = |base: i64, epoch: i32| {
            let mut bytes = batch(1);
            ringlane_batch::stamp(&mut bytes, Offset(base), LeaderEpoch(epoch));
            bytes
        };
        let replicate = async |base, epoch, leader| {
            let mut bytes = copy(base, epoch);
            log.append(&mut bytes, LeaderEpoch(leader), Origin::Replication, 0).await
        };
        assert_eq!(replicate(0, 3, 4).await.unwrap().base_offset, Offset(0));
        assert!(matches!(replicate(0, 3, 4).await, Err(AppendError::UnexpectedOffset { .. })));
        assert!(matches!(replicate(1, 5, 4).await, Err(AppendError::FencedLeaderEpoch { .. })));
        assert!(matches!(replicate(1, 2, 4).await, Err(AppendError::FencedLeaderEpoch { .. })));
        assert_eq!(replicate(5, 4, 4).await.unwrap().base_offset, Offset(5), "compaction's gap");
        assert_eq!(log.end_offset_for_epoch(LeaderEpoch(3)), Some((LeaderEpoch(3), Offset(5))));
        assert_eq!(log.end_offset_for_epoch(LeaderEpoch(4)), Some((LeaderEpoch(4), Offset(6))));
        assert_eq!(log.read(Offset(2), 999, Offset(9), true).await.unwrap().next_offset, Offset(6));
    });
}

#[test]
fn an_older_leader_is_fenced() {
    run(|reactor| async move {
        let log = create(&reactor, LogConfig::default()).await;
        log.assign_epoch(LeaderEpoch(5));
        let refused = log.append(&mut batch(1), LeaderEpoch(4), Origin::Client, 0).await;
        assert!(matches!(refused, Err(AppendError::FencedLeaderEpoch { .. })));
        assert_eq!(log.latest_epoch(), LeaderEpoch(5));
    });
}

#[test]
fn what_is_not_one_batch_is_refused() {
    run(|reactor| async move {
        let log = create(&reactor, LogConfig::default()).await;
        let two = [batch(1), batch(2)].concat();
        for mut bytes in [Vec::new(), vec![0; 100], two, batch(1)[..70].to_vec()] {
            let refused = log.append(&mut bytes, EPOCH, Origin::Client, 0).await;
            assert!(matches!(refused, Err(AppendError::Malformed(_))));
        }
        assert_eq!(log.log_end().0, 0);
    });
}

#[test]
fn records_are_found_by_time_in_any_segment_and_after_reopening() {
    run(|reactor| async move {
        let log = create(&reactor, small()).await;
        for n in 0..60 {
            append(&log, batch_of(&[n * 10, n * 10 + 5], 20, None)).await;
        }
        // One from the future in the middle.
        append(&log, batch_of(&[9000, 600], 20, None)).await;
        for n in 61..90 {
            append(&log, batch_of(&[n * 10, n * 10 + 5], 20, None)).await;
        }
        assert!(log.segment_count() > 3);
        let check = async |log: &Log| {
            let at = async |ts| log.offset_for_timestamp(TimestampMs(ts)).await.unwrap();
            assert_eq!(at(-5).await.unwrap().offset, Offset(0));
            assert_eq!(at(101).await.unwrap().offset, Offset(21));
            assert_eq!(at(105).await.unwrap().timestamp, TimestampMs(105));
            assert_eq!(at(596).await.unwrap().offset, Offset(120));
            assert_eq!(at(620).await.unwrap().offset, Offset(120), "the first, not the nearest");
            assert_eq!(at(9001).await, None);
            let max = log.max_timestamp().await.unwrap().unwrap();
            assert_eq!((max.offset, max.timestamp), (Offset(120), TimestampMs(9000)));
        };
        check(&log).await;
        log.close().await.unwrap();
        check(&open(&reactor, small()).await).await;
    });
}

#[test]
fn a_closed_log_opens_without_a_scan() {
    run(|reactor| async move {
        let log = create(&reactor, small()).await;
        for n in 0..50 {
            append(&log, batch_of(&[n], 30, Some((4, 0, n as i32)))).await;
        }
        let before = read_all(&log).await;
        assert_eq!(log.close().await.unwrap(), Offset(50));
        assert_eq!(log.read(Offset(0), 1, Offset(9), true).await, Err(ReadError::Closed));
        let refused = log.append(&mut batch(1), EPOCH, Origin::Client, 0).await;
        assert!(matches!(refused, Err(AppendError::Offline(_))));

        let manager = manager(&reactor).await;
        let (log, report) = Log::open(&manager, &dir(), KEY, small()).await.unwrap();
        begin(&manager).await;
        assert_eq!((report.scanned_bytes, report.truncated_bytes, report.fault), (0, 0, None));
        assert_eq!((log.durable_end().0, log.log_end().0, log.topic_id()), (50, 50, TOPIC));
        assert_eq!(log.latest_epoch(), EPOCH);
        assert_eq!(read_all(&log).await, before);
        let mut retry = batch_of(&[49], 30, Some((4, 0, 49)));
        let again = log.append(&mut retry, EPOCH, Origin::Client, 0).await;
        assert!(
            matches!(again, Err(AppendError::Duplicate(original)) if original.base_offset == Offset(49))
        );
        let exists = Log::create(&manager, &dir(), KEY, small()).await;
        assert!(matches!(exists, Err(StorageError::Exists(_))));
    });
}

/// Overwrites this byte of the fourth batch of five, and opens the log as after a crash.
async fn open_with_damage(
    reactor: &Reactor,
    config: LogConfig,
    byte: u64,
) -> (Log, RecoveryReport, Vec<u8>) {
    let log = create(reactor, config.clone()).await;
    for n in 0..5 {
        append(&log, batch(n)).await;
    }
    if config.durable {
        durable(&log).await;
    }
    let whole = read_all(&log).await;
    drop(log);
    let path = dir().join("00000000000000000000.log");
    let file = reactor.disk().open(&path, OpenOptions::WRITE).await.unwrap();
    file.write_at(&[0xff], 3 * batch(0).len() as u64 + byte).unwrap();
    let manager = manager(reactor).await;
    let (log, report) = Log::open(&manager, &dir(), KEY, config).await.unwrap();
    begin(&manager).await;
    (log, report, whole)
}

fn last_byte() -> u64 {
    batch(0).len() as u64 - 1
}

#[test]
fn a_torn_tail_that_was_never_durable_is_cut_and_reported() {
    run(|reactor| async move {
        let config = LogConfig { durable: false, ..LogConfig::default() };
        let (log, report, whole) = open_with_damage(&reactor, config, last_byte()).await;
        let len = batch(0).len();
        assert_eq!(report.truncated_bytes, 2 * len as u64, "the bad batch and the one behind it");
        assert!(report.fault.unwrap().contains("checksum"));
        assert_eq!(read_all(&log).await, whole[..3 * len]);
        assert_eq!(append(&log, batch(9)).await.base_offset, Offset(3));
    });
}

/// The checksum leaves the offset out, and an index has no room for it.
#[test]
fn a_tail_whose_offset_is_out_of_the_segments_range_is_cut() {
    run(|reactor| async move {
        let config = LogConfig { durable: false, index_interval_bytes: 0, ..LogConfig::default() };
        let (log, report, whole) = open_with_damage(&reactor, config, 1).await;
        assert!(report.fault.unwrap().contains("out of the segment's range"));
        assert_eq!(read_all(&log).await, whole[..3 * batch(0).len()]);
        log.close().await.unwrap();
    });
}

#[test]
fn the_journal_restores_what_a_segment_lost() {
    run(|reactor| async move {
        let (log, report, whole) =
            open_with_damage(&reactor, LogConfig::default(), last_byte()).await;
        assert_eq!((report.truncated_bytes, report.fault), (0, None));
        assert_eq!(read_all(&log).await, whole);
        assert_eq!(append(&log, batch(9)).await.base_offset, Offset(5));
    });
}

#[test]
fn lost_indexes_are_built_anew() {
    run(|reactor| async move {
        let log = create(&reactor, small()).await;
        for n in 0..60 {
            append(&log, batch(n)).await;
        }
        let before = read_all(&log).await;
        log.close().await.unwrap();
        for name in names(&reactor, &dir()).await {
            if name.ends_with("index") {
                reactor.disk().remove_file(&dir().join(name)).await.unwrap();
            }
        }
        let log = open(&reactor, small()).await;
        assert_eq!(read_all(&log).await, before);
        for n in 0..60 {
            let found = log.offset_for_timestamp(TimestampMs(n)).await.unwrap().unwrap();
            assert_eq!(found.offset, Offset(n));
        }
    });
}

#[test]
fn truncation_drops_the_tail_with_its_epochs_and_producers() {
    run(|reactor| async move {
        let log = create(&reactor, small()).await;
        for n in 0..60 {
            let mut bytes = batch_of(&[n], 50, Some((4, 0, n as i32)));
            let epoch = LeaderEpoch(if n < 40 { 1 } else { 2 });
            log.append(&mut bytes, epoch, Origin::Client, 0).await.unwrap();
        }
        let before = read_all(&log).await;
        log.checkpoint().await.unwrap();
        assert_eq!(log.truncate_to(Offset(99)).await.unwrap().0, 60);
        assert_eq!(log.truncate_to(Offset(23)).await.unwrap().0, 23);
        assert_eq!((log.log_end().0, log.latest_epoch()), (23, LeaderEpoch(1)));
        let kept = read_all(&log).await;
        assert_eq!(kept, before[..kept.len()]);
        let mut next = batch_of(&[7], 50, Some((4, 0, 23)));
        log.append(&mut next, LeaderEpoch(3), Origin::Client, 0).await.unwrap();
        durable(&log).await;
        assert_eq!(log.truncate_to(Offset(0)).await.unwrap().0, 0);
        assert_eq!((log.size_bytes(), log.producer_count()), (0, 0));
        append(&log, batch(1)).await;
        log.close().await.unwrap();
        assert_eq!(open(&reactor, small()).await.log_end().0, 1);
    });
}

#[test]
fn a_deleted_log_leaves_nothing() {
    run(|reactor| async move {
        let log = create(&reactor, small()).await;
        append(&log, batch(1)).await;
        let reader = log.clone();
        log.delete().await.unwrap();
        reactor.sleep(Duration::from_secs(60)).await;
        assert_eq!(names(&reactor, dir().parent().unwrap()).await, ["journal"]);
        assert!(reader.read(Offset(0), 1, Offset(9), true).await.is_err());
        create(&reactor, small()).await;
    });
}

#[test]
fn who_waits_for_an_acknowledgement_is_woken_by_it_and_by_the_end_of_the_log() {
    run(|reactor| async move {
        let log = create(&reactor, LogConfig::default()).await;
        let end = append(&log, batch(1)).await.last_offset.plus(1);
        assert!(log.durable_end().offset() < end);
        log.acknowledgeable(end).await;
        assert!(log.durable_end().offset() >= end);
        let own = log.clone();
        let waits = async move { own.acknowledgeable(end.plus(1)).await };
        let waiter = reactor.spawn(Queue::Client, waits);
        reactor.yield_now().await;
        log.go_offline("the test says so");
        waiter.await;
    });
}
