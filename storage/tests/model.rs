//! A log against a list of batches, under random settings, appends, reads, lookups, checkpoints, truncations, deletions and
//! reopenings. The seed of a failure is in its message; `RINGLANE_SEED` replays it alone, `RINGLANE_SEEDS` runs that many.

mod common;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};

use common::*;
use ringlane_batch::{
    BatchView, HighWatermark, LeaderEpoch, Offset, TimestampMs, TimestampType, stamp,
    stamp_log_append_time,
};
use ringlane_reactor::sim::Options;
use ringlane_reactor::{AddressReservation, FileRange, Part, Reactor, Rng, Stream};
use ringlane_storage::{AppendError, Fetched, Log, LogConfig, Origin, ReadError};

const SEEDS: u64 = 60;
const STEPS: usize = 250;

/// What the log should be.
#[derive(Default)]
struct Model {
    /// Each with its records' timestamps.
    batches: Vec<(Vec<u8>, Vec<i64>)>,
    epoch: i32,
    /// What lies before it was deleted.
    start: i64,
    /// Where the batches begin that were not to be kept in memory.
    not_kept: BTreeSet<i64>,
}

impl Model {
    fn end(&self) -> i64 {
        let end = self.batches.last().map_or(0, |(bytes, _)| view(bytes).next_offset().0);
        end.max(self.start)
    }

    fn bytes_from(&self, from: i64, until: i64) -> Vec<u8> {
        let wanted = self.batches.iter().map(|(bytes, _)| bytes);
        wanted
            .filter(|bytes| view(bytes).last_offset().0 >= from)
            .take_while(|bytes| view(bytes).last_offset().0 < until)
            .flatten()
            .copied()
            .collect()
    }

    fn records(&self) -> impl Iterator<Item = (i64, i64)> {
        self.batches.iter().flat_map(|(bytes, timestamps)| {
            let base = view(bytes).base_offset().0;
            let all = timestamps.iter().enumerate().map(move |(n, ts)| (base + n as i64, *ts));
            all.filter(|(offset, _)| *offset >= self.start)
        })
    }

    /// The last batch of each producer: first sequence, count, base offset.
    fn producers(&self) -> BTreeMap<i64, (i32, i32, i64)> {
        let of = |bytes: &Vec<u8>| {
            let batch = view(bytes);
            let seen = (batch.base_sequence().0, batch.record_count(), batch.base_offset().0);
            batch.producer_id().is_some().then_some((batch.producer_id().0, seen))
        };
        self.batches.iter().filter_map(|(bytes, _)| of(bytes)).collect()
    }

    /// The batches with a record that was not deleted.
    fn readable(&self) -> impl Iterator<Item = &Vec<u8>> {
        let bytes = self.batches.iter().map(|(bytes, _)| bytes);
        bytes.filter(|bytes| view(bytes).last_offset().0 >= self.start)
    }

    /// Where each epoch with a batch begins.
    fn epochs(&self) -> BTreeMap<i32, i64> {
        let mut epochs = BTreeMap::new();
        for bytes in self.readable() {
            let batch = view(bytes);
            epochs.entry(batch.leader_epoch().0).or_insert(batch.base_offset().0);
        }
        epochs
    }
}

/// Settings of every kind that decides how a log is laid out.
fn draw_config(rng: &mut Rng) -> LogConfig {
    let stamps = rng.one_in(4);
    LogConfig {
        segment_bytes: [500, 2000, 20_000][rng.below(3) as usize],
        segment_ms: if rng.one_in(4) { 500 } else { i64::MAX },
        segment_index_bytes: if rng.one_in(4) { 48 } else { 10 << 20 },
        index_interval_bytes: [1, 100, 4096][rng.below(3) as usize],
        durable: rng.one_in(2),
        flush_messages: [1, 5, i64::MAX as u64][rng.below(3) as usize],
        flush_ms: if rng.one_in(3) { 10 } else { i64::MAX },
        timestamp_type: match stamps {
            true => TimestampType::LogAppendTime,
            false => TimestampType::CreateTime,
        },
        retention_ms: -1,
        ..small()
    }
}

fn view(bytes: &[u8]) -> BatchView<'_> {
    BatchView::parse(bytes).expect("the model holds batches")
}

