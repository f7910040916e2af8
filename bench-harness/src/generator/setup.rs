//! Before the first record: topics of the run's own, with the durability that is asked for, each partition led.

use std::collections::BTreeMap;
use std::sync::Arc;

use ringlane_client::{Admin, Client, ConfigEntry, ConfigResource, Error, NewTopic, Position};
use ringlane_reactor::Reactor;
use ringlane_wire::ApiKey;

use super::Job;
use super::breakdown::Layout;
use super::plan::Run;
use super::send::client_config;
use crate::workload::Durability;

/// A target that is ready.
pub(super) struct Prepared {
    pub(super) run: Run,
    /// Where acknowledged records are, as the target says; none when it does not.
    pub(super) durability: Option<Durability>,
    is_ringlane: bool,
    client: Client,
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
    if job.scenario.has_transactions() {
        check_transactions(&client).await?;
    }
    let admin = Admin::new(&client);
    let settings = broker_settings(&client, &admin).await;
    let is_ringlane = settings.iter().any(|setting| setting.name == RINGLANE_DURABLE);
    let run = Run::new(reactor.random_u64(), job.scenario.topics, job.scenario.history.0 > 0);
    let mut prepared = Prepared { run, durability: None, is_ringlane, client, admin };
    let outcome = prepared.create_topics(job).await;
    let outcome = match outcome {
        Ok(()) => prepared.finish(job).await,
        Err(sentence) => Err(sentence),
    };
    if outcome.is_err() {
        prepared.clean_up(job).await;
    }
    outcome.map(|()| prepared)
}

/// # Errors
/// A sentence, where the target has no transactions.
async fn check_transactions(client: &Client) -> Result<(), String> {
    match client.supports(ApiKey::EndTxn).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(
            "the target does not offer transactions (it has no API EndTxn); leave out --transaction-duration, or measure a broker that has them"
                .into(),
        ),
        Err(error) => Err(unreachable(&error)),
    }
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
pub(crate) fn topic_settings(durability: Durability, is_ringlane: bool) -> Vec<(String, String)> {
    let setting = match (durability, is_ringlane) {
        (Durability::Target, _) => return Vec::new(),
        (Durability::Disk, true) => (RINGLANE_DURABLE, "true"),
        (Durability::PageCache, true) => (RINGLANE_DURABLE, "false"),
        (Durability::Disk, false) => (FLUSH_MESSAGES, "1"),
        (Durability::PageCache, false) => (FLUSH_MESSAGES, NEVER),
    };
    vec![(setting.0.to_owned(), setting.1.to_owned())]
}

/// The settings of a topic whose partitions keep so many bytes: four segments of a fourth.
fn retention_settings(bytes: u64) -> Vec<(String, String)> {
    let settings = [("retention.bytes", bytes), ("segment.bytes", bytes / 4)];
    settings.map(|(name, value)| (name.to_owned(), value.to_string())).to_vec()
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
    async fn create_topics(&self, job: &Job) -> Result<(), String> {
        let configs = topic_settings(job.scenario.durability, self.is_ringlane);
        let mut trimmed = configs.clone();
        if job.scenario.retention.0 > 0 {
            trimmed.extend(retention_settings(job.scenario.retention.0));
        }
        let topics = self.run.topics.iter().map(|name| (name, &trimmed));
        let history = self.run.history.iter().map(|name| (name, &configs));
        for (name, configs) in topics.chain(history) {
            let mut topic = NewTopic::new(name, job.scenario.partitions as i32);
            topic.configs.clone_from(configs);
            let created = self.admin.create_topic(&topic).await;
            created.map_err(|error| format!("the topic of the run cannot be created: {error}"))?;
        }
        Ok(())
    }

    async fn finish(&mut self, job: &Job) -> Result<(), String> {
        self.wait_for_leaders(job).await?;
        self.run.layout = Arc::new(self.layout());
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

    async fn wait_for_leaders(&self, job: &Job) -> Result<(), String> {
        let reactor = self.client.reactor();
        let deadline = reactor.now() + job.scenario.patience.0;
        let names: Vec<&str> =
            self.run.topics.iter().chain(&self.run.history).map(String::as_str).collect();
        loop {
            let outcome = self.client.refresh(&names).await;
            let is_led = |name: &&str| {
                self.client.known_topic(name).is_some_and(|topic| {
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
            reactor.sleep(self.client.config().backoff_min).await;
        }
    }

    /// Who leads what; they all have leaders.
    fn layout(&self) -> Layout {
        let topics = self.run.topics.iter().filter_map(|name| self.client.known_topic(name));
        let leaders: Vec<i32> = topics
            .flat_map(|topic| topic.partitions.iter().filter_map(|p| p.leader).collect::<Vec<_>>())
            .collect();
        let brokers = self.client.brokers().into_iter();
        let addresses: BTreeMap<i32, String> =
            brokers.map(|broker| (broker.id, broker.address.to_string())).collect();
        Layout::new(&leaders, &addresses, self.is_ringlane)
    }

    /// Waits until every group has all its members, and they have all partitions.
    ///
    /// # Errors
    /// A sentence, when that takes longer than the scenario's patience.
    pub(super) async fn wait_for_groups(&self, job: &Job) -> Result<(), String> {
        let scenario = &job.scenario;
        let reactor = self.client.reactor();
        let deadline = reactor.now() + scenario.patience.0;
        for group in (0..scenario.groups).map(|number| self.run.group(number)) {
            loop {
                let described = self.admin.describe_group(&group).await;
                let why = match described {
                    Ok(group) => {
                        let assigned = group.members.iter().flat_map(|member| &member.assigned);
                        let assigned = assigned.map(|(_, of)| of.len() as u64).sum::<u64>();
                        let members = group.members.len();
                        if members == scenario.consumers as usize
                            && assigned == scenario.partition_count()
                        {
                            break;
                        }
                        format!("it is {} with {members} members", group.state)
                    }
                    Err(error) => error.to_string(),
                };
                if reactor.now() >= deadline {
                    let patience = scenario.patience;
                    return Err(format!(
                        "a consumer group is not complete after {patience}: {why}"
                    ));
                }
                reactor.sleep(self.client.config().backoff_min).await;
            }
        }
        Ok(())
    }

    /// Records that retention has deleted; none where the target does not tell.
    pub(super) async fn deleted_records(&self, job: &Job) -> Option<u64> {
        let wanted: Vec<(i32, Position)> = (0..job.scenario.partitions)
            .map(|partition| (partition as i32, Position::Earliest))
            .collect();
        let mut deleted = 0;
        for topic in &self.run.topics {
            let found = self.client.list_offsets(topic, &wanted).await.ok()?;
            deleted += found.iter().map(|at| at.offset.max(0).unsigned_abs()).sum::<u64>();
        }
        Some(deleted)
    }

    /// Deletes the topics and groups, as far as the target still answers.
    pub(super) async fn clean_up(&self, job: &Job) {
        for topic in self.run.topics.iter().chain(&self.run.history) {
            if self.admin.delete_topic(topic).await.is_err() {
                return;
            }
        }
        for group in 0..job.scenario.groups {
            // It may still have a member that the coordinator has not missed yet.
            let _ = self.admin.delete_group(&self.run.group(group)).await;
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
