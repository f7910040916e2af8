//! The classic consumer group coordinator: membership, rebalances and committed offsets, as one pure core for each
//! partition of `__consumer_offsets`.
//!
//! Nothing here waits. A call changes the state and returns [`Effects`]: answers to requests that wait, and records
//! to append; when an append has ended the shell says so with [`Groups::appended`], and more answers follow. Time
//! enters as [`Now`], and [`Groups::next_deadline`] says when [`Groups::tick`] is due. What clients see is what
//! Kafka's `GroupMetadataManager` shows them (KIP-62, 134, 211, 345, 389, 394, 559, 800, 814); cooperative
//! rebalancing (KIP-429) happens in the clients and needs nothing here.
//!
//! ```text
//! JoinGroup ──► parked ──► everybody here, or timeout ──► answered            (rebalance, join)
//! SyncGroup ──► parked ──► leader's assignment ──► append ──► stored ──► answered   (sync)
//! OffsetCommit ──► append ──► stored ──► visible and answered                  (commit, offsets)
//! ```

mod appends;
mod commit;
mod config;
mod coordinator;
mod describe;
mod effects;
mod error;
mod heartbeat;
mod invariants;
mod join;
mod member;
mod membership;
mod offsets;
mod partition_for;
mod persist;
mod protocols;
mod rebalance;
pub mod records;
mod removal;
mod replay;
mod request;
mod state;
mod subscription;
mod sync;
mod tick;

#[cfg(test)]
mod tests;

pub use config::GroupConfig;
pub use coordinator::{Groups, LeaveOutcome};
pub use describe::{DescribedGroup, DescribedMember, ListedGroup};
pub use effects::{
    Answer, Append, AppendId, CommitOutcome, Effects, JoinRefused, Joined, JoinedMember, Synced,
};
pub use error::{AppendError, GroupError};
pub use offsets::{CommitPartition, CommitRequest};
pub use partition_for::partition_for;
pub use replay::Replay;
pub use request::{
    Generation, HeartbeatRequest, JoinRequest, LeaveRequest, MemberIdentity, Now, Protocol,
    RequestToken, SyncRequest, new_member_id,
};
pub use state::GroupState;
