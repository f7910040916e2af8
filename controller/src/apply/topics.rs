//! Creating and deleting topics, with the checks and the words of Kafka's ReplicationControlManager.

use ringlane_batch::TopicId;

use crate::apply::PARTITIONS_PER_COMMAND_MAX;
use crate::apply::partitions::{Placer, check_assignment, too_many};
use crate::command::{ManualAssignment, NewTopic};
use crate::image::{BrokerId, ClusterImage, Topic};
use crate::outcome::{CommandError, CreatedTopic};
use crate::{placement, topic_name};

/// Creates what can be created; each topic is answered by itself.
pub(super) fn create_all(
    image: &mut ClusterImage,
    topics: &[NewTopic],
) -> Vec<Result<CreatedTopic, CommandError>> {
    let mut placer = Placer::new(image);
    topics.iter().map(|topic| create(image, &mut placer, topic)).collect()
}

fn create(
    image: &mut ClusterImage,
    placer: &mut Placer,
    new: &NewTopic,
) -> Result<CreatedTopic, CommandError> {
    check_name(image, new)?;
    let assignments = if new.assignments.is_empty() {
        chosen_brokers(image, placer, new)?
    } else {
        manual_brokers(image, new)?
    };
    let partitions = placer.partitions(image, 0, assignments, new.assignments.is_empty())?;
    let created = CreatedTopic {
        name: new.name.clone(),
        id: new.id,
        partition_count: partitions.len() as i32,
        replication_factor: partitions[0].replicas.len() as i16,
    };
    let (id, name, configs) = (new.id, new.name.clone(), new.configs.clone());
    image.put_topic(Topic { id, name, partitions, configs });
    Ok(created)
}

fn check_name(image: &ClusterImage, new: &NewTopic) -> Result<(), CommandError> {
    if image.topic(&new.name).is_some() {
        return Err(CommandError::TopicAlreadyExists(new.name.clone()));
    }
    topic_name::validate(&new.name).map_err(CommandError::InvalidTopic)?;
    if let Some(other) = image.colliding_topic(&new.name) {
        let message = format!("Topic '{}' collides with existing topic: {other}", new.name);
        return Err(CommandError::InvalidTopic(message));
    }
    if image.topic_by_id(new.id).is_some() {
        let message = format!("Topic id {} is taken", new.id);
        return Err(CommandError::UnknownServerError(message));
    }
    Ok(())
}

/// Brokers of the controller's choice.
fn chosen_brokers(
    image: &ClusterImage,
    placer: &Placer,
    new: &NewTopic,
) -> Result<Vec<Vec<BrokerId>>, CommandError> {
    let replicas = usize::try_from(new.replication_factor).unwrap_or(0);
    if replicas == 0 {
        let message = "Replication factor must be larger than 0, or -1 to use the default value.";
        return Err(CommandError::InvalidReplicationFactor(message.to_owned()));
    }
    let count = usize::try_from(new.partition_count).unwrap_or(0);
    if count == 0 {
        let message = "Number of partitions was set to an invalid non-positive value.";
        return Err(CommandError::InvalidPartitions(message.to_owned()));
    }
    placer.check_room(count)?;
    placement::choose_brokers(image, new.id, 0, count, replicas).map_err(|message| {
        CommandError::InvalidReplicationFactor(format!(
            "Unable to replicate the partition {replicas} time(s): {message}"
        ))
    })
}

/// Brokers that the client chose, once they pass Kafka's checks.
fn manual_brokers(
    image: &ClusterImage,
    new: &NewTopic,
) -> Result<Vec<Vec<BrokerId>>, CommandError> {
    let invalid_request = |what: &str| {
        let message = format!("A manual partition assignment was specified, but {what} to -1.");
        Err(CommandError::InvalidRequest(message))
    };
    if new.replication_factor != -1 {
        return invalid_request("replication factor was not set");
    }
    if new.partition_count != -1 {
        return invalid_request("numPartitions was not set");
    }
    if new.assignments.len() > PARTITIONS_PER_COMMAND_MAX {
        return Err(too_many());
    }
    let mut sorted: Vec<&ManualAssignment> = new.assignments.iter().collect();
    sorted.sort_by_key(|assignment| assignment.partition);
    if let Some(twice) = sorted.windows(2).find(|pair| pair[0].partition == pair[1].partition) {
        return Err(CommandError::InvalidReplicaAssignment(format!(
            "Found multiple manual partition assignments for partition {}",
            twice[0].partition
        )));
    }
    let replicas = new.assignments.first().map(|assignment| assignment.brokers.len());
    for assignment in &new.assignments {
        check_assignment(image, &assignment.brokers, replicas)?;
    }
    if !sorted.iter().map(|assignment| assignment.partition.0).eq(0..sorted.len() as i32) {
        let message = "partitions should be a consecutive 0-based integer sequence";
        return Err(CommandError::InvalidReplicaAssignment(message.to_owned()));
    }
    Ok(sorted.into_iter().map(|assignment| assignment.brokers.clone()).collect())
}

/// Deletes the topic of that id; answers its name.
pub(super) fn delete(image: &mut ClusterImage, id: TopicId) -> Result<String, CommandError> {
    let topic = image.remove_topic(id).ok_or(CommandError::UnknownTopicId)?;
    assert!(image.topic(&topic.name).is_none(), "the name is free again");
    Ok(topic.name.clone())
}
