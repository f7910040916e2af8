//! OffsetForLeaderEpoch (KIP-279, KIP-320): where an epoch ended, so that a consumer notices a log that was cut.

use std::rc::Rc;

use ringlane_batch::{LeaderEpoch, PartitionIndex};
use ringlane_wire::messages::offset_for_leader_epoch::{
    EpochEndOffset, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse,
    OffsetForLeaderPartition, OffsetForLeaderTopicResult,
};
use ringlane_wire::{ErrorCode, Uuid};

use super::{Handled, Request, topics};
use crate::partition::PartitionKey;
use crate::shard::Shard;

pub(super) async fn handle(request: Request) -> Handled {
    let shard = request.shard.clone();
    let message: OffsetForLeaderEpochRequest = request.decode()?;
    let mut results = Vec::with_capacity(message.topics.len());
    for topic in &message.topics {
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for asked in &topic.partitions {
            let end = look_up(&shard, topic.topic, asked).await;
            partitions.push(end.unwrap_or_else(|error_code| EpochEndOffset {
                error_code,
                partition: asked.partition,
                ..Default::default()
            }));
        }
        results.push(OffsetForLeaderTopicResult { topic: topic.topic, partitions });
    }
    request.answer(&OffsetForLeaderEpochResponse { topics: results, ..Default::default() })
}

async fn look_up(
    shard: &Rc<Shard>,
    topic: &str,
    asked: &OffsetForLeaderPartition,
) -> Result<EpochEndOffset, ErrorCode> {
    let topic = topics::find(&shard.image.current(), topic, Uuid::ZERO)?;
    let owner = topics::owner(shard, &topic, asked.partition)?;
    let key: PartitionKey = (topic.id, PartitionIndex(asked.partition));
    let (known, wanted) = (asked.current_leader_epoch, LeaderEpoch(asked.leader_epoch));
    let job = move |shard: &Rc<Shard>| {
        let end = topics::led(shard, key, known).map(|partition| {
            // Of the current epoch a client may know what is visible, not what is only appended.
            partition.log.end_offset_for_epoch(wanted).map(|(epoch, end)| {
                (epoch, end.min(partition.high_watermark().offset()))
            })
        });
        async move { end }
    };
    let end = shard.router.call(shard, owner, job).await?;
    let (leader_epoch, end_offset) = end.map_or((-1, -1), |(epoch, end)| (epoch.0, end.0));
    let partition = asked.partition;
    Ok(EpochEndOffset { error_code: ErrorCode::NONE, partition, leader_epoch, end_offset })
}
