//! What a group wants done: answers to waiting requests, and records to append before more answers follow.

use bytes::Bytes;

use super::error::GroupError;
use super::records::Record;
use super::request::{Generation, RequestToken};

/// What has to happen after a call: send the answers, append the records in the order given.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[must_use = "waiting requests starve when effects are dropped"]
pub struct Effects {
    /// Each token appears once in its life.
    pub answers: Vec<Answer>,
    /// Each is one batch for this `__consumer_offsets` partition; its end is reported with [`Groups::appended`].
    ///
    /// [`Groups::appended`]: super::Groups::appended
    pub appends: Vec<Append>,
}

/// Names an append, from its effect to its report. Later appends have higher numbers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct AppendId(pub(super) u64);

/// Records to write as one batch, durable and replicated as the topic demands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Append {
    /// To report the end with.
    pub id: AppendId,
    /// At least one.
    pub records: Vec<Record>,
}

/// The answer to a waiting request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    /// To a JoinGroup.
    Join(RequestToken, Result<Joined, JoinRefused>),
    /// To a SyncGroup.
    Sync(RequestToken, Result<Synced, GroupError>),
    /// To an OffsetCommit: one outcome a partition, in the request's order, or an error for them all.
    Commit(RequestToken, Result<Vec<CommitOutcome>, GroupError>),
    /// To a DeleteGroups, for one group of it.
    Delete(RequestToken, Result<(), GroupError>),
}

impl Answer {
    /// The request that this answers.
    pub fn token(&self) -> RequestToken {
        match self {
            Self::Join(token, _)
            | Self::Sync(token, _)
            | Self::Commit(token, _)
            | Self::Delete(token, _) => *token,
        }
    }
}

/// A successful JoinGroup.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Joined {
    /// The group's generation.
    pub generation: Generation,
    /// KIP-559, version 7.
    pub protocol_type: Option<String>,
    /// The protocol that won the members' vote.
    pub protocol_name: Option<String>,
    /// The leader's member id.
    pub leader: String,
    /// The receiver's own member id.
    pub member_id: String,
    /// Everybody, for the leader; nobody, for the others.
    pub members: Vec<JoinedMember>,
    /// KIP-814, version 9: the leader must not compute an assignment.
    pub skip_assignment: bool,
}

/// A member as the leader sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct JoinedMember {
    /// Its member id.
    pub member_id: String,
    /// Its `group.instance.id`.
    pub instance_id: Option<String>,
    /// Its metadata for the chosen protocol.
    pub metadata: Bytes,
}

/// A refused JoinGroup.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct JoinRefused {
    /// Why.
    pub error: GroupError,
    /// What the answer's member id says: the id to use from now on with MEMBER_ID_REQUIRED.
    pub member_id: String,
}

/// A successful SyncGroup.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Synced {
    /// KIP-559, version 5.
    pub protocol_type: Option<String>,
    /// KIP-559, version 5.
    pub protocol_name: Option<String>,
    /// The member's part.
    pub assignment: Bytes,
}

/// What became of one partition of an OffsetCommit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CommitOutcome {
    /// The topic's name.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// None for success.
    pub error: Option<GroupError>,
}
