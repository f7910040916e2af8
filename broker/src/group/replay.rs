//! Builds the groups from the records of their partition, when this broker comes to lead it: the later record of a
//! key wins, and a tombstone removes.

use std::collections::BTreeMap;

use super::config::GroupConfig;
use super::coordinator::{Entry, Groups};
use super::effects::Effects;
use super::member::Member;
use super::offsets::Offsets;
use super::records::{DecodeError, GroupMetadata, GroupRecord, MemberMetadata};
use super::request::{Now, Protocol};
use super::state::{Group, GroupState};

/// The records of a partition so far.
#[derive(Debug, Default)]
pub struct Replay {
    metadata: BTreeMap<String, GroupMetadata>,
    offsets: BTreeMap<String, Offsets>,
}

impl Replay {
    /// No records yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in one record; to be called in the order of the log.
    ///
    /// # Errors
    /// When the record cannot be read; it then has no effect, and the caller may go on (after
    /// [`DecodeError::UnknownKeyVersion`]: that is a kind of group we do not have) or take the partition offline.
    pub fn apply(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), DecodeError> {
        match GroupRecord::decode(key, value)? {
            GroupRecord::OffsetCommit { group_id, topic, partition, value: Some(offset) } => {
                self.offsets.entry(group_id).or_default().insert(&topic, partition, offset);
            }
            GroupRecord::OffsetCommit { group_id, topic, partition, value: None } => {
                if let Some(offsets) = self.offsets.get_mut(&group_id) {
                    offsets.remove(&topic, partition);
                }
            }
            GroupRecord::GroupMetadata { group_id, value: Some(metadata) } => {
                self.metadata.insert(group_id, metadata);
            }
            GroupRecord::GroupMetadata { group_id, value: None } => {
                self.metadata.remove(&group_id);
            }
        }
        Ok(())
    }

    /// The groups as the log leaves them. Every member's session begins now; a group that is larger than the
    /// settings now allow is rebalanced (KIP-389).
    pub fn finish(mut self, config: GroupConfig, now: Now) -> (Groups, Effects) {
        let mut groups = Groups::new(config, now);
        let mut effects = Effects::default();
        for (group_id, metadata) in std::mem::take(&mut self.metadata) {
            let group = Group::restore(group_id.clone(), metadata, now);
            groups.entries.insert(group_id, Entry::new(group));
        }
        for (group_id, offsets) in self.offsets {
            if offsets.is_empty() {
                continue;
            }
            // Offsets without a group: a consumer that manages its partitions itself.
            let simple = || Entry::new(Group::new(group_id.clone(), now));
            groups.entries.entry(group_id.clone()).or_insert_with(simple).offsets = offsets;
        }
        let ids: Vec<String> = groups.entries.keys().cloned().collect();
        for id in ids {
            groups.with_group(&id, now, &mut effects, |group, turn| {
                let member_ids: Vec<String> = group.members.keys().cloned().collect();
                for member_id in &member_ids {
                    group.renew_session(member_id, turn);
                }
                if member_ids.len() > turn.config.max_size {
                    group.prepare_rebalance(turn);
                }
            });
        }
        (groups, effects)
    }
}

impl Group {
    /// The group of a record: Stable if it has members, else Empty.
    fn restore(id: String, metadata: GroupMetadata, now: Now) -> Self {
        let mut group = Self::new(id, now);
        let is_empty = metadata.members.is_empty();
        group.protocol_type = Some(metadata.protocol_type).filter(|t| !t.is_empty());
        group.generation = metadata.generation;
        group.protocol_name = metadata.protocol;
        let protocol = group.protocol_name.clone().unwrap_or_default();
        for member in metadata.members {
            group.add(member.restore(&protocol), None);
        }
        // A record that names a leader it does not have keeps the first member as its leader.
        if let Some(leader) = metadata.leader.filter(|id| group.members.contains_key(id)) {
            group.leader = Some(leader);
        }
        group.subscribed_topics = group.compute_subscribed_topics();
        let state = if is_empty { GroupState::Empty } else { GroupState::Stable };
        group.restore_state(state, metadata.state_since_ms);
        group
    }
}

impl MemberMetadata {
    fn restore(self, protocol: &str) -> Member {
        Member {
            member_id: self.member_id,
            instance_id: self.instance_id,
            client_id: self.client_id,
            client_host: self.client_host,
            rebalance_timeout_ms: self.rebalance_timeout_ms,
            session_timeout_ms: self.session_timeout_ms,
            protocols: vec![Protocol { name: protocol.to_owned(), metadata: self.subscription }],
            assignment: Some(self.assignment),
            awaiting_join: None,
            awaiting_sync: None,
            session_deadline: None,
            is_new: false,
        }
    }
}
