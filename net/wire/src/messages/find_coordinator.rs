//! FindCoordinator (key 10): the broker that coordinates a group or transactional id.

use crate::ErrorCode;

message! {
    /// What a client sends.
    struct FindCoordinatorRequest<'a> {
        key: &'a str => between(0, 3);
        key_type: i8 => since(1);
        coordinator_keys: Vec<&'a str> => since(4);
    }

    /// What the broker answers.
    struct FindCoordinatorResponse<'a> {
        throttle_time_ms: i32 => since(1).ignorable();
        error_code: ErrorCode => between(0, 3);
        error_message: Option<&'a str> = Some("")
            => between(1, 3).nullable_between(1, 3).ignorable();
        node_id: i32 => between(0, 3);
        host: &'a str => between(0, 3);
        port: i32 => between(0, 3);
        coordinators: Vec<Coordinator<'a>> => since(4);
    }

    /// An element of `coordinators` of [`FindCoordinatorResponse`].
    struct Coordinator<'a> {
        key: &'a str => since(4);
        node_id: i32 => since(4);
        host: &'a str => since(4);
        port: i32 => since(4);
        error_code: ErrorCode => since(4);
        error_message: Option<&'a str> = Some("") => since(4).nullable_since(4).ignorable();
    }
}