struct Run {
    reactor: Reactor,
    rng: Rng,
    log: Log,
    config: LogConfig,
    model: Model,
    /// Leads back to this shard.
    connection: (Stream, Stream),
    /// Parts of files that wait to be sent, with what they had when they were given.
    waiting: Vec<(FileRange, Vec<u8>)>,
    /// How many there were.
    spans: u32,
    /// How many reads found something in memory.
    tails: u32,
}

impl Run {
    async fn step(&mut self) {
        match self.rng.below(100) {
            0..50 => self.append().await,
            50..65 => self.read().await,
            65..67 => self.span().await,
            67 => self.send().await,
            68..70 => self.log.expect_reader(),
            70..78 => self.look_up_times().await,
            78..83 => self.check_epochs(),
            83..87 => self.check_retry().await,
            87..90 => self.log.checkpoint().await.expect("a good disk"),
            90..93 => self.model.epoch += 1,
            93..95 => self.truncate().await,
            95 => self.delete().await,
            96 => self.change_config(),
            97 => self.reopen().await,
            _ => durable(&self.log).await,
        }
        assert_eq!(self.log.log_end().0, self.model.end());
        assert_eq!(self.log.log_start().0, self.model.start);
    }

    async fn append(&mut self) {
        let now = self.model.end() * 10;
        let count = 1 + self.rng.below(4);
        let timestamps: Vec<i64> = (0..count)
            .map(|_| now + self.rng.below(200) as i64 - 100)
            .map(|ts| ts.max(0))
            .collect();
        let producer = self.rng.one_in(2).then(|| {
            let id = 1 + self.rng.below(3) as i64;
            let next = self.model.producers().get(&id).map_or(0, |seen| seen.0 + seen.1);
            (id, 0, next)
        });
        let value_len = match self.rng.one_in(30) {
            true => 12_000,
            false => self.rng.below(300) as usize,
        };
        let mut bytes = batch_of(&timestamps, value_len, producer);
        let epoch = LeaderEpoch(self.model.epoch);
        let stamped = |bytes: &mut Vec<u8>, base: Offset| {
            stamp(bytes, base, epoch);
            if self.config.timestamp_type == TimestampType::LogAppendTime {
                stamp_log_append_time(bytes, TimestampMs(now));
            }
        };
        let is_kept = !self.rng.one_in(3);
        let appended = match is_kept {
            false => self.log.append(&mut bytes, epoch, Origin::Client, now).await,
            true => {
                let appended =
                    self.log.append_kept(bytes.clone(), epoch, Origin::Client, now).await;
                appended.inspect(|appended| stamped(&mut bytes, appended.base_offset))
            }
        };
        match appended {
            Err(AppendError::LargerThanSegment { .. }) => {
                assert!(bytes.len() > self.config.segment_bytes as usize);
            }
            Ok(appended) => {
                let base = appended.base_offset.0;
                assert_eq!(base, self.model.end());
                match is_kept {
                    true => _ = self.model.not_kept.remove(&base),
                    false => _ = self.model.not_kept.insert(base),
                }
                let stamped = appended.log_append_time_ms;
                let stamps = self.config.timestamp_type == TimestampType::LogAppendTime;
                assert_eq!(stamped, stamps.then_some(now));
                let timestamps = timestamps.iter().map(|ts| stamped.unwrap_or(*ts)).collect();
                self.model.batches.push((bytes, timestamps));
            }
            Err(other) => panic!("{other}"),
        }
    }

    async fn read(&mut self) {
        let end = self.model.end();
        let from = self.rng.below(end as u64 + 1) as i64;
        let until = self.rng.below(end as u64 + 3) as i64;
        let max_bytes = self.rng.below(4000) as usize;
        let at_least_one = self.rng.one_in(2);
        let tail = self.log.read_tail(Offset(from), max_bytes, Offset(until), at_least_one);
        let read = self.log.read(Offset(from), max_bytes, Offset(until), at_least_one).await;
        if let Some(tail) = tail {
            self.check_tail(tail, from, until, max_bytes, at_least_one);
        }
        if from < self.model.start {
            assert!(matches!(read, Err(ReadError::OffsetOutOfRange { .. })), "{from}: {read:?}");
            return;
        }
        let read = read.expect("it is in range");
        let got: Vec<u8> = read.batches.concat();
        let expected = self.model.bytes_from(from, until);
        assert!(expected.starts_with(&got), "read {from}..{until}: not what was appended");
        let first_len = ringlane_batch::peek_len(&expected).unwrap_or(0);
        let some = !expected.is_empty() && (at_least_one || first_len <= max_bytes);
        assert_eq!(!got.is_empty(), some, "read {from}..{until}, {max_bytes}, {at_least_one}");
        assert!(got.len() <= max_bytes.max(if at_least_one { first_len } else { 0 }));
        let last = ringlane_batch::batches(&got).last().map(|batch| batch.unwrap().next_offset());
        assert_eq!(read.next_offset, last.unwrap_or(Offset(from)));
    }

