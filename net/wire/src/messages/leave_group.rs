//! LeaveGroup (key 13): members leave their classic consumer group.

use crate::ErrorCode;

message! {
    /// What a client sends.
    struct LeaveGroupRequest<'a> {
        group_id: &'a str => since(0);
        member_id: &'a str => between(0, 2);
        members: Vec<MemberIdentity<'a>> => since(3);
    }

    /// An element of `members` of [`LeaveGroupRequest`].
    struct MemberIdentity<'a> {
        member_id: &'a str => since(3);
        group_instance_id: Option<&'a str> => since(3).nullable_since(3);
        reason: Option<&'a str> => since(5).nullable_since(5).ignorable();
    }

    /// What the broker answers.
    struct LeaveGroupResponse<'a> {
        throttle_time_ms: i32 => since(1).ignorable();
        error_code: ErrorCode => since(0);
        members: Vec<MemberResponse<'a>> => since(3);
    }

    /// An element of `members` of [`LeaveGroupResponse`].
    struct MemberResponse<'a> {
        member_id: &'a str => since(3);
        group_instance_id: Option<&'a str> = Some("") => since(3).nullable_since(3);
        error_code: ErrorCode => since(3);
    }
}
