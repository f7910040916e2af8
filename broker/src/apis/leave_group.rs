//! LeaveGroup (KIP-345, KIP-800): one member or many.

use ringlane_wire::messages::leave_group::{LeaveGroupRequest, LeaveGroupResponse, MemberResponse};

use super::{Handled, Request, groups};
use crate::group::{LeaveOutcome, LeaveRequest};

pub(super) async fn handle(request: Request) -> Handled {
    let message: LeaveGroupRequest = request.decode()?;
    let members = match request.version {
        0..=2 => vec![groups::identity(message.member_id, None)],
        _ => {
            let members = message.members.iter();
            members.map(|member| groups::identity(member.member_id, member.group_instance_id)).collect()
        }
    };
    let asked = LeaveRequest { group_id: message.group_id.to_owned(), members };
    let left = groups::with(&request.shard, message.group_id, move |groups, now| groups.leave(&asked, now));
    match left.await {
        Ok(Ok(outcomes)) => request.answer(&response(request.version, &outcomes)),
        Ok(Err(error)) => {
            let error_code = groups::code(error);
            request.answer(&LeaveGroupResponse { error_code, ..Default::default() })
        }
        Err(error_code) => request.answer(&LeaveGroupResponse { error_code, ..Default::default() }),
    }
}

fn response(version: i16, outcomes: &[LeaveOutcome]) -> LeaveGroupResponse<'_> {
    if version <= 2 {
        let error_code = groups::code_of(outcomes.first().and_then(|outcome| outcome.error));
        return LeaveGroupResponse { error_code, ..Default::default() };
    }
    let members = outcomes.iter().map(|outcome| MemberResponse {
        member_id: &outcome.identity.member_id,
        group_instance_id: outcome.identity.instance_id.as_deref(),
        error_code: groups::code_of(outcome.error),
    });
    LeaveGroupResponse { members: members.collect(), ..Default::default() }
}
