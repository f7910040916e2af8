//! What a group refuses with. Each variant is one Kafka error; the handlers map them to wire codes in one place.

use std::fmt;

/// Why a group request was refused. The variants carry Kafka's names (`Errors.java`); who is at fault stands beside
/// each.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum GroupError {
    /// UNKNOWN_MEMBER_ID (client): the group has no such member, the client rejoins with an empty member id.
    UnknownMemberId,
    /// ILLEGAL_GENERATION (client): the request names a generation that is over, or never was.
    IllegalGeneration,
    /// REBALANCE_IN_PROGRESS (nobody): the client has to join again.
    RebalanceInProgress,
    /// INCONSISTENT_GROUP_PROTOCOL (client): no protocol that every member supports.
    InconsistentGroupProtocol,
    /// MEMBER_ID_REQUIRED (nobody, KIP-394): join again with the member id in the answer.
    MemberIdRequired,
    /// FENCED_INSTANCE_ID (client, KIP-345): another process took this static member's place.
    FencedInstanceId,
    /// GROUP_MAX_SIZE_REACHED (operator's `group.max.size`, KIP-389).
    GroupMaxSizeReached,
    /// INVALID_SESSION_TIMEOUT (client): outside `group.min/max.session.timeout.ms`.
    InvalidSessionTimeout,
    /// INVALID_GROUP_ID (client): an empty group id.
    InvalidGroupId,
    /// NON_EMPTY_GROUP (client): only an empty group can be deleted.
    NonEmptyGroup,
    /// GROUP_ID_NOT_FOUND (client).
    GroupIdNotFound,
    /// OFFSET_METADATA_TOO_LARGE (client): over `offset.metadata.max.bytes`.
    OffsetMetadataTooLarge,
    /// INVALID_COMMIT_OFFSET_SIZE (client): the commit does not fit one batch of `__consumer_offsets`.
    InvalidCommitOffsetSize,
    /// COORDINATOR_NOT_AVAILABLE (us): retriable, the client looks the coordinator up again.
    CoordinatorNotAvailable,
    /// NOT_COORDINATOR (us): this broker stopped leading the group's partition.
    NotCoordinator,
    /// UNKNOWN_SERVER_ERROR (client, mostly): the group's metadata cannot be stored, e.g. it is too large for a
    /// batch.
    UnknownServerError,
}

impl fmt::Display for GroupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownMemberId => "UNKNOWN_MEMBER_ID",
            Self::IllegalGeneration => "ILLEGAL_GENERATION",
            Self::RebalanceInProgress => "REBALANCE_IN_PROGRESS",
            Self::InconsistentGroupProtocol => "INCONSISTENT_GROUP_PROTOCOL",
            Self::MemberIdRequired => "MEMBER_ID_REQUIRED",
            Self::FencedInstanceId => "FENCED_INSTANCE_ID",
            Self::GroupMaxSizeReached => "GROUP_MAX_SIZE_REACHED",
            Self::InvalidSessionTimeout => "INVALID_SESSION_TIMEOUT",
            Self::InvalidGroupId => "INVALID_GROUP_ID",
            Self::NonEmptyGroup => "NON_EMPTY_GROUP",
            Self::GroupIdNotFound => "GROUP_ID_NOT_FOUND",
            Self::OffsetMetadataTooLarge => "OFFSET_METADATA_TOO_LARGE",
            Self::InvalidCommitOffsetSize => "INVALID_COMMIT_OFFSET_SIZE",
            Self::CoordinatorNotAvailable => "COORDINATOR_NOT_AVAILABLE",
            Self::NotCoordinator => "NOT_COORDINATOR",
            Self::UnknownServerError => "UNKNOWN_SERVER_ERROR",
        })
    }
}

impl std::error::Error for GroupError {}

/// Why records did not get into `__consumer_offsets`, as the shell reports it with [`Groups::appended`].
///
/// [`Groups::appended`]: super::Groups::appended
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AppendError {
    /// This broker no longer leads the partition, or its log is offline.
    NotLeader,
    /// Not replicated in time, or too few in-sync replicas.
    Unavailable,
    /// The batch is over the topic's `max.message.bytes`, or a field over what the record format holds.
    TooLarge,
}

impl AppendError {
    /// What the waiting member is told when its group's metadata was not stored (Kafka's
    /// `appendGroupMetadataErrorToResponseError`).
    pub(super) fn for_metadata(self) -> GroupError {
        match self {
            Self::NotLeader => GroupError::NotCoordinator,
            Self::Unavailable => GroupError::CoordinatorNotAvailable,
            Self::TooLarge => GroupError::UnknownServerError,
        }
    }

    /// What the waiting client is told when its offsets were not stored.
    pub(super) fn for_commit(self) -> GroupError {
        match self {
            Self::TooLarge => GroupError::InvalidCommitOffsetSize,
            other => other.for_metadata(),
        }
    }
}
