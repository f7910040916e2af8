//! InitProducerId (key 22): a producer id and epoch for an idempotent or transactional producer.

use crate::ErrorCode;

message! {
    /// What a client sends.
    struct InitProducerIdRequest<'a> {
        transactional_id: Option<&'a str> = Some("") => since(0).nullable_since(0);
        transaction_timeout_ms: i32 => since(0);
        producer_id: i64 = -1 => since(3);
        producer_epoch: i16 = -1 => since(3);
    }

    /// What the broker answers.
    struct InitProducerIdResponse {
        throttle_time_ms: i32 => since(0).ignorable();
        error_code: ErrorCode => since(0);
        producer_id: i64 = -1 => since(0);
        producer_epoch: i16 => since(0);
    }
}
