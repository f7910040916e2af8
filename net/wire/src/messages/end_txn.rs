//! EndTxn (key 26): commits or aborts a transaction (KIP-98). From version 5 on its answer has the producer's next epoch (KIP-890).

use crate::ErrorCode;

message! {
    /// What a client sends.
    struct EndTxnRequest<'a> {
        transactional_id: &'a str => since(0);
        producer_id: i64 => since(0);
        producer_epoch: i16 => since(0);
        committed: bool => since(0);
    }

    /// What the broker answers.
    struct EndTxnResponse {
        throttle_time_ms: i32 => since(0);
        error_code: ErrorCode => since(0);
        producer_id: i64 = -1 => since(5).ignorable();
        producer_epoch: i16 = -1 => since(5).ignorable();
    }
}
