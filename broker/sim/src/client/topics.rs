//! Topics: create, delete, list.

use ringlane_wire::messages::create_topics::{CreatableTopic, CreatableTopicConfig};
use ringlane_wire::messages::{CreateTopicsRequest, DeleteTopicsRequest, MetadataRequest};

use super::connection::decode;
use super::{Client, Failure, check};

/// A topic to create.
#[derive(Clone, Debug)]
pub struct TopicSpec {
    /// Its name.
    pub name: String,
    /// How many partitions.
    pub partitions: i32,
    /// `ringlane.durable`: whether an acknowledged record is on disk.
    pub durable: bool,
}

impl TopicSpec {
    /// A durable topic.
    pub fn durable(name: &str, partitions: i32) -> Self {
        Self { name: name.into(), partitions, durable: true }
    }
}

/// A topic as Metadata describes it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TopicDescription {
    /// Its name.
    pub name: String,
    /// How many partitions it has.
    pub partitions: i32,
    /// The broker's `__consumer_offsets` and the like.
    pub is_internal: bool,
}

/// How long the broker may take to carry out an administrative request.
const TIMEOUT_MS: i32 = 30_000;

impl Client {
    /// Creates a topic.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn create_topic(&mut self, spec: &TopicSpec) -> Result<(), Failure> {
        let durable = if spec.durable { "true" } else { "false" };
        let configs = vec![CreatableTopicConfig { name: "ringlane.durable", value: Some(durable) }];
        let topic = CreatableTopic {
            name: &spec.name,
            num_partitions: spec.partitions,
            replication_factor: 1,
            configs,
            ..Default::default()
        };
        let request = CreateTopicsRequest {
            topics: vec![topic],
            timeout_ms: TIMEOUT_MS,
            ..Default::default()
        };
        let frame = self.ask(&request).await?;
        check(decode::<CreateTopicsRequest<'_>>(&frame).topics[0].error_code)
    }

    /// Deletes a topic.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn delete_topic(&mut self, name: &str) -> Result<(), Failure> {
        let request = DeleteTopicsRequest {
            topic_names: vec![name],
            timeout_ms: TIMEOUT_MS,
            ..Default::default()
        };
        let frame = self.ask(&request).await?;
        check(decode::<DeleteTopicsRequest<'_>>(&frame).responses[0].error_code)
    }

    /// Every topic that the broker knows.
    ///
    /// # Errors
    /// [`Failure`], also when any topic is in error.
    pub async fn topics(&mut self) -> Result<Vec<TopicDescription>, Failure> {
        let request = MetadataRequest {
            topics: None,
            allow_auto_topic_creation: false,
            ..Default::default()
        };
        let frame = self.ask(&request).await?;
        let mut topics = Vec::new();
        for topic in decode::<MetadataRequest<'_>>(&frame).topics {
            check(topic.error_code)?;
            topics.push(TopicDescription {
                name: topic.name.expect("a topic without error has a name").to_owned(),
                partitions: topic.partitions.len() as i32,
                is_internal: topic.is_internal,
            });
        }
        Ok(topics)
    }
}
