//! What a start finds of a log: everything that it can be asked, as plain data for the invariants.

use std::collections::BTreeMap;

use ringlane_batch::{BatchView, LeaderEpoch, Offset, TimestampMs, batches};
use ringlane_storage::{AppendError, Log, Origin};

use crate::common::{batch_of, read_all};
use crate::told::{Row, Sent, Told};

/// No batch of these tests decompresses to more.
const BATCH_BYTES_MAX: usize = 1 << 20;

/// Of one log.
#[derive(Clone, Default, Debug)]
pub(crate) struct Found {
    pub(crate) start: i64,
    pub(crate) end: i64,
    pub(crate) durable_end: i64,
    pub(crate) rows: BTreeMap<i64, Row>,
    pub(crate) batches: Vec<Sent>,
    /// For an offset, the base of the batch that a read from there begins with.
    pub(crate) reads: Vec<(i64, Option<i64>)>,
    /// For a timestamp, the offset and timestamp of the first record from it on.
    pub(crate) times: Vec<(i64, Option<(i64, i64)>)>,
    /// The offset and timestamp of the record with the largest.
    pub(crate) largest_time: Option<(i64, i64)>,
    /// For an offset, what the log says its leader epoch was.
    pub(crate) epochs: Vec<(i64, i32)>,
    /// For a producer, the base offset that the log has of its last batch when that is sent again.
    pub(crate) retries: BTreeMap<i64, Option<i64>>,
    /// Producers that could leave out sequences.
    pub(crate) gaps_taken: Vec<i64>,
}

impl Found {
    /// Asks `log` everything. Appends nothing.
    pub(crate) async fn of(log: &Log, told: &Told, epoch: LeaderEpoch) -> Self {
        let mut found = Self {
            start: log.log_start().0,
            end: log.log_end().0,
            durable_end: log.durable_end().0,
            ..Self::default()
        };
        let bytes = read_all(log).await;
        for batch in batches(&bytes) {
            found.take_batch(&batch.expect("a read gives whole batches"), log);
        }
        found.read_from_everywhere(log).await;
        found.look_up_times(log).await;
        found.ask_for_producers(log, told, epoch).await;
        assert_eq!(log.log_end().0, found.end, "what was refused is not there");
        found
    }

    fn take_batch(&mut self, batch: &BatchView<'_>, log: &Log) {
        assert!(batch.crc_is_valid(), "a read gives no batch whose checksum does not match");
        let is_idempotent = batch.producer_id().is_some();
        let sent = Sent {
            base: batch.base_offset().0,
            end: batch.next_offset().0,
            epoch: batch.leader_epoch().0,
            producer: is_idempotent.then(|| (batch.producer_id().0, batch.base_sequence().0)),
        };
        self.batches.push(sent);
        // The log's start may lie within the first batch.
        let readable = sent.base.max(self.start);
        self.epochs.push((readable, log.epoch_at(Offset(readable)).0));
        for (offset, row) in rows_of(batch) {
            self.rows.insert(offset, row);
        }
    }

    async fn read_from_everywhere(&mut self, log: &Log) {
        for offset in self.start..self.end {
            let read = log.read(Offset(offset), 1, Offset(i64::MAX), true).await;
            let read = read.expect("every offset of the log can be read");
            let bytes: Vec<u8> = read.batches.iter().flatten().copied().collect();
            let first = batches(&bytes).next();
            let base = first.map(|batch| batch.expect("a whole batch").base_offset().0);
            self.reads.push((offset, base));
        }
    }

    async fn look_up_times(&mut self, log: &Log) {
        let mut targets: Vec<i64> = self.rows.values().map(|row| row.timestamp).collect();
        targets.extend([0, i64::MAX]);
        for target in targets.into_iter().rev().step_by(3) {
            let at = log.offset_for_timestamp(TimestampMs(target)).await;
            let at = at.expect("every timestamp can be looked up");
            self.times.push((target, at.map(|at| (at.offset.0, at.timestamp.0))));
        }
        let largest = log.max_timestamp().await.expect("it can be looked up");
        self.largest_time = largest.map(|at| (at.offset.0, at.timestamp.0));
    }

    async fn ask_for_producers(&mut self, log: &Log, told: &Told, epoch: LeaderEpoch) {
        let last_batches = told.producers(self.end).into_iter();
        for (id, last) in last_batches.filter(|(_, last)| last.end > self.start) {
            let (_, first) = last.producer.expect("a producer's batch");
            let count = (last.end - last.base) as usize;
            let mut again = batch_of(&vec![1; count], 1, Some((id, 0, first)));
            let answer = log.append(&mut again, epoch, Origin::Client, 0).await;
            let base = match answer {
                Err(AppendError::Duplicate(seen)) => Some(seen.base_offset.0),
                _ => None,
            };
            self.retries.insert(id, base);
            let mut gap = batch_of(&[1], 1, Some((id, 0, first + count as i32 + 7)));
            let answer = log.append(&mut gap, epoch, Origin::Client, 0).await;
            if !matches!(answer, Err(AppendError::OutOfOrderSequence { .. })) {
                self.gaps_taken.push(id);
            }
        }
    }
}

/// The records of a batch at their offsets.
pub(crate) fn rows_of(batch: &BatchView<'_>) -> Vec<(i64, Row)> {
    let records = batch.records(BATCH_BYTES_MAX).expect("it decompresses");
    let row = |record: ringlane_batch::Record<'_>| Row {
        timestamp: record.timestamp.0,
        key: record.key.unwrap_or_default().to_vec(),
        value: record.value.map(<[u8]>::to_vec),
    };
    let rows = records.iter().map(|record| record.expect("a good record"));
    rows.map(|record| (record.offset.0, row(record))).collect()
}
