//! What a process does with its logs, step by step, drawn at random.

use std::time::Duration;

use ringlane_batch::{
    BatchBuilder, BatchFields, Codec, HighWatermark, Offset, ProducerEpoch, ProducerId, Sequence,
    TimestampMs,
};
use ringlane_reactor::Rng;
use ringlane_storage::{AppendError, Log, Origin};

use crate::common::durable;
use crate::process::Process;
use crate::roles::Role;
use crate::told::Row;

/// Timestamps are below this prime, and a step of another number through them meets each once.
const TIMESTAMPS: i64 = 999_983;
const TIMESTAMP_STEP: i64 = 48_271;
/// Who waits longer for room in the journal goes away.
const APPEND_MAX: Duration = Duration::from_secs(1);

impl Process {
    pub(crate) async fn work(&mut self, steps: usize) {
        for _ in 0..steps {
            let number = self.rng.below(self.logs.len() as u64) as usize;
            let log = self.logs[number].clone();
            match self.rng.below(100) {
                0..55 => self.append_some(number).await,
                55..65 => wait_until_durable(&log).await,
                65..70 => log.checkpoint().await.expect("an honest disk"),
                70..76 => self.consume(number).await,
                76..80 => self.truncate(number).await,
                80..84 => self.delete_records(number).await,
                84..89 => self.change(number),
                89..94 => self.pass_time().await,
                _ => durable_changed_or_end(&log).await,
            }
            self.turn().await;
            (0..self.logs.len()).for_each(|number| self.look(number));
        }
    }

    /// To one log, or to several before anyone else has a turn: their batches are in one group.
    async fn append_some(&mut self, number: usize) {
        for n in 0..1 + self.rng.below(3) as usize {
            self.append((number + n * n) % self.logs.len()).await;
        }
        self.note_what_is_kept().await;
    }

    pub(crate) async fn note_what_is_kept(&mut self) {
        self.turn().await;
        for number in 0..self.logs.len() {
            let log = &self.logs[number];
            // A durable log may hold back what the journal does not prove yet.
            let end = if log.config().durable { log.durable_end().0 } else { log.log_end().0 };
            self.told(number, |told| told.kept_end = told.kept_end.max(end));
        }
    }

    /// Appends a batch that the world knows of before.
    pub(crate) async fn append(&mut self, number: usize) {
        self.try_append(number).await.expect("an honest disk");
    }

    /// The same on a disk that may be full: what is refused, or has no room for long, never comes to be there.
    pub(crate) async fn try_append(&mut self, number: usize) -> Result<(), AppendError> {
        let first = self.told(number, |told| (told.rows.len() + told.gone.len()) as i64);
        let count = 1 + self.rng.below(3) as i64;
        let is_compacted = self.role(number) == Role::Compacted;
        let rng = &mut self.rng;
        let rows: Vec<Row> = (first..first + count).map(|id| row(id, is_compacted, rng)).collect();
        let producer = self.rng.one_in(2).then(|| 1 + self.rng.below(3) as i64);
        let epoch = self.epoch();
        let producer = self.told(number, |told| {
            let producer = producer.map(|id| (id, told.next_sequence(id)));
            told.appending(rows.clone(), epoch.0, producer);
            producer
        });
        let mut bytes = batch_of_rows(&rows, producer);
        let base = self.told(number, |told| told.end()) - count;
        let append = self.logs[number].append(&mut bytes, epoch, Origin::Client, 0);
        let refused = match self.start.reactors[0].timeout(APPEND_MAX, append).await {
            Ok(Ok(appended)) => {
                assert_eq!(appended.base_offset.0, base, "the next offset is handed out");
                return Ok(());
            }
            Ok(Err(error)) => error,
            Err(_) => AppendError::StorageFull,
        };
        self.told(number, |told| told.refused(base));
        Err(refused)
    }

    /// A consumer reads what may be acknowledged, from somewhere on.
    pub(crate) async fn consume(&mut self, number: usize) {
        let (log, role) = (self.logs[number].clone(), self.role(number));
        let is_safe = log.config().durable || role.syncs_first();
        let end = log.acknowledgeable_end();
        if end <= log.log_start().offset() {
            return;
        }
        let count = (end.0 - log.log_start().0) as u64;
        let from = Offset(end.0 - 1 - self.rng.below(count) as i64);
        let read = match log.read(from, 400, end, true).await {
            Ok(read) => read,
            // Retention was quicker.
            Err(_) if from < log.log_start().offset() => return,
            Err(error) => panic!("a read from {from} on an honest disk: {error}"),
        };
        self.turn().await;
        self.told(number, |told| {
            let seen = if is_safe { &mut told.seen_end } else { &mut told.seen_cached_end };
            *seen = (*seen).max(read.next_offset.0);
        });
    }

