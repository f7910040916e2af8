//! Produce: record batches in, offsets out (KIP-98, KIP-467, KIP-516, KIP-896).
//!
//! The part that keeps order comes first: every batch is validated and appended on its partition's shard, in the order in
//! which the connection's requests came. Then the request waits, overlapping with others, until what it appended may be
//! acknowledged.

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use ringlane_batch::{
    BatchError, BatchView, Decompressor, Limits, Offset, PartitionIndex, Rejected, TimestampMs, ValidBatch,
    recompress, validate,
};
use ringlane_controller::ClusterImage;
use ringlane_reactor::ShardId;
use ringlane_storage::{AppendError, Appended, LOGS_PREFETCHED, Log, Origin};
use ringlane_wire::messages::produce::{
    BatchIndexAndErrorMessage, PartitionProduceResponse, ProduceRequest, ProduceResponse,
    TopicProduceData, TopicProduceResponse,
};
use ringlane_wire::{ErrorCode, Records};

use super::topics::{self, ByOwner};
use super::{Answer, Handled, Request, Started, errors};
use crate::config::TopicConfig;
use crate::partition::{Partition, PartitionKey, Unacknowledged};
use crate::race::join_all;
use crate::shard::Shard;

/// acks=all (-1), acks=1 and acks=0.
const ACKS_ALL: i16 = -1;

/// What one partition of the request becomes.
struct Produced {
    error_code: ErrorCode,
    base_offset: i64,
    log_append_time_ms: i64,
    log_start_offset: i64,
    message: Option<String>,
    record_errors: Vec<(i32, Option<String>)>,
}

impl Produced {
    fn refused(error_code: ErrorCode, message: Option<String>) -> Self {
        Self {
            error_code,
            base_offset: -1,
            log_append_time_ms: -1,
            log_start_offset: -1,
            message,
            record_errors: Vec::new(),
        }
    }
}

impl From<ErrorCode> for Produced {
    fn from(error_code: ErrorCode) -> Self {
        Self::refused(error_code, None)
    }
}

/// One partition's records on their way to its shard, and their place in the answer.
struct Work {
    slot: usize,
    key: PartitionKey,
    records: Bytes,
}

/// How the request asked for its records to be treated.
#[derive(Clone, Copy)]
struct Terms {
    acks: i16,
    timeout: Duration,
    /// KIP-110.
    allows_zstd: bool,
}

pub(super) async fn handle(request: Request) -> Handled {
    let (terms, slots, works) = {
        let message: ProduceRequest = request.decode()?;
        let terms = Terms {
            acks: message.acks,
            timeout: Duration::from_millis(message.timeout_ms.max(0) as u64),
            allows_zstd: request.version >= 7,
        };
        let (slots, works) = sort_by_owner(&request, &message, &request.shard.image.current());
        (terms, slots, works)
    };
    let mut replies = Vec::new();
    for (owner, works) in works.into_iter() {
        replies.push(append_on(&request, owner, works, terms).await);
    }
    Ok(Started::Waiting(Box::pin(async move {
        let mut slots = slots;
        for (slot, produced) in join_all(replies).await.into_iter().flatten() {
            slots[slot] = Some(produced);
        }
        answer(&request, terms, slots)
    })))
}

/// Each partition in the order of the request: refused at once, or sent to the shard that owns it.
fn sort_by_owner(
    request: &Request,
    message: &ProduceRequest,
    image: &ClusterImage,
) -> (Vec<Option<Produced>>, ByOwner<Work>) {
    let mut slots = Vec::new();
    let mut works = ByOwner::default();
    for topic in &message.topic_data {
        for partition in &topic.partition_data {
            let slot = slots.len();
            match place(request, message, topic, image, partition.index) {
                Ok((owner, key)) => {
                    let records = match &partition.records {
                        Some(Records::Borrowed(bytes)) => request.share(bytes),
                        // Only what is sent is anywhere else.
                        Some(Records::Parts(_) | Records::Elsewhere(_)) | None => Bytes::new(),
                    };
                    works.push(owner, Work { slot, key, records });
                    slots.push(None);
                }
                Err(error_code) => slots.push(Some(error_code.into())),
            }
        }
    }
    (slots, works)
}

fn place(
    request: &Request,
    message: &ProduceRequest,
    topic: &TopicProduceData,
    image: &ClusterImage,
    index: i32,
) -> Result<(ShardId, PartitionKey), ErrorCode> {
    if !(ACKS_ALL..=1).contains(&message.acks) {
        return Err(ErrorCode::INVALID_REQUIRED_ACKS);
    }
    let found = topics::find(image, topic.name, topic.topic_id)?;
    if topics::is_internal(&found.name) {
        return Err(ErrorCode::INVALID_TOPIC_EXCEPTION);
    }
    let owner = topics::owner(&request.shard, &found, index)?;
    Ok((owner, (found.id, PartitionIndex(index))))
}

