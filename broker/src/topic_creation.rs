//! Making topics: for CreateTopics, for a client that asks for a topic that is missing, and for `__consumer_offsets`.

use std::collections::BTreeMap;
use std::rc::Rc;

use ringlane_controller::{Command, NewTopic, Outcome, topic_name};

use crate::apis::OFFSETS_TOPIC;
use crate::cluster::{self, ControllerUnavailable, Mode};
use crate::shard::Shard;

/// A topic to make, before it has an id.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    /// As [`NewTopic`], whose fields these become.
    pub(crate) name: String,
    /// -1 with assignments.
    pub(crate) partition_count: i32,
    /// -1 with assignments.
    pub(crate) replication_factor: i16,
    /// Brokers chosen by the client.
    pub(crate) assignments: Vec<ringlane_controller::ManualAssignment>,
    /// Settings other than the defaults.
    pub(crate) configs: BTreeMap<String, String>,
}

/// Whether Kafka allows a topic of this name.
pub(crate) fn is_legal_name(name: &str) -> bool {
    topic_name::validate(name).is_ok()
}

/// Makes the topics, or says what would come of it.
///
/// # Errors
/// When the controller cannot decide.
pub(crate) async fn create(
    shard: &Rc<Shard>,
    wishes: Vec<Wish>,
    mode: Mode,
) -> Result<Outcome, ControllerUnavailable> {
    let build = move |controller: &ringlane_controller::Controller| {
        let topics = wishes.into_iter().map(|wish| NewTopic {
            name: wish.name,
            id: controller.new_topic_id(),
            partition_count: wish.partition_count,
            replication_factor: wish.replication_factor,
            assignments: wish.assignments,
            configs: wish.configs,
        });
        Command::CreateTopics(topics.collect())
    };
    cluster::decide(shard, mode, build).await
}

/// Makes topics that clients asked for without saying how (`num.partitions`, `default.replication.factor`).
///
/// # Errors
/// When the controller cannot decide.
pub(crate) async fn create_with_defaults(
    shard: &Rc<Shard>,
    names: &[String],
) -> Result<Outcome, ControllerUnavailable> {
    let wishes = names.iter().map(|name| wish_with_defaults(shard, name)).collect();
    create(shard, wishes, Mode::Carry).await
}

fn wish_with_defaults(shard: &Shard, name: &str) -> Wish {
    let config = &shard.config;
    let (partition_count, replication_factor, configs) = if name == OFFSETS_TOPIC {
        // A cluster smaller than the setting still needs its groups: as many replicas as there are brokers.
        let brokers = i16::try_from(shard.image.current().brokers().len()).unwrap_or(i16::MAX);
        let replicas = config.offsets_topic_replication_factor.min(brokers.max(1));
        // An offset is needed for as long as its group: only a later one may take its place.
        let segment_bytes = config.offsets_topic_segment_bytes.to_string();
        let configs = [("cleanup.policy", "compact".to_string()), ("segment.bytes", segment_bytes)];
        let configs = configs.map(|(key, value)| (key.to_string(), value));
        (config.offsets_topic_num_partitions, replicas, BTreeMap::from(configs))
    } else {
        (config.num_partitions, config.default_replication_factor, BTreeMap::new())
    };
    let name = name.to_owned();
    Wish { name, partition_count, replication_factor, assignments: Vec::new(), configs }
}
