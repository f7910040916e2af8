//! Heartbeat (KIP-345): a member says that it is alive, and hears of a rebalance.

use ringlane_wire::ErrorCode;
use ringlane_wire::messages::heartbeat::{HeartbeatRequest, HeartbeatResponse};

use super::{Handled, Request, groups};
use crate::group::{self, Effects, Generation};

pub(super) async fn handle(request: Request) -> Handled {
    let message: HeartbeatRequest = request.decode()?;
    let asked = group::HeartbeatRequest {
        group_id: message.group_id.to_owned(),
        identity: groups::identity(message.member_id, message.group_instance_id),
        generation: Generation(message.generation_id),
    };
    let beat = groups::with(&request.shard, message.group_id, move |groups, now| {
        (groups.heartbeat(&asked, now), Effects::default())
    });
    let error_code = match beat.await {
        Ok(Ok(())) => ErrorCode::NONE,
        Ok(Err(error)) => groups::code(error),
        // Kafka lets a member wait out the loading of its group instead of throwing it out.
        Err(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS) => ErrorCode::NONE,
        Err(error_code) => error_code,
    };
    request.answer(&HeartbeatResponse { error_code, ..Default::default() })
}
