//! DescribeTopicPartitions (KIP-966): the partitions of topics in order of their names, a page at a time. It is what
//! administrators look at, who count machines: replicas are on brokers, whatever addresses their cores have.

use std::collections::BTreeSet;

use ringlane_controller::{ClusterImage, Partition};
use ringlane_wire::messages::describe_topic_partitions::{
    Cursor, DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse,
    DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic,
};
use ringlane_wire::{ErrorCode, Uuid};

use super::{Handled, Request, topics};
use crate::{nodes, topic_creation};

/// What everybody may do with a topic, a bit for each of Kafka's `AclOperation`s: read, write, create, delete, alter,
/// describe, describe and alter its settings.
const ALL_OPERATIONS: i32 = 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 10 | 1 << 11;

pub(super) async fn handle(request: Request) -> Handled {
    let message: DescribeTopicPartitionsRequest = request.decode()?;
    let image = request.shard.image.current();
    let Some(names) = names(&image, &message) else {
        let topics = message.topics.iter().map(|asked| refused(asked.name, ErrorCode::INVALID_REQUEST));
        return request.answer(&DescribeTopicPartitionsResponse {
            topics: topics.collect(),
            ..Default::default()
        });
    };
    let limit = request.shard.config.max_request_partition_size_limit;
    let limit = message.response_partition_limit.min(limit).max(1) as usize;
    let (topics, next_cursor) = page(&image, names, message.cursor.as_ref(), limit);
    request.answer(&DescribeTopicPartitionsResponse { topics, next_cursor, ..Default::default() })
}

/// The topics from the cursor on: those that are asked for, or all. `None` when the cursor means nothing: its partition is
/// negative, or its topic is not one of those asked for.
fn names<'a>(
    image: &'a ClusterImage,
    message: &DescribeTopicPartitionsRequest<'a>,
) -> Option<BTreeSet<&'a str>> {
    let mut names: BTreeSet<&str> = match message.topics.is_empty() {
        true => image.topics().map(|topic| topic.name.as_str()).collect(),
        false => message.topics.iter().map(|asked| asked.name).collect(),
    };
    let Some(cursor) = &message.cursor else { return Some(names) };
    let is_asked_for = message.topics.is_empty() || names.contains(cursor.topic_name);
    if cursor.partition_index < 0 || !is_asked_for {
        return None;
    }
    Some(names.split_off(cursor.topic_name))
}

/// The first `limit` partitions of the topics `names`, and where the next page begins, if there is one.
fn page<'a>(
    image: &'a ClusterImage,
    names: BTreeSet<&'a str>,
    cursor: Option<&Cursor>,
    limit: usize,
) -> (Vec<DescribeTopicPartitionsResponseTopic<'a>>, Option<Cursor<'a>>) {
    let mut answered = Vec::new();
    let mut room = limit;
    for topic_name in names {
        if room == 0 {
            return (answered, Some(Cursor { topic_name, partition_index: 0 }));
        }
        let Some(topic) = image.topic(topic_name) else {
            answered.push(DescribeTopicPartitionsResponseTopic {
                is_internal: topics::is_internal(topic_name),
                topic_authorized_operations: ALL_OPERATIONS,
                ..refused(topic_name, missing(topic_name))
            });
            continue;
        };
        let first = cursor.filter(|cursor| cursor.topic_name == topic_name);
        let first = first.map_or(0, |cursor| cursor.partition_index);
        let rest = (0..).zip(&topic.partitions).skip(first as usize);
        let partitions: Vec<_> =
            rest.take(room).map(|(index, state)| partition(image, index, state)).collect();
        room -= partitions.len();
        let next = first.saturating_add(partitions.len() as i32);
        answered.push(DescribeTopicPartitionsResponseTopic {
            name: Some(topic_name),
            topic_id: Uuid(topic.id.0),
            is_internal: topics::is_internal(topic_name),
            partitions,
            topic_authorized_operations: ALL_OPERATIONS,
            ..Default::default()
        });
        if (next as usize) < topic.partitions.len() {
            return (answered, Some(Cursor { topic_name, partition_index: next }));
        }
    }
    (answered, None)
}

fn missing(name: &str) -> ErrorCode {
    match topic_creation::is_legal_name(name) {
        true => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        false => ErrorCode::INVALID_TOPIC_EXCEPTION,
    }
}

fn refused(name: &str, error_code: ErrorCode) -> DescribeTopicPartitionsResponseTopic<'_> {
    DescribeTopicPartitionsResponseTopic { error_code, name: Some(name), ..Default::default() }
}

fn partition(
    image: &ClusterImage,
    partition_index: i32,
    partition: &Partition,
) -> DescribeTopicPartitionsResponsePartition {
    let replicas = partition.replicas.iter().map(|replica| replica.broker);
    let leader = nodes::leader_broker(image, partition);
    DescribeTopicPartitionsResponsePartition {
        // A partition without leader is no error here: the leader -1 says it.
        error_code: ErrorCode::NONE,
        partition_index,
        leader_id: leader.map_or(-1, |broker| broker.id.0),
        leader_epoch: partition.leader_epoch.0,
        replica_nodes: replicas.clone().map(|broker| broker.0).collect(),
        isr_nodes: partition.isr.iter().map(|broker| broker.0).collect(),
        // A single replica in sync is all that a partition has: nobody else is eligible.
        eligible_leader_replicas: Some(Vec::new()),
        last_known_elr: Some(Vec::new()),
        offline_replicas: replicas.filter(|broker| !image.is_live(*broker)).map(|broker| broker.0).collect(),
    }
}
