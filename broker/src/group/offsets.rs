//! A group's committed offsets: what is stored, what is on its way, and what has expired.

use std::collections::BTreeMap;

use super::config::GroupConfig;
use super::error::GroupError;
use super::records::CommittedOffset;
use super::request::{Generation, MemberIdentity, Now, RequestToken};
use super::state::{Group, GroupState};

/// OffsetCommit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CommitRequest {
    /// Names the waiting request.
    pub token: RequestToken,
    /// The group; may be empty, as in Kafka.
    pub group_id: String,
    /// Who commits; empty for a consumer that manages its partitions itself.
    pub identity: MemberIdentity,
    /// [`Generation::NONE`] for such a consumer.
    pub generation: Generation,
    /// How long to keep the offsets, for versions 2 to 4 that say so.
    pub retention_ms: Option<i64>,
    /// The offsets.
    pub partitions: Vec<CommitPartition>,
    /// Version 9 and later: a generation of an unknown group is answered with GROUP_ID_NOT_FOUND, not
    /// ILLEGAL_GENERATION.
    pub knows_group_id_not_found: bool,
}

/// One offset of an OffsetCommit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CommitPartition {
    /// The topic's name; that it exists is the handler's to check.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The next offset to consume.
    pub offset: i64,
    /// KIP-320; none for -1.
    pub leader_epoch: Option<i32>,
    /// None counts as empty.
    pub metadata: Option<String>,
}

impl CommitPartition {
    /// The offset as it is stored, or why it is not. `offset.metadata.max.bytes` counts, as Kafka does, UTF-16 code
    /// units.
    pub(super) fn committed(
        self,
        retention_ms: Option<i64>,
        now: Now,
        config: &GroupConfig,
    ) -> Result<CommittedOffset, GroupError> {
        let metadata = self.metadata.unwrap_or_default();
        if metadata.encode_utf16().count() > config.offset_metadata_max_bytes {
            return Err(GroupError::OffsetMetadataTooLarge);
        }
        Ok(CommittedOffset {
            offset: self.offset,
            leader_epoch: self.leader_epoch,
            metadata,
            commit_timestamp_ms: now.wall_clock_ms,
            expire_timestamp_ms: retention_ms
                .map(|retention_ms| now.wall_clock_ms.saturating_add(retention_ms)),
        })
    }
}

impl Group {
    /// Whether `identity` may commit offsets now.
    pub(super) fn validate_commit(
        &self,
        identity: &MemberIdentity,
        generation: Generation,
    ) -> Result<(), GroupError> {
        if self.state() == GroupState::Dead {
            return Err(GroupError::CoordinatorNotAvailable);
        }
        // A consumer that manages its partitions itself, or an administrator, commits to a group without members.
        if generation < Generation(0) && self.state() == GroupState::Empty {
            return Ok(());
        }
        if generation < Generation(0) && *identity == MemberIdentity::default() {
            return Err(GroupError::UnknownMemberId);
        }
        self.validate_member(identity)?;
        if generation != self.generation {
            return Err(GroupError::IllegalGeneration);
        }
        // The member has joined and not yet synced: what it commits may be somebody else's already.
        if self.state() == GroupState::CompletingRebalance {
            return Err(GroupError::RebalanceInProgress);
        }
        Ok(())
    }
}

/// The committed offsets of one group, by topic and partition. What is visible is stored; what is on its way is
/// counted.
#[derive(Clone, Debug, Default)]
pub(super) struct Offsets {
    committed: BTreeMap<String, BTreeMap<i32, CommittedOffset>>,
    /// Commits whose records are being written.
    pending: BTreeMap<(String, i32), usize>,
}

impl Offsets {
    /// Whether nothing is stored, nor about to be.
    pub(super) fn is_empty(&self) -> bool {
        self.committed.is_empty() && self.pending.is_empty()
    }

