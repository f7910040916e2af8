//! Compacted logs against a model: whoever reads from the start and keeps the last value of each key has the same state as
//! the one who saw every record, whatever was cleaned, interrupted or reopened on the way. `RINGLANE_SEED` replays one
//! seed, `RINGLANE_SEEDS` runs that many.

mod common;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;

use common::*;
use ringlane_batch::{
    BatchBuilder, BatchFields, Codec, LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence,
    TimestampMs, batches,
};
use ringlane_reactor::sim::{CrashKind, Options};
use ringlane_reactor::{Reactor, Rng};
use ringlane_storage::{
    AppendError, Cleanable, Cleaned, Cleaner, CleanerConfig, CompactionConfig, Log, LogConfig,
    Origin,
};

const SEEDS: u64 = 150;
const ROUNDS: usize = 4;
const STEPS: usize = 60;

type Bytes = Option<Vec<u8>>;

/// A record without its offset.
#[derive(Clone, PartialEq, Debug)]
struct Row {
    timestamp: i64,
    key: Bytes,
    value: Bytes,
}

/// Every record there ever was, at its offset, and what the process told about them.
#[derive(Default)]
struct Model {
    rows: Vec<Row>,
    /// Next sequence and the last batch of each producer: first sequence, count, base offset.
    producers: BTreeMap<i64, (i32, i32, i64)>,
    /// Everything before it is known to be durable.
    durable_end: i64,
    /// No truncation goes below: what cleaners were allowed to touch.
    last_stable: i64,
    /// Everything before it was cleaned at least once.
    cleaned_to: i64,
    keyless_allowed: bool,
}

type Shared = Rc<RefCell<Model>>;

fn state<'a>(rows: impl Iterator<Item = &'a Row>) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut state = BTreeMap::new();
    for row in rows {
        match (&row.key, &row.value) {
            (Some(key), Some(value)) => _ = state.insert(key.clone(), value.clone()),
            (Some(key), None) => _ = state.remove(key),
            (None, _) => {}
        }
    }
    state
}

fn config(compacted: bool) -> LogConfig {
    let compaction = CompactionConfig {
        min_cleanable_dirty_ratio: 0.0,
        delete_retention_ms: 100,
        ..CompactionConfig::default()
    };
    LogConfig { segment_bytes: 1200, compaction: compacted.then_some(compaction), ..small() }
}

fn row(rng: &mut Rng, keyless: bool, timestamp: i64) -> Row {
    let key = (!keyless || rng.one_in(2)).then(|| vec![b'k', rng.below(12) as u8]);
    let value = (!rng.one_in(4)).then(|| {
        let len = rng.below(60) as usize;
        (0..len).map(|_| rng.below(3) as u8).collect()
    });
    Row { timestamp, key, value }
}

fn batch_of_rows(rows: &[Row], codec: Codec, producer: Option<(i64, i32)>) -> Vec<u8> {
    let mut builder = BatchBuilder::new(codec);
    for row in rows {
        builder.append(TimestampMs(row.timestamp), row.key.as_deref(), row.value.as_deref(), &[]);
    }
    let producer = producer.map(|(id, first)| (ProducerId(id), ProducerEpoch(0), Sequence(first)));
    builder.finish(&BatchFields { producer, ..BatchFields::default() }).to_vec()
}

/// The records of the log, with their offsets.
async fn records(log: &Log) -> Vec<(i64, Row)> {
    let bytes = read_all(log).await;
    let mut all = Vec::new();
    for batch in batches(&bytes) {
        let batch = batch.expect("whole batches");
        assert!(batch.crc_is_valid());
        for record in batch.records(1 << 20).expect("it decompresses").iter() {
            let record = record.expect("a good record");
            let owned = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
            let (key, value) = (owned(record.key), owned(record.value));
            all.push((record.offset.0, Row { timestamp: record.timestamp.0, key, value }));
        }
    }
    all
}

async fn check(log: &Log, shared: &Shared) {
    let found = records(log).await;
    let mut model = shared.borrow_mut();
    let end = log.log_end().0;
    assert!(end >= model.durable_end, "lost {end}..{}, which was durable", model.durable_end);
    model.rows.truncate(end as usize);
    assert_eq!(model.rows.len() as i64, end, "the log holds what was appended");
    assert!(found.is_sorted_by(|a, b| a.0 < b.0), "offsets rise");
    for (offset, row) in &found {
        assert_eq!(row, &model.rows[*offset as usize], "the record at {offset} is what it was");
    }
    let clean = found.iter().take_while(|(offset, _)| *offset < model.cleaned_to).count();
    assert_eq!(
        end - model.cleaned_to.min(end),
        (found.len() - clean) as i64,
        "all dirty ones stay"
    );
    assert_eq!(state(found.iter().map(|found| &found.1)), state(model.rows.iter()));
}