    /// What a reader gets from memory is all that fits, whatever segments it is in, up to what was not to be kept there.
    fn check_tail(&mut self, tail: Fetched, from: i64, until: i64, max_bytes: usize, one: bool) {
        let got: Vec<u8> = tail.batches.concat();
        let expected = self.model.bytes_from(from, until);
        let mut fits = 0;
        for batch in ringlane_batch::batches(&expected) {
            let batch = batch.expect("the model holds batches");
            let len = batch.len();
            if self.model.not_kept.contains(&batch.base_offset().0) {
                break;
            }
            if fits + len > max_bytes && !(fits == 0 && one) {
                break;
            }
            fits += len;
        }
        assert!(
            got == expected[..fits],
            "tail {from}..{until}, {max_bytes}, {one}: something else"
        );
        let last = ringlane_batch::batches(&got).last().map(|batch| batch.unwrap().next_offset());
        assert_eq!(tail.next_offset, last.unwrap_or(Offset(from)));
        self.tails += u32::from(!got.is_empty());
    }

    /// What a reader gets straight from the file is what it would get otherwise.
    async fn span(&mut self) {
        let end = self.model.end();
        let from = self.rng.below(end as u64 + 1) as i64;
        let until = self.rng.below(end as u64 + 3) as i64;
        let (min, max) = (1 + self.rng.below(500) as usize, self.rng.below(4000) as usize);
        let Some(span) = self.log.span(Offset(from), min..=max, Offset(until)).await else {
            return;
        };
        let len = span.range.len();
        assert!((min..=max).contains(&len), "{min}..={max}: {span:?}");
        let expected = self.model.bytes_from(from, until)[..len].to_vec();
        let last = ringlane_batch::batches(&expected).last();
        assert_eq!(Some(span.next_offset), last.map(|batch| batch.unwrap().next_offset()));
        self.waiting.push((span.range, expected));
        self.spans += 1;
        // A client that is slow has its part whatever becomes of the log.
        if self.rng.one_in(2) {
            self.send().await;
        }
    }

    /// Sends what waits.
    async fn send(&mut self) {
        for (range, expected) in self.waiting.drain(..) {
            let (client, server) = &self.connection;
            client.write_parts(vec![Part::File(range)]).await.expect("sends");
            let mut got = Vec::new();
            while got.len() < expected.len() {
                got.extend_from_slice(&server.read().await.expect("receives"));
            }
            assert!(got == expected, "a part of a file is not what was appended");
        }
    }

    async fn look_up_times(&mut self) {
        let target = self.rng.below(self.model.end() as u64 * 10 + 300) as i64;
        let found = self.log.offset_for_timestamp(TimestampMs(target)).await.expect("a good disk");
        let found = found.map(|found| (found.offset.0, found.timestamp.0));
        assert_eq!(found, self.model.records().find(|(_, ts)| *ts >= target), "at {target}");
        let max = self.log.max_timestamp().await.expect("a good disk");
        let largest = self.model.records().map(|(_, ts)| ts).max();
        let expected = self.model.records().find(|(_, ts)| Some(*ts) == largest);
        assert_eq!(max.map(|max| (max.offset.0, max.timestamp.0)), expected);
    }

    fn check_epochs(&mut self) {
        let epochs = self.model.epochs();
        let Some((&latest, _)) = epochs.last_key_value() else { return };
        assert_eq!(self.log.latest_epoch(), LeaderEpoch(latest));
        for &epoch in epochs.keys() {
            let next = epochs.range(epoch + 1..).next().map_or(self.model.end(), |next| *next.1);
            let found = self.log.end_offset_for_epoch(LeaderEpoch(epoch));
            assert_eq!(found, Some((LeaderEpoch(epoch), Offset(next))));
        }
    }

