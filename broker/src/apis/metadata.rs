//! Metadata: brokers, topics, partitions and who leads them; creates a topic that a client asks for, where that is allowed.

use std::collections::BTreeMap;
use std::rc::Rc;

use ringlane_controller::{ClusterImage, Outcome, Partition, Topic};
use ringlane_wire::messages::metadata::{
    MetadataRequest, MetadataRequestTopic, MetadataResponse, MetadataResponseBroker,
    MetadataResponsePartition, MetadataResponseTopic,
};
use ringlane_wire::{ErrorCode, Uuid};

use super::{Handled, Request, errors, topics};
use crate::nodes;
use crate::shard::Shard;
use crate::topic_creation;

/// KIP-516: the first version in which topics are asked for by id. The two before it have the id in their form, and Kafka
/// refuses to look at it: their answers cannot leave out a name.
const BY_TOPIC_ID_FROM: i16 = 12;

pub(super) async fn handle(request: Request) -> Handled {
    let shard = request.shard.clone();
    let message: MetadataRequest = request.decode()?;
    if request.version < BY_TOPIC_ID_FROM && message.topics.iter().flatten().any(is_by_topic_id) {
        return request.answer(&by_topic_id_refused(&message));
    }
    let refused = create_missing(&shard, &message).await;
    let image = shard.image.current();
    let topics = match &message.topics {
        // Version 0 has no null: an empty list asks for all topics.
        None => all_topics(&image),
        Some(asked) if asked.is_empty() && request.version == 0 => all_topics(&image),
        Some(asked) => asked.iter().map(|asked| asked_topic(&image, asked, &refused)).collect(),
    };
    let brokers = nodes::all(&image).into_iter().map(|node| MetadataResponseBroker {
        node_id: node.id,
        host: &node.endpoint.host,
        port: i32::from(node.endpoint.port),
        rack: node.rack,
    });
    request.answer(&MetadataResponse {
        brokers: brokers.collect(),
        cluster_id: Some(image.cluster_id()),
        controller_id: shard.broker().0,
        topics,
        ..Default::default()
    })
}

fn is_by_topic_id(asked: &MetadataRequestTopic) -> bool {
    asked.name.is_none() || !asked.topic_id.is_zero()
}

fn by_topic_id_refused<'a>(message: &MetadataRequest<'a>) -> MetadataResponse<'a> {
    let topics = message.topics.iter().flatten().map(|asked| MetadataResponseTopic {
        error_code: ErrorCode::INVALID_REQUEST,
        name: Some(asked.name.unwrap_or_default()),
        topic_id: asked.topic_id,
        ..Default::default()
    });
    MetadataResponse { topics: topics.collect(), ..Default::default() }
}

/// Creates the topics that are asked for by name and missing; the names that were refused, and why.
async fn create_missing(
    shard: &Rc<Shard>,
    message: &MetadataRequest<'_>,
) -> BTreeMap<String, ErrorCode> {
    let image = shard.image.current();
    let names = message.topics.iter().flatten().filter(|asked| asked.topic_id.is_zero());
    let missing: Vec<String> = names
        .filter_map(|asked| asked.name)
        .filter(|name| image.topic(name).is_none())
        .map(str::to_owned)
        .collect();
    let allowed = message.allow_auto_topic_creation && shard.config.auto_create_topics_enable;
    if missing.is_empty() || !allowed {
        return BTreeMap::new();
    }
    let Ok(outcome) = topic_creation::create_with_defaults(shard, &missing).await else {
        return missing.into_iter().map(|name| (name, ErrorCode::LEADER_NOT_AVAILABLE)).collect();
    };
    let Outcome::TopicsCreated(results) = outcome else { return BTreeMap::new() };
    let results = missing.into_iter().zip(results);
    results.filter_map(|(name, result)| Some((name, errors::of_command(&result.err()?)))).collect()
}

fn all_topics(image: &ClusterImage) -> Vec<MetadataResponseTopic<'_>> {
    image.topics().map(|topic| describe(image, topic)).collect()
}

fn asked_topic<'a>(
    image: &'a ClusterImage,
    asked: &MetadataRequestTopic<'a>,
    refused: &BTreeMap<String, ErrorCode>,
) -> MetadataResponseTopic<'a> {
    let name = asked.name.unwrap_or_default();
    let found = if asked.topic_id.is_zero() {
        image.topic(name)
    } else {
        image.topic_by_id(ringlane_batch::TopicId(asked.topic_id.0))
    };
    if let Some(topic) = found {
        return describe(image, topic);
    }
    let error_code = match refused.get(name) {
        // Another client created it in the meantime: it is there at the next look.
        Some(&ErrorCode::TOPIC_ALREADY_EXISTS) => ErrorCode::LEADER_NOT_AVAILABLE,
        Some(&code) => code,
        None if !asked.topic_id.is_zero() => ErrorCode::UNKNOWN_TOPIC_ID,
        None if !topic_creation::is_legal_name(name) => ErrorCode::INVALID_TOPIC_EXCEPTION,
        None => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
    };
    let name = if asked.topic_id.is_zero() { Some(name) } else { asked.name };
    MetadataResponseTopic { error_code, name, topic_id: asked.topic_id, ..Default::default() }
}

fn describe<'a>(image: &ClusterImage, topic: &'a Topic) -> MetadataResponseTopic<'a> {
    let partitions = (0..).zip(&topic.partitions);
    MetadataResponseTopic {
        name: Some(&topic.name),
        topic_id: Uuid(topic.id.0),
        is_internal: topics::is_internal(&topic.name),
        partitions: partitions.map(|(index, state)| describe_partition(image, index, state)).collect(),
        ..Default::default()
    }
}

fn describe_partition(
    image: &ClusterImage,
    partition_index: i32,
    partition: &Partition,
) -> MetadataResponsePartition {
    let node = |broker| nodes::replica_node_id(image, partition, broker);
    let leader = nodes::leader_node(image, partition);
    let replicas = partition.replicas.iter().map(|replica| replica.broker);
    MetadataResponsePartition {
        error_code: if leader.is_some() { ErrorCode::NONE } else { ErrorCode::LEADER_NOT_AVAILABLE },
        partition_index,
        leader_id: leader.map_or(-1, |leader| leader.id),
        leader_epoch: partition.leader_epoch.0,
        replica_nodes: replicas.clone().map(node).collect(),
        isr_nodes: partition.isr.iter().copied().map(node).collect(),
        offline_replicas: replicas.filter(|broker| !image.is_live(*broker)).map(node).collect(),
    }
}
