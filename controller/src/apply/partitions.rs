//! Making partitions out of assigned brokers, for new topics and for ones that grow.

use std::collections::BTreeSet;

use ringlane_batch::LeaderEpoch;

use crate::apply::PARTITIONS_PER_COMMAND_MAX;
use crate::command::NewPartitions;
use crate::image::{BrokerId, ClusterImage, Partition, Topic};
use crate::outcome::CommandError;
use crate::placement::{self, CoreLoads};

/// Turns brokers into partitions: cores are chosen as it goes, so that all partitions of a command spread evenly.
pub(super) struct Placer {
    loads: CoreLoads,
    /// How many more partitions this command may create.
    room: usize,
}

impl Placer {
    pub(super) fn new(image: &ClusterImage) -> Self {
        Self { loads: CoreLoads::of(image), room: PARTITIONS_PER_COMMAND_MAX }
    }

    /// Refuses a command that grows out of bounds, before anything is allocated for it.
    pub(super) fn check_room(&self, count: usize) -> Result<(), CommandError> {
        if count > self.room { Err(too_many()) } else { Ok(()) }
    }

    /// Partitions `first..` on the brokers of `assignments`, led by the first of them that is alive. `chosen` tells whose
    /// choice the brokers were, which decides the error.
    pub(super) fn partitions(
        &mut self,
        image: &ClusterImage,
        first: usize,
        assignments: Vec<Vec<BrokerId>>,
        chosen: bool,
    ) -> Result<Vec<Partition>, CommandError> {
        self.check_room(assignments.len())?;
        for (at, brokers) in assignments.iter().enumerate() {
            if !brokers.iter().any(|&broker| image.is_live(broker)) {
                return Err(all_fenced(first + at, brokers.len(), chosen));
            }
        }
        self.room -= assignments.len();
        Ok(assignments.into_iter().map(|brokers| self.partition(image, &brokers)).collect())
    }

    fn partition(&mut self, image: &ClusterImage, brokers: &[BrokerId]) -> Partition {
        let replicas = brokers.iter().map(|&broker| self.loads.place(broker)).collect();
        let isr: Vec<BrokerId> =
            brokers.iter().copied().filter(|&broker| image.is_live(broker)).collect();
        assert!(!isr.is_empty(), "a partition starts with a leader");
        Partition {
            leader: isr.first().copied(),
            leader_epoch: LeaderEpoch(0),
            partition_epoch: 0,
            replicas,
            isr,
            elr: Vec::new(),
        }
    }
}

pub(super) fn too_many() -> CommandError {
    let message = "Unable to perform excessively large batch operation.";
    CommandError::PolicyViolation(message.to_owned())
}

fn all_fenced(partition: usize, replicas: usize, chosen: bool) -> CommandError {
    if chosen {
        CommandError::InvalidReplicationFactor(format!(
            "Unable to replicate the partition {replicas} time(s): All brokers are currently fenced or in controlled \
             shutdown."
        ))
    } else {
        CommandError::InvalidReplicaAssignment(format!(
            "All brokers specified in the manual partition assignment for partition {partition} are fenced or in \
             controlled shutdown."
        ))
    }
}

/// Kafka's checks of the brokers that a client chose for a partition.
pub(super) fn check_assignment(
    image: &ClusterImage,
    brokers: &[BrokerId],
    replication_factor: Option<usize>,
) -> Result<(), CommandError> {
    let invalid = |what: String| {
        let message = format!("The manual partition assignment includes {what}");
        Err(CommandError::InvalidReplicaAssignment(message))
    };
    if brokers.is_empty() {
        return invalid("an empty replica list.".to_owned());
    }
    let mut sorted = brokers.to_vec();
    sorted.sort_unstable();
    let mut seen = BTreeSet::new();
    for broker in sorted {
        if image.broker(broker).is_none() {
            return invalid(format!("broker {}, but no such broker is registered.", broker.0));
        }
        if !seen.insert(broker) {
            return invalid(format!("the broker {} more than once.", broker.0));
        }
    }
    match replication_factor {
        Some(expected) if expected != brokers.len() => invalid(format!(
            "a partition with {} replica(s), but this is not consistent with previous partitions, which have \
             {expected} replica(s).",
            brokers.len()
        )),
        _ => Ok(()),
    }
}

/// Adds partitions to topics; each topic is answered by itself.
pub(super) fn create_all(
    image: &mut ClusterImage,
    topics: &[NewPartitions],
) -> Vec<Result<(), CommandError>> {
    let mut placer = Placer::new(image);
    topics.iter().map(|topic| create(image, &mut placer, topic)).collect()
}

fn create(
    image: &mut ClusterImage,
    placer: &mut Placer,
    new: &NewPartitions,
) -> Result<(), CommandError> {
    let topic = image.topic(&new.topic).ok_or_else(CommandError::unknown_topic)?;
    let topic = topic.as_ref().clone();
    let present = topic.partitions.len();
    let additional = additional_count(&topic, new)?;
    placer.check_room(additional)?;
    let replicas = topic.replication_factor();
    let assignments = match &new.assignments {
        Some(assignments) => {
            check_manual(image, assignments, additional, replicas)?;
            assignments.clone()
        }
        None => placement::choose_brokers(image, topic.id, present, additional, replicas)
            .map_err(CommandError::InvalidReplicationFactor)?,
    };
    let added = placer.partitions(image, present, assignments, new.assignments.is_none())?;
    assert_eq!(added.len(), additional, "as many partitions as asked for");
    let mut topic = topic;
    topic.partitions.extend(added);
    image.put_topic(topic);
    Ok(())
}

fn additional_count(topic: &Topic, new: &NewPartitions) -> Result<usize, CommandError> {
    let present = topic.partitions.len();
    match usize::try_from(new.total_count) {
        Ok(total) if total > present => Ok(total - present),
        Ok(total) if total == present => Err(CommandError::InvalidPartitions(format!(
            "Topic already has {present} partition(s)."
        ))),
        _ => Err(CommandError::InvalidPartitions(format!(
            "The topic {} currently has {present} partition(s); {} would not be an increase.",
            topic.name, new.total_count
        ))),
    }
}

fn check_manual(
    image: &ClusterImage,
    assignments: &[Vec<BrokerId>],
    additional: usize,
    replicas: usize,
) -> Result<(), CommandError> {
    if assignments.len() != additional {
        return Err(CommandError::InvalidReplicaAssignment(format!(
            "Attempted to add {additional} additional partition(s), but only {} assignment(s) were specified.",
            assignments.len()
        )));
    }
    assignments.iter().try_for_each(|brokers| check_assignment(image, brokers, Some(replicas)))
}