/// Lookups go through the indexes of the new segments.
async fn check_lookups(log: &Log, rng: &mut Rng) {
    let found = records(log).await;
    for _ in 0..5 {
        let target = rng.below(3000) as i64;
        let expected = found.iter().find(|(_, row)| row.timestamp >= target).map(|(at, _)| *at);
        let at = log.offset_for_timestamp(TimestampMs(target)).await.expect("a good disk");
        assert_eq!(at.map(|at| at.offset.0), expected, "the first record from {target} on");
        let from = rng.below(log.log_end().0 as u64 + 1) as i64;
        let read = log.read(Offset(from), 1, Offset(i64::MAX), true).await.expect("in range");
        let first = read.batches.first().map(|bytes| batches(bytes).next().unwrap().unwrap());
        assert_eq!(first.is_some(), from < log.log_end().0, "a segment's end always stays");
        assert!(first.is_none_or(|batch| batch.last_offset().0 >= from));
    }
    let largest = found.iter().map(|(_, row)| row.timestamp).max();
    let max = log.max_timestamp().await.expect("a good disk");
    assert_eq!(max.map(|max| max.timestamp.0), largest);
}

fn cleaner(reactor: &Reactor, dedupe_buffer_bytes: u64) -> Cleaner {
    let io_buffer_bytes = 1 << 10;
    let config = CleanerConfig { dedupe_buffer_bytes, io_buffer_bytes, ..CleanerConfig::default() };
    Cleaner::new(reactor, config)
}

async fn clean(cleaner: &Cleaner, log: &Log, last_stable: i64) -> Option<Cleaned> {
    let cleanable = Cleanable { log: log.clone(), last_stable: Offset(last_stable) };
    cleaner.clean_dirtiest(vec![cleanable]).await
}

struct Life {
    reactor: Reactor,
    rng: Rng,
    log: Log,
    model: Shared,
    /// Producers of this life begin here: those of an earlier one may have lost what they believe to have sent.
    first_producer: i64,
}

impl Life {
    async fn step(&mut self) {
        match self.rng.below(100) {
            0..60 => self.append().await,
            60..70 => self.log.checkpoint().await.expect("a good disk"),
            70..84 => self.clean().await,
            84..88 => check(&self.log, &self.model).await,
            88..91 => check_lookups(&self.log, &mut self.rng).await,
            91..94 => self.truncate().await,
            94..97 => self.reopen().await,
            _ => durable(&self.log).await,
        }
        self.reactor.yield_now().await;
        let mut model = self.model.borrow_mut();
        model.durable_end = model.durable_end.max(self.log.durable_end().0);
    }

    async fn append(&mut self) {
        let base = self.log.log_end().0;
        let keyless = self.model.borrow().keyless_allowed;
        let rows: Vec<Row> = (0..1 + self.rng.below(5))
            .map(|_| {
                let timestamp = base * 10 + self.rng.below(100) as i64;
                row(&mut self.rng, keyless, timestamp)
            })
            .collect();
        let id = self.first_producer + self.rng.below(4) as i64;
        let seen = self.model.borrow().producers.get(&id).copied().unwrap_or_default();
        let producer = self.rng.one_in(2).then_some((id, seen.0 + seen.1));
        let codec = Codec::ALL[self.rng.below(5) as usize];
        let mut bytes = batch_of_rows(&rows, codec, producer);
        {
            let mut model = self.model.borrow_mut();
            model.rows.truncate(base as usize);
            model.rows.extend(rows.clone());
        }
        let appended = self.log.append(&mut bytes, LeaderEpoch(1), Origin::Client, 0).await;
        assert_eq!(appended.expect("a good disk").base_offset.0, base);
        self.reactor.yield_now().await;
        if let Some((id, first)) = producer {
            let seen = (first, rows.len() as i32, base);
            self.model.borrow_mut().producers.insert(id, seen);
        }
    }

    async fn clean(&mut self) {
        let end = self.log.log_end().0;
        let last_stable = {
            let mut model = self.model.borrow_mut();
            model.last_stable += self.rng.below((end - model.last_stable).max(0) as u64 + 1) as i64;
            // It may be cleaned any moment, also by a round that does not return.
            model.cleaned_to =
                model.cleaned_to.max(model.last_stable.min(self.log.recovery_point().0));
            model.last_stable
        };
        let memory = [0, 100, 200, 1 << 20][self.rng.below(4) as usize];
        if let Some(cleaned) = clean(&cleaner(&self.reactor, memory), &self.log, last_stable).await
        {
            assert!(cleaned.from < cleaned.to && cleaned.to.0 <= last_stable);
        }
    }

