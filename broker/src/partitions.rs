//! The partitions that a shard owns, kept true to the cluster image: what the image places here is opened or created, what
//! it no longer has is deleted.

mod opening;

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use ringlane_batch::PartitionIndex;
use ringlane_controller::{ClusterImage, Topic};
use ringlane_reactor::Queue;
use ringlane_storage::{
    CompactionConfig, Log, LogConfig, LogManager, LogManagerConfig, StorageError,
    journal::JournalConfig, partition_directory_name,
};
use tracing::error;

use crate::compaction;
use crate::config::{BrokerConfig, TopicConfig};
use crate::log_directories;
use crate::log_dirs::{Place, Places};
use crate::partition::{Partition, PartitionKey};
use crate::race::join_all;
use crate::recovery::FoundDirectory;
use crate::shard::Shard;

use opening::{Missing, open_all};

/// How many logs a shard opens or deletes at the same time.
const AT_ONCE_MAX: usize = 64;

/// The partitions of one shard.
#[derive(Default)]
pub(crate) struct Partitions {
    by_key: RefCell<BTreeMap<PartitionKey, Rc<Partition>>>,
    /// Those that the shard owns and cannot serve.
    offline: RefCell<BTreeMap<PartitionKey, Offline>>,
    /// What the logs of the shard share in each directory that was online at the start, by its index in `log.dirs`.
    logs: OnceCell<BTreeMap<usize, LogManager>>,
}

/// A partition whose log cannot be opened.
struct Offline {
    place: Place,
    reason: String,
    /// The log is new, and the device was full: it is tried again.
    waits_for_space: bool,
}

impl Partitions {
    /// Says in which directories partitions live and what was found there; before the first image is applied.
    ///
    /// # Panics
    /// The second time.
    pub(crate) fn found(&self, shard: &Rc<Shard>, open: &[FoundDirectory]) {
        let config = manager_config(shard, open.len());
        let logs = open.iter().map(|open| {
            let (recovered, config) = (open.recovered.clone(), config.clone());
            let logs = LogManager::new(&shard.reactor, &open.path, recovered, config);
            logs.keep_records(&open.refused);
            let watch = log_directories::watch(shard.clone(), open.index, logs.clone());
            shard.reactor.spawn(Queue::Background, watch).detach();
            (open.index, logs)
        });
        assert!(self.logs.set(logs.collect()).is_ok(), "the log directories are read once");
    }

    /// What the logs of the shard share in each directory that was online at the start.
    ///
    /// # Panics
    /// Before [`Partitions::found`].
    pub(crate) fn directories(&self) -> impl Iterator<Item = (usize, &LogManager)> {
        let logs = self.logs.get().expect("log directories are read before an image is applied");
        logs.iter().map(|(index, logs)| (*index, logs))
    }

    /// A directory has failed.
    pub(crate) fn take_offline(&self, index: usize, reason: &str) {
        if let Some(logs) = self.logs.get().and_then(|logs| logs.get(&index)) {
            logs.take_offline(reason);
        }
    }

    /// Whether a log in this place has but itself to blame.
    fn is_directory_online(&self, place: Place) -> bool {
        let logs = self.logs.get().and_then(|logs| match place {
            Place::In(index) => logs.get(&index),
            Place::Missing => None,
        });
        place == Place::Missing || logs.is_some_and(|logs| logs.is_offline().is_none())
    }

    /// Whether the shard owns the partition and cannot open its log.
    pub(crate) fn is_offline(&self, key: PartitionKey) -> bool {
        self.offline.borrow().contains_key(&key)
    }

    /// The partitions that the shard cannot serve, or not write, though they have a place, by directory, and why.
    pub(crate) fn offline(&self) -> Vec<(usize, PartitionKey, String)> {
        let offline = self.offline.borrow();
        let placed = offline.iter().filter_map(|(key, offline)| match offline.place {
            Place::In(index) => Some((index, *key, offline.reason.clone())),
            Place::Missing => None,
        });
        let unwritable = self.directories().flat_map(|(index, logs)| {
            logs.unwritable_logs().into_iter().map(move |(key, reason)| (index, key, reason))
        });
        placed.chain(unwritable).collect()
    }

    /// The partition, when this shard owns it.
    pub(crate) fn find(&self, key: PartitionKey) -> Option<Rc<Partition>> {
        self.by_key.borrow().get(&key).cloned()
    }

    /// All of them, in order of topic id and index.
    pub(crate) fn all(&self) -> Vec<Rc<Partition>> {
        self.by_key.borrow().values().cloned().collect()
    }
}

