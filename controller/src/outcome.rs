//! What became of a command: its result, or a refusal that carries the meaning and the words of a Kafka error.

use std::fmt;

use ringlane_batch::TopicId;

/// The answer to a command; each variant names the one it answers. Lists answer item by item, in the command's order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// To a command without an answer of its own; also to the entries that Raft itself writes.
    Done,
    /// To `RegisterBroker`.
    BrokerRegistered {
        /// The broker's new epoch.
        epoch: i64,
    },
    /// To `CreateTopics`.
    TopicsCreated(Vec<Result<CreatedTopic, CommandError>>),
    /// To `DeleteTopics`: the names of the topics that are gone.
    TopicsDeleted(Vec<Result<String, CommandError>>),
    /// To `CreatePartitions`.
    PartitionsCreated(Vec<Result<(), CommandError>>),
    /// To `AlterConfigs`.
    ConfigsAltered(Vec<Result<(), CommandError>>),
    /// To `AllocateProducerIds`: ids from `first`, `count` of them.
    ProducerIds {
        /// The first id of the block.
        first: i64,
        /// How many.
        count: i32,
    },
    /// To `SetPlacement`.
    PlacementSet(Vec<Result<(), CommandError>>),
    /// The command was refused whole.
    Refused(CommandError),
}

/// A topic that was created (or would be, when validating only).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CreatedTopic {
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: TopicId,
    /// Its number of partitions.
    pub partition_count: i32,
    /// Replicas of each partition.
    pub replication_factor: i16,
}

/// A refusal. Each variant is the Kafka error of that name; its text ([`fmt::Display`]) is what Kafka's controller says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CommandError {
    /// TOPIC_ALREADY_EXISTS: the topic's name.
    TopicAlreadyExists(String),
    /// INVALID_TOPIC_EXCEPTION: the message.
    InvalidTopic(String),
    /// INVALID_PARTITIONS: the message.
    InvalidPartitions(String),
    /// INVALID_REPLICATION_FACTOR: the message.
    InvalidReplicationFactor(String),
    /// INVALID_REPLICA_ASSIGNMENT: the message.
    InvalidReplicaAssignment(String),
    /// INVALID_REQUEST: the message.
    InvalidRequest(String),
    /// INVALID_CONFIG: the message.
    InvalidConfig(String),
    /// POLICY_VIOLATION: the message.
    PolicyViolation(String),
    /// UNKNOWN_TOPIC_OR_PARTITION: the message.
    UnknownTopicOrPartition(String),
    /// UNKNOWN_TOPIC_ID: asked for by id.
    UnknownTopicId,
    /// BROKER_ID_NOT_REGISTERED: the message.
    BrokerIdNotRegistered(String),
    /// STALE_BROKER_EPOCH: the message.
    StaleBrokerEpoch(String),
    /// INCONSISTENT_CLUSTER_ID: the id that the cluster has.
    InconsistentClusterId(String),
    /// UNKNOWN_SERVER_ERROR: the message.
    UnknownServerError(String),
}

impl CommandError {
    /// The refusal of a topic name that no topic has, in the words of the protocol's table of errors.
    pub(crate) fn unknown_topic() -> Self {
        Self::UnknownTopicOrPartition("This server does not host this topic-partition.".to_owned())
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TopicAlreadyExists(name) => write!(f, "Topic '{name}' already exists."),
            Self::InvalidTopic(message)
            | Self::InvalidPartitions(message)
            | Self::InvalidReplicationFactor(message)
            | Self::InvalidReplicaAssignment(message)
            | Self::InvalidRequest(message)
            | Self::InvalidConfig(message)
            | Self::PolicyViolation(message)
            | Self::UnknownTopicOrPartition(message)
            | Self::BrokerIdNotRegistered(message)
            | Self::StaleBrokerEpoch(message)
            | Self::UnknownServerError(message) => f.write_str(message),
            Self::UnknownTopicId => f.write_str("This server does not host this topic ID."),
            Self::InconsistentClusterId(id) => {
                write!(f, "The cluster has the id {id} already")
            }
        }
    }
}

impl std::error::Error for CommandError {}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(error) => write!(f, "refused: {error}"),
            other => write!(f, "{other:?}"),
        }
    }
}
