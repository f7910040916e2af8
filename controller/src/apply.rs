//! Applying a command to the image: a pure function, the only place where cluster state changes. No clock, no randomness:
//! every controller that applies the same commands holds the same image.

mod brokers;
mod configs;
mod partitions;
mod topics;

use crate::command::Command;
use crate::image::ClusterImage;
use crate::outcome::{CommandError, Outcome};

/// How many producer ids a block holds (KIP-360's manager: `ProducerIdsBlock.PRODUCER_ID_BLOCK_SIZE`).
pub const PRODUCER_ID_BLOCK_SIZE: i32 = 1000;

/// How many partitions one command may create: Kafka's bound on the records of an operation.
pub const PARTITIONS_PER_COMMAND_MAX: usize = 10_000;

/// Applies `command`, the entry of Raft index `version`: the next image, and what became of the command. A refused command
/// leaves everything but the version as it was.
///
/// To validate without making the change, apply to a clone and drop it.
///
/// # Panics
/// When `version` is not greater than the image's: entries are applied once, in order.
pub fn apply(mut image: ClusterImage, version: u64, command: &Command) -> (ClusterImage, Outcome) {
    assert!(version > image.version, "version {version} follows version {}", image.version);
    image.version = version;
    let outcome = match command {
        Command::SetClusterId { cluster_id } => set_cluster_id(&mut image, cluster_id),
        Command::RegisterBroker(registration) => brokers::register(&mut image, registration),
        Command::FenceBroker { broker, epoch, fenced } => {
            brokers::fence(&mut image, *broker, *epoch, *fenced)
        }
        Command::CreateTopics(topics) => {
            Outcome::TopicsCreated(topics::create_all(&mut image, topics))
        }
        Command::DeleteTopics(ids) => {
            Outcome::TopicsDeleted(ids.iter().map(|&id| topics::delete(&mut image, id)).collect())
        }
        Command::CreatePartitions(topics) => {
            Outcome::PartitionsCreated(partitions::create_all(&mut image, topics))
        }
        Command::AlterConfigs(alterations) => Outcome::ConfigsAltered(
            alterations.iter().map(|alteration| configs::alter(&mut image, alteration)).collect(),
        ),
        Command::AllocateProducerIds { broker } => {
            brokers::allocate_producer_ids(&mut image, *broker)
        }
        Command::SetPlacement(moves) => Outcome::PlacementSet(
            moves.iter().map(|core_move| brokers::place(&mut image, core_move)).collect(),
        ),
    };
    (image, outcome)
}

fn set_cluster_id(image: &mut ClusterImage, cluster_id: &str) -> Outcome {
    if cluster_id.is_empty() {
        let message = "The cluster id must not be empty".to_owned();
        return Outcome::Refused(CommandError::InvalidRequest(message));
    }
    if image.cluster_id.is_empty() {
        cluster_id.clone_into(&mut image.cluster_id);
    }
    if image.cluster_id == cluster_id {
        Outcome::Done
    } else {
        Outcome::Refused(CommandError::InconsistentClusterId(image.cluster_id.clone()))
    }
}

#[cfg(test)]
mod tests;
