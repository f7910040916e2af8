//! DescribeConfigs (KIP-133, KIP-226, KIP-569): the settings of topics and of this broker that have an effect.

use ringlane_controller::BrokerId;
use ringlane_wire::ErrorCode;
use ringlane_wire::messages::describe_configs::{
    DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResourceResult,
    DescribeConfigsResponse, DescribeConfigsResult, DescribeConfigsSynonym,
};

use super::configs::{self, BROKER, Entry, Source, TOPIC};
use super::{Handled, Request};
use crate::shard::Shard;
use crate::{partitions, topic_creation};

type Described = Result<Vec<Entry>, (ErrorCode, String)>;

pub(super) async fn handle(request: Request) -> Handled {
    let message: DescribeConfigsRequest = request.decode()?;
    let described: Vec<Described> =
        message.resources.iter().map(|resource| describe(&request.shard, resource)).collect();
    let results = message.resources.iter().zip(&described).map(|(resource, described)| {
        let (error_code, error_message) = match described {
            Ok(_) => (ErrorCode::NONE, None),
            Err((code, text)) => (*code, Some(text.as_str())),
        };
        let entries = described.iter().flatten();
        let configs = entries.filter(|entry| is_wanted(resource, entry)).map(|entry| row(&message, resource, entry));
        DescribeConfigsResult {
            error_code,
            error_message,
            resource_type: resource.resource_type,
            resource_name: resource.resource_name,
            configs: configs.collect(),
        }
    });
    request.answer(&DescribeConfigsResponse { results: results.collect(), ..Default::default() })
}

fn describe(shard: &Shard, resource: &DescribeConfigsResource) -> Described {
    let image = shard.image.current();
    let settings = partitions::settings(shard, &image);
    let name = resource.resource_name;
    match resource.resource_type {
        TOPIC => match image.topic(name) {
            Some(topic) => Ok(configs::topic_entries(&settings, &shard.config, &topic.configs)),
            None if !topic_creation::is_legal_name(name) => {
                let text = format!("Topic name '{name}' is illegal");
                Err((ErrorCode::INVALID_TOPIC_EXCEPTION, text))
            }
            None => {
                let code = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
                Err((code, code.message().to_owned()))
            }
        },
        BROKER if name.is_empty() => {
            // The defaults of all brokers: only what was set for all of them.
            let altered = [(Source::AllBrokers, image.broker_configs(None))];
            let entries = configs::broker_entries(&settings, &shard.config, &altered);
            Ok(entries.into_iter().filter(|entry| entry.source == Source::AllBrokers).collect())
        }
        BROKER if name.parse() == Ok(shard.config.node_id) => {
            let own = BrokerId(shard.config.node_id);
            let altered = [
                (Source::Broker, image.broker_configs(Some(own))),
                (Source::AllBrokers, image.broker_configs(None)),
            ];
            Ok(configs::broker_entries(&settings, &shard.config, &altered))
        }
        BROKER => {
            let own = shard.config.node_id;
            let text = format!("Unexpected broker id, expected {own} or empty string, but received {name}");
            Err((ErrorCode::INVALID_REQUEST, text))
        }
        other => Err((ErrorCode::INVALID_REQUEST, format!("Unsupported resource type: {other}"))),
    }
}

fn is_wanted(resource: &DescribeConfigsResource, entry: &Entry) -> bool {
    resource.configuration_keys.as_ref().is_none_or(|keys| keys.contains(&entry.setting.name))
}

fn row<'a>(
    message: &DescribeConfigsRequest,
    resource: &DescribeConfigsResource,
    entry: &'a Entry,
) -> DescribeConfigsResourceResult<'a> {
    let synonyms = entry.synonyms.iter().filter(|_| message.include_synonyms);
    DescribeConfigsResourceResult {
        name: entry.setting.name,
        value: Some(&entry.value),
        read_only: resource.resource_type == BROKER && !entry.setting.dynamic,
        config_source: entry.source as i8,
        is_sensitive: false,
        synonyms: synonyms
            .map(|(name, value, source)| DescribeConfigsSynonym {
                name,
                value: Some(value),
                source: *source as i8,
            })
            .collect(),
        config_type: entry.setting.kind as i8,
        documentation: message.include_documentation.then_some(entry.setting.doc),
    }
}
