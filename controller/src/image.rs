//! The cluster image: everything the controller decides, immutable and numbered by the Raft index it reflects. Shards read
//! it through an `Arc`; a change copies the spine and shares every topic that it does not touch.

use std::collections::BTreeMap;
use std::sync::Arc;

use ringlane_batch::{LeaderEpoch, PartitionIndex, TopicId};
use rkyv::{Archive, Deserialize, Serialize};

use crate::metadata::{LeaderEpochRecord, TopicIdRecord};
use crate::topic_name;

/// A broker's number (`node.id`), not negative.
#[derive(
    Archive, Serialize, Deserialize, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug,
)]
pub struct BrokerId(pub i32);

/// A core of a broker: the number of the shard that owns what is placed there, dense from 0.
#[derive(
    Archive, Serialize, Deserialize, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug,
)]
pub struct CoreIndex(pub u16);

/// Where clients reach a broker through one of its listeners.
#[derive(Archive, Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct Endpoint {
    /// The listener's name, e.g. `PLAINTEXT`.
    pub listener: String,
    /// Host name or address, as clients are told it.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

/// An address that leads straight to one core (`ringlane.core.endpoints`).
#[derive(Archive, Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct CoreEndpoint {
    /// The core.
    pub core: CoreIndex,
    /// Its own address.
    pub endpoint: Endpoint,
}

/// A registered broker.
#[derive(Archive, Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct Broker {
    /// Its number.
    pub id: BrokerId,
    /// Which registration this is: the Raft index that carried it, so a later one is greater.
    pub epoch: i64,
    /// Fenced: registered, but not alive, so it leads nothing.
    pub fenced: bool,
    /// How many cores it runs; cores are numbered below it. At least 1.
    pub core_count: u16,
    /// One for each listener.
    pub endpoints: Vec<Endpoint>,
    /// Empty in single-address mode.
    pub core_endpoints: Vec<CoreEndpoint>,
    /// The rack (`broker.rack`).
    pub rack: Option<String>,
}

/// One replica of a partition.
#[derive(Archive, Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub struct Replica {
    /// The broker that holds it.
    pub broker: BrokerId,
    /// The core of that broker that owns it.
    pub core: CoreIndex,
}

/// A partition's state. Its index is its place in [`Topic::partitions`].
#[derive(Archive, Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct Partition {
    /// The leader, or `None` while no eligible replica is alive.
    pub leader: Option<BrokerId>,
    /// Rises with every change of leader, also when a restarted broker takes up leading again.
    #[rkyv(with = LeaderEpochRecord)]
    pub leader_epoch: LeaderEpoch,
    /// Rises with every change of this state except a move between cores (KIP-497).
    pub partition_epoch: i32,
    /// In order of preference; the first is the preferred leader.
    pub replicas: Vec<Replica>,
    /// The in-sync replicas.
    pub isr: Vec<BrokerId>,
    /// The eligible leader replicas outside the ISR (KIP-966).
    pub elr: Vec<BrokerId>,
}

impl Partition {
    /// The core that owns the replica on `broker`.
    pub fn core_on(&self, broker: BrokerId) -> Option<CoreIndex> {
        self.replicas.iter().find(|replica| replica.broker == broker).map(|replica| replica.core)
    }

    /// The leader and the core that owns the partition there.
    pub fn leader_core(&self) -> Option<Replica> {
        self.replicas.iter().copied().find(|replica| Some(replica.broker) == self.leader)
    }
}

/// A topic: its identity, partitions and configuration overrides.
#[derive(Archive, Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct Topic {
    /// Its id, never used again for another topic (KIP-516).
    #[rkyv(with = TopicIdRecord)]
    pub id: TopicId,
    /// Its name.
    pub name: String,
    /// Dense from partition 0; never empty.
    pub partitions: Vec<Partition>,
    /// Configuration keys that were set, without defaults.
    pub configs: BTreeMap<String, String>,
}

impl Topic {
    /// The partition of that index.
    pub fn partition(&self, index: PartitionIndex) -> Option<&Partition> {
        self.partitions.get(usize::try_from(index.0).ok()?)
    }

    /// Replicas of each partition, as the first one has them.
    pub fn replication_factor(&self) -> usize {
        self.partitions.first().map_or(0, |partition| partition.replicas.len())
    }
}

/// The topics, found by name, by id, and by the name that collides with theirs.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Topics {
    by_name: BTreeMap<Arc<str>, Arc<Topic>>,
    name_by_id: BTreeMap<TopicId, Arc<str>>,
    name_by_unified: BTreeMap<String, Arc<str>>,
}

