//! InitProducerId (KIP-98): an id for an idempotent producer. Transactions are not built yet, and are refused in words.

use ringlane_wire::ErrorCode;
use ringlane_wire::messages::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};

use super::{Handled, Request};
use crate::producer_ids;

pub(super) async fn handle(request: Request) -> Handled {
    let message: InitProducerIdRequest = request.decode()?;
    if message.transactional_id.is_some() {
        // No code says "not here"; this one ends the producer at once instead of letting it try for ever.
        return refuse(&request, ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
    }
    match producer_ids::allocate(&request.shard).await {
        Ok(id) => request.answer(&InitProducerIdResponse { producer_id: id.0, ..Default::default() }),
        Err(_) => refuse(&request, ErrorCode::COORDINATOR_NOT_AVAILABLE),
    }
}

fn refuse(request: &Request, error_code: ErrorCode) -> Handled {
    request.answer(&InitProducerIdResponse { error_code, producer_epoch: -1, ..Default::default() })
}
