//! The commands that Raft replicates. A command holds every choice that is not a function of the image (ids, addresses),
//! so that applying it is deterministic on every controller.

use std::collections::BTreeMap;
use std::fmt;

use ringlane_batch::{PartitionIndex, TopicId};
use rkyv::with::Map;
use rkyv::{Archive, Deserialize, Serialize};

use crate::image::{BrokerId, CoreEndpoint, CoreIndex, Endpoint};
use crate::metadata::{PartitionIndexRecord, TopicIdRecord};

/// A change of the cluster's state. Lists are answered item by item, in order: one refused item does not stop the others.
#[derive(Archive, Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// Names the cluster, once. Answered by `Done`; refused when it has another name already.
    SetClusterId {
        /// 22 characters of URL-safe base64.
        cluster_id: String,
    },
    /// A broker has started. Answered by `BrokerRegistered`.
    RegisterBroker(BrokerRegistration),
    /// A broker is (not) alive. Answered by `Done`.
    FenceBroker {
        /// Which.
        broker: BrokerId,
        /// The epoch of the registration that is meant.
        epoch: i64,
        /// Fence it, or let it lead again.
        fenced: bool,
    },
    /// Answered by `TopicsCreated`.
    CreateTopics(Vec<NewTopic>),
    /// Answered by `TopicsDeleted`.
    DeleteTopics(#[rkyv(with = Map<TopicIdRecord>)] Vec<TopicId>),
    /// Answered by `PartitionsCreated`.
    CreatePartitions(Vec<NewPartitions>),
    /// Answered by `ConfigsAltered`.
    AlterConfigs(Vec<ConfigAlteration>),
    /// Reserves the next block of producer ids. Answered by `ProducerIds`.
    AllocateProducerIds {
        /// For which broker.
        broker: BrokerId,
    },
    /// Moves replicas between cores of their broker. Answered by `PlacementSet`.
    SetPlacement(Vec<CoreMove>),
}

/// What a broker says about itself when it starts.
#[derive(Archive, Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct BrokerRegistration {
    /// Its number.
    pub broker: BrokerId,
    /// How many cores it runs, at least 1.
    pub core_count: u16,
    /// One for each listener.
    pub endpoints: Vec<Endpoint>,
    /// Empty in single-address mode.
    pub core_endpoints: Vec<CoreEndpoint>,
    /// The rack (`broker.rack`).
    pub rack: Option<String>,
}

/// A topic to create.
#[derive(Archive, Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct NewTopic {
    /// Its name.
    pub name: String,
    /// Its id, chosen at random by the proposer ([`crate::Controller::new_topic_id`]).
    #[rkyv(with = TopicIdRecord)]
    pub id: TopicId,
    /// Number of partitions, with the default (`num.partitions`) put in for the -1 of a request without assignments; -1
    /// with `assignments`.
    pub partition_count: i32,
    /// Replicas of each partition, defaults put in likewise (`default.replication.factor`).
    pub replication_factor: i16,
    /// Brokers for each partition when the client chose them; empty for the controller to choose.
    pub assignments: Vec<ManualAssignment>,
    /// Configuration overrides, already checked against what the broker knows.
    pub configs: BTreeMap<String, String>,
}

/// The brokers that a client chose for a partition of a new topic.
#[derive(Archive, Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct ManualAssignment {
    /// The partition.
    #[rkyv(with = PartitionIndexRecord)]
    pub partition: PartitionIndex,
    /// Its replicas, the preferred leader first.
    pub brokers: Vec<BrokerId>,
}

/// Partitions to add to a topic.
#[derive(Archive, Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct NewPartitions {
    /// The topic's name.
    pub topic: String,
    /// How many partitions it shall have altogether.
    pub total_count: i32,
    /// The brokers of each new partition, where the client chose them.
    pub assignments: Option<Vec<Vec<BrokerId>>>,
}

/// What a configuration belongs to.
#[derive(Archive, Serialize, Deserialize, Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum ConfigResource {
    /// The topic of that name.
    Topic(String),
    /// A broker, or all of them.
    Broker(Option<BrokerId>),
}

/// Changes to the configuration of one resource, made together or not at all.
#[derive(Archive, Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct ConfigAlteration {
    /// Whose.
    pub resource: ConfigResource,
    /// In order. Appending to and subtracting from lists (KIP-339) are resolved to `Set` by the proposer, which knows the
    /// defaults.
    pub changes: Vec<ConfigChange>,
}

/// A change of one configuration key.
#[derive(Archive, Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum ConfigChange {
    /// Overrides the default.
    Set {
        /// The key.
        key: String,
        /// Its value, already checked.
        value: String,
    },
    /// Goes back to the default.
    Delete {
        /// The key.
        key: String,
    },
}

/// A replica that shall be owned by another core of its broker.
#[derive(Archive, Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub struct CoreMove {
    /// The topic.
    #[rkyv(with = TopicIdRecord)]
    pub topic: TopicId,
    /// The partition.
    #[rkyv(with = PartitionIndexRecord)]
    pub partition: PartitionIndex,
    /// The replica's broker.
    pub broker: BrokerId,
    /// The core that shall own it.
    pub core: CoreIndex,
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SetClusterId { cluster_id } => write!(f, "SetClusterId {cluster_id}"),
            Self::RegisterBroker(broker) => write!(f, "RegisterBroker {}", broker.broker.0),
            Self::FenceBroker { broker, fenced, .. } => {
                write!(f, "FenceBroker {} {fenced}", broker.0)
            }
            Self::CreateTopics(topics) => write!(f, "CreateTopics of {}", topics.len()),
            Self::DeleteTopics(topics) => write!(f, "DeleteTopics of {}", topics.len()),
            Self::CreatePartitions(topics) => write!(f, "CreatePartitions of {}", topics.len()),
            Self::AlterConfigs(resources) => write!(f, "AlterConfigs of {}", resources.len()),
            Self::AllocateProducerIds { broker } => write!(f, "AllocateProducerIds {}", broker.0),
            Self::SetPlacement(moves) => write!(f, "SetPlacement of {}", moves.len()),
        }
    }
}
