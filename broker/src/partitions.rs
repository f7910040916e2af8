//! The partitions that a shard owns, kept true to the cluster image: what the image places here is opened or created, what
//! it no longer has is deleted.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use ringlane_batch::PartitionIndex;
use ringlane_controller::{ClusterImage, Topic};
use ringlane_reactor::Queue;
use ringlane_storage::{
    CompactionConfig, Log, LogConfig, LogManager, LogManagerConfig, NewLog, Recovered,
    StorageError, journal::JournalConfig, partition_directory_name,
};
use tracing::error;

use crate::compaction;
use crate::config::{BrokerConfig, TopicConfig};
use crate::partition::{Partition, PartitionKey};
use crate::race::join_all;
use crate::shard::Shard;

/// How many logs a shard opens or deletes at the same time.
const AT_ONCE_MAX: usize = 64;
/// From so many on, one look at all names is cheaper than one for each.
const LISTED_MIN: usize = 16;

/// The partitions of one shard.
#[derive(Default)]
pub(crate) struct Partitions {
    by_key: RefCell<BTreeMap<PartitionKey, Rc<Partition>>>,
    logs: OnceCell<LogManager>,
}

impl Partitions {
    /// Says where partitions live and what was found there; before the first image is applied.
    ///
    /// # Panics
    /// The second time.
    pub(crate) fn found(&self, shard: &Shard, directory: &Path, recovered: Arc<Recovered>) {
        let config = manager_config(&shard.config);
        let logs = LogManager::new(&shard.reactor, directory, recovered, config);
        assert!(self.logs.set(logs).is_ok(), "the log directory is read once");
    }

    /// What the logs of the shard share.
    ///
    /// # Panics
    /// Before [`Partitions::found`].
    pub(crate) fn logs(&self) -> &LogManager {
        self.logs.get().expect("the log directory is read before an image is applied")
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

fn manager_config(config: &BrokerConfig) -> LogManagerConfig {
    LogManagerConfig {
        journal: JournalConfig {
            // Whole blocks.
            file_bytes: (config.journal_file_bytes as u64).next_multiple_of(4096),
            files: config.journal_files as u32,
            ..JournalConfig::default()
        },
        ..LogManagerConfig::default()
    }
}

/// Closes every log of the shard, and its journal. Answers whether all of it was left in order.
pub(crate) async fn close_all(shard: &Rc<Shard>) -> bool {
    let closing: Vec<_> = shard
        .partitions
        .all()
        .into_iter()
        .map(|partition| shard.reactor.spawn(Queue::Client, close(partition)))
        .collect();
    let closed = join_all(closing).await;
    shard.partitions.logs().close().await;
    closed.into_iter().all(|in_order| in_order)
}

async fn close(partition: Rc<Partition>) -> bool {
    let closed = partition.log.close().await;
    if let Err(error) = &closed {
        let name = partition_directory_name(&partition.topic, partition.key.1);
        error!(name, "cannot close the log in order: {error}");
    }
    closed.is_ok()
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

/// Makes this shard's partitions what `image` says.
pub(crate) async fn apply(shard: &Rc<Shard>, image: &Arc<ClusterImage>) {
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
                None => missing.push((part.clone(), index)),
            }
        }
    }
    open_all(shard, missing).await;
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
    for id in gone.iter().map(|topic| topic.id) {
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

async fn delete(partition: Rc<Partition>) {
    let name = partition_directory_name(&partition.topic, partition.key.1);
    if let Err(error) = partition.log.clone().delete().await {
        error!(name, "the files of a deleted partition stay behind: {error}");
    }
}

async fn open_all(shard: &Rc<Shard>, missing: Vec<(Rc<TopicPart>, PartitionIndex)>) {
    let there = directories(shard, &missing).await;
    let is_there = |(part, index): &(Rc<TopicPart>, PartitionIndex)| {
        there.contains(&part.directory_name(*index))
    };
    let (there, new): (Vec<_>, Vec<_>) = missing.into_iter().partition(is_there);
    create(shard, new).await;
    let task_shard = shard.clone();
    let open = async move |(part, index): (Rc<TopicPart>, PartitionIndex)| {
        open(&task_shard, &part, index).await;
    };
    shard.reactor.for_each(Queue::Client, AT_ONCE_MAX, there, open).await;
}

/// Which of the partitions' directories are there, by name.
async fn directories(shard: &Shard, of: &[(Rc<TopicPart>, PartitionIndex)]) -> BTreeSet<String> {
    let (disk, root) = (shard.reactor.disk(), shard.partitions.logs().directory());
    if of.len() >= LISTED_MIN {
        match disk.list(root).await {
            Ok(names) => return names.into_iter().map(|entry| entry.name).collect(),
            Err(error) => error!(root = %root.display(), "cannot be listed: {error}"),
        }
    }
    let mut found = BTreeSet::new();
    for (part, index) in of {
        let name = part.directory_name(*index);
        if disk.metadata(&root.join(&name)).await.is_ok() {
            found.insert(name);
        }
    }
    found
}

async fn create(shard: &Rc<Shard>, new: Vec<(Rc<TopicPart>, PartitionIndex)>) {
    let logs = shard.partitions.logs();
    let wanted = new.iter().map(|(part, index)| NewLog {
        directory: logs.directory().join(part.directory_name(*index)),
        key: (part.topic.id, *index),
        config: part.log_config.clone(),
    });
    let created = Log::create_all(logs, wanted.collect()).await;
    for ((part, index), created) in new.into_iter().zip(created) {
        lead(shard, &part, index, created);
    }
}

async fn open(shard: &Rc<Shard>, part: &TopicPart, index: PartitionIndex) {
    let logs = shard.partitions.logs();
    let directory = logs.directory().join(part.directory_name(index));
    let key = (part.topic.id, index);
    let opened = Log::open(logs, &directory, key, part.log_config.clone()).await;
    lead(shard, part, index, opened.map(|(log, _report)| log));
}

/// Takes up leading a partition whose log is there now.
fn lead(
    shard: &Rc<Shard>,
    part: &TopicPart,
    index: PartitionIndex,
    log: Result<Log, StorageError>,
) {
    let log = match log {
        Ok(log) => log,
        Err(error) => {
            let name = part.directory_name(index);
            return error!(name, "the partition stays offline: {error}");
        }
    };
    let (state, key) = (part.state(index), (part.topic.id, index));
    let (name, config) = (part.name.clone(), part.config.clone());
    let partition = Partition::lead(name, key, log, state.leader_epoch, config);
    partition.update(state.leader_epoch, state.isr.len(), None);
    shard.partitions.by_key.borrow_mut().insert(key, partition.clone());
    shard.coordinators.elect(shard, &partition);
}
