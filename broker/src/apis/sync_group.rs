//! SyncGroup (KIP-345, KIP-559): the leader brings the assignment, everyone gets their part.

use ringlane_wire::ErrorCode;
use ringlane_wire::messages::sync_group::{SyncGroupRequest, SyncGroupResponse};

use super::{Handled, Request, Started, groups};
use crate::group::{Answer, Generation, RequestToken, SyncRequest};

pub(super) async fn handle(request: Request) -> Handled {
    let asked = {
        let message: SyncGroupRequest = request.decode()?;
        sync_request(&request, &message)
    };
    Ok(Started::Waiting(Box::pin(async move {
        let group_id = asked.group_id.clone();
        let answer = groups::ask(&request.shard, &group_id, move |groups, token, now| {
            groups.sync(&SyncRequest { token, ..asked }, now)
        });
        match answer.await {
            Ok(Answer::Sync(_, Ok(synced))) => request.answer_later(&SyncGroupResponse {
                protocol_type: synced.protocol_type.as_deref(),
                protocol_name: synced.protocol_name.as_deref(),
                assignment: &synced.assignment,
                ..Default::default()
            }),
            Ok(Answer::Sync(_, Err(error))) => request.answer_later(&refusal(groups::code(error))),
            Ok(_) => request.answer_later(&refusal(ErrorCode::UNKNOWN_SERVER_ERROR)),
            Err(error_code) => request.answer_later(&refusal(error_code)),
        }
    })))
}

fn sync_request(request: &Request, message: &SyncGroupRequest) -> SyncRequest {
    let assignments = message.assignments.iter().map(|assignment| {
        (assignment.member_id.to_owned(), request.share(assignment.assignment))
    });
    SyncRequest {
        // The coordinator gives the real one.
        token: RequestToken(0),
        group_id: message.group_id.to_owned(),
        identity: groups::identity(message.member_id, message.group_instance_id),
        generation: Generation(message.generation_id),
        protocol_type: message.protocol_type.map(str::to_owned),
        protocol_name: message.protocol_name.map(str::to_owned),
        assignments: assignments.collect(),
    }
}

fn refusal(error_code: ErrorCode) -> SyncGroupResponse<'static> {
    SyncGroupResponse { error_code, ..Default::default() }
}