/// Appends `works` on their shard, and gives the future of what they become. Each has a copy of its batch until it is in the
/// log, and the request's bytes stand for that until the last has ended, though the client may be gone by then.
async fn append_on(
    request: &Request,
    owner: ShardId,
    works: Vec<Work>,
    terms: Terms,
) -> crate::router::Reply<Vec<(usize, Produced)>> {
    let job = move |shard: &Rc<Shard>| {
        let led: Vec<_> = works.iter().map(|work| topics::led(shard, work.key, -1)).collect();
        let mut appends = Vec::with_capacity(works.len());
        // All of them begin at the first poll, in this order: so no later request's append comes between.
        for (n, work) in works.into_iter().enumerate() {
            let (shard, led, next) = (shard.clone(), led[n].clone(), next_logs(&led, n));
            appends.push(Box::pin(async move {
                next.into_iter().for_each(|log| log.prefetch());
                (work.slot, produce(&shard, led, work, terms).await)
            }));
        }
        join_all(appends)
    };
    let shard = &request.shard;
    shard.router.submit_keeping(shard, owner, job, request.held.clone()).await
}

/// The logs that the `n`th and those behind it append to, if it is the first of so many as are prefetched at a time. None of a
/// request for one partition: it is appended to at once.
fn next_logs(led: &[Result<Rc<Partition>, ErrorCode>], n: usize) -> Vec<Log> {
    let is_first = led.len() > 1 && n.is_multiple_of(LOGS_PREFETCHED);
    let next = if is_first { &led[n..] } else { &[] };
    next.iter().take(LOGS_PREFETCHED).flatten().map(|partition| partition.log.clone()).collect()
}

async fn produce(
    shard: &Shard,
    led: Result<Rc<Partition>, ErrorCode>,
    work: Work,
    terms: Terms,
) -> Produced {
    let outcome = match led {
        Ok(partition) => append(shard, partition, work, terms).await,
        Err(error_code) => Err(error_code.into()),
    };
    match outcome {
        Ok((partition, appended)) => settle(shard, &partition, appended, terms).await,
        Err(refused) => refused,
    }
}

async fn append(
    shard: &Shard,
    partition: Rc<Partition>,
    work: Work,
    terms: Terms,
) -> Result<(Rc<Partition>, Appended), Produced> {
    let config = partition.config();
    if terms.acks == ACKS_ALL && (partition.in_sync_replicas() as i32) < config.min_insync_replicas {
        return Err(ErrorCode::NOT_ENOUGH_REPLICAS.into());
    }
    let limits = Limits {
        timestamp_type: config.message_timestamp_type,
        is_compacted: config.cleanup_policy.compact,
        now: TimestampMs(shard.reactor.wall_clock_ms()),
        timestamp_before_max_ms: config.message_timestamp_before_max_ms,
        timestamp_after_max_ms: config.message_timestamp_after_max_ms,
        allows_zstd: terms.allows_zstd,
        ..Limits::new(config.max_message_bytes as usize)
    };
    let batch = validate(&work.records, &limits).map_err(rejected)?;
    if batch.is_transactional() {
        return Err(Produced::refused(
            ErrorCode::INVALID_TXN_STATE,
            Some("transactions are not served by this version".into()),
        ));
    }
    // The frame is shared with its other partitions, and the offset and epoch are stamped into the batch: hence a copy.
    let bytes = to_append(&batch, &config, &limits)?;
    drop(work.records);
    let now_ms = shard.reactor.wall_clock_ms();
    let appended = match partition.append(bytes, Origin::Client, now_ms).await {
        Ok(appended) => appended,
        // A retry waits for its original, which may not be durable yet.
        Err(AppendError::Duplicate(original)) => original,
        // Deleted while the append waited for its turn: the log is closed, and no disk is at fault.
        Err(AppendError::Offline(_)) if partition.is_gone() => {
            return Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION.into());
        }
        Err(error) => {
            let code = errors::of_append(&error).unwrap_or(ErrorCode::UNKNOWN_SERVER_ERROR);
            return Err(Produced::refused(code, Some(error.to_string())));
        }
    };
    shard.metrics.batches_appended.increment();
    Ok((partition, appended))
}

