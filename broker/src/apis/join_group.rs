//! JoinGroup (KIP-62, KIP-345, KIP-394, KIP-559, KIP-814): waits until the group's next generation is complete.

use ringlane_wire::ErrorCode;
use ringlane_wire::messages::join_group::{
    JoinGroupRequest, JoinGroupResponse, JoinGroupResponseMember,
};

use super::{Handled, Request, Started, groups};
use crate::group::{Answer, JoinRequest, Joined, Protocol, RequestToken, new_member_id};

pub(super) async fn handle(request: Request) -> Handled {
    let asked = {
        let message: JoinGroupRequest = request.decode()?;
        join_request(&request, &message)
    };
    Ok(Started::Waiting(Box::pin(async move {
        let group_id = asked.group_id.clone();
        let answer = groups::ask(&request.shard, &group_id, move |groups, token, now| {
            groups.join(&JoinRequest { token, ..asked }, now)
        });
        match answer.await {
            Ok(Answer::Join(_, Ok(joined))) => request.answer_later(&response(&request, &joined)),
            Ok(Answer::Join(_, Err(refused))) => {
                request.answer_later(&refusal(groups::code(refused.error), &refused.member_id))
            }
            Ok(_) => request.answer_later(&refusal(ErrorCode::UNKNOWN_SERVER_ERROR, "")),
            Err(error_code) => request.answer_later(&refusal(error_code, "")),
        }
    })))
}

fn join_request(request: &Request, message: &JoinGroupRequest) -> JoinRequest {
    let reactor = &request.shard.reactor;
    let random = u128::from(reactor.random_u64()) << 64 | u128::from(reactor.random_u64());
    let protocols = message.protocols.iter().map(|protocol| Protocol {
        name: protocol.name.to_owned(),
        metadata: request.share(protocol.metadata),
    });
    JoinRequest {
        // The coordinator gives the real one.
        token: RequestToken(0),
        group_id: message.group_id.to_owned(),
        identity: groups::identity(message.member_id, message.group_instance_id),
        new_member_id: new_member_id(&request.client_id, message.group_instance_id, random),
        client_id: request.client_id.clone(),
        client_host: request.client_host.clone(),
        session_timeout_ms: message.session_timeout_ms,
        // Version 0 knows one timeout only (KIP-62).
        rebalance_timeout_ms: match request.version {
            0 => message.session_timeout_ms,
            _ => message.rebalance_timeout_ms,
        },
        protocol_type: message.protocol_type.to_owned(),
        protocols: protocols.collect(),
        requires_known_member_id: request.version >= 4,
        supports_skip_assignment: request.version >= 9,
    }
}

fn response<'a>(request: &Request, joined: &'a Joined) -> JoinGroupResponse<'a> {
    let members = joined.members.iter().map(|member| JoinGroupResponseMember {
        member_id: &member.member_id,
        group_instance_id: member.instance_id.as_deref(),
        metadata: &member.metadata,
    });
    let protocol_name = joined.protocol_name.as_deref();
    JoinGroupResponse {
        generation_id: joined.generation.0,
        protocol_type: joined.protocol_type.as_deref(),
        // KIP-559: null before version 7 is not allowed.
        protocol_name: if request.version >= 7 { protocol_name } else { protocol_name.or(Some("")) },
        leader: &joined.leader,
        skip_assignment: joined.skip_assignment,
        member_id: &joined.member_id,
        members: members.collect(),
        ..Default::default()
    }
}

fn refusal(error_code: ErrorCode, member_id: &str) -> JoinGroupResponse<'_> {
    JoinGroupResponse { error_code, member_id, ..Default::default() }
}
