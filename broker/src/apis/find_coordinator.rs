//! FindCoordinator (KIP-699): the node that coordinates a group. Makes `__consumer_offsets` for the first who asks.

use std::rc::Rc;

use ringlane_wire::ErrorCode;
use ringlane_wire::messages::find_coordinator::{
    Coordinator, FindCoordinatorRequest, FindCoordinatorResponse,
};

use super::{Handled, OFFSETS_TOPIC, Request};
use crate::shard::Shard;
use crate::{coordinator, nodes, topic_creation};

/// Key types; share groups (2) are not built yet.
const GROUP: i8 = 0;
/// Transactions are not built yet either (docs/decisions/0006-transactions-refused.md).
const TRANSACTION: i8 = 1;

/// Where a coordinator is, or why nobody can say.
struct Place {
    node_id: i32,
    host: String,
    port: i32,
}

pub(super) async fn handle(request: Request) -> Handled {
    let message: FindCoordinatorRequest = request.decode()?;
    let keys = match request.version {
        0..=3 => vec![message.key],
        _ => message.coordinator_keys.clone(),
    };
    let mut places = Vec::with_capacity(keys.len());
    for key in &keys {
        places.push(find(&request.shard, message.key_type, key).await);
    }
    if request.version <= 3 {
        return request.answer(&single(&places[0]));
    }
    let coordinators = keys.iter().zip(&places).map(|(key, place)| coordinator(key, place));
    request.answer(&FindCoordinatorResponse { coordinators: coordinators.collect(), ..Default::default() })
}

async fn find(shard: &Rc<Shard>, key_type: i8, key: &str) -> Result<Place, ErrorCode> {
    match key_type {
        GROUP => {}
        TRANSACTION => return Err(ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED),
        _ => return Err(ErrorCode::INVALID_REQUEST),
    }
    if key.is_empty() {
        return Err(ErrorCode::INVALID_GROUP_ID);
    }
    if shard.image.current().topic(OFFSETS_TOPIC).is_none() {
        let wanted = [OFFSETS_TOPIC.to_owned()];
        // Someone else may have made it in the meantime: look again either way.
        let _ = topic_creation::create_with_defaults(shard, &wanted).await;
    }
    let (_, index) = coordinator::locate(shard, key)?;
    let image = shard.image.current();
    let partition = image.partition(OFFSETS_TOPIC, index).ok_or(ErrorCode::COORDINATOR_NOT_AVAILABLE)?;
    let node = nodes::leader_node(&image, partition).ok_or(ErrorCode::COORDINATOR_NOT_AVAILABLE)?;
    let (host, port) = (node.endpoint.host.clone(), i32::from(node.endpoint.port));
    Ok(Place { node_id: node.id, host, port })
}

fn single(place: &Result<Place, ErrorCode>) -> FindCoordinatorResponse<'_> {
    match place {
        Ok(place) => FindCoordinatorResponse {
            node_id: place.node_id,
            host: &place.host,
            port: place.port,
            error_message: None,
            ..Default::default()
        },
        Err(error_code) => FindCoordinatorResponse {
            error_code: *error_code,
            error_message: Some(error_code.message()),
            node_id: -1,
            port: -1,
            ..Default::default()
        },
    }
}

fn coordinator<'a>(key: &'a str, place: &'a Result<Place, ErrorCode>) -> Coordinator<'a> {
    let single = single(place);
    Coordinator {
        key,
        node_id: single.node_id,
        host: single.host,
        port: single.port,
        error_code: single.error_code,
        error_message: single.error_message,
    }
}