/// A copy of the batch, with its records compressed as the topic wants them (`LogValidator`): levels do not matter where
/// the codec is the topic's.
fn to_append(
    batch: &ValidBatch<'_>,
    config: &TopicConfig,
    limits: &Limits,
) -> Result<Vec<u8>, Produced> {
    let bytes = batch.to_append();
    let Some(wanted) = config.compression().filter(|wanted| batch.codec() != Ok(wanted.codec))
    else {
        return Ok(bytes);
    };
    let invalid = |error: BatchError| {
        Produced::refused(ErrorCode::INVALID_RECORD, Some(error.to_string()))
    };
    let view = BatchView::parse(&bytes).map_err(invalid)?;
    let decompressed_max = limits.decompressed_bytes_max;
    let bytes = recompress(&view, wanted, &mut Decompressor::new(), decompressed_max);
    let bytes = bytes.map_err(invalid)?;
    if bytes.len() > limits.max_message_bytes {
        let text = format!(
            "The record batch is {} bytes after compression.type, the maximum configured value is {}.",
            bytes.len(),
            limits.max_message_bytes
        );
        return Err(Produced::refused(ErrorCode::MESSAGE_TOO_LARGE, Some(text)));
    }
    Ok(bytes.into())
}

/// Waits until what was appended may be acknowledged as the producer asked.
async fn settle(shard: &Shard, partition: &Partition, appended: Appended, terms: Terms) -> Produced {
    let end = Offset(appended.last_offset.0 + 1);
    let error_code = match terms.acks {
        0 => ErrorCode::NONE,
        _ => match shard.reactor.timeout(terms.timeout, partition.acknowledged(end)).await {
            Ok(Ok(())) => ErrorCode::NONE,
            Ok(Err(Unacknowledged::Gone)) => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            Ok(Err(Unacknowledged::LogOffline)) => ErrorCode::KAFKA_STORAGE_ERROR,
            Err(_elapsed) => ErrorCode::REQUEST_TIMED_OUT,
        },
    };
    if error_code != ErrorCode::NONE {
        return error_code.into();
    }
    Produced {
        error_code,
        base_offset: appended.base_offset.0,
        log_append_time_ms: appended.log_append_time_ms.unwrap_or(-1),
        log_start_offset: partition.log.log_start().0,
        message: None,
        record_errors: Vec::new(),
    }
}

fn rejected(rejected: Rejected) -> Produced {
    let error_code = match &rejected {
        Rejected::CorruptMessage(_) => ErrorCode::CORRUPT_MESSAGE,
        Rejected::InvalidRecord { .. } => ErrorCode::INVALID_RECORD,
        Rejected::UnsupportedCompressionType(_) => ErrorCode::UNSUPPORTED_COMPRESSION_TYPE,
        Rejected::MessageTooLarge(_) => ErrorCode::MESSAGE_TOO_LARGE,
        Rejected::InvalidTimestamp { .. } => ErrorCode::INVALID_TIMESTAMP,
    };
    let record_errors = rejected.record_errors().iter();
    let record_errors = record_errors.map(|error| (error.index, Some(error.message.clone())));
    Produced {
        record_errors: record_errors.collect(),
        ..Produced::refused(error_code, Some(rejected.message().to_owned()))
    }
}

/// The answer in the order of the request. With acks=0 there is none, so an error closes the connection: the only way to
/// make such a producer look at its metadata again.
fn answer(request: &Request, terms: Terms, slots: Vec<Option<Produced>>) -> Answer {
    let slots: Vec<Produced> =
        slots.into_iter().map(|slot| slot.expect("every partition has become something")).collect();
    if terms.acks == 0 {
        let failed = slots.iter().find(|produced| produced.error_code != ErrorCode::NONE);
        return match failed {
            Some(produced) => Answer::Close(format!("a produce with acks=0 failed: {}", produced.error_code)),
            None => Answer::Nothing,
        };
    }
    let Ok(message) = request.decode::<ProduceRequest>() else {
        return Answer::Close("a request decodes once and not again".into());
    };
    let mut produced = slots.iter();
    let responses = message.topic_data.iter().map(|topic| TopicProduceResponse {
        name: topic.name,
        topic_id: topic.topic_id,
        partition_responses: topic
            .partition_data
            .iter()
            .zip(&mut produced)
            .map(|(partition, produced)| partition_response(partition.index, produced))
            .collect(),
    });
    let responses = responses.collect();
    request.answer_later(&ProduceResponse { responses, ..Default::default() })
}

fn partition_response(index: i32, produced: &Produced) -> PartitionProduceResponse<'_> {
    let record_errors = produced.record_errors.iter().map(|(batch_index, message)| {
        BatchIndexAndErrorMessage {
            batch_index: *batch_index,
            batch_index_error_message: message.as_deref(),
        }
    });
    PartitionProduceResponse {
        index,
        error_code: produced.error_code,
        base_offset: produced.base_offset,
        log_append_time_ms: produced.log_append_time_ms,
        log_start_offset: produced.log_start_offset,
        record_errors: record_errors.collect(),
        error_message: produced.message.as_deref(),
        ..Default::default()
    }
}
