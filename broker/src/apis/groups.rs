//! What the group APIs share: error codes, and asking the coordinator of a group.

use std::rc::Rc;

use ringlane_wire::ErrorCode;

use crate::coordinator::{self, Coordinator};
use crate::group::{Answer, Effects, GroupError, Groups, MemberIdentity, Now, RequestToken};
use crate::shard::Shard;

/// Kafka's code for a group's refusal.
pub(super) fn code(error: GroupError) -> ErrorCode {
    match error {
        GroupError::UnknownMemberId => ErrorCode::UNKNOWN_MEMBER_ID,
        GroupError::IllegalGeneration => ErrorCode::ILLEGAL_GENERATION,
        GroupError::RebalanceInProgress => ErrorCode::REBALANCE_IN_PROGRESS,
        GroupError::InconsistentGroupProtocol => ErrorCode::INCONSISTENT_GROUP_PROTOCOL,
        GroupError::MemberIdRequired => ErrorCode::MEMBER_ID_REQUIRED,
        GroupError::FencedInstanceId => ErrorCode::FENCED_INSTANCE_ID,
        GroupError::GroupMaxSizeReached => ErrorCode::GROUP_MAX_SIZE_REACHED,
        GroupError::InvalidSessionTimeout => ErrorCode::INVALID_SESSION_TIMEOUT,
        GroupError::InvalidGroupId => ErrorCode::INVALID_GROUP_ID,
        GroupError::NonEmptyGroup => ErrorCode::NON_EMPTY_GROUP,
        GroupError::GroupIdNotFound => ErrorCode::GROUP_ID_NOT_FOUND,
        GroupError::OffsetMetadataTooLarge => ErrorCode::OFFSET_METADATA_TOO_LARGE,
        GroupError::InvalidCommitOffsetSize => ErrorCode::INVALID_COMMIT_OFFSET_SIZE,
        GroupError::CoordinatorNotAvailable => ErrorCode::COORDINATOR_NOT_AVAILABLE,
        GroupError::NotCoordinator => ErrorCode::NOT_COORDINATOR,
        GroupError::UnknownServerError => ErrorCode::UNKNOWN_SERVER_ERROR,
    }
}

/// The code of an outcome.
pub(super) fn code_of(error: Option<GroupError>) -> ErrorCode {
    error.map_or(ErrorCode::NONE, code)
}

/// Who asks.
pub(super) fn identity(member_id: &str, instance_id: Option<&str>) -> MemberIdentity {
    MemberIdentity { member_id: member_id.to_owned(), instance_id: instance_id.map(str::to_owned) }
}

/// Asks the coordinator of `group_id` something that it may answer later.
pub(super) async fn ask(
    shard: &Rc<Shard>,
    group_id: &str,
    act: impl FnOnce(&mut Groups, RequestToken, Now) -> Effects + Send + 'static,
) -> Result<Answer, ErrorCode> {
    ask_keeping(shard, group_id, act, ()).await
}

/// The same; `kept` stays on this shard until there is an answer, whether anyone waits for it or not.
pub(super) async fn ask_keeping(
    shard: &Rc<Shard>,
    group_id: &str,
    act: impl FnOnce(&mut Groups, RequestToken, Now) -> Effects + Send + 'static,
    kept: impl Sized + 'static,
) -> Result<Answer, ErrorCode> {
    let job = move |coordinator: Rc<Coordinator>| {
        let asked = coordinator.ask(act);
        async move { asked?.await.ok_or(ErrorCode::NOT_COORDINATOR) }
    };
    coordinator::call(shard, group_id, job, kept).await
}

/// Asks the coordinator of `group_id` something that it answers at once.
pub(super) async fn with<T: Send + 'static>(
    shard: &Rc<Shard>,
    group_id: &str,
    act: impl FnOnce(&mut Groups, Now) -> (T, Effects) + Send + 'static,
) -> Result<T, ErrorCode> {
    let job = move |coordinator: Rc<Coordinator>| std::future::ready(coordinator.with(act));
    coordinator::call(shard, group_id, job, ()).await
}
