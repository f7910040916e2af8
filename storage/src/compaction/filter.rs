//! What stays of one batch (Kafka's `RecordFilter` in `Cleaner.cleanInto`). Offsets, timestamps, codec, producer fields and
//! the last offset of a batch never change; a batch of which nothing stays may have to stay as a bare header.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use ringlane_batch::{
    BatchBuilder, BatchError, BatchFields, BatchView, Codec, Decompressor, Offset, ProducerEpoch,
    ProducerId, Record, TimestampMs, TimestampType,
};

use super::offset_map::OffsetMap;

/// No batch decompresses to more: what was appended was decompressed and checked before.
pub(super) const DECOMPRESSED_BYTES_MAX: usize = 1 << 30;

/// What the log's end knows of a producer: the batch with its last sequence must stay in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LastBatch {
    pub(crate) epoch: ProducerEpoch,
    /// Where its last data batch ends; `None` when only a marker is left of it.
    pub(crate) offset: Option<Offset>,
}

/// What stays of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// All of it, as it is.
    Whole,
    /// This, in its place.
    Changed(Bytes),
    Nothing,
}

/// One pass over segments that follow each other, from the log's start.
pub(crate) struct Filter<'a> {
    pub(crate) map: &'a OffsetMap,
    /// Where the dirty part of this round begins.
    pub(crate) first_dirty: Offset,
    pub(crate) now_ms: i64,
    pub(crate) delete_retention_ms: i64,
    pub(crate) producers: BTreeMap<ProducerId, LastBatch>,
    /// Where the new segment ends: the batch before it stays, if only as a header. So a segment still ends where the next
    /// begins, which recovery and truncation rely on.
    pub(crate) segment_end: Offset,
    /// Producers with records since their last transaction marker.
    pub(crate) in_transaction: BTreeSet<ProducerId>,
}

/// What is to become of the records of a batch.
struct Survey {
    /// Of each record whether it stays.
    records: Vec<bool>,
    /// Whether a tombstone is among those.
    tombstones: bool,
}

impl Filter<'_> {
    /// Decides on `batch`, whose checksum is right.
    ///
    /// # Errors
    /// What is wrong with its records.
    pub(crate) fn apply(
        &mut self,
        batch: &BatchView<'_>,
        decompressor: &mut Decompressor,
    ) -> Result<Kept, BatchError> {
        assert!(batch.next_offset() <= self.segment_end, "the batch belongs to the new segment");
        let marks_nothing = self.pass_transaction(batch);
        let horizon = self.horizon(batch);
        let must_stay = self.must_stay(batch);
        // KIP-534: a marker goes once its transaction's records are gone and its horizon has passed.
        let gone = marks_nothing && horizon.is_some_and(|horizon| horizon.0 <= self.now_ms);
        if batch.record_count() == 0 {
            return Ok(if must_stay { Kept::Whole } else { Kept::Nothing });
        }
        if gone {
            return Ok(header_only(batch, must_stay));
        }
        let payload =
            decompressor.decompress(batch.codec()?, batch.payload(), DECOMPRESSED_BYTES_MAX)?;
        let stays = self.survey(batch, payload, horizon)?;
        if !stays.records.contains(&true) {
            return Ok(header_only(batch, must_stay));
        }
        let starts_to_wait = (stays.tombstones || marks_nothing) && self.may_set_horizon(batch);
        let new_horizon = (horizon.is_none() && starts_to_wait)
            .then(|| TimestampMs(self.now_ms.saturating_add(self.delete_retention_ms)));
        if new_horizon.is_none() && !stays.records.contains(&false) {
            return Ok(Kept::Whole);
        }
        rebuild(batch, payload, &stays.records, new_horizon.or(horizon)).map(Kept::Changed)
    }

    /// Follows the transactions (KIP-98). True for a marker of which no record was met: it marks nothing any more. The
    /// records of aborted transactions count like others: nothing says yet which those are, as none are accepted.
    fn pass_transaction(&mut self, batch: &BatchView<'_>) -> bool {
        if batch.is_control() {
            return !self.in_transaction.remove(&batch.producer_id());
        }
        if batch.is_transactional() {
            self.in_transaction.insert(batch.producer_id());
        }
        false
    }

    /// The delete horizon of `batch` (KIP-534), if an earlier round set it: in the dirty part it is the producer's own.
    fn horizon(&self, batch: &BatchView<'_>) -> Option<TimestampMs> {
        batch.delete_horizon().filter(|_| batch.last_offset() < self.first_dirty)
    }

    /// Only when all older records of its keys go with this round does the time of its tombstones begin to run: whoever
    /// saw one of those has the full `delete.retention.ms` to see the tombstone too. Kafka begins earlier, when the map was
    /// full before it came to this batch.
    fn may_set_horizon(&self, batch: &BatchView<'_>) -> bool {
        self.map.latest().is_some_and(|latest| batch.last_offset() <= latest)
    }

    /// Whether the batch stays even without records: for its producer's last sequence, or as the end of the segment.
    fn must_stay(&self, batch: &BatchView<'_>) -> bool {
        let last = self.producers.get(&batch.producer_id());
        let ends_producer = last.is_some_and(|last| match last.offset {
            Some(offset) => batch.last_offset() == offset,
            None => batch.is_control() && batch.producer_epoch() == last.epoch,
        });
        ends_producer || batch.next_offset() == self.segment_end
    }

    /// Which records of `batch` stay.
    fn survey(
        &self,
        batch: &BatchView<'_>,
        payload: &[u8],
        horizon: Option<TimestampMs>,
    ) -> Result<Survey, BatchError> {
        let mut survey = Survey { records: Vec::new(), tombstones: false };
        for record in batch.records_in(payload) {
            let record = record?;
            let stays = batch.is_control() || self.stays(&record, horizon);
            survey.tombstones |= stays && record.value.is_none();
            survey.records.push(stays);
        }
        Ok(survey)
    }

    fn stays(&self, record: &Record<'_>, horizon: Option<TimestampMs>) -> bool {
        if self.map.latest().is_none_or(|latest| record.offset > latest) {
            return true;
        }
        // Without a key it was appended before the topic was compacted.
        let Some(key) = record.key else { return false };
        let is_last = self.map.get(key).is_none_or(|last| record.offset >= last);
        let waits = horizon.is_none_or(|horizon| self.now_ms < horizon.0);
        is_last && (record.value.is_some() || waits)
    }
}