    async fn check_retry(&mut self) {
        for (id, (first, count, base)) in self.model.producers() {
            // Whoever's records were all deleted may be forgotten.
            if base + i64::from(count) <= self.model.start {
                continue;
            }
            let epoch = LeaderEpoch(self.model.epoch);
            let mut retry = batch_of(&vec![1; count as usize], 1, Some((id, 0, first)));
            let again = self.log.append(&mut retry, epoch, Origin::Client, 0).await;
            assert!(
                matches!(again, Err(AppendError::Duplicate(seen)) if seen.base_offset.0 == base),
                "a retry of producer {id}: {again:?}"
            );
            let mut gap = batch_of(&[1], 1, Some((id, 0, first + count + 1)));
            let refused = self.log.append(&mut gap, epoch, Origin::Client, 0).await;
            assert!(matches!(refused, Err(AppendError::OutOfOrderSequence { .. })));
        }
    }

    async fn truncate(&mut self) {
        let back = self.rng.below(30) as i64;
        let target = (self.model.end() - back).max(self.model.start);
        self.log.truncate_to(Offset(target)).await.expect("a good disk");
        self.model.batches.retain(|(bytes, _)| view(bytes).last_offset().0 < target);
        self.model.epoch = self.model.epoch.max(self.log.latest_epoch().0);
    }

    async fn delete(&mut self) {
        let span = (self.model.end() - self.model.start) as u64;
        let target = self.model.start + self.rng.below(span + 1) as i64;
        let end = HighWatermark(self.model.end());
        let start = self.log.delete_records_before(Offset(target), end).await;
        assert_eq!(start.expect("a good disk").0, target);
        self.model.start = target;
    }

    /// What decides where segments and index entries begin may change at any time.
    fn change_config(&mut self) {
        self.config = draw_config(&mut self.rng);
        self.log.set_config(self.config.clone());
    }

    async fn reopen(&mut self) {
        // A log that is opened does not know what the one before gave.
        self.send().await;
        let end = self.log.close().await.expect("a good disk");
        assert_eq!(end.0, self.model.end());
        self.log = open(&self.reactor, self.config.clone()).await;
        assert_eq!(self.log.recovery_point().0, self.model.end(), "nothing to recover");
        let expected = self.model.bytes_from(self.model.start, i64::MAX);
        assert_eq!(read_all(&self.log).await, expected);
    }
}

/// Answers how many reads were given a part of a file, and how many found something in memory.
fn check(seed: u64) -> (u32, u32) {
    let (mut simulation, host) = world(Options::seed(seed));
    simulation.block_on(host, move |reactor| async move {
        let mut rng = Rng::new(seed ^ 0x10c);
        let config = draw_config(&mut rng);
        let log = create(&reactor, config.clone()).await;
        let (model, connection) = (Model::default(), connection(&reactor).await);
        let (waiting, spans, tails) = (Vec::new(), 0, 0);
        let mut run = Run { reactor, rng, log, config, model, connection, waiting, spans, tails };
        for _ in 0..STEPS {
            run.step().await;
        }
        run.reopen().await;
        (run.spans, run.tails)
    })
}

async fn connection(reactor: &Reactor) -> (Stream, Stream) {
    let here = AddressReservation::simulated(SocketAddr::from((Ipv4Addr::LOCALHOST, 9092)));
    let listener = reactor.listen(&here, 1).expect("listens");
    let client = reactor.connect(here.address()).await.expect("connects");
    (client, listener.accept().await.expect("accepts"))
}

#[test]
fn the_log_is_the_list_of_what_was_appended() {
    let (spans, tails) = (Cell::new(0), Cell::new(0));
    let count = |seed| {
        let (of_file, of_memory) = check(seed);
        spans.update(|spans| spans + of_file);
        tails.update(|tails| tails + of_memory);
    };
    let seeds: Vec<u64> = seeds(SEEDS).collect();
    each_seed("model", seeds.iter().copied(), count);
    assert!(seeds.len() == 1 || spans.get().min(tails.get()) > 0, "{spans:?}, {tails:?}");
}
