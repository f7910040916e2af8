//! IncrementalAlterConfigs (KIP-339): settings of topics, of this broker, and of all brokers.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use ringlane_controller::{
    BrokerId, ClusterImage, Command, CommandError, ConfigAlteration, ConfigChange, ConfigResource, Outcome,
};
use ringlane_wire::ErrorCode;
use ringlane_wire::messages::incremental_alter_configs::{
    AlterConfigsResource, AlterConfigsResourceResponse, AlterableConfig,
    IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse,
};

use super::configs::{BROKER, TOPIC};
use super::{Handled, Request, errors};
use crate::cluster::{self, Mode};
use crate::config::{BrokerConfig, TopicConfig, Type};
use crate::partitions;
use crate::shard::Shard;

/// What to do with a key.
const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

type Refused = (ErrorCode, String);

pub(super) async fn handle(request: Request) -> Handled {
    let shard = request.shard.clone();
    let message: IncrementalAlterConfigsRequest = request.decode()?;
    let mode = if message.validate_only { Mode::Validate } else { Mode::Carry };
    let image = shard.image.current();
    let mut fates: Vec<Result<(), Refused>> = Vec::with_capacity(message.resources.len());
    let mut alterations = Vec::new();
    for resource in &message.resources {
        fates.push(
            alteration(&shard, &image, resource).map(|alteration| alterations.push(alteration)),
        );
    }
    let mut results = decide(&shard, mode, alterations).await.into_iter();
    for fate in fates.iter_mut().filter(|fate| fate.is_ok()) {
        *fate = match results.next() {
            Some(Ok(())) => continue,
            Some(Err(error)) => Err((errors::of_command(&error), error.to_string())),
            None => {
                Err((ErrorCode::COORDINATOR_NOT_AVAILABLE, "the controller cannot decide".into()))
            }
        };
    }
    let responses = message.resources.iter().zip(&fates).map(|(resource, fate)| {
        let (error_code, error_message) = match fate {
            Ok(()) => (ErrorCode::NONE, None),
            Err((code, text)) => (*code, Some(text.as_str())),
        };
        let (resource_type, resource_name) = (resource.resource_type, resource.resource_name);
        AlterConfigsResourceResponse { error_code, error_message, resource_type, resource_name }
    });
    request.answer(&IncrementalAlterConfigsResponse {
        responses: responses.collect(),
        ..Default::default()
    })
}

/// What becomes of each alteration; nothing where the controller cannot decide.
async fn decide(
    shard: &Rc<Shard>,
    mode: Mode,
    alterations: Vec<ConfigAlteration>,
) -> Vec<Result<(), CommandError>> {
    if alterations.is_empty() {
        // All were refused: an empty command would cost a write of the controller's log.
        return Vec::new();
    }
    match cluster::decide(shard, mode, move |_| Command::AlterConfigs(alterations)).await {
        Ok(Outcome::ConfigsAltered(results)) => results,
        _ => Vec::new(),
    }
}

fn alteration(
    shard: &Shard,
    image: &ClusterImage,
    resource: &AlterConfigsResource,
) -> Result<ConfigAlteration, Refused> {
    let settings = partitions::settings(shard, image);
    let target = target(shard, image, resource)?;
    let mut changes = Vec::with_capacity(resource.configs.len());
    let mut named = BTreeSet::new();
    for config in &resource.configs {
        if !named.insert(config.name) {
            let text = format!("Error due to duplicate config keys: {}", config.name);
            return Err((ErrorCode::INVALID_REQUEST, text));
        }
        changes.push(change(&target, config, &settings, image)?);
    }
    if let ConfigResource::Topic(name) = &target {
        TopicConfig::check_together(&settings, &overrides_after(image, name, &changes))
            .map_err(|text| (ErrorCode::INVALID_CONFIG, text))?;
    }
    Ok(ConfigAlteration { resource: target, changes })
}

fn target(
    shard: &Shard,
    image: &ClusterImage,
    resource: &AlterConfigsResource,
) -> Result<ConfigResource, Refused> {
    let name = resource.resource_name;
    match resource.resource_type {
        TOPIC if image.topic(name).is_none() => Err((
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            format!("The topic '{name}' does not exist."),
        )),
        TOPIC => Ok(ConfigResource::Topic(name.to_owned())),
        BROKER if name.is_empty() => Ok(ConfigResource::Broker(None)),
        BROKER if name.parse() == Ok(shard.config.node_id) => {
            Ok(ConfigResource::Broker(Some(BrokerId(shard.config.node_id))))
        }
        BROKER => Err((ErrorCode::INVALID_REQUEST, format!("Unexpected broker id {name}"))),
        other => Err((ErrorCode::INVALID_REQUEST, format!("Unsupported resource type: {other}"))),
    }
}

fn change(
    target: &ConfigResource,
    config: &AlterableConfig,
    settings: &BrokerConfig,
    image: &ClusterImage,
) -> Result<ConfigChange, Refused> {
    let key = config.name.to_owned();
    match (config.config_operation, config.value) {
        (DELETE, _) => {
            known(target, &key)?;
            Ok(ConfigChange::Delete { key })
        }
        (SET, Some(value)) => {
            // `ConfigDef.parseType` takes values without the spaces around them.
            let value = value.trim();
            check(target, &key, value, settings)?;
            Ok(ConfigChange::Set { key, value: value.to_owned() })
        }
        (SET | APPEND | SUBTRACT, None) => {
            Err((ErrorCode::INVALID_REQUEST, format!("Null value not supported for : {key}")))
        }
        (operation @ (APPEND | SUBTRACT), Some(words)) => {
            known(target, &key)?;
            if !is_list(&key) {
                let text = format!("Config value append is not allowed for config key: {key}");
                return Err((ErrorCode::INVALID_CONFIG, text));
            }
            let value = altered_list(&current_value(target, &key, settings, image), operation, words);
            check(target, &key, &value, settings)?;
            Ok(ConfigChange::Set { key, value })
        }
        (other, _) => Err((ErrorCode::INVALID_REQUEST, format!("Unknown operation {other}"))),
    }
}