    /// Whether a commit is on its way.
    pub(super) fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// The stored offset of a partition.
    pub(super) fn committed(&self, topic: &str, partition: i32) -> Option<&CommittedOffset> {
        self.committed.get(topic)?.get(&partition)
    }

    /// All stored offsets.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, i32, &CommittedOffset)> {
        self.committed.iter().flat_map(|(topic, partitions)| {
            partitions.iter().map(move |(partition, offset)| (topic.as_str(), *partition, offset))
        })
    }

    /// The partitions with an offset, stored or on its way.
    pub(super) fn partitions(&self) -> Vec<(String, i32)> {
        let stored = self.iter().map(|(topic, partition, _)| (topic.to_owned(), partition));
        let mut all: Vec<_> = stored.chain(self.pending.keys().cloned()).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// A commit of this partition is on its way.
    pub(super) fn begin_commit(&mut self, topic: &str, partition: i32) {
        *self.pending.entry((topic.to_owned(), partition)).or_default() += 1;
    }

    /// The commit did not arrive.
    pub(super) fn abandon_commit(&mut self, topic: &str, partition: i32) {
        let key = (topic.to_owned(), partition);
        let count = self.pending.get_mut(&key).expect("a commit ends once");
        *count -= 1;
        if *count == 0 {
            self.pending.remove(&key);
        }
    }

    /// The commit is stored, hence visible.
    pub(super) fn complete_commit(&mut self, topic: &str, partition: i32, offset: CommittedOffset) {
        self.abandon_commit(topic, partition);
        self.insert(topic, partition, offset);
    }

    /// A stored offset, e.g. from a record that is replayed.
    pub(super) fn insert(&mut self, topic: &str, partition: i32, offset: CommittedOffset) {
        self.committed.entry(topic.to_owned()).or_default().insert(partition, offset);
    }

    /// The offset's tombstone is stored.
    pub(super) fn remove(&mut self, topic: &str, partition: i32) {
        if let Some(partitions) = self.committed.get_mut(topic) {
            partitions.remove(&partition);
            if partitions.is_empty() {
                self.committed.remove(topic);
            }
        }
    }

    /// The partitions whose offsets have expired by `now_ms`, given their group (KIP-211):
    /// - of a group without members, when the retention has passed since it became so;
    /// - of a Stable group of consumers, for topics that they no longer consume, when it has passed since the commit;
    /// - of a simple consumer, when it has passed since the commit.
    ///
    /// An offset with a commit on its way does not expire, nor one that has a time of its own before that time.
    pub(super) fn expired(
        &self,
        group: &Group,
        now_ms: i64,
        retention_ms: i64,
    ) -> Vec<(String, i32)> {
        let is_simple = group.protocol_type.is_none();
        let is_empty = group.state() == GroupState::Empty;
        let reads_topics = group.uses_consumer_protocol() && group.subscribed_topics.is_some();
        let may_expire =
            is_simple || is_empty || (reads_topics && group.state() == GroupState::Stable);
        let since_ms = if is_simple || !is_empty { None } else { group.state_since_ms };
        let is_consumed = |topic: &str| match &group.subscribed_topics {
            Some(topics) => topics.contains(topic),
            None => group.uses_consumer_protocol() && !is_empty,
        };
        let expired = |topic: &str, partition: i32, offset: &CommittedOffset| {
            !is_consumed(topic)
                && !self.pending.contains_key(&(topic.to_owned(), partition))
                && match offset.expire_timestamp_ms {
                    Some(expire_ms) => now_ms >= expire_ms,
                    None => {
                        let from_ms = since_ms.unwrap_or(offset.commit_timestamp_ms);
                        now_ms.saturating_sub(from_ms) >= retention_ms
                    }
                }
        };
        self.iter()
            .filter(|(topic, partition, offset)| may_expire && expired(topic, *partition, offset))
            .map(|(topic, partition, _)| (topic.to_owned(), partition))
            .collect()
    }
}
