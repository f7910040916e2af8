//! Heartbeat (key 12): keeps a member in its classic consumer group.

use crate::ErrorCode;

message! {
    /// What a client sends.
    struct HeartbeatRequest<'a> {
        group_id: &'a str => since(0);
        generation_id: i32 => since(0);
        member_id: &'a str => since(0);
        group_instance_id: Option<&'a str> => since(3).nullable_since(3);
    }

    /// What the broker answers.
    struct HeartbeatResponse {
        throttle_time_ms: i32 => since(1).ignorable();
        error_code: ErrorCode => since(0);
    }
}
