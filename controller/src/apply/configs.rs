//! Configuration overrides. Keys and values were checked by the proposer, which knows what they mean.

use std::collections::BTreeMap;

use crate::command::{ConfigAlteration, ConfigChange, ConfigResource};
use crate::image::ClusterImage;
use crate::outcome::CommandError;

/// Makes the changes of one resource, all of them or none.
pub(super) fn alter(
    image: &mut ClusterImage,
    alteration: &ConfigAlteration,
) -> Result<(), CommandError> {
    match &alteration.resource {
        ConfigResource::Topic(name) => {
            let topic = image.topic(name).ok_or_else(|| {
                let message = format!("The topic '{name}' does not exist.");
                CommandError::UnknownTopicOrPartition(message)
            })?;
            let mut topic = topic.as_ref().clone();
            change(&mut topic.configs, &alteration.changes);
            image.put_topic(topic);
        }
        ConfigResource::Broker(broker) => {
            if let Some(id) = broker.filter(|&id| image.broker(id).is_none()) {
                let message = format!("No node with id {} found.", id.0);
                return Err(CommandError::BrokerIdNotRegistered(message));
            }
            let configs = image.broker_configs.entry(*broker).or_default();
            change(configs, &alteration.changes);
            if configs.is_empty() {
                image.broker_configs.remove(broker);
            }
        }
    }
    Ok(())
}

fn change(configs: &mut BTreeMap<String, String>, changes: &[ConfigChange]) {
    for change in changes {
        match change {
            ConfigChange::Set { key, value } => configs.insert(key.clone(), value.clone()),
            ConfigChange::Delete { key } => configs.remove(key),
        };
    }
}
