//! What a fetch brought of one partition: whole batches, in a shared slice of the response.

use std::ops::Range;
use std::rc::Rc;

use bytes::Bytes;
use ringlane_batch::{BatchError, Record, batches};
use ringlane_reactor::Instant;

use super::aborted::{AbortedTransactions, Walk};
use crate::error::Error;

/// Batches of one partition, in order, at least one.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// The topic.
    pub topic: Rc<str>,
    /// The partition.
    pub partition: i32,
    /// Where the log ended for consumers when this was read: for a reader of committed records at the last stable offset.
    pub high_watermark: i64,
    /// When the leader was asked for it. A leader without records keeps the request until it has some, or until
    /// [`ConsumerConfig::max_wait`](super::ConsumerConfig::max_wait) is over.
    pub asked_at: Instant,
    /// When its answer was here: all partitions of an answer have the same times.
    pub answered_at: Instant,
    batches: Bytes,
    from: i64,
    next_offset: i64,
    aborted: AbortedTransactions,
    decompressed_bytes_max: usize,
}

/// How a fetch's bytes are checked.
pub(super) struct Checks {
    pub(super) check_crcs: bool,
    pub(super) decompressed_bytes_max: usize,
}

impl Fetched {
    /// Takes the whole batches of `records`, which were asked for from offset `from` on. `None` when there are none.
    ///
    /// # Errors
    /// `Data` when they are none, or damaged where `check_crcs` asks.
    pub(super) fn new(
        topic: &Rc<str>,
        partition: i32,
        high_watermark: i64,
        (records, from, aborted): (Bytes, i64, AbortedTransactions),
        Checks { check_crcs, decompressed_bytes_max }: Checks,
    ) -> Result<Option<Self>, Error> {
        let mut next_offset = from;
        let mut whole_bytes = 0;
        for batch in batches(&records) {
            let batch = match batch {
                Ok(batch) => batch,
                // A fetch is cut at its byte limit, not at a batch's end (KIP-74).
                Err(BatchError::Truncated { .. }) if whole_bytes > 0 => break,
                Err(error) => return Err(damaged(topic, partition, &error)),
            };
            if check_crcs && !batch.crc_is_valid() {
                let at = batch.base_offset();
                return Err(damaged(
                    topic,
                    partition,
                    &format!("the batch at offset {at} has a wrong CRC"),
                ));
            }
            whole_bytes += batch.len();
            next_offset = next_offset.max(batch.last_offset().0.saturating_add(1));
        }
        if next_offset == from {
            return Ok(None);
        }
        let batches = records.slice(..whole_bytes);
        let topic = topic.clone();
        Ok(Some(Self {
            topic,
            partition,
            high_watermark,
            asked_at: Instant::default(),
            answered_at: Instant::default(),
            batches,
            from,
            next_offset,
            aborted,
            decompressed_bytes_max,
        }))
    }

    /// The same, asked for at the start of `span` and here at its end.
    pub(super) fn within(self, span: Range<Instant>) -> Self {
        assert!(span.start <= span.end, "an answer follows its request");
        Self { asked_at: span.start, answered_at: span.end, ..self }
    }

    /// The batches as they are stored. The first may begin before the offset that was asked for.
    pub fn batches(&self) -> &Bytes {
        &self.batches
    }

    /// Behind the last of these batches: where the next piece starts.
    pub fn next_offset(&self) -> i64 {
        self.next_offset
    }

    /// Hands each record to `use_record`, in order, until that gives false. Control batches are passed over, and for a
    /// reader of committed records what was aborted.
    ///
    /// # Errors
    /// `Data` when a batch or record does not decode.
    pub fn for_each_while(
        &self,
        mut use_record: impl FnMut(&Record<'_>) -> bool,
    ) -> Result<(), Error> {
        let damaged = |error: BatchError| damaged(&self.topic, self.partition, &error);
        let mut walk = Walk::new(&self.aborted);
        for batch in batches(&self.batches) {
            let batch = batch.map_err(damaged)?;
            if !walk.is_for_reader(&batch) || batch.last_offset().0 < self.from {
                continue;
            }
            let records = batch.records(self.decompressed_bytes_max).map_err(damaged)?;
            for record in records.iter() {
                let record = record.map_err(damaged)?;
                if record.offset.0 >= self.from && !use_record(&record) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Hands each record to `use_record`, in order. Control batches are passed over.
    ///
    /// # Errors
    /// `Data` when a batch or record does not decode.
    pub fn for_each(&self, mut use_record: impl FnMut(&Record<'_>)) -> Result<(), Error> {
        self.for_each_while(|record| {
            use_record(record);
            true
        })
    }
}

fn damaged(topic: &str, partition: i32, reason: &impl ToString) -> Error {
    Error::Data { place: format!("{topic}-{partition}"), reason: reason.to_string() }
}