fn manager_config(shard: &Shard, directories: usize) -> LogManagerConfig {
    let (config, shards) = (&shard.config, shard.reactor.shard_count());
    LogManagerConfig {
        open_logs_max: shard.descriptors.logs_of_each(shards, directories),
        journal: JournalConfig {
            // Whole blocks.
            file_bytes: (config.journal_file_bytes as u64).next_multiple_of(4096),
            files: config.journal_files as u32,
            ..JournalConfig::default()
        },
        tail_bytes_max: config.tail_bytes as u64,
        ..LogManagerConfig::default()
    }
}

/// Closes every log of the shard, and its journals. Answers of each directory whether all of it was left in order.
pub(crate) async fn close_all(shard: &Rc<Shard>) -> BTreeMap<usize, bool> {
    let all = shard.partitions.all().into_iter();
    let closing = all.map(|partition| shard.reactor.spawn(Queue::Client, close(partition)));
    let closed = join_all(closing.collect()).await;
    let mut in_order = BTreeMap::new();
    for (index, logs) in shard.partitions.directories() {
        // Logs that were created meanwhile, too.
        let is_complete = logs.close().await;
        if logs.is_offline().is_some() {
            in_order.insert(index, false);
            continue;
        }
        let here = closed.iter().filter(|log| log.directory.parent() == Some(logs.directory()));
        let mut failed = here.filter_map(|log| Some((log, log.failed.as_ref()?))).peekable();
        in_order.insert(index, is_complete && failed.peek().is_none());
        for (log, error) in failed {
            error!(log = %log.directory.display(), "cannot close the log in order: {error}");
        }
    }
    in_order
}

struct Closed {
    directory: PathBuf,
    failed: Option<StorageError>,
}

async fn close(partition: Rc<Partition>) -> Closed {
    let directory = partition.log.directory();
    Closed { directory, failed: partition.log.close().await.err() }
}

/// The part of a topic's settings that its logs follow.
pub(crate) fn log_config(config: &TopicConfig, producer_id_expiration_ms: i32) -> LogConfig {
    LogConfig {
        segment_jitter_ms: config.segment_jitter_ms,
        retention_ms: config.retention_ms,
        retention_bytes: config.retention_bytes,
        cleanup_deletes: config.cleanup_policy.delete,
        file_delete_delay_ms: config.file_delete_delay_ms,
        segment_bytes: config.segment_bytes as u64,
        segment_ms: config.segment_ms,
        index_interval_bytes: config.index_interval_bytes as u32,
        segment_index_bytes: config.segment_index_bytes as u32,
        timestamp_type: config.message_timestamp_type,
        producer_id_expiration_ms: i64::from(producer_id_expiration_ms),
        durable: config.durable,
        flush_messages: config.flush_messages as u64,
        flush_ms: config.flush_ms,
        compaction: config.cleanup_policy.compact.then_some(CompactionConfig {
            min_cleanable_dirty_ratio: config.min_cleanable_dirty_ratio,
            min_compaction_lag_ms: config.min_compaction_lag_ms,
            max_compaction_lag_ms: config.max_compaction_lag_ms,
            delete_retention_ms: config.delete_retention_ms,
        }),
    }
}

/// Makes this shard's partitions what `image` says; the logs that are new in it have their `places`. Never two at a time,
/// nor beside [`create_again`].
pub(crate) async fn apply(shard: &Rc<Shard>, image: &Arc<ClusterImage>, places: &Places) {
    let before = shard.image.current();
    let settings = settings(shard, image);
    let settings_changed = settings != self::settings(shard, &before);
    if settings_changed {
        shard
            .cleaner
            .set_config(compaction::cleaner_config(&settings, shard.reactor.shard_count()));
    }
    remove_deleted(shard, &before, image).await;
    let mut missing = Vec::new();
    for topic in image.topics() {
        let same = before.topic(&topic.name).is_some_and(|old| Arc::ptr_eq(old, topic));
        if same && !settings_changed {
            continue;
        }
        let part = TopicPart::new(shard, topic, &settings);
        for index in owned_indexes(shard, topic) {
            match shard.partitions.find((topic.id, index)) {
                Some(partition) => part.update(&partition),
                None => {
                    let place = place(shard, (topic.id, index), places);
                    missing.push(Missing { part: part.clone(), index, place });
                }
            }
        }
    }
    open_all(shard, missing).await;
}

/// Whether logs of this shard found no space to be created in, and wait for it.
pub(crate) fn wait_for_space(shard: &Shard) -> bool {
    shard.partitions.offline.borrow().values().any(|offline| offline.waits_for_space)
}

/// Tries again to create the logs that wait for space.
pub(crate) async fn create_again(shard: &Rc<Shard>) {
    let image = shard.image.current();
    let settings = settings(shard, &image);
    let missing = {
        let offline = shard.partitions.offline.borrow();
        let waiting = offline.iter().filter(|(_, offline)| offline.waits_for_space);
        let missing = waiting.filter_map(|((id, index), offline)| {
            let part = TopicPart::new(shard, image.topic_by_id(*id)?, &settings);
            Some(Missing { part, index: *index, place: offline.place })
        });
        missing.collect()
    };
    open_all(shard, missing).await;
}

