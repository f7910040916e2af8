//! Settings of topics and brokers: described, set, put back to their defaults.

use ringlane_wire::messages::describe_configs::DescribeConfigsResource;
use ringlane_wire::messages::incremental_alter_configs::{AlterConfigsResource, AlterableConfig};
use ringlane_wire::messages::{DescribeConfigsRequest, IncrementalAlterConfigsRequest};

use super::Admin;
use crate::error::Error;

/// What has settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigResource {
    /// A topic.
    Topic(String),
    /// A broker, by its id.
    Broker(i32),
}

impl ConfigResource {
    /// Its type and name on the wire.
    fn parts(&self) -> (i8, String) {
        match self {
            Self::Topic(name) => (2, name.clone()),
            Self::Broker(id) => (4, id.to_string()),
        }
    }
}

/// Where a value comes from (`ConfigEntry.ConfigSource`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ConfigSource {
    /// The topic's own.
    Topic,
    /// Set for a broker, or for all, while they run.
    DynamicBroker,
    /// The broker's configuration file.
    StaticBroker,
    /// Nobody set it.
    Default,
    /// Something else, by its number.
    Other(i8),
}

impl From<i8> for ConfigSource {
    fn from(code: i8) -> Self {
        match code {
            1 => Self::Topic,
            2 | 3 => Self::DynamicBroker,
            4 => Self::StaticBroker,
            5 => Self::Default,
            other => Self::Other(other),
        }
    }
}

/// A setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigEntry {
    /// Its name.
    pub name: String,
    /// Its value; `None` when it has none, or is a secret.
    pub value: Option<String>,
    /// Where the value comes from.
    pub source: ConfigSource,
    /// Whether it cannot be changed.
    pub is_read_only: bool,
}

/// A change to one setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigChange {
    /// To this value.
    Set(String, String),
    /// To its default.
    Delete(String),
}

impl Admin {
    /// The settings of a topic or broker, by name.
    ///
    /// # Errors
    /// `Refused` when it does not exist.
    pub async fn describe_configs(&self, of: &ConfigResource) -> Result<Vec<ConfigEntry>, Error> {
        if let ConfigResource::Topic(name) = of {
            self.client.topic(name).await?;
        }
        let (resource_type, name) = of.parts();
        let resource = DescribeConfigsResource {
            resource_type,
            resource_name: &name,
            configuration_keys: None,
        };
        let request = DescribeConfigsRequest { resources: vec![resource], ..Default::default() };
        let described = self.client.call_any(&request, |answer| {
            let response = answer.decode::<DescribeConfigsRequest<'_>>()?;
            let result = response.results.first().ok_or_else(|| answer.lacks(&name))?;
            answer.check(result.error_code, &name, result.error_message)?;
            let entry = |config: &ringlane_wire::messages::describe_configs::DescribeConfigsResourceResult<'_>| ConfigEntry {
                name: config.name.to_owned(),
                value: config.value.map(str::to_owned),
                source: config.config_source.into(),
                is_read_only: config.read_only,
            };
            let mut entries: Vec<_> = response.results[0].configs.iter().map(entry).collect();
            entries.sort_by(|a, b| a.name.cmp(&b.name));
            Ok(entries)
        });
        described.await
    }

    /// Changes settings, all or none.
    ///
    /// # Errors
    /// `Refused`: INVALID_CONFIG for an unknown name or a bad value, INVALID_REQUEST for a bad value of a broker.
    pub async fn alter_configs(
        &self,
        of: &ConfigResource,
        changes: &[ConfigChange],
    ) -> Result<(), Error> {
        const SET: i8 = 0;
        const DELETE: i8 = 1;
        if let ConfigResource::Topic(name) = of {
            self.client.refresh(&[name]).await?;
        }
        let (resource_type, name) = of.parts();
        let change = |change: &'_ ConfigChange| match change {
            ConfigChange::Set(name, value) => (name.clone(), SET, Some(value.clone())),
            ConfigChange::Delete(name) => (name.clone(), DELETE, None),
        };
        let changes: Vec<(String, i8, Option<String>)> = changes.iter().map(change).collect();
        let configs = changes.iter().map(|(name, operation, value)| AlterableConfig {
            name,
            config_operation: *operation,
            value: value.as_deref(),
        });
        let resource = AlterConfigsResource {
            resource_type,
            resource_name: &name,
            configs: configs.collect(),
        };
        let request =
            IncrementalAlterConfigsRequest { resources: vec![resource], validate_only: false };
        let altered = self.client.call_any(&request, |answer| {
            let response = answer.decode::<IncrementalAlterConfigsRequest<'_>>()?;
            let result = response.responses.first().ok_or_else(|| answer.lacks(&name))?;
            answer.check(result.error_code, &name, result.error_message)
        });
        altered.await
    }
}
