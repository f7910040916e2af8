//! Settings as administrators see them: each with its value, and where the value comes from (KIP-226).

use std::collections::BTreeMap;

use crate::config::{BrokerConfig, Setting, TopicConfig, broker_synonym};

/// Where a value comes from, as DescribeConfigs v1+ numbers it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Source {
    /// Set for this topic.
    Topic = 1,
    /// Set for this broker while it runs.
    Broker = 2,
    /// Set for all brokers while they run.
    AllBrokers = 3,
    /// Given when the broker started.
    Start = 4,
    /// Nobody set it.
    Default = 5,
}

/// Types of resources.
pub(super) const TOPIC: i8 = 2;
pub(super) const BROKER: i8 = 4;

/// One setting of a resource.
pub(super) struct Entry {
    pub(super) setting: Setting,
    pub(super) value: String,
    pub(super) source: Source,
    /// Everywhere that it is set, from the strongest to the default: name, value, source (KIP-226).
    pub(super) synonyms: Vec<(&'static str, String, Source)>,
}

/// The settings of a topic with these overrides, where the broker has `settings` and was started with `started`.
pub(super) fn topic_entries(
    settings: &BrokerConfig,
    started: &BrokerConfig,
    overrides: &BTreeMap<String, String>,
) -> Vec<Entry> {
    let defaults = TopicConfig::defaults(settings);
    let entry = |setting: &Setting| {
        let mut synonyms = Vec::new();
        if let Some(value) = overrides.get(setting.name) {
            synonyms.push((setting.name, value.clone(), Source::Topic));
        }
        let broker_key = broker_synonym(setting.name);
        let broker_value = defaults.show(setting.name).expect("a setting of the table");
        synonyms.extend(broker_synonyms(broker_key, broker_value, started, &[]));
        entry_of(*setting, synonyms)
    };
    TopicConfig::SETTINGS.iter().map(entry).collect()
}

/// What was altered while the broker ran, from the strongest.
pub(super) type Alterations<'a> = [(Source, &'a BTreeMap<String, String>)];

/// The settings of a broker.
pub(super) fn broker_entries(
    settings: &BrokerConfig,
    started: &BrokerConfig,
    alterations: &Alterations<'_>,
) -> Vec<Entry> {
    let entry = |setting: &Setting| {
        let value = settings.show(setting.name).expect("a setting of the table");
        entry_of(*setting, broker_synonyms(setting.name, value, started, alterations))
    };
    BrokerConfig::SETTINGS.iter().map(entry).collect()
}

fn entry_of(setting: Setting, synonyms: Vec<(&'static str, String, Source)>) -> Entry {
    let (_, value, source) = synonyms.first().expect("a default at least").clone();
    Entry { setting, value, source, synonyms }
}

/// The values of a broker's setting, from the strongest; `value` is the one in force.
fn broker_synonyms(
    key: &str,
    value: String,
    started: &BrokerConfig,
    alterations: &Alterations<'_>,
) -> Vec<(&'static str, String, Source)> {
    let setting = BrokerConfig::SETTINGS.iter().find(|setting| setting.name == key);
    let name = setting.expect("a topic's setting has a broker's").name;
    let default = BrokerConfig::defaults().show(name).expect("a setting of the table");
    let at_start = started.show(name).expect("a setting of the table");
    let mut synonyms: Vec<_> = alterations
        .iter()
        .filter_map(|(source, altered)| Some((name, altered.get(name)?.clone(), *source)))
        .collect();
    if synonyms.is_empty() && value != at_start {
        synonyms.push((name, value, Source::AllBrokers));
    }
    if at_start != default {
        synonyms.push((name, at_start, Source::Start));
    }
    synonyms.push((name, default, Source::Default));
    synonyms
}
