//! Topics: created, deleted, given more partitions.

use ringlane_wire::Uuid;
use ringlane_wire::messages::create_partitions::CreatePartitionsTopic;
use ringlane_wire::messages::create_topics::{CreatableTopic, CreatableTopicConfig};
use ringlane_wire::messages::delete_topics::DeleteTopicState;
use ringlane_wire::messages::{CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest};

use super::{Admin, CHANGE_TIMEOUT_MS};
use crate::error::Error;

/// A topic to create.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTopic {
    /// Its name.
    pub name: String,
    /// How many partitions; the broker's default if not said (`num.partitions`).
    pub partition_count: Option<i32>,
    /// How many brokers hold each; the broker's default if not said (`default.replication.factor`).
    pub replication_factor: Option<i16>,
    /// Settings of its own.
    pub configs: Vec<(String, String)>,
}

/// A topic as it was created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreatedTopic {
    /// Its id (KIP-516).
    pub id: Uuid,
    /// How many partitions it has; -1 when the broker does not tell.
    pub partition_count: i32,
    /// How many brokers hold each; -1 when the broker does not tell.
    pub replication_factor: i16,
}

impl NewTopic {
    /// A topic with this many partitions, all else by the broker's defaults.
    pub fn new(name: &str, partition_count: i32) -> Self {
        Self {
            name: name.to_owned(),
            partition_count: Some(partition_count),
            replication_factor: None,
            configs: Vec::new(),
        }
    }
}

/// The broker's default, for a count (KIP-464).
const BROKER_DEFAULT: i16 = -1;

impl Admin {
    /// Creates a topic.
    ///
    /// # Errors
    /// `Refused`, for example with TOPIC_ALREADY_EXISTS or INVALID_TOPIC_EXCEPTION.
    pub async fn create_topic(&self, topic: &NewTopic) -> Result<CreatedTopic, Error> {
        let configs = topic.configs.iter();
        let configs =
            configs.map(|(name, value)| CreatableTopicConfig { name, value: Some(value) });
        let creatable = CreatableTopic {
            name: &topic.name,
            num_partitions: topic.partition_count.unwrap_or(i32::from(BROKER_DEFAULT)),
            replication_factor: topic.replication_factor.unwrap_or(BROKER_DEFAULT),
            configs: configs.collect(),
            ..Default::default()
        };
        let request = CreateTopicsRequest {
            topics: vec![creatable],
            timeout_ms: CHANGE_TIMEOUT_MS,
            ..Default::default()
        };
        let created = self.client.call_any(&request, |answer| {
            let response = answer.decode::<CreateTopicsRequest<'_>>()?;
            let mut results = response.topics.iter();
            let result = results.find(|result| result.name == topic.name);
            let result = result.ok_or_else(|| answer.lacks(&topic.name))?;
            answer.check(result.error_code, &topic.name, result.error_message)?;
            Ok(CreatedTopic {
                id: result.topic_id,
                partition_count: result.num_partitions,
                replication_factor: result.replication_factor,
            })
        });
        created.await
    }

    /// Deletes a topic and all its records.
    ///
    /// # Errors
    /// `Refused`: UNKNOWN_TOPIC_OR_PARTITION, TOPIC_DELETION_DISABLED.
    pub async fn delete_topic(&self, name: &str) -> Result<(), Error> {
        // That it does not exist could pass, but nobody deletes what is about to be created: look first.
        self.client.refresh(&[name]).await?;
        let request = DeleteTopicsRequest {
            topics: vec![DeleteTopicState { name: Some(name), topic_id: Uuid::ZERO }],
            timeout_ms: CHANGE_TIMEOUT_MS,
            ..Default::default()
        };
        let deleted = self.client.call_any(&request, |answer| {
            let response = answer.decode::<DeleteTopicsRequest<'_>>()?;
            let result = response.responses.iter().find(|result| result.name == Some(name));
            let result = result.ok_or_else(|| answer.lacks(name))?;
            answer.check(result.error_code, name, result.error_message)
        });
        deleted.await
    }

    /// Gives a topic more partitions, `count` in all.
    ///
    /// # Errors
    /// `Refused`: INVALID_PARTITIONS when it has as many or more already.
    pub async fn create_partitions(&self, name: &str, count: i32) -> Result<(), Error> {
        self.client.refresh(&[name]).await?;
        let request = CreatePartitionsRequest {
            topics: vec![CreatePartitionsTopic { name, count, assignments: None }],
            timeout_ms: CHANGE_TIMEOUT_MS,
            validate_only: false,
        };
        let changed = self.client.call_any(&request, |answer| {
            let response = answer.decode::<CreatePartitionsRequest<'_>>()?;
            let result = response.results.iter().find(|result| result.name == name);
            let result = result.ok_or_else(|| answer.lacks(name))?;
            answer.check(result.error_code, name, result.error_message)
        });
        changed.await
    }
}