    async fn truncate(&mut self) {
        let floor = self.model.borrow().last_stable;
        let target = floor.max(self.log.log_end().0 - self.rng.below(20) as i64);
        let gone = |seen: &(i32, i32, i64)| seen.2 + i64::from(seen.1) > target;
        // The model does not follow sequences back over a truncation.
        if self.model.borrow().producers.values().any(gone) {
            return;
        }
        {
            // The batch that holds the target goes too, and a crash may fall anywhere.
            let mut model = self.model.borrow_mut();
            model.durable_end = model.durable_end.min(target - 5);
        }
        let end = self.log.truncate_to(Offset(target)).await.expect("a good disk").0;
        let mut model = self.model.borrow_mut();
        model.rows.truncate(end as usize);
        model.durable_end = model.durable_end.min(end);
        model.last_stable = model.last_stable.min(end);
    }

    async fn reopen(&mut self) {
        let compacted = self.log.config();
        self.log.close().await.expect("a good disk");
        self.log = open(&self.reactor, (*compacted).clone()).await;
        check(&self.log, &self.model).await;
        let producers = self.model.borrow().producers.clone();
        for (id, (first, count, base)) in producers {
            let rows = vec![Row { timestamp: 1, key: Some(vec![1]), value: None }; count as usize];
            let mut retry = batch_of_rows(&rows, Codec::None, Some((id, first)));
            let again = self.log.append(&mut retry, LeaderEpoch(1), Origin::Client, 0).await;
            assert!(
                matches!(again, Err(AppendError::Duplicate(seen)) if seen.base_offset.0 == base),
                "a retry of producer {id}, {first}+{count} at {base}: {again:?}"
            );
        }
    }
}

async fn open_or_create(reactor: &Reactor, model: &Shared, config: LogConfig) -> Log {
    reactor.disk().create_dir_all(Path::new("/data")).await.expect("a good disk");
    reactor.disk().sync_dir(Path::new("/")).await.expect("a good disk");
    let manager = manager(reactor).await;
    let log = match Log::open(&manager, &dir(), KEY, config.clone()).await {
        Ok((log, _)) => log,
        Err(error) => {
            assert_eq!(model.borrow().durable_end, 0, "a log with durable records opens: {error}");
            Log::create(&manager, &dir(), KEY, config).await.expect("a new log")
        }
    };
    begin(&manager).await;
    log
}

fn run(seed: u64) {
    let (mut simulation, host) = world(Options::seed(seed));
    let mut rng = Rng::new(seed ^ 0xc0ac7);
    let model = Shared::default();
    for round in 0..ROUNDS {
        let kind = if rng.one_in(3) { CrashKind::Process } else { CrashKind::Power };
        simulation.crash_at(host, rng.below(400), kind);
        let (shared, life_seed, compacted) =
            (model.clone(), rng.next_u64(), round > 0 || rng.one_in(2));
        let ended = simulation.try_block_on(host, move |reactor| async move {
            let log = open_or_create(&reactor, &shared, config(compacted)).await;
            check(&log, &shared).await;
            shared.borrow_mut().keyless_allowed = !compacted;
            // What a crash takes, it takes from the producers too: they go on as new ones.
            let end = log.log_end().0;
            {
                let mut model = shared.borrow_mut();
                model.producers.clear();
                model.last_stable = model.last_stable.min(end);
            }
            let first_producer = 1 + 10 * round as i64;
            let rng = Rng::new(life_seed);
            let mut life = Life { reactor, rng, log, model: shared, first_producer };
            for _ in 0..STEPS {
                life.step().await;
            }
        });
        if ended.is_ok() {
            simulation.crash(host, kind);
        }
    }
    simulation.crash_at(host, u64::MAX / 2, CrashKind::Process);
    simulation.block_on(host, move |reactor| async move {
        let log = open_or_create(&reactor, &model, config(true)).await;
        check(&log, &model).await;
        log.checkpoint().await.expect("a good disk");
        let end = log.log_end().0;
        let cleaner = cleaner(&reactor, 1 << 20);
        while clean(&cleaner, &log, end).await.is_some() {
            let mut shared = model.borrow_mut();
            shared.cleaned_to = shared.cleaned_to.max(end);
        }
        check(&log, &model).await;
        check_lookups(&log, &mut Rng::new(seed)).await;
        for name in names(&reactor, &dir()).await {
            let is_left = [".swap", ".cleaned", ".deleted"].iter().any(|end| name.ends_with(end));
            assert!(!is_left, "{name} is left");
        }
    });
}

#[test]
fn the_state_that_a_compacted_log_tells_is_the_last_value_of_each_key() {
    each_seed("compaction", seeds(SEEDS), run);
}
