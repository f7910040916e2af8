//! SyncGroup (key 14): the leader of a classic consumer group hands out the assignment.

use crate::ErrorCode;

message! {
    /// What a client sends.
    struct SyncGroupRequest<'a> {
        group_id: &'a str => since(0);
        generation_id: i32 => since(0);
        member_id: &'a str => since(0);
        group_instance_id: Option<&'a str> => since(3).nullable_since(3);
        protocol_type: Option<&'a str> => since(5).nullable_since(5).ignorable();
        protocol_name: Option<&'a str> => since(5).nullable_since(5).ignorable();
        assignments: Vec<SyncGroupRequestAssignment<'a>> => since(0);
    }

    /// An element of `assignments` of [`SyncGroupRequest`].
    struct SyncGroupRequestAssignment<'a> {
        member_id: &'a str => since(0);
        assignment: &'a [u8] => since(0);
    }

    /// What the broker answers.
    struct SyncGroupResponse<'a> {
        throttle_time_ms: i32 => since(1).ignorable();
        error_code: ErrorCode => since(0);
        protocol_type: Option<&'a str> => since(5).nullable_since(5).ignorable();
        protocol_name: Option<&'a str> => since(5).nullable_since(5).ignorable();
        assignment: &'a [u8] => since(0);
    }
}
