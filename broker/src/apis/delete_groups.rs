//! DeleteGroups (KIP-229): groups without members, with their offsets.

use ringlane_wire::ErrorCode;
use ringlane_wire::messages::delete_groups::{
    DeletableGroupResult, DeleteGroupsRequest, DeleteGroupsResponse,
};

use super::{Handled, Request, groups};
use crate::group::Answer;

pub(super) async fn handle(request: Request) -> Handled {
    let message: DeleteGroupsRequest = request.decode()?;
    let mut results = Vec::with_capacity(message.groups_names.len());
    for group_id in &message.groups_names {
        let error_code = delete(&request, group_id).await;
        results.push(DeletableGroupResult { group_id, error_code });
    }
    request.answer(&DeleteGroupsResponse { results, ..Default::default() })
}

async fn delete(request: &Request, group_id: &str) -> ErrorCode {
    let name = group_id.to_owned();
    let answer = groups::ask(&request.shard, group_id, move |groups, token, now| {
        groups.delete(token, &name, now)
    });
    match answer.await {
        Ok(Answer::Delete(_, Ok(()))) => ErrorCode::NONE,
        Ok(Answer::Delete(_, Err(error))) => groups::code(error),
        Ok(_) => ErrorCode::UNKNOWN_SERVER_ERROR,
        Err(error_code) => error_code,
    }
}