    async fn truncate(&mut self, number: usize) {
        let log = self.logs[number].clone();
        let least =
            self.told(number, |told| told.start.max(told.cleanable_end)).max(log.log_start().0);
        let target = (log.log_end().0 - self.rng.below(12) as i64).max(least);
        // What retention is about to take is not truncated under its hands.
        let is_retained = self.told(number, |told| told.may_start > target);
        if !self.role(number).is_truncated() || is_retained || target >= log.log_end().0 {
            return;
        }
        self.told(number, |told| {
            let cut = told.cut_of(target);
            told.cutting(cut.max(log.log_start().0));
        });
        // A file that clients were sent more of is not cut: another takes its place.
        if self.rng.one_in(2) {
            send_straight(&log, Offset(target)).await;
        }
        let end = log.truncate_to(Offset(target)).await.expect("an honest disk").0;
        self.turn().await;
        self.told(number, |told| told.cut(end));
    }

    async fn delete_records(&mut self, number: usize) {
        let log = self.logs[number].clone();
        if !self.role(number).is_deleted_from() {
            return;
        }
        let end = log.acknowledgeable_end();
        let target = Offset((end.0 - self.rng.below(8) as i64).max(0));
        self.told(number, |told| told.may_start = told.may_start.max(target.0));
        let deleted = log.delete_records_before(target, HighWatermark(end.0)).await;
        let start = deleted.expect("an honest disk").0;
        assert!(start >= target.0, "the log starts at {start}, it was asked for {target}");
        self.turn().await;
        self.told(number, |told| told.start = told.start.max(start));
    }

    /// Other settings, or more to clean.
    fn change(&mut self, number: usize) {
        let role = self.role(number);
        if role == Role::Changing {
            self.logs[number].set_config(role.draw_config(&mut self.rng));
        }
        if role == Role::Compacted {
            let end = self.logs[number].durable_end().0;
            self.told(number, |told| told.cleanable_end = told.cleanable_end.max(end));
        }
    }

    /// Timers fire, cleaners and retention get on.
    pub(crate) async fn pass_time(&mut self) {
        let time = Duration::from_micros(self.rng.below(20_000));
        self.start.reactors[0].sleep(time).await;
    }
}

/// A client gets what is at `from`, as long as it does not have to come from the disk: the page cache has it now and then.
async fn send_straight(log: &Log, from: Offset) {
    for _ in 0..20 {
        if log.span(from, 1..=4000, log.log_end().offset()).await.is_some() {
            return;
        }
    }
}

/// Whether what is appended becomes durable without a round of checkpoints.
fn is_durable_soon(log: &Log) -> bool {
    let config = log.config();
    config.durable || config.flush_messages == 1 || config.flush_ms < i64::MAX
}

async fn wait_until_durable(log: &Log) {
    match is_durable_soon(log) {
        true => durable(log).await,
        false => log.checkpoint().await.expect("an honest disk"),
    }
}

/// Waits for the next ring where one is to be expected.
async fn durable_changed_or_end(log: &Log) {
    if log.durable_end().offset() < log.log_end().offset() && is_durable_soon(log) {
        log.durable_changed().await;
    }
}

fn row(id: i64, is_compacted: bool, rng: &mut Rng) -> Row {
    let is_tombstone = is_compacted && rng.one_in(4);
    let len = if rng.one_in(20) { 350 } else { rng.below(150) };
    let value = (0..len).map(|n| (n as i64 + id) as u8).collect();
    Row {
        timestamp: (id + 1) * TIMESTAMP_STEP % TIMESTAMPS,
        key: vec![b'k', rng.below(10) as u8],
        value: (!is_tombstone).then_some(value),
    }
}

fn batch_of_rows(rows: &[Row], producer: Option<(i64, i32)>) -> Vec<u8> {
    let mut builder = BatchBuilder::new(Codec::None);
    for Row { timestamp, key, value } in rows {
        builder.append(TimestampMs(*timestamp), Some(key), value.as_deref(), &[]);
    }
    let producer = producer.map(|(id, first)| (ProducerId(id), ProducerEpoch(0), Sequence(first)));
    builder.finish(&BatchFields { producer, ..BatchFields::default() }).to_vec()
}
