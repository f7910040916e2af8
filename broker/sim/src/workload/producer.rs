//! A producer with up to five batches in flight. Idempotent ones send what was not acknowledged again, in order and under the
//! same sequences, as the Java client does (KIP-98, KIP-480); the others may double their records.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use ringlane_batch::Codec;
use ringlane_reactor::Rng;
use ringlane_wire::ErrorCode;

use super::{Work, passes, pause};
use crate::client::{Acks, Client, Failure, ProduceSpec, TopicSpec, batch_of};
use crate::oracle::{PartitionName, RecordId};

/// `max.in.flight.requests.per.connection`, the most that a broker remembers of an idempotent producer.
const IN_FLIGHT_MAX: u64 = 5;
/// Keeps one run short.
const BATCHES_MAX: u64 = 120;

/// A batch that is not acknowledged yet.
struct Batch {
    partition: PartitionName,
    records: Vec<RecordId>,
    bytes: Bytes,
}

struct Producer {
    work: Work,
    client: Client,
    rng: Rng,
    number: u64,
    /// Id and epoch of an idempotent one.
    identity: Option<(i64, i16)>,
    acks: Acks,
    in_flight_max: u64,
    topics: Vec<TopicSpec>,
    next_sequences: BTreeMap<PartitionName, i32>,
    /// Partitions that have acknowledged a batch.
    known: BTreeSet<PartitionName>,
    unacknowledged: VecDeque<Batch>,
    made: u64,
}

/// Produces until it is told to stop, and then until everything is acknowledged.
pub(super) async fn produce(work: Work, client: Client, mut rng: Rng, number: u64) {
    let idempotent = number.is_multiple_of(2);
    let all = work.topics.iter();
    // A broker that lost records of a topic that is not durable has lost their sequences, too.
    let topics = all.filter(|topic| topic.durable || !idempotent).cloned().collect();
    let mut producer = Producer {
        number,
        identity: None,
        acks: if idempotent || rng.one_in(2) { Acks::All } else { Acks::One },
        in_flight_max: 1 + rng.below(IN_FLIGHT_MAX),
        topics,
        next_sequences: BTreeMap::new(),
        known: BTreeSet::new(),
        unacknowledged: VecDeque::new(),
        made: 0,
        work,
        client,
        rng,
    };
    if idempotent {
        producer.identity = Some(producer.ask_for_identity().await);
    }
    producer.run().await;
}

impl Producer {
    async fn ask_for_identity(&mut self) -> (i64, i16) {
        loop {
            match self.client.init_producer_id().await {
                Ok(identity) => return identity,
                Err(Failure::Code(code)) => assert!(passes(code), "asking for an id: {code}"),
                Err(Failure::Io(_)) => {}
            }
            self.client.back_off().await;
        }
    }

    async fn run(&mut self) {
        loop {
            let done = self.work.is_stopping() || self.made >= BATCHES_MAX;
            while !done && (self.unacknowledged.len() as u64) < self.in_flight_now() {
                let batch = self.new_batch();
                self.unacknowledged.push_back(batch);
            }
            if self.unacknowledged.is_empty() {
                return;
            }
            if self.round().await.is_err() {
                self.client.disconnect();
            }
            if self.unacknowledged.is_empty() {
                pause(&self.client, &mut self.rng, 30).await;
            } else {
                self.client.back_off().await;
            }
        }
    }

    /// A partition that knows nothing of a producer takes any sequence (KIP-360): were its first batch refused, the second
    /// would be taken in its place. So an idempotent producer's first batch there goes alone.
    fn in_flight_now(&self) -> u64 {
        let unknown = |batch: &Batch| !self.known.contains(&batch.partition);
        let alone = self.identity.is_some() && self.unacknowledged.iter().any(unknown);
        if alone { 1 } else { self.in_flight_max }
    }

    fn new_batch(&mut self) -> Batch {
        self.made += 1;
        let topic = &self.topics[self.rng.below(self.topics.len() as u64) as usize];
        let partition = (topic.name.clone(), self.rng.below(topic.partitions as u64) as i32);
        let count = 1 + self.rng.below(3);
        let idempotent = self.identity.is_some();
        let oracle = &self.work.oracle;
        let records = (0..count).map(|_| oracle.new_record(&partition, self.number, idempotent));
        let records: Vec<_> = records.collect();
        let sequence = self.next_sequences.entry(partition.clone()).or_default();
        let numbered = self.identity.map(|(id, epoch)| (id, epoch, *sequence));
        *sequence += count as i32;
        let values: Vec<_> = records.iter().map(|id| id.value()).collect();
        let codec = if self.rng.one_in(4) { Codec::Lz4 } else { Codec::None };
        Batch { bytes: batch_of(&values, codec, numbered), partition, records }
    }

    /// Sends everything unacknowledged, pipelined, and takes the answers; what failed stays.
    async fn round(&mut self) -> Result<(), Failure> {
        let era = self.work.oracle.era();
        let connection = self.client.connection().await?;
        for batch in &self.unacknowledged {
            self.work.oracle.sending(&batch.records);
            let (topic, partition) = (batch.partition.0.as_str(), batch.partition.1);
            let bytes = batch.bytes.clone();
            let spec = ProduceSpec { topic, partition, acks: self.acks, batch: bytes };
            connection.send_produce(&spec).await?;
        }
        let mut failed = BTreeSet::new();
        let mut left = 0;
        for _ in 0..self.unacknowledged.len() {
            let connection = self.client.connection().await?;
            let batch = &self.unacknowledged[left];
            match connection.produced().await {
                Ok(offset) => {
                    let oracle = &self.work.oracle;
                    oracle.acknowledged(era, &batch.partition, offset, &batch.records);
                    self.known.insert(batch.partition.clone());
                    self.unacknowledged.remove(left);
                }
                Err(Failure::Code(code)) => {
                    self.judge(code, failed.contains(&batch.partition), &batch.partition);
                    failed.insert(batch.partition.clone());
                    left += 1;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Whether a batch may be refused so: out of order only behind one of its partition that was refused before.
    fn judge(&self, code: ErrorCode, behind_a_failure: bool, partition: &PartitionName) {
        let out_of_order = code == ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER;
        let fine = passes(code) && !out_of_order || out_of_order && behind_a_failure;
        assert!(
            fine,
            "producer_sequences_survive: {partition:?} of producer {}: {code}",
            self.number
        );
    }
}
