//! DeleteRecords (KIP-107, KIP-204): moves the start of partitions; what lies before it can never be read again, also after a
//! crash that follows the answer.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use ringlane_batch::{Offset, PartitionIndex};
use ringlane_controller::ClusterImage;
use ringlane_reactor::ShardId;
use ringlane_wire::messages::delete_records::{
    DeleteRecordsPartitionResult, DeleteRecordsRequest, DeleteRecordsResponse,
    DeleteRecordsTopicResult,
};
use ringlane_wire::{ErrorCode, Uuid};

use super::topics::{self, ByOwner};
use super::{Handled, Request, Started};
use crate::partition::PartitionKey;
use crate::race::join_all;
use crate::shard::Shard;

/// Asks for all that is visible to go.
const HIGH_WATERMARK: i64 = -1;
/// Where a partition starts whose start could not be moved.
const UNKNOWN: i64 = -1;

/// A partition's new start, on its way to the shard that owns it.
struct Work {
    slot: usize,
    key: PartitionKey,
    offset: i64,
}

type Deleted = Result<i64, ErrorCode>;

pub(super) async fn handle(request: Request) -> Handled {
    let shard = request.shard.clone();
    let message: DeleteRecordsRequest = request.decode()?;
    let timeout = Duration::from_millis(message.timeout_ms.max(0) as u64);
    let (mut slots, works) = sort_by_owner(&shard, &message, &shard.image.current());
    let mut replies = Vec::new();
    for (owner, works) in works.into_iter() {
        let job = move |shard: &Rc<Shard>| delete_here(shard.clone(), works, timeout);
        replies.push(shard.router.submit(&shard, owner, job).await);
    }
    drop(message);
    Ok(Started::Waiting(Box::pin(async move {
        for (slot, deleted) in join_all(replies).await.into_iter().flatten() {
            slots[slot] = deleted;
        }
        let Ok(message) = request.decode::<DeleteRecordsRequest>() else {
            return super::Answer::Close("a request decodes once and not again".into());
        };
        request.answer_later(&answer(&message, &slots))
    })))
}

fn sort_by_owner(
    shard: &Shard,
    message: &DeleteRecordsRequest,
    image: &ClusterImage,
) -> (Vec<Deleted>, ByOwner<Work>) {
    let (mut slots, mut works) = (Vec::new(), ByOwner::default());
    for topic in &message.topics {
        for asked in &topic.partitions {
            let slot = slots.len();
            let placed = place(shard, image, topic.name, asked.partition_index);
            slots.push(placed.map(|(owner, key)| {
                works.push(owner, Work { slot, key, offset: asked.offset });
                UNKNOWN
            }));
        }
    }
    (slots, works)
}

fn place(
    shard: &Shard,
    image: &ClusterImage,
    name: &str,
    index: i32,
) -> Result<(ShardId, PartitionKey), ErrorCode> {
    let topic = topics::find(image, name, Uuid::ZERO)?;
    let owner = topics::owner(shard, &topic, index)?;
    if topics::is_internal(name) {
        return Err(ErrorCode::INVALID_TOPIC_EXCEPTION);
    }
    Ok((owner, (topic.id, PartitionIndex(index))))
}

async fn delete_here(
    shard: Rc<Shard>,
    works: Vec<Work>,
    timeout: Duration,
) -> Vec<(usize, Deleted)> {
    // One after the other: each may wait for the disk, and nobody is in a hurry to lose records.
    let deadline = shard.reactor.now() + timeout;
    let mut deleted = Vec::with_capacity(works.len());
    for work in works {
        let outcome = match shard.reactor.now() > deadline {
            true => Err(ErrorCode::REQUEST_TIMED_OUT),
            false => delete(&shard, &work).await,
        };
        deleted.push((work.slot, outcome));
    }
    deleted
}

/// `Partition.deleteRecordsOnLeader`.
async fn delete(shard: &Shard, work: &Work) -> Deleted {
    let partition = topics::led(shard, work.key, -1)?;
    if !partition.config().cleanup_policy.lets_clients_delete() {
        return Err(ErrorCode::POLICY_VIOLATION);
    }
    let high_watermark = partition.high_watermark();
    let offset = match work.offset {
        HIGH_WATERMARK => high_watermark.offset(),
        offset => Offset(offset),
    };
    if offset < Offset::ZERO || offset > high_watermark.offset() {
        return Err(ErrorCode::OFFSET_OUT_OF_RANGE);
    }
    match partition.log.delete_records_before(offset, high_watermark).await {
        Ok(start) => Ok(start.0),
        Err(error) => {
            tracing::warn!(topic = %partition.topic, "cannot delete records: {error}");
            Err(ErrorCode::KAFKA_STORAGE_ERROR)
        }
    }
}

/// The answer in the order of the request; a topic or partition that is named twice is answered once, with its last outcome.
fn answer<'a>(message: &DeleteRecordsRequest<'a>, slots: &[Deleted]) -> DeleteRecordsResponse<'a> {
    let mut outcomes = slots.iter();
    let mut results: BTreeMap<&str, BTreeMap<i32, Deleted>> = BTreeMap::new();
    for topic in &message.topics {
        let partitions = results.entry(topic.name).or_default();
        for (asked, outcome) in topic.partitions.iter().zip(&mut outcomes) {
            partitions.insert(asked.partition_index, *outcome);
        }
    }
    let topics = results.into_iter().map(|(name, partitions)| DeleteRecordsTopicResult {
        name,
        partitions: partitions.into_iter().map(result).collect(),
    });
    DeleteRecordsResponse { topics: topics.collect(), ..Default::default() }
}

fn result((partition_index, deleted): (i32, Deleted)) -> DeleteRecordsPartitionResult {
    let (low_watermark, error_code) = match deleted {
        Ok(low_watermark) => (low_watermark, ErrorCode::NONE),
        Err(error_code) => (UNKNOWN, error_code),
    };
    DeleteRecordsPartitionResult { partition_index, low_watermark, error_code }
}
