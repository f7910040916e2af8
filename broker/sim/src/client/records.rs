//! Records: produce batches, fetch them, and a producer id for those who number their batches.

use bytes::Bytes;
use ringlane_batch::{
    BatchBuilder, BatchFields, Codec, ProducerEpoch, ProducerId, Sequence, TimestampMs, batches,
};
use ringlane_wire::messages::fetch::{FetchPartition, FetchTopic};
use ringlane_wire::messages::produce::{PartitionProduceData, TopicProduceData};
use ringlane_wire::messages::{FetchRequest, InitProducerIdRequest, ProduceRequest};
use ringlane_wire::{ErrorCode, Records};

use super::connection::{Connection, decode};
use super::{Client, Failure, check};

/// When a produce is answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Acks {
    /// Once the leader may acknowledge it.
    One,
    /// Once every in-sync replica has it.
    All,
}

/// A batch to produce.
#[derive(Clone, Debug)]
pub struct ProduceSpec<'a> {
    /// To which topic.
    pub topic: &'a str,
    /// To which partition of it.
    pub partition: i32,
    /// When it is answered.
    pub acks: Acks,
    /// The batch, as [`batch_of`] makes it.
    pub batch: Bytes,
}

/// What one fetch of one partition gave.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// The end of what consumers may see.
    pub high_watermark: i64,
    /// The first offset there is.
    pub log_start_offset: i64,
    /// From the fetch offset on.
    pub records: Vec<FetchedRecord>,
}

/// A record that was fetched.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FetchedRecord {
    /// Its offset.
    pub offset: i64,
    /// Its value.
    pub value: Vec<u8>,
}

/// How long the broker may wait before it acknowledges.
const PRODUCE_TIMEOUT_MS: i32 = 30_000;
/// What a batch may decompress to.
const BATCH_BYTES_MAX: usize = 1 << 20;

/// A batch of these values; numbered when a producer (id, epoch, first sequence) is given.
pub fn batch_of(values: &[Vec<u8>], codec: Codec, producer: Option<(i64, i16, i32)>) -> Bytes {
    let mut builder = BatchBuilder::new(codec);
    for value in values {
        builder.append(TimestampMs(1), None, Some(value), &[]);
    }
    let producer = producer
        .map(|(id, epoch, sequence)| (ProducerId(id), ProducerEpoch(epoch), Sequence(sequence)));
    builder.finish(&BatchFields { producer, ..Default::default() })
}

fn produce_request<'a>(spec: &ProduceSpec<'a>) -> ProduceRequest<'a> {
    let records = Some(Records::from(spec.batch.clone()));
    let partition_data = vec![PartitionProduceData { index: spec.partition, records }];
    ProduceRequest {
        acks: if spec.acks == Acks::All { -1 } else { 1 },
        timeout_ms: PRODUCE_TIMEOUT_MS,
        topic_data: vec![TopicProduceData {
            name: spec.topic,
            partition_data,
            ..Default::default()
        }],
        ..Default::default()
    }
}

impl Connection {
    /// Sends a batch; [`Self::produced`] has its answer.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn send_produce(&mut self, spec: &ProduceSpec<'_>) -> std::io::Result<()> {
        self.send(&produce_request(spec)).await
    }

    /// The answer to the oldest unanswered [`Self::send_produce`]: the batch's base offset.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn produced(&mut self) -> Result<i64, Failure> {
        let frame = self.receive().await?;
        base_offset(&frame)
    }
}

fn base_offset(frame: &[u8]) -> Result<i64, Failure> {
    let response = decode::<ProduceRequest<'_>>(frame);
    let produced = &response.responses[0].partition_responses[0];
    check(produced.error_code)?;
    Ok(produced.base_offset)
}

impl Client {
    /// Produces a batch; its base offset.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn produce(&mut self, spec: &ProduceSpec<'_>) -> Result<i64, Failure> {
        let frame = self.ask(&produce_request(spec)).await?;
        base_offset(&frame)
    }

    /// Reads one partition from `offset` on, waiting up to `max_wait_ms` for something to be there.
    ///
    /// # Errors
    /// [`Failure`].
    ///
    /// A batch whose checksum does not match is CORRUPT_MESSAGE, as it is to Kafka's consumers.
    ///
    /// # Panics
    /// When what comes back is not whole batches.
    pub async fn fetch(
        &mut self,
        topic: &str,
        partition: i32,
        offset: i64,
        max_wait_ms: i32,
    ) -> Result<Fetched, Failure> {
        let partitions = vec![FetchPartition {
            partition,
            fetch_offset: offset,
            partition_max_bytes: 16 << 10,
            ..Default::default()
        }];
        let request = FetchRequest {
            max_wait_ms,
            min_bytes: 1,
            max_bytes: 64 << 10,
            topics: vec![FetchTopic { topic, partitions, ..Default::default() }],
            ..Default::default()
        };
        let frame = self.ask(&request).await?;
        let response = decode::<FetchRequest<'_>>(&frame);
        check(response.error_code)?;
        let data = &response.responses[0].partitions[0];
        check(data.error_code)?;
        Ok(Fetched {
            high_watermark: data.high_watermark,
            log_start_offset: data.log_start_offset,
            records: match &data.records {
                Some(records) => read(records, offset)?,
                None => Vec::new(),
            },
        })
    }

    /// A producer id and epoch of one's own (KIP-98).
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn init_producer_id(&mut self) -> Result<(i64, i16), Failure> {
        let request = InitProducerIdRequest {
            transactional_id: None,
            transaction_timeout_ms: 60_000,
            ..Default::default()
        };
        let frame = self.ask(&request).await?;
        let response = decode::<InitProducerIdRequest<'_>>(&frame);
        check(response.error_code)?;
        Ok((response.producer_id, response.producer_epoch))
    }
}

/// The records from `offset` on. The first batch may begin before it, the last one may be cut off (KIP-74).
fn read(records: &Records<'_>, offset: i64) -> Result<Vec<FetchedRecord>, Failure> {
    let bytes: Vec<u8> = records.parts().flatten().copied().collect();
    let mut all = Vec::new();
    for batch in batches(&bytes) {
        let Ok(batch) = batch else { break };
        if !batch.crc_is_valid() {
            return match all.is_empty() {
                true => Err(Failure::Code(ErrorCode::CORRUPT_MESSAGE)),
                false => Ok(all),
            };
        }
        let set = batch.records(BATCH_BYTES_MAX).expect("a fetched batch decompresses");
        for record in set.iter() {
            let record = record.expect("a fetched record decodes");
            if record.offset.0 >= offset {
                let value = record.value.expect("no tombstones are produced").to_vec();
                all.push(FetchedRecord { offset: record.offset.0, value });
            }
        }
    }
    Ok(all)
}
