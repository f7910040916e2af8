//! Which topic, partition and shard a request means.

use std::rc::Rc;
use std::sync::Arc;

use ringlane_batch::{LeaderEpoch, PartitionIndex, TopicId};
use ringlane_controller::{ClusterImage, Topic};
use ringlane_reactor::ShardId;
use ringlane_wire::{ErrorCode, Uuid};

use crate::partition::{Partition, PartitionKey};
use crate::shard::Shard;

/// The topic that holds the offsets of groups.
pub(crate) const OFFSETS_TOPIC: &str = "__consumer_offsets";

/// Whether clients may not write to it.
pub(super) fn is_internal(topic: &str) -> bool {
    topic == OFFSETS_TOPIC
}

/// The topic of that id, where the version carries ids, else of that name.
pub(super) fn find(image: &ClusterImage, name: &str, id: Uuid) -> Result<Arc<Topic>, ErrorCode> {
    if id.is_zero() {
        return image.topic(name).cloned().ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    }
    image.topic_by_id(TopicId(id.0)).cloned().ok_or(ErrorCode::UNKNOWN_TOPIC_ID)
}

/// The shard that leads the partition.
pub(super) fn owner(shard: &Shard, topic: &Topic, index: i32) -> Result<ShardId, ErrorCode> {
    let partition =
        topic.partition(PartitionIndex(index)).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
    match partition.leader_core() {
        Some(leader) if leader.broker == shard.broker() => Ok(ShardId(leader.core.0)),
        _ => Err(ErrorCode::NOT_LEADER_OR_FOLLOWER),
    }
}

/// The partition on this shard, which owns it, as seen by a client that knows `epoch` (KIP-320; -1: it does not).
pub(super) fn led(
    shard: &Shard,
    key: PartitionKey,
    epoch: i32,
) -> Result<Rc<Partition>, ErrorCode> {
    let Some(partition) = shard.partitions.find(key) else {
        return Err(match shard.partitions.is_offline(key) {
            true => ErrorCode::KAFKA_STORAGE_ERROR,
            false => ErrorCode::NOT_LEADER_OR_FOLLOWER,
        });
    };
    if partition.hides_records() {
        return Err(ErrorCode::KAFKA_STORAGE_ERROR);
    }
    if epoch == LeaderEpoch::NONE.0 {
        return Ok(partition);
    }
    match epoch.cmp(&partition.leader_epoch().0) {
        std::cmp::Ordering::Less => Err(ErrorCode::FENCED_LEADER_EPOCH),
        std::cmp::Ordering::Equal => Ok(partition),
        std::cmp::Ordering::Greater => Err(ErrorCode::UNKNOWN_LEADER_EPOCH),
    }
}

/// Work items by the shard that owns them, in order of shard.
pub(super) struct ByOwner<W>(std::collections::BTreeMap<ShardId, Vec<W>>);

impl<W> Default for ByOwner<W> {
    fn default() -> Self {
        Self(Default::default())
    }
}

impl<W> ByOwner<W> {
    pub(super) fn push(&mut self, owner: ShardId, work: W) {
        self.0.entry(owner).or_default().push(work);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &W> {
        self.0.values().flatten()
    }

    pub(super) fn into_iter(self) -> impl Iterator<Item = (ShardId, Vec<W>)> {
        self.0.into_iter()
    }
}
