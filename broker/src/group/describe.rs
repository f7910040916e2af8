//! ListGroups and DescribeGroups.

use bytes::Bytes;

use super::coordinator::Groups;
use super::member::Member;
use super::state::{Group, GroupState};

/// The type that ListGroups gives to the groups of this coordinator (KIP-848).
const GROUP_TYPE: &str = "classic";

/// A group in a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListedGroup {
    /// The group.
    pub group_id: String,
    /// Empty for a group that nobody joined.
    pub protocol_type: String,
    /// Its state now.
    pub state: GroupState,
    /// Always `classic`.
    pub group_type: &'static str,
}

/// A group in full.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DescribedGroup {
    /// The group.
    pub group_id: String,
    /// Its state now.
    pub state: GroupState,
    /// Empty for a group that nobody joined.
    pub protocol_type: String,
    /// The members' protocol; empty unless the group is Stable.
    pub protocol: String,
    /// Ordered by member id.
    pub members: Vec<DescribedMember>,
}

/// A member in full.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DescribedMember {
    /// Its member id.
    pub member_id: String,
    /// `group.instance.id`
    pub instance_id: Option<String>,
    /// `client.id`
    pub client_id: String,
    /// As Java writes addresses: `/127.0.0.1`.
    pub client_host: String,
    /// Its metadata for the protocol; empty unless the group is Stable.
    pub metadata: Bytes,
    /// What it is assigned.
    pub assignment: Bytes,
}

impl Groups {
    /// The groups in one of `states` (KIP-518) and of one of `types` (KIP-848), however written; an empty filter
    /// passes all.
    pub fn list(&self, states: &[&str], types: &[&str]) -> Vec<ListedGroup> {
        let names = |filter: &[&str], name: &str| {
            filter.is_empty() || filter.iter().any(|f| f.trim().eq_ignore_ascii_case(name))
        };
        if !names(types, GROUP_TYPE) {
            return Vec::new();
        }
        let groups = self.entries.values().map(|entry| &entry.group);
        let listed = groups.filter(|g| names(states, g.state().as_str())).map(|g| ListedGroup {
            group_id: g.id.clone(),
            protocol_type: g.protocol_type.clone().unwrap_or_default(),
            state: g.state(),
            group_type: GROUP_TYPE,
        });
        listed.collect()
    }

    /// One group; none if it does not exist (to older clients: a Dead group without members).
    pub fn describe(&self, group_id: &str) -> Option<DescribedGroup> {
        let group = &self.entries.get(group_id)?.group;
        let protocol = match group.state() {
            GroupState::Stable => group.protocol_name.as_deref(),
            _ => None,
        };
        Some(DescribedGroup {
            group_id: group.id.clone(),
            state: group.state(),
            protocol_type: group.protocol_type.clone().unwrap_or_default(),
            protocol: protocol.unwrap_or_default().to_owned(),
            members: group.members.values().map(|m| m.describe(protocol)).collect(),
        })
    }

    /// How many groups are in each state, for the metrics.
    pub fn count_by_state(&self, state: GroupState) -> usize {
        let groups = self.entries.values().map(|entry| &entry.group);
        groups.filter(|group: &&Group| group.state() == state).count()
    }
}

impl Member {
    fn describe(&self, protocol: Option<&str>) -> DescribedMember {
        DescribedMember {
            member_id: self.member_id.clone(),
            instance_id: self.instance_id.clone(),
            client_id: self.client_id.clone(),
            client_host: self.client_host.clone(),
            metadata: protocol.and_then(|p| self.metadata(p)).cloned().unwrap_or_default(),
            assignment: self.assignment.clone().unwrap_or_default(),
        }
    }
}
