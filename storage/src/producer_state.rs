//! What the log knows of each idempotent producer (KIP-98): its epoch and its last five batches, so that a retry is
//! recognised and a gap refused. Rebuilt from the newest snapshot and the batches behind it.

mod snapshot;

use std::collections::{BTreeMap, VecDeque};

use ringlane_batch::{BatchView, Offset, ProducerEpoch, ProducerId, Sequence, TimestampMs};

use crate::inspect::ProducerEntry;

pub(crate) use snapshot::{decode, encode};

/// As many batches as a producer may have in flight are remembered (`NUM_BATCHES_TO_RETAIN`).
const BATCHES_MAX: usize = 5;

/// One batch of a producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SeenBatch {
    pub(crate) last_sequence: Sequence,
    pub(crate) last_offset: Offset,
    /// Last minus first offset, and sequence.
    pub(crate) offset_delta: i32,
    pub(crate) max_timestamp: TimestampMs,
}

impl SeenBatch {
    pub(crate) fn base_offset(&self) -> Offset {
        self.last_offset.plus(-i64::from(self.offset_delta))
    }

    fn first_sequence(&self) -> Sequence {
        let first = i64::from(self.last_sequence.0) - i64::from(self.offset_delta);
        // After i32::MAX comes 0: a batch may straddle the two.
        Sequence((if first < 0 { first + i64::from(i32::MAX) + 1 } else { first }) as i32)
    }
}

/// One producer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Producer {
    pub(crate) epoch: ProducerEpoch,
    /// The oldest first; all of `epoch`.
    pub(crate) batches: VecDeque<SeenBatch>,
    pub(crate) last_timestamp: TimestampMs,
    /// When it last appended, by this broker's clock, or when the log was opened: batches may carry any timestamp.
    pub(crate) last_seen_ms: i64,
    /// The epoch of the last transaction coordinator that wrote a marker, -1 for none (KIP-98).
    pub(crate) coordinator_epoch: i32,
    /// Where the open transaction began.
    pub(crate) transaction_start: Option<Offset>,
}

impl Producer {
    const NEW: Self = Self {
        epoch: ProducerEpoch::NONE,
        batches: VecDeque::new(),
        last_timestamp: TimestampMs::NONE,
        last_seen_ms: 0,
        coordinator_epoch: -1,
        transaction_start: None,
    };

    fn last_sequence(&self) -> Sequence {
        self.batches.back().map_or(Sequence::NONE, |batch| batch.last_sequence)
    }
}

/// What a client's batch means to the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is the next one, or its producer is not idempotent, or the log knows nothing of the producer.
    Next,
    /// It is in the log.
    Duplicate(SeenBatch),
    /// It leaves a gap or comes from the past: the producer's last sequence.
    OutOfOrder(Sequence),
    /// The producer was fenced: its newest epoch.
    Fenced(ProducerEpoch),
}

/// The producers of one log, and up to where they were observed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ProducerState {
    /// Boxed: a node of the tree has room for eleven, and most logs have one producer or none.
    producers: BTreeMap<ProducerId, Box<Producer>>,
}

impl ProducerState {
    /// Judges a batch that a client sends (`ProducerAppendInfo`). Changes nothing.
    pub(crate) fn judge(&self, batch: &BatchView<'_>) -> Verdict {
        let Some(producer) = self.producers.get(&batch.producer_id()) else { return Verdict::Next };
        assert!(batch.producer_id().is_some(), "only a producer with an id is remembered");
        if let Some(seen) = find_duplicate(producer, batch) {
            return Verdict::Duplicate(seen);
        }
        let (epoch, first) = (batch.producer_epoch(), batch.base_sequence());
        let last = producer.last_sequence();
        if epoch < producer.epoch {
            return Verdict::Fenced(producer.epoch);
        }
        let follows = if epoch > producer.epoch {
            // KIP-98: a new epoch starts its sequences anew.
            first == Sequence(0)
        } else {
            // Without a batch of this epoch only the first is expected; its predecessor is NONE, -1.
            i64::from(first.0) == i64::from(last.0) + 1 || (last.0 == i32::MAX && first.0 == 0)
        };
        if follows { Verdict::Next } else { Verdict::OutOfOrder(last) }
    }

    /// Takes note of a batch that is in the log since `now_ms`: whoever wrote it was allowed to.
    pub(crate) fn observe(&mut self, batch: &BatchView<'_>, now_ms: i64) {
        if !batch.producer_id().is_some() {
            return;
        }
        let new = || Box::new(Producer::NEW);
        let producer = self.producers.entry(batch.producer_id()).or_insert_with(new);
        if producer.epoch != batch.producer_epoch() {
            producer.batches.clear();
            producer.epoch = batch.producer_epoch();
        }
        producer.last_timestamp = batch.max_timestamp();
        producer.last_seen_ms = now_ms;
        if batch.is_control() {
            producer.transaction_start = None;
            return;
        }
        if batch.is_transactional() {
            producer.transaction_start.get_or_insert(batch.base_offset());
        }
        if producer.batches.len() == BATCHES_MAX {
            producer.batches.pop_front();
        }
        // One by one to the bound, which is not a power of two.
        if producer.batches.len() == producer.batches.capacity() {
            producer.batches.reserve_exact(1);
        }
        producer.batches.push_back(SeenBatch {
            last_sequence: batch.last_sequence(),
            last_offset: batch.last_offset(),
            offset_delta: batch.last_offset_delta(),
            max_timestamp: batch.max_timestamp(),
        });
        assert!(producer.batches.len() <= BATCHES_MAX, "a producer's memory is bounded");
    }

    /// Forgets producers that have been silent for `expiration_ms` and have no transaction open (KIP-854).
    pub(crate) fn expire(&mut self, now_ms: i64, expiration_ms: i64) {
        self.producers.retain(|_, producer| {
            producer.transaction_start.is_some()
                || now_ms.saturating_sub(producer.last_seen_ms) < expiration_ms
        });
    }

    /// Of each producer its epoch and where its last batch ends, `None` when only a marker is left of it.
    pub(crate) fn last_batches(
        &self,
    ) -> impl Iterator<Item = (ProducerId, ProducerEpoch, Option<Offset>)> {
        self.producers.iter().map(|(id, producer)| {
            let last = producer.batches.back().map(|batch| batch.last_offset);
            (*id, producer.epoch, last)
        })
    }

    /// What an operator may see of each producer.
    pub(crate) fn inspect(&self) -> impl Iterator<Item = ProducerEntry> {
        self.producers.iter().map(|(&producer_id, producer)| ProducerEntry {
            producer_id,
            producer_epoch: producer.epoch,
            last_sequence: producer.last_sequence(),
            last_offset: producer.batches.back().map_or(Offset(-1), |batch| batch.last_offset),
            last_timestamp: producer.last_timestamp,
            batch_count: producer.batches.len(),
            transaction_start: producer.transaction_start,
        })
    }

    /// How many producers are remembered.
    pub(crate) fn len(&self) -> usize {
        self.producers.len()
    }
}

fn find_duplicate(producer: &Producer, batch: &BatchView<'_>) -> Option<SeenBatch> {
    if batch.producer_epoch() != producer.epoch {
        return None;
    }
    let range = (batch.base_sequence(), batch.last_sequence());
    producer
        .batches
        .iter()
        .find(|seen| (seen.first_sequence(), seen.last_sequence) == range)
        .copied()
}

#[cfg(test)]
mod tests;