/// Where a log belongs that is not open: as the image's places say, or where it was found to be offline before.
fn place(shard: &Shard, key: PartitionKey, places: &Places) -> Place {
    let before = || shard.partitions.offline.borrow().get(&key).map(|offline| offline.place);
    places.of(key).or_else(before).unwrap_or(Place::Missing)
}

/// What the partitions of one topic share.
struct TopicPart {
    topic: Arc<Topic>,
    name: Arc<str>,
    config: Rc<TopicConfig>,
    log_config: Rc<LogConfig>,
}

impl TopicPart {
    fn new(shard: &Shard, topic: &Arc<Topic>, settings: &BrokerConfig) -> Rc<Self> {
        let config = TopicConfig::resolve(settings, &topic.configs);
        let log_config = log_config(&config, shard.config.producer_id_expiration_ms);
        Rc::new(Self {
            topic: topic.clone(),
            name: topic.name.as_str().into(),
            config: config.into(),
            log_config: log_config.into(),
        })
    }

    fn state(&self, index: PartitionIndex) -> &ringlane_controller::Partition {
        self.topic.partition(index).expect("an owned partition is in its topic")
    }

    fn update(&self, partition: &Partition) {
        let state = self.state(partition.key.1);
        let settings = (self.config.clone(), self.log_config.clone());
        partition.update(state.leader_epoch, state.isr.len(), Some(settings));
    }

    fn directory_name(&self, index: PartitionIndex) -> String {
        partition_directory_name(&self.topic.name, index)
    }
}

/// The broker's settings under what was altered while it ran.
pub(crate) fn settings(shard: &Shard, image: &ClusterImage) -> BrokerConfig {
    let mut settings = (*shard.config).clone();
    for scope in [None, Some(shard.broker())] {
        for (key, value) in image.broker_configs(scope) {
            if let Err(problem) = settings.set(key, value) {
                tracing::warn!(key, value, ?problem, "a stored broker setting is not understood");
            }
        }
    }
    settings
}

fn owned_indexes(shard: &Shard, topic: &Topic) -> Vec<PartitionIndex> {
    let own = shard.reactor.shard().0;
    let indexes = (0..).map(PartitionIndex).zip(&topic.partitions);
    indexes
        .filter(|(_, partition)| {
            partition.core_on(shard.broker()).is_some_and(|core| core.0 == own)
        })
        .map(|(index, _)| index)
        .collect()
}

async fn remove_deleted(shard: &Rc<Shard>, before: &ClusterImage, image: &ClusterImage) {
    let gone = before.topics().filter(|topic| image.topic_by_id(topic.id).is_none());
    let gone: Vec<&Arc<Topic>> = gone.collect();
    if gone.is_empty() {
        return;
    }
    let names: Vec<&str> = gone.iter().map(|topic| topic.name.as_str()).collect();
    shard.coordinators.forget_topics(&names);
    for topic in &gone {
        let id = topic.id;
        remove_offline(shard, topic).await;
        let removed: Vec<_> = {
            let mut by_key = shard.partitions.by_key.borrow_mut();
            let keys: Vec<_> = by_key.keys().filter(|key| key.0 == id).copied().collect();
            keys.iter().filter_map(|key| by_key.remove(key)).collect()
        };
        for partition in &removed {
            shard.coordinators.resign(partition.key);
            partition.end();
        }
        shard.reactor.for_each(Queue::Client, AT_ONCE_MAX, removed, delete).await;
    }
}

/// Removes the partitions of a deleted topic that are offline, and their files, which would be in the way of a new topic of the name.
async fn remove_offline(shard: &Shard, topic: &Topic) {
    let of_topic: Vec<_> = {
        let mut offline = shard.partitions.offline.borrow_mut();
        let keys: Vec<_> = offline.keys().filter(|key| key.0 == topic.id).copied().collect();
        keys.into_iter().filter_map(|key| Some((key, offline.remove(&key)?))).collect()
    };
    for (key, offline) in of_topic {
        let Place::In(index) = offline.place else { continue };
        let Some((_, logs)) = shard.partitions.directories().find(|(at, _)| *at == index) else {
            continue;
        };
        let name = partition_directory_name(&topic.name, key.1);
        let directory = logs.directory().join(&name);
        if let Err(error) = Log::delete_unopened(logs, &directory, key).await {
            error!(name, "the files of a deleted partition stay behind: {error}");
        }
    }
}

async fn delete(partition: Rc<Partition>) {
    let name = partition_directory_name(&partition.topic, partition.key.1);
    if let Err(error) = partition.log.clone().delete().await {
        error!(name, "the files of a deleted partition stay behind: {error}");
    }
}
