//! ListOffsets (KIP-79, KIP-734): the earliest and the next offset, the first record at or after a time, the record with
//! the largest timestamp.

use std::collections::BTreeMap;
use std::rc::Rc;

use ringlane_batch::{LeaderEpoch, Offset, PartitionIndex, TimestampMs};
use ringlane_controller::ClusterImage;
use ringlane_reactor::ShardId;
use ringlane_storage::TimestampedOffset;
use ringlane_wire::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsResponse,
    ListOffsetsTopicResponse,
};
use ringlane_wire::{ErrorCode, Uuid};

use super::topics::{self, ByOwner};
use super::{Handled, Request, errors};
use crate::partition::{Partition, PartitionKey};
use crate::race::join_all;
use crate::shard::Shard;

/// What a negative timestamp asks for.
const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
/// KIP-734.
const MAX_TIMESTAMP: i64 = -3;
/// KIP-405: the earliest offset on this broker's own disk, where all of them are.
const EARLIEST_LOCAL: i64 = -4;
/// KIP-1005, KIP-1023: of what was moved to tiered storage, which there is none of.
const LATEST_TIERED: i64 = -5;
const EARLIEST_PENDING_UPLOAD: i64 = -6;

struct Work {
    slot: usize,
    key: PartitionKey,
    asked: ListOffsetsPartition,
    read_committed: bool,
}

pub(super) async fn handle(request: Request) -> Handled {
    let shard = request.shard.clone();
    let message: ListOffsetsRequest = request.decode()?;
    let (mut slots, works) = sort_by_owner(&request, &message, &shard.image.current());
    let mut replies = Vec::new();
    for (owner, works) in works.into_iter() {
        let job = move |shard: &Rc<Shard>| look_up_here(shard.clone(), works);
        replies.push(shard.router.submit(&shard, owner, job).await);
    }
    for (slot, mut response) in join_all(replies).await.into_iter().flatten() {
        if request.version < 4 {
            response.leader_epoch = -1;
        }
        slots[slot] = response;
    }
    let mut slots = slots.into_iter();
    let topics = message.topics.iter().map(|topic| ListOffsetsTopicResponse {
        name: topic.name,
        partitions: slots.by_ref().take(topic.partitions.len()).collect(),
    });
    let topics = topics.collect();
    request.answer(&ListOffsetsResponse { topics, ..Default::default() })
}

fn sort_by_owner(
    request: &Request,
    message: &ListOffsetsRequest,
    image: &ClusterImage,
) -> (Vec<ListOffsetsPartitionResponse>, ByOwner<Work>) {
    let shard = &request.shard;
    let read_committed = message.isolation_level == 1;
    let mut times_asked = BTreeMap::new();
    for topic in &message.topics {
        for asked in &topic.partitions {
            *times_asked.entry((topic.name, asked.partition_index)).or_insert(0) += 1;
        }
    }
    let mut slots = Vec::new();
    let mut works = ByOwner::default();
    for topic in &message.topics {
        for asked in &topic.partitions {
            let slot = slots.len();
            let once = times_asked[&(topic.name, asked.partition_index)] == 1;
            let placed = match once {
                true if is_known(asked.timestamp, request.version) => {
                    place(shard, image, topic.name, asked.partition_index)
                }
                true => Err(ErrorCode::UNSUPPORTED_VERSION),
                false => Err(ErrorCode::INVALID_REQUEST),
            };
            let error_code = match placed {
                Ok((owner, key)) => {
                    works.push(owner, Work { slot, key, asked: asked.clone(), read_committed });
                    ErrorCode::NONE
                }
                Err(error_code) => error_code,
            };
            slots.push(response(asked, error_code));
        }
    }
    (slots, works)
}

/// Whether that version of the API knows what the timestamp asks for.
fn is_known(timestamp: i64, version: i16) -> bool {
    match timestamp {
        LATEST | EARLIEST => true,
        MAX_TIMESTAMP => version >= 7,
        EARLIEST_LOCAL => version >= 8,
        LATEST_TIERED => version >= 9,
        EARLIEST_PENDING_UPLOAD => version >= 11,
        time => time >= 0,
    }
}

fn place(
    shard: &Shard,
    image: &ClusterImage,
    name: &str,
    index: i32,
) -> Result<(ShardId, PartitionKey), ErrorCode> {
    let topic = topics::find(image, name, Uuid::ZERO)?;
    let owner = topics::owner(shard, &topic, index)?;
    Ok((owner, (topic.id, PartitionIndex(index))))
}

fn response(asked: &ListOffsetsPartition, error_code: ErrorCode) -> ListOffsetsPartitionResponse {
    let partition_index = asked.partition_index;
    ListOffsetsPartitionResponse { partition_index, error_code, ..Default::default() }
}

async fn look_up_here(
    shard: Rc<Shard>,
    works: Vec<Work>,
) -> Vec<(usize, ListOffsetsPartitionResponse)> {
    let mut all = Vec::with_capacity(works.len());
    for work in works {
        let found = match topics::led(&shard, work.key, work.asked.current_leader_epoch) {
            Ok(partition) => look_up(&partition, work.asked.timestamp, work.read_committed)
                .await
                .map(|found| (partition, found)),
            Err(error_code) => Err(error_code),
        };
        let answer = match found {
            Ok((partition, Some(found))) => ListOffsetsPartitionResponse {
                timestamp: found.timestamp.0,
                offset: found.offset.0,
                leader_epoch: found.leader_epoch.unwrap_or(partition.leader_epoch()).0,
                ..response(&work.asked, ErrorCode::NONE)
            },
            Ok((_, None)) => response(&work.asked, ErrorCode::NONE),
            Err(error_code) => response(&work.asked, error_code),
        };
        all.push((work.slot, answer));
    }
    all
}

/// An offset, its timestamp, and the epoch that wrote it where it is known.
struct Found {
    offset: Offset,
    timestamp: TimestampMs,
    leader_epoch: Option<LeaderEpoch>,
}

impl Found {
    fn bare(offset: Offset) -> Self {
        Self { offset, timestamp: TimestampMs::NONE, leader_epoch: None }
    }
}

impl From<TimestampedOffset> for Found {
    fn from(found: TimestampedOffset) -> Self {
        let TimestampedOffset { offset, timestamp, leader_epoch } = found;
        Self { offset, timestamp, leader_epoch: Some(leader_epoch) }
    }
}

async fn look_up(
    partition: &Partition,
    timestamp: i64,
    read_committed: bool,
) -> Result<Option<Found>, ErrorCode> {
    // No consumer learns of an offset that it may not read.
    let visible = if read_committed {
        partition.last_stable_offset().offset()
    } else {
        partition.high_watermark().offset()
    };
    let failed = |error: ringlane_storage::ReadError| errors::of_read(&error);
    let found = match timestamp {
        LATEST => return Ok(Some(Found::bare(visible))),
        EARLIEST | EARLIEST_LOCAL => {
            let offset = partition.log.log_start().offset();
            let epoch = partition.log.epoch_at(offset);
            let leader_epoch = (epoch != LeaderEpoch::NONE).then_some(epoch);
            return Ok(Some(Found { leader_epoch, ..Found::bare(offset) }));
        }
        LATEST_TIERED | EARLIEST_PENDING_UPLOAD => return Ok(None),
        MAX_TIMESTAMP => partition.log.max_timestamp().await.map_err(failed)?,
        at => partition.log.offset_for_timestamp(TimestampMs(at)).await.map_err(failed)?,
    };
    Ok(found.filter(|found| found.offset < visible).map(Found::from))
}
