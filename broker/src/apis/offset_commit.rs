//! OffsetCommit (KIP-211, KIP-320, KIP-1043): answered when the offsets are stored, and not before.

use std::rc::Rc;

use ringlane_controller::ClusterImage;
use ringlane_wire::ErrorCode;
use ringlane_wire::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
    OffsetCommitResponse, OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};

use super::{Handled, Request, groups, topics};
use crate::group::{Answer, CommitOutcome, CommitPartition, CommitRequest, Generation, Groups, RequestToken};
use crate::shard::Shard;

pub(super) async fn handle(request: Request) -> Handled {
    let shard = request.shard.clone();
    let message: OffsetCommitRequest = request.decode()?;
    let image = shard.image.current();
    // Offsets of partitions that do not exist are refused one by one; the others go to the coordinator.
    let mut codes: Vec<Result<(), ErrorCode>> = Vec::new();
    let mut partitions = Vec::new();
    for topic in &message.topics {
        for partition in &topic.partitions {
            codes.push(commit_partition(&image, topic, partition).map(|commit| partitions.push(commit)));
        }
    }
    let outcomes = commit(&shard, &request, &message, partitions).await;
    let mut stored = outcomes.into_iter();
    let mut codes = codes.into_iter().map(|code| match code {
        Ok(()) => stored.next().unwrap_or(ErrorCode::UNKNOWN_SERVER_ERROR),
        Err(code) => code,
    });
    let topics = message.topics.iter().map(|topic| OffsetCommitResponseTopic {
        name: topic.name,
        topic_id: topic.topic_id,
        partitions: topic
            .partitions
            .iter()
            .zip(&mut codes)
            .map(|(partition, error_code)| OffsetCommitResponsePartition {
                partition_index: partition.partition_index,
                error_code,
            })
            .collect(),
    });
    let topics = topics.collect();
    request.answer(&OffsetCommitResponse { topics, ..Default::default() })
}

fn commit_partition(
    image: &ClusterImage,
    topic: &OffsetCommitRequestTopic,
    partition: &OffsetCommitRequestPartition,
) -> Result<CommitPartition, ErrorCode> {
    let found = topics::find(image, topic.name, topic.topic_id)?;
    let index = ringlane_batch::PartitionIndex(partition.partition_index);
    found.partition(index).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
    let epoch = partition.committed_leader_epoch;
    Ok(CommitPartition {
        topic: found.name.clone(),
        partition: partition.partition_index,
        offset: partition.committed_offset,
        leader_epoch: (epoch >= 0).then_some(epoch),
        metadata: partition.committed_metadata.map(str::to_owned),
    })
}

/// What became of each partition that was given to the coordinator, in order.
async fn commit(
    shard: &Rc<Shard>,
    request: &Request,
    message: &OffsetCommitRequest<'_>,
    partitions: Vec<CommitPartition>,
) -> Vec<ErrorCode> {
    let count = partitions.len();
    if count == 0 {
        return Vec::new();
    }
    let retention_ms = message.retention_time_ms;
    let asked = CommitRequest {
        // The coordinator gives the real one.
        token: RequestToken(0),
        group_id: message.group_id.to_owned(),
        identity: groups::identity(message.member_id, message.group_instance_id),
        generation: Generation(message.generation_id_or_member_epoch),
        knows_group_id_not_found: request.version >= 9,
        retention_ms: (request.version <= 4 && retention_ms >= 0).then_some(retention_ms),
        partitions,
    };
    let act = move |groups: &mut Groups, token, now| {
        groups.commit(CommitRequest { token, ..asked }, now)
    };
    // The offsets wait for the disk with the coordinator, though the client may leave.
    let answer = groups::ask_keeping(shard, message.group_id, act, request.held.clone());
    let of = |outcome: &CommitOutcome| groups::code_of(outcome.error);
    match answer.await {
        Ok(Answer::Commit(_, Ok(outcomes))) => outcomes.iter().map(of).collect(),
        Ok(Answer::Commit(_, Err(error))) => vec![groups::code(error); count],
        Ok(_) => vec![ErrorCode::UNKNOWN_SERVER_ERROR; count],
        Err(error_code) => vec![error_code; count],
    }
}
