//! openraft's types with ours put in.

use openraft::EmptyNode;
use openraft::type_config::alias;

use super::runtime::Runtime;
use crate::command::Command;
use crate::outcome::Outcome;

openraft::declare_raft_types!(
    /// What openraft is instantiated with. A voter is numbered as its broker; a later network will give nodes addresses.
    pub(crate) TypeConfig:
        D = Command,
        R = Outcome,
        NodeId = u64,
        Node = EmptyNode,
        AsyncRuntime = Runtime,
);

pub(super) type Entry = alias::EntryOf<TypeConfig>;
pub(super) type LeaderId = alias::LeaderIdOf<TypeConfig>;
pub(super) type LogId = alias::LogIdOf<TypeConfig>;
pub(super) type Membership = openraft::Membership<u64, EmptyNode>;
pub(super) type SnapshotMeta = alias::SnapshotMetaOf<TypeConfig>;
pub(super) type StoredMembership = alias::StoredMembershipOf<TypeConfig>;
pub(super) type Vote = alias::VoteOf<TypeConfig>;
