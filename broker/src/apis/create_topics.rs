//! CreateTopics (KIP-4, KIP-195, KIP-464, KIP-525).

use std::collections::BTreeMap;

use ringlane_batch::PartitionIndex;
use ringlane_controller::{BrokerId, CommandError, CreatedTopic, ManualAssignment, Outcome};
use ringlane_wire::messages::create_topics::{
    CreatableTopic, CreatableTopicConfigs, CreatableTopicResult, CreateTopicsRequest,
    CreateTopicsResponse,
};
use ringlane_wire::{ErrorCode, Uuid};

use super::configs::{self, Entry};
use super::{Handled, Request, errors};
use crate::cluster::Mode;
use crate::config::{BrokerConfig, TopicConfig};
use crate::topic_creation::{self, Wish};

/// What one topic of the request becomes.
enum Fate {
    Refused(ErrorCode, String),
    Created(CreatedTopic, Vec<Entry>),
}

pub(super) async fn handle(request: Request) -> Handled {
    let message: CreateTopicsRequest = request.decode()?;
    let mode = if message.validate_only { Mode::Validate } else { Mode::Carry };
    let mut fates: Vec<Option<Fate>> = Vec::with_capacity(message.topics.len());
    let mut wishes = Vec::new();
    let settings = crate::partitions::settings(&request.shard, &request.shard.image.current());
    let mut times_named = BTreeMap::new();
    for topic in &message.topics {
        *times_named.entry(topic.name).or_insert(0) += 1;
    }
    for topic in &message.topics {
        let is_named_once = times_named[topic.name] == 1;
        match wish(&request, &settings, topic, is_named_once) {
            Ok(wish) => {
                wishes.push(wish);
                fates.push(None);
            }
            Err((code, text)) => fates.push(Some(Fate::Refused(code, text))),
        }
    }
    let created = create(&request, wishes, mode).await;
    let mut created = created.into_iter();
    for fate in &mut fates {
        if fate.is_none() {
            *fate = created.next();
        }
    }
    let topics = message.topics.iter().zip(&fates).map(|(topic, fate)| result(topic.name, fate));
    request.answer(&CreateTopicsResponse { topics: topics.collect(), ..Default::default() })
}

/// The topic that is asked for, with the broker's defaults put in and its settings checked.
fn wish(
    request: &Request,
    settings: &BrokerConfig,
    topic: &CreatableTopic,
    is_named_once: bool,
) -> Result<Wish, (ErrorCode, String)> {
    if !is_named_once {
        let text =
            "Create topics request from client contains multiple entries for the following topics";
        return Err((ErrorCode::INVALID_REQUEST, format!("{text}: {}", topic.name)));
    }
    let shard = &request.shard;
    let mut configs = BTreeMap::new();
    for config in &topic.configs {
        let Some(value) = config.value else {
            let text = format!("Null value not supported for topic configs: {}", config.name);
            return Err((ErrorCode::INVALID_CONFIG, text));
        };
        // `ConfigDef.parseType` takes values without the spaces around them.
        let value = value.trim();
        TopicConfig::check(config.name, value, settings)
            .map_err(|text| (ErrorCode::INVALID_CONFIG, text))?;
        configs.insert(config.name.to_owned(), value.to_owned());
    }
    // A topic without settings of its own is made whatever the broker's are, as in Kafka.
    if !configs.is_empty() {
        TopicConfig::check_together(settings, &configs)
            .map_err(|text| (ErrorCode::INVALID_CONFIG, text))?;
    }
    // KIP-464: -1 leaves the choice to the broker, except where the replicas are assigned by hand.
    let by_hand = !topic.assignments.is_empty();
    let default_or =
        |asked: i32, default: i32| if asked == -1 && !by_hand { default } else { asked };
    let factor = i32::from(topic.replication_factor);
    let default_factor = i32::from(shard.config.default_replication_factor);
    Ok(Wish {
        name: topic.name.to_owned(),
        partition_count: default_or(topic.num_partitions, shard.config.num_partitions),
        replication_factor: default_or(factor, default_factor) as i16,
        assignments: topic.assignments.iter().map(assignment).collect(),
        configs,
    })
}

fn assignment(
    assignment: &ringlane_wire::messages::create_topics::CreatableReplicaAssignment,
) -> ManualAssignment {
    ManualAssignment {
        partition: PartitionIndex(assignment.partition_index),
        brokers: assignment.broker_ids.iter().copied().map(BrokerId).collect(),
    }
}

/// What becomes of the wishes, in their order.
async fn create(request: &Request, wishes: Vec<Wish>, mode: Mode) -> Vec<Fate> {
    if wishes.is_empty() {
        return Vec::new();
    }
    let shard = &request.shard;
    let settings = crate::partitions::settings(shard, &shard.image.current());
    let configs: Vec<_> = wishes
        .iter()
        .map(|wish| configs::topic_entries(&settings, &shard.config, &wish.configs))
        .collect();
    let Ok(Outcome::TopicsCreated(results)) = topic_creation::create(shard, wishes, mode).await
    else {
        let unavailable = |_| Fate::Refused(ErrorCode::COORDINATOR_NOT_AVAILABLE, String::new());
        return configs.into_iter().map(unavailable).collect();
    };
    let fates = results.into_iter().zip(configs).map(|(result, configs)| match result {
        Ok(created) => Fate::Created(created, configs),
        Err(error) => refused(&error),
    });
    fates.collect()
}

fn refused(error: &CommandError) -> Fate {
    Fate::Refused(errors::of_command(error), error.to_string())
}

fn result<'a>(name: &'a str, fate: &'a Option<Fate>) -> CreatableTopicResult<'a> {
    match fate.as_ref().expect("every topic has its fate") {
        Fate::Refused(error_code, text) => CreatableTopicResult {
            name,
            error_code: *error_code,
            error_message: Some(text),
            ..Default::default()
        },
        Fate::Created(created, configs) => CreatableTopicResult {
            name,
            topic_id: Uuid(created.id.0),
            error_message: None,
            num_partitions: created.partition_count,
            replication_factor: created.replication_factor,
            configs: Some(configs.iter().map(config).collect()),
            ..Default::default()
        },
    }
}

fn config(entry: &Entry) -> CreatableTopicConfigs<'_> {
    CreatableTopicConfigs {
        name: entry.setting.name,
        value: Some(&entry.value),
        read_only: false,
        config_source: entry.source as i8,
        is_sensitive: false,
    }
}
