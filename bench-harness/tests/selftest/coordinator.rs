//! The fake broker's transactions: producers by transactional id, the partitions in each open transaction, the markers at
//! its end, and what readers of committed records may see.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use ringlane_batch::{
    BatchBuilder, BatchFields, BatchView, Codec, ProducerEpoch, ProducerId, Sequence, TimestampMs,
};
use ringlane_wire::ErrorCode;
use ringlane_wire::messages::add_partitions_to_txn::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnTopicResult,
};
use ringlane_wire::messages::fetch::AbortedTransaction;
use ringlane_wire::messages::*;

use crate::fake::Place;

/// A broker's transactions.
#[derive(Default)]
pub(crate) struct Coordinator {
    /// A produce adds its partition, and an end gives out an epoch (KIP-890).
    pub(crate) is_implicit: bool,
    /// How long the end of a transaction takes.
    pub(crate) end_delay: Duration,
    /// The commit with this number is refused so, once.
    pub(crate) refuses: Option<(usize, ErrorCode)>,
    pub(crate) committed: usize,
    /// Ids and epochs, by transactional id.
    pub(crate) producers: BTreeMap<String, (i64, i16)>,
    /// Of each producer in a transaction, its partitions with the first offset in each.
    pub(crate) open: BTreeMap<i64, BTreeMap<Place, Option<i64>>>,
    /// Where, with the offset of its marker.
    pub(crate) aborted: Vec<(Place, AbortedTransaction, i64)>,
    pub(crate) commits: usize,
    /// Producers that were told once that their transaction before still ends.
    pub(crate) waited: BTreeMap<i64, usize>,
}

impl Coordinator {
    /// A producer with its next epoch.
    pub(crate) fn init(&mut self, transactional_id: &str) -> InitProducerIdResponse {
        let next = self.producers.len() as i64 + 100;
        let producer = self.producers.entry(transactional_id.to_owned()).or_insert((next, -1));
        producer.1 += 1;
        let (producer_id, producer_epoch) = *producer;
        InitProducerIdResponse { producer_id, producer_epoch, ..Default::default() }
    }

    /// Adds partitions, from the second request of a transaction on: the first is told that the one before still ends.
    pub(crate) fn add<'a>(
        &mut self,
        request: &AddPartitionsToTxnRequest<'a>,
        number_of: impl Fn(&str) -> u8,
    ) -> AddPartitionsToTxnResponse<'a> {
        assert!(!self.is_implicit, "nobody need tell");
        let id = request.v3_and_below_transactional_id;
        let producer = request.v3_and_below_producer_id;
        assert_eq!(self.producers[id], (producer, request.v3_and_below_producer_epoch));
        let waits = self.waited.insert(producer, self.commits) != Some(self.commits);
        let mut results = Vec::new();
        for topic in &request.v3_and_below_topics {
            let mut results_by_partition = Vec::new();
            for &partition in &topic.partitions {
                if !waits {
                    let open = self.open.entry(producer).or_default();
                    open.entry((number_of(topic.name), partition)).or_insert(None);
                }
                let code = if waits { ErrorCode::CONCURRENT_TRANSACTIONS } else { ErrorCode::NONE };
                results_by_partition.push(AddPartitionsToTxnPartitionResult {
                    partition_index: partition,
                    partition_error_code: code,
                });
            }
            let name = topic.name;
            results.push(AddPartitionsToTxnTopicResult { name, results_by_partition });
        }
        AddPartitionsToTxnResponse { results_by_topic_v3_and_below: results, ..Default::default() }
    }

    /// A batch is stored at `offset`.
    pub(crate) fn stores(&mut self, place: Place, batch: &BatchView<'_>, offset: i64) {
        if !batch.is_transactional() {
            return;
        }
        let (producer, epoch) = (batch.producer_id().0, batch.producer_epoch().0);
        assert!(self.producers.values().any(|known| *known == (producer, epoch)), "its epoch");
        let open = self.open.entry(producer).or_default();
        assert!(self.is_implicit || open.contains_key(&place), "a partition is added first");
        open.entry(place).or_default().get_or_insert(offset);
    }

    /// The end of a transaction: the answer, and the markers to be stored at the ends of their partitions.
    pub(crate) fn end(
        &mut self,
        request: &EndTxnRequest<'_>,
        version: i16,
        end_of: impl Fn(Place) -> i64,
    ) -> (EndTxnResponse, Vec<(Place, Bytes)>) {
        assert_eq!(self.is_implicit, version >= 5, "the version says which transactions");
        let producer =
            self.producers.get_mut(request.transactional_id).expect("it was initialized");
        assert_eq!(*producer, (request.producer_id, request.producer_epoch));
        let number = self.commits;
        self.commits += usize::from(request.committed);
        if let Some((_, error_code)) =
            self.refuses.filter(|(at, _)| request.committed && *at == number)
        {
            return (EndTxnResponse { error_code, ..Default::default() }, Vec::new());
        }
        self.committed += usize::from(request.committed);
        producer.1 += i16::from(self.is_implicit);
        let (producer_id, producer_epoch) = *producer;
        let mut markers = Vec::new();
        for (place, first_offset) in self.open.remove(&producer_id).unwrap_or_default() {
            let Some(first_offset) = first_offset else { continue };
            if !request.committed {
                let aborted = AbortedTransaction { producer_id, first_offset };
                self.aborted.push((place, aborted, end_of(place)));
            }
            markers.push((place, marker(producer_id, producer_epoch, request.committed)));
        }
        (EndTxnResponse { producer_id, producer_epoch, ..Default::default() }, markers)
    }

    /// The first offset of an open transaction in a partition.
    pub(crate) fn first_open(&self, place: Place) -> Option<i64> {
        self.open.values().filter_map(|open| *open.get(&place)?).min()
    }

    /// What was aborted in a partition and reaches beyond `from`.
    pub(crate) fn aborted(&self, place: Place, from: i64) -> Vec<AbortedTransaction> {
        let here = self.aborted.iter().filter(|(at, _, marker)| *at == place && *marker >= from);
        here.map(|(_, aborted, _)| aborted.clone()).collect()
    }
}

/// A control batch: in its record's key a version, and what it marks.
fn marker(producer: i64, epoch: i16, committed: bool) -> Bytes {
    let mut builder = BatchBuilder::new(Codec::None);
    builder.append(TimestampMs(0), Some(&[0, 0, 0, u8::from(committed)]), Some(&[0; 6]), &[]);
    builder.finish(&BatchFields {
        producer: Some((ProducerId(producer), ProducerEpoch(epoch), Sequence(-1))),
        is_transactional: true,
        is_control: true,
        ..BatchFields::default()
    })
}
