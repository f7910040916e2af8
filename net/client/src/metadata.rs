//! What a client knows of a cluster: brokers, topics, and who leads which partition. A snapshot of the past: a broker that
//! is no longer leader says so, and the client asks anew.

use std::collections::BTreeMap;
use std::rc::Rc;

use ringlane_reactor::Instant;
use ringlane_wire::messages::MetadataRequest;
use ringlane_wire::messages::metadata::{
    MetadataRequestTopic, MetadataResponse, MetadataResponseTopic,
};
use ringlane_wire::{ErrorCode, Uuid};

use crate::answer::Answer;
use crate::error::Error;

/// The number by which clients address a broker (or one core of it).
pub type NodeId = i32;

/// A broker that clients may connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerInfo {
    /// Its id.
    pub id: NodeId,
    /// `host:port`.
    pub address: Rc<str>,
    /// Its rack, where it has one.
    pub rack: Option<String>,
}

/// A topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicInfo {
    /// Its name.
    pub name: Rc<str>,
    /// Its id (KIP-516).
    pub id: Uuid,
    /// Whether it is one of the broker's own, as `__consumer_offsets` is.
    pub is_internal: bool,
    /// Its partitions; the index is the partition's.
    pub partitions: Vec<PartitionInfo>,
}

/// A partition.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct PartitionInfo {
    /// Who leads it, if anyone does.
    pub leader: Option<NodeId>,
    /// The generation of its leadership (KIP-320).
    pub leader_epoch: i32,
    /// Who holds it, the preferred leader first.
    pub replicas: Vec<NodeId>,
    /// Which of those are in sync.
    pub isr: Vec<NodeId>,
    /// Which of those are not there.
    pub offline: Vec<NodeId>,
}

/// What is known now.
#[derive(Default)]
pub(crate) struct Metadata {
    pub(crate) cluster_id: Option<String>,
    pub(crate) controller: Option<NodeId>,
    pub(crate) brokers: BTreeMap<NodeId, BrokerInfo>,
    topics: BTreeMap<Rc<str>, Known>,
    names: BTreeMap<Uuid, Rc<str>>,
}

struct Known {
    topic: Rc<TopicInfo>,
    since: Instant,
}

/// The request for what is known of `topics`, or of all.
pub(crate) fn request<'a>(
    topics: Option<&[&'a str]>,
    allow_auto_topic_creation: bool,
) -> MetadataRequest<'a> {
    let topic = |&name: &&'a str| MetadataRequestTopic { name: Some(name), ..Default::default() };
    MetadataRequest {
        topics: topics.map(|names| names.iter().map(topic).collect()),
        allow_auto_topic_creation,
        ..Default::default()
    }
}

impl Metadata {
    pub(crate) fn topic(&self, name: &str) -> Option<&Rc<TopicInfo>> {
        self.topics.get(name).map(|known| &known.topic)
    }

    /// When `name` was asked for last.
    pub(crate) fn topic_since(&self, name: &str) -> Option<Instant> {
        self.topics.get(name).map(|known| known.since)
    }

    pub(crate) fn topics(&self) -> impl Iterator<Item = &Rc<TopicInfo>> {
        self.topics.values().map(|known| &known.topic)
    }

    /// The name of the topic with this id.
    pub(crate) fn name_of(&self, id: Uuid) -> Option<Rc<str>> {
        self.names.get(&id).cloned()
    }

    pub(crate) fn leader(&self, topic: &str, partition: i32) -> Option<NodeId> {
        let partition = usize::try_from(partition).ok()?;
        self.topic(topic)?.partitions.get(partition)?.leader
    }

    /// Takes over a response. `is_complete` when it was asked for all topics. The answer is the first topic in error.
    pub(crate) fn update(
        &mut self,
        answer: &Answer,
        response: &MetadataResponse<'_>,
        is_complete: bool,
        now: Instant,
    ) -> Result<(), Error> {
        answer.check(response.error_code, "", None)?;
        self.brokers = brokers(response);
        self.cluster_id = response.cluster_id.map(str::to_owned);
        self.controller = Some(response.controller_id).filter(|&id| id >= 0);
        if is_complete {
            self.topics.clear();
            self.names.clear();
        }
        let mut outcome = Ok(());
        for topic in &response.topics {
            let Some(name) = topic.name else { continue };
            if topic.error_code.is_none() {
                self.insert(name, topic, now);
                continue;
            }
            if is_gone(topic.error_code) {
                self.remove(name);
            }
            outcome = outcome.and(answer.check(topic.error_code, name, None));
        }
        outcome
    }

    fn insert(&mut self, name: &str, topic: &MetadataResponseTopic<'_>, now: Instant) {
        let name: Rc<str> = self.remove(name).unwrap_or_else(|| name.into());
        let topic = Rc::new(topic_info(name.clone(), topic));
        if !topic.id.is_zero() {
            self.names.insert(topic.id, name.clone());
        }
        self.topics.insert(name, Known { topic, since: now });
    }

    fn remove(&mut self, name: &str) -> Option<Rc<str>> {
        let (name, known) = self.topics.remove_entry(name)?;
        self.names.remove(&known.topic.id);
        Some(name)
    }
}

fn is_gone(code: ErrorCode) -> bool {
    matches!(code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION | ErrorCode::UNKNOWN_TOPIC_ID)
}

fn brokers(response: &MetadataResponse<'_>) -> BTreeMap<NodeId, BrokerInfo> {
    let broker = |broker: &ringlane_wire::messages::metadata::MetadataResponseBroker<'_>| {
        let rack = broker.rack.map(str::to_owned);
        let address = join_address(broker.host, broker.port);
        (broker.node_id, BrokerInfo { id: broker.node_id, address, rack })
    };
    response.brokers.iter().map(broker).collect()
}

/// `host:port`, an IPv6 address in brackets.
pub(crate) fn join_address(host: &str, port: i32) -> Rc<str> {
    if host.contains(':') {
        format!("[{host}]:{port}").into()
    } else {
        format!("{host}:{port}").into()
    }
}

/// The partitions in their order; one that the response leaves out has no leader.
fn topic_info(name: Rc<str>, topic: &MetadataResponseTopic<'_>) -> TopicInfo {
    // An index that is not dense would be a claimed length: only as many partitions as were sent are taken.
    let mut partitions = vec![PartitionInfo::default(); topic.partitions.len()];
    for sent in &topic.partitions {
        let index = usize::try_from(sent.partition_index).unwrap_or(usize::MAX);
        let Some(partition) = partitions.get_mut(index) else { continue };
        *partition = PartitionInfo {
            leader: Some(sent.leader_id).filter(|&id| id >= 0),
            leader_epoch: sent.leader_epoch,
            replicas: sent.replica_nodes.clone(),
            isr: sent.isr_nodes.clone(),
            offline: sent.offline_replicas.clone(),
        };
    }
    TopicInfo { name, id: topic.topic_id, is_internal: topic.is_internal, partitions }
}
