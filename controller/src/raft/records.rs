//! What is inside the frames on disk: openraft's types in shapes of our own, so that its next alpha cannot change our files.

use std::collections::BTreeMap;
use std::sync::Arc;

use openraft::{EmptyNode, EntryPayload};
use rkyv::{Archive, Deserialize, Serialize};

use super::types::{Entry, LeaderId, LogId, Membership, SnapshotMeta, StoredMembership, Vote};
use crate::command::Command;
use crate::image::{Broker, BrokerId, ClusterImage, Topic};

/// A position in the Raft log.
#[derive(Archive, Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct LogIdRecord {
    term: u64,
    node: u64,
    index: u64,
}

impl From<&LogId> for LogIdRecord {
    fn from(id: &LogId) -> Self {
        Self { term: id.leader_id.term, node: id.leader_id.node_id, index: id.index }
    }
}

impl From<LogIdRecord> for LogId {
    fn from(record: LogIdRecord) -> Self {
        let leader_id = LeaderId { term: record.term, node_id: record.node };
        Self { leader_id, index: record.index }
    }
}

/// Who voted for whom.
#[derive(Archive, Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct VoteRecord {
    term: u64,
    node: u64,
    committed: bool,
}

impl From<&Vote> for VoteRecord {
    fn from(vote: &Vote) -> Self {
        let LeaderId { term, node_id: node } = vote.leader_id;
        Self { term, node, committed: vote.committed }
    }
}

impl From<VoteRecord> for Vote {
    fn from(record: VoteRecord) -> Self {
        let leader_id = LeaderId { term: record.term, node_id: record.node };
        Self { leader_id, committed: record.committed }
    }
}

/// The voters and the other nodes.
#[derive(Archive, Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub(super) struct MembershipRecord {
    configs: Vec<Vec<u64>>,
    nodes: Vec<u64>,
}

impl From<&Membership> for MembershipRecord {
    fn from(membership: &Membership) -> Self {
        let configs = membership.get_joint_config().iter();
        Self {
            configs: configs.map(|voters| voters.iter().copied().collect()).collect(),
            nodes: membership.nodes().map(|(&node, _)| node).collect(),
        }
    }
}

impl From<MembershipRecord> for Membership {
    fn from(record: MembershipRecord) -> Self {
        let configs = record.configs.into_iter().map(|voters| voters.into_iter().collect());
        let nodes: BTreeMap<u64, EmptyNode> =
            record.nodes.into_iter().map(|node| (node, EmptyNode::new())).collect();
        Self::new_with_defaults(configs.collect(), nodes.into_keys())
    }
}

/// One entry of the Raft log.
#[derive(Archive, Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub(super) struct EntryRecord {
    log_id: LogIdRecord,
    payload: PayloadRecord,
}

#[derive(Archive, Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
enum PayloadRecord {
    Blank,
    Command(Command),
    Membership(MembershipRecord),
}

impl From<&Entry> for EntryRecord {
    fn from(entry: &Entry) -> Self {
        let payload = match &entry.payload {
            EntryPayload::Blank => PayloadRecord::Blank,
            EntryPayload::Normal(command) => PayloadRecord::Command(command.clone()),
            EntryPayload::Membership(membership) => PayloadRecord::Membership(membership.into()),
        };
        Self { log_id: (&entry.log_id).into(), payload }
    }
}

impl From<EntryRecord> for Entry {
    fn from(record: EntryRecord) -> Self {
        let payload = match record.payload {
            PayloadRecord::Blank => EntryPayload::Blank,
            PayloadRecord::Command(command) => EntryPayload::Normal(command),
            PayloadRecord::Membership(membership) => EntryPayload::Membership(membership.into()),
        };
        Self { log_id: record.log_id.into(), payload }
    }
}

/// One frame of the log file: what became durable with one sync.
#[derive(Archive, Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub(super) struct LogGroup {
    /// What the log had lost at its start. Only in the first frame of a file that was written anew.
    pub(super) purged: Option<LogIdRecord>,
    /// What was known to be committed when the frame was written.
    pub(super) committed: Option<LogIdRecord>,
    /// The entries after this index go, before those of this frame come.
    pub(super) keep_through: Option<u64>,
    /// The entries, in order and without a gap.
    pub(super) entries: Vec<EntryRecord>,
}

/// The state of the cluster at a position of the Raft log.
#[derive(Archive, Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub(super) struct SnapshotRecord {
    last_log_id: Option<LogIdRecord>,
    membership_log_id: Option<LogIdRecord>,
    membership: MembershipRecord,
    image: ImageRecord,
}

#[derive(Archive, Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
struct ImageRecord {
    version: u64,
    cluster_id: String,
    brokers: Vec<Broker>,
    topics: Vec<Topic>,
    broker_configs: Vec<(Option<BrokerId>, BTreeMap<String, String>)>,
    next_producer_id: i64,
}

impl SnapshotRecord {
    pub(super) fn new(meta: &SnapshotMeta, image: &ClusterImage) -> Self {
        let configs = image.broker_configs.iter();
        Self {
            last_log_id: meta.last_log_id.as_ref().map(LogIdRecord::from),
            membership_log_id: meta.last_membership.log_id().as_ref().map(LogIdRecord::from),
            membership: meta.last_membership.membership().into(),
            image: ImageRecord {
                version: image.version,
                cluster_id: image.cluster_id.clone(),
                brokers: image.brokers().map(|broker| Broker::clone(broker)).collect(),
                topics: image.topics().map(|topic| Topic::clone(topic)).collect(),
                broker_configs: configs.map(|(&id, configs)| (id, configs.clone())).collect(),
                next_producer_id: image.next_producer_id,
            },
        }
    }

    /// The position and the image, or why the record is no image.
    pub(super) fn into_parts(self) -> Result<(SnapshotMeta, ClusterImage), String> {
        let membership =
            StoredMembership::new(self.membership_log_id.map(LogId::from), self.membership.into());
        let meta = SnapshotMeta {
            last_log_id: self.last_log_id.map(LogId::from),
            last_membership: membership,
        };
        Ok((meta, self.image.into_image()?))
    }
}

impl ImageRecord {
    fn into_image(self) -> Result<ClusterImage, String> {
        let record = self;
        let brokers = record.brokers.into_iter().map(|broker| (broker.id, Arc::new(broker)));
        let mut image = ClusterImage {
            version: record.version,
            cluster_id: record.cluster_id,
            brokers: brokers.collect(),
            broker_configs: record.broker_configs.into_iter().collect(),
            next_producer_id: record.next_producer_id,
            ..ClusterImage::default()
        };
        for topic in record.topics {
            if topic.partitions.is_empty() || image.topic(&topic.name).is_some() {
                return Err(format!("topic {} has no partitions or is there twice", topic.name));
            }
            if image.topic_by_id(topic.id).is_some() {
                return Err(format!("topic id {} is there twice", topic.id));
            }
            image.put_topic(topic);
        }
        Ok(image)
    }
}

#[cfg(test)]
mod tests;
