//! Before the first record: topics of the run's own, with the durability that is asked for, each partition led.

use ringlane_client::{Admin, Client, ConfigEntry, ConfigResource, Error, NewTopic};
use ringlane_reactor::Reactor;

use super::Job;
use super::plan::Run;
use super::send::client_config;
use crate::workload::Durability;

/// A target that is ready.
pub(super) struct Prepared {
    pub(super) run: Run,
    /// Where acknowledged records are, as the target says; none when it does not.
    pub(super) durability: Option<Durability>,
    admin: Admin,
}

/// Settings that tell brokers apart, and decide when a record is on disk.
const RINGLANE_DURABLE: &str = "ringlane.durable";
const FLUSH_MESSAGES: &str = "flush.messages";
const NEVER: &str = "9223372036854775807";

/// Reaches the target and creates the topics.
///
/// # Errors
/// A sentence.
pub(super) async fn prepare(job: &Job, reactor: &Reactor) -> Result<Prepared, String> {
    let client = Client::connect(reactor, client_config(job, "setup")).await;
    let client = client.map_err(|error| unreachable(&error))?;
    let admin = Admin::new(&client);
    let settings = broker_settings(&client, &admin).await;
    let is_ringlane = settings.iter().any(|setting| setting.name == RINGLANE_DURABLE);
    let configs = topic_settings(job.scenario.durability, is_ringlane);
    let id = reactor.random_u64();
    let mut topics = Vec::new();
    for number in 0..job.scenario.topics {
        let name = format!("ringlane-bench-{id:016x}-{number}");
        let mut topic = NewTopic::new(&name, job.scenario.partitions as i32);
        topic.configs.clone_from(&configs);
        let created = admin.create_topic(&topic).await;
        created.map_err(|error| format!("the topic of the run cannot be created: {error}"))?;
        topics.push(name);
    }
    let mut prepared = Prepared { run: Run { id, topics }, durability: None, admin };
    let outcome = prepared.finish(job, &client).await;
    if outcome.is_err() {
        prepared.clean_up().await;
    }
    outcome.map(|()| prepared)
}

fn unreachable(error: &Error) -> String {
    match error {
        Error::Connect { .. } | Error::Resolve { .. } => {
            format!("{error}; start a broker there, or name another with --target HOST:PORT")
        }
        Error::Protocol { .. } => {
            format!("{error}; --target must name a broker's plaintext listener")
        }
        _ => error.to_string(),
    }
}

/// The settings of some broker; none where it does not tell.
async fn broker_settings(client: &Client, admin: &Admin) -> Vec<ConfigEntry> {
    let Some(broker) = client.brokers().first().cloned() else { return Vec::new() };
    admin.describe_configs(&ConfigResource::Broker(broker.id)).await.unwrap_or_default()
}

/// The settings of a topic with this durability.
fn topic_settings(durability: Durability, is_ringlane: bool) -> Vec<(String, String)> {
    let setting = match (durability, is_ringlane) {
        (Durability::Target, _) => return Vec::new(),
        (Durability::Disk, true) => (RINGLANE_DURABLE, "true"),
        (Durability::PageCache, true) => (RINGLANE_DURABLE, "false"),
        (Durability::Disk, false) => (FLUSH_MESSAGES, "1"),
        (Durability::PageCache, false) => (FLUSH_MESSAGES, NEVER),
    };
    vec![(setting.0.to_owned(), setting.1.to_owned())]
}

/// What a topic's settings mean for its durability.
fn durability(settings: &[ConfigEntry]) -> Option<Durability> {
    let value = |name: &str| {
        settings.iter().find(|setting| setting.name == name).and_then(|s| s.value.as_deref())
    };
    let (durable, flush) = (value(RINGLANE_DURABLE), value(FLUSH_MESSAGES));
    match (durable, flush) {
        (Some("true"), _) | (_, Some("1")) => Some(Durability::Disk),
        (Some(_), _) | (_, Some(_)) => Some(Durability::PageCache),
        (None, None) => None,
    }
}

impl Prepared {
    async fn finish(&mut self, job: &Job, client: &Client) -> Result<(), String> {
        self.wait_for_leaders(job, client).await?;
        let resource = ConfigResource::Topic(self.run.topics[0].clone());
        let settings = self.admin.describe_configs(&resource).await.unwrap_or_default();
        self.durability = durability(&settings);
        let asked = job.scenario.durability;
        if asked == Durability::Target || self.durability == Some(asked) {
            return Ok(());
        }
        let told = self.durability.map_or("nothing of it".to_owned(), |told| told.to_string());
        Err(format!("durability {asked} was asked for, but the target says {told} of the topic"))
    }

    async fn wait_for_leaders(&self, job: &Job, client: &Client) -> Result<(), String> {
        let reactor = client.reactor();
        let deadline = reactor.now() + job.scenario.patience.0;
        let names: Vec<&str> = self.run.topics.iter().map(String::as_str).collect();
        loop {
            let outcome = client.refresh(&names).await;
            let is_led = |name: &&str| {
                client.known_topic(name).is_some_and(|topic| {
                    let partitions = &topic.partitions;
                    partitions.len() == job.scenario.partitions as usize
                        && partitions.iter().all(|partition| partition.leader.is_some())
                })
            };
            if names.iter().all(is_led) {
                return Ok(());
            }
            if reactor.now() >= deadline {
                let reason = outcome.err().map_or_else(String::new, |error| format!(": {error}"));
                let patience = job.scenario.patience;
                return Err(format!(
                    "the run's partitions have no leaders after {patience}{reason}"
                ));
            }
            reactor.sleep(client.config().backoff_min).await;
        }
    }

    /// Deletes the topics, as far as the target still answers.
    pub(super) async fn clean_up(&self) {
        for topic in &self.run.topics {
            if self.admin.delete_topic(topic).await.is_err() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use ringlane_client::ConfigSource;

    use super::*;

    fn told(settings: &[(&str, &str)]) -> Option<Durability> {
        let entry = |&(name, value): &(&str, &str)| ConfigEntry {
            name: name.to_owned(),
            value: Some(value.to_owned()),
            source: ConfigSource::Default,
            is_read_only: false,
        };
        durability(&settings.iter().map(entry).collect::<Vec<_>>())
    }

    #[test]
    fn durability_is_what_the_topics_settings_say() {
        assert_eq!(
            told(&[("ringlane.durable", "true"), ("flush.messages", NEVER)]),
            Some(Durability::Disk)
        );
        assert_eq!(
            told(&[("ringlane.durable", "false"), ("flush.messages", NEVER)]),
            Some(Durability::PageCache)
        );
        assert_eq!(told(&[("flush.messages", "1")]), Some(Durability::Disk));
        assert_eq!(told(&[("flush.messages", NEVER)]), Some(Durability::PageCache));
        assert_eq!(told(&[("retention.ms", "1")]), None);
    }

    #[test]
    fn what_is_asked_for_is_what_is_told() {
        for durability in [Durability::Disk, Durability::PageCache] {
            for is_ringlane in [true, false] {
                let settings = topic_settings(durability, is_ringlane);
                let settings: Vec<_> =
                    settings.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
                assert_eq!(told(&settings), Some(durability));
            }
        }
    }
}