/// `batch` with those of its records that stay.
fn rebuild(
    batch: &BatchView<'_>,
    payload: &[u8],
    stays: &[bool],
    horizon: Option<TimestampMs>,
) -> Result<Bytes, BatchError> {
    let mut rebuilt = BatchBuilder::new(batch.codec()?);
    if let Some(horizon) = horizon {
        rebuilt = rebuilt.with_delete_horizon(horizon);
    }
    for (record, _) in batch.records_in(payload).zip(stays).filter(|(_, stays)| **stays) {
        let record = record?;
        let delta = record.offset.distance_from(batch.base_offset());
        let delta = i32::try_from(delta).expect("a delta was read as an i32");
        let headers: Vec<_> = record.headers.collect();
        rebuilt.append_at(delta, record.timestamp, record.key, record.value, &headers);
    }
    Ok(rebuilt.finish(&fields(batch)))
}

/// `batch` without its records, or nothing.
fn header_only(batch: &BatchView<'_>, must_stay: bool) -> Kept {
    if !must_stay {
        return Kept::Nothing;
    }
    let fields = BatchFields { max_timestamp: Some(batch.max_timestamp()), ..fields(batch) };
    Kept::Changed(BatchBuilder::new(Codec::None).finish(&fields))
}

/// The header of `batch`, for what stays of it.
fn fields(batch: &BatchView<'_>) -> BatchFields {
    let producer = (batch.producer_id(), batch.producer_epoch(), batch.base_sequence());
    let stamped = batch.timestamp_type() == TimestampType::LogAppendTime;
    BatchFields {
        base_offset: batch.base_offset(),
        leader_epoch: batch.leader_epoch(),
        producer: batch.producer_id().is_some().then_some(producer),
        is_transactional: batch.is_transactional(),
        is_control: batch.is_control(),
        log_append_time: stamped.then(|| batch.max_timestamp()),
        last_offset_delta: Some(batch.last_offset_delta()),
        max_timestamp: None,
    }
}

#[cfg(test)]
mod tests;
