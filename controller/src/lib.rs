//! The controller: which brokers and which cores own which partitions, agreed on through Raft and published as an
//! immutable, numbered cluster image. Knows nothing of requests or of who owns sockets.
//!
//! Read in the order of the data: [`Command`] (what is asked), `raft/` (how it becomes durable), [`apply`] (what it
//! means), [`ClusterImage`] (what everybody sees).

mod apply;
mod command;
mod controller;
mod image;
mod leader_election;
mod metadata;
mod outcome;
mod placement;
mod raft;
pub mod topic_name;

/// The directory of the controller's data, in one of a broker's log directories.
pub const DIRECTORY_NAME: &str = "__cluster_metadata-0";

pub use apply::{PARTITIONS_PER_COMMAND_MAX, PRODUCER_ID_BLOCK_SIZE, apply};
pub use command::{
    BrokerRegistration, Command, ConfigAlteration, ConfigChange, ConfigResource, CoreMove,
    ManualAssignment, NewPartitions, NewTopic,
};
pub use controller::{Controller, ControllerError, Notified, Options};
pub use image::{
    Broker, BrokerId, ClusterImage, CoreEndpoint, CoreIndex, Endpoint, Partition, Replica, Topic,
};
pub use outcome::{CommandError, CreatedTopic, Outcome};
pub use raft::image_on_disk;
pub use topic_name::validate as validate_topic_name;