/// The settings of a topic as they would be.
fn overrides_after(
    image: &ClusterImage,
    topic: &str,
    changes: &[ConfigChange],
) -> BTreeMap<String, String> {
    let mut overrides = image.topic(topic).map(|topic| topic.configs.clone()).unwrap_or_default();
    for change in changes {
        match change {
            ConfigChange::Set { key, value } => overrides.insert(key.clone(), value.clone()),
            ConfigChange::Delete { key } => overrides.remove(key),
        };
    }
    overrides
}

fn is_list(key: &str) -> bool {
    let settings = TopicConfig::SETTINGS.iter().chain(BrokerConfig::SETTINGS);
    settings.into_iter().any(|setting| setting.name == key && setting.kind == Type::List)
}

/// What is set for the target itself, else what it inherits.
fn current_value(
    target: &ConfigResource,
    key: &str,
    settings: &BrokerConfig,
    image: &ClusterImage,
) -> String {
    let (own, inherited) = match target {
        ConfigResource::Topic(name) => (
            image.topic(name).and_then(|topic| topic.configs.get(key).cloned()),
            TopicConfig::defaults(settings).show(key),
        ),
        ConfigResource::Broker(broker) => {
            (image.broker_configs(*broker).get(key).cloned(), settings.show(key))
        }
    };
    own.or(inherited).unwrap_or_default()
}

/// The list with `words` added behind, where they are missing, or taken out: as `ConfigurationControlManager` does, which
/// leaves spaces where they are and adds an empty word too, for the check of the whole value to refuse.
fn altered_list(current: &str, operation: i8, words: &str) -> String {
    let mut list: Vec<&str> = current.split(',').filter(|word| !word.is_empty()).collect();
    for word in java_split(words) {
        match list.iter().position(|own| *own == word) {
            None if operation == APPEND => list.push(word),
            Some(at) if operation == SUBTRACT => drop(list.remove(at)),
            _ => {}
        }
    }
    list.join(",")
}

/// The words between commas as Java's `String.split` gives them: without empty ones at the end, but one for an empty text.
fn java_split(text: &str) -> Vec<&str> {
    match text.trim_end_matches(',') {
        "" if !text.is_empty() => Vec::new(),
        words => words.split(',').collect(),
    }
}

fn known(target: &ConfigResource, key: &str) -> Result<(), Refused> {
    let settings = match target {
        ConfigResource::Topic(_) => TopicConfig::SETTINGS,
        ConfigResource::Broker(_) => BrokerConfig::SETTINGS,
    };
    if settings.iter().any(|setting| setting.name == key) {
        return Ok(());
    }
    let what = if matches!(target, ConfigResource::Topic(_)) { "topic" } else { "broker" };
    Err((ErrorCode::INVALID_CONFIG, format!("Unknown {what} config name: {key}")))
}

fn check(
    target: &ConfigResource,
    key: &str,
    value: &str,
    settings: &BrokerConfig,
) -> Result<(), Refused> {
    known(target, key)?;
    if matches!(target, ConfigResource::Topic(_)) {
        let checked = TopicConfig::check(key, value, settings);
        return checked.map_err(|text| (ErrorCode::INVALID_CONFIG, text));
    }
    let setting = BrokerConfig::SETTINGS.iter().find(|setting| setting.name == key);
    if !setting.is_some_and(|setting| setting.dynamic) {
        // KIP-226: read-only settings are changed in the file, with a restart.
        let text = format!("Cannot update these configs dynamically: Set({key})");
        return Err((ErrorCode::INVALID_REQUEST, text));
    }
    let problem = settings.clone().set(key, value).err().flatten();
    match problem {
        None => Ok(()),
        Some(allowed) => {
            // Not INVALID_CONFIG as for a topic (`ConfigAdminManager.validateBrokerConfigChange`).
            let text = format!("Invalid value {value} for configuration {key}: {allowed}");
            Err((ErrorCode::INVALID_REQUEST, text))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_added_and_taken_out_as_the_controller_of_kafka_does() {
        // What Apache Kafka 4.3.1 made of these.
        for (current, operation, words, altered) in [
            ("delete", APPEND, "compact", "delete,compact"),
            ("delete", APPEND, "delete", "delete"),
            ("delete", APPEND, "", "delete,"),
            ("", APPEND, "", ""),
            ("", APPEND, "delete", "delete"),
            ("delete", APPEND, ",", "delete"),
            ("delete", SUBTRACT, "delete", ""),
            ("delete,compact", SUBTRACT, "compact, delete", "delete"),
            ("delete,compact", SUBTRACT, "compact,delete", ""),
            ("delete", SUBTRACT, "nonsense", "delete"),
        ] {
            let what = format!("{current:?} {operation} {words:?}");
            assert_eq!(altered_list(current, operation, words), altered, "{what}");
        }
    }
}