/// The state of the cluster at one Raft index.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ClusterImage {
    pub(crate) version: u64,
    pub(crate) cluster_id: String,
    pub(crate) brokers: BTreeMap<BrokerId, Arc<Broker>>,
    pub(crate) topics: Arc<Topics>,
    /// By broker; `None` holds the cluster-wide defaults.
    pub(crate) broker_configs: BTreeMap<Option<BrokerId>, BTreeMap<String, String>>,
    pub(crate) next_producer_id: i64,
}

static NO_CONFIGS: BTreeMap<String, String> = BTreeMap::new();

impl ClusterImage {
    /// The Raft index of the last command this image reflects; later images have greater ones.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The cluster's id, 22 characters of URL-safe base64; empty before the first start has chosen one.
    pub fn cluster_id(&self) -> &str {
        &self.cluster_id
    }

    /// The registered brokers, in order of number.
    pub fn brokers(&self) -> impl ExactSizeIterator<Item = &Arc<Broker>> {
        self.brokers.values()
    }

    /// A registered broker.
    pub fn broker(&self, id: BrokerId) -> Option<&Arc<Broker>> {
        self.brokers.get(&id)
    }

    /// Whether that broker is registered and not fenced.
    pub fn is_live(&self, id: BrokerId) -> bool {
        self.brokers.get(&id).is_some_and(|broker| !broker.fenced)
    }

    /// The topics, in order of name.
    pub fn topics(&self) -> impl ExactSizeIterator<Item = &Arc<Topic>> {
        self.topics.by_name.values()
    }

    /// The topic of that name.
    pub fn topic(&self, name: &str) -> Option<&Arc<Topic>> {
        self.topics.by_name.get(name)
    }

    /// The topic of that id.
    pub fn topic_by_id(&self, id: TopicId) -> Option<&Arc<Topic>> {
        self.topics.by_name.get(self.topics.name_by_id.get(&id)?)
    }

    /// A partition of a topic.
    pub fn partition(&self, topic: &str, index: PartitionIndex) -> Option<&Partition> {
        self.topic(topic)?.partition(index)
    }

    /// What was set for that broker alone (`Some`) or for all of them (`None`).
    pub fn broker_configs(&self, broker: Option<BrokerId>) -> &BTreeMap<String, String> {
        self.broker_configs.get(&broker).unwrap_or(&NO_CONFIGS)
    }

    /// The first producer id that no block has given out.
    pub fn next_producer_id(&self) -> i64 {
        self.next_producer_id
    }

    /// The existing topic whose metric names would collide with those of `name`, if another has that spelling.
    pub(crate) fn colliding_topic(&self, name: &str) -> Option<&str> {
        self.topics.name_by_unified.get(&topic_name::unify(name)).map(|found| &**found)
    }

    /// Adds a topic or replaces the one of that id.
    pub(crate) fn put_topic(&mut self, topic: Topic) {
        let topics = Arc::make_mut(&mut self.topics);
        assert!(!topic.partitions.is_empty(), "topic {} has partitions", topic.name);
        let name: Arc<str> = topic.name.as_str().into();
        if let Some(before) = topics.name_by_id.insert(topic.id, name.clone()) {
            assert_eq!(before, name, "a topic keeps its name");
        } else if topic_name::has_collision_chars(&name) {
            topics.name_by_unified.insert(topic_name::unify(&name), name.clone());
        }
        topics.by_name.insert(name, Arc::new(topic));
        assert_eq!(topics.by_name.len(), topics.name_by_id.len(), "one id for each name");
    }

    /// Removes the topic of that id.
    pub(crate) fn remove_topic(&mut self, id: TopicId) -> Option<Arc<Topic>> {
        let topics = Arc::make_mut(&mut self.topics);
        let name = topics.name_by_id.remove(&id)?;
        topics.name_by_unified.remove(&topic_name::unify(&name));
        let topic = topics.by_name.remove(&name);
        assert_eq!(topics.by_name.len(), topics.name_by_id.len(), "one id for each name");
        topic
    }

    /// Gives every topic to `change`, in order of name, which answers the topic's new state where there is one.
    pub(crate) fn change_topics(&mut self, mut change: impl FnMut(&Topic) -> Option<Topic>) {
        let changed: Vec<Topic> = self.topics().filter_map(|topic| change(topic)).collect();
        changed.into_iter().for_each(|topic| self.put_topic(topic));
    }
}
