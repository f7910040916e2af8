//! JoinGroup (key 11): enters a classic consumer group, or a new generation of it.

use crate::ErrorCode;

message! {
    /// What a client sends.
    struct JoinGroupRequest<'a> {
        group_id: &'a str => since(0);
        session_timeout_ms: i32 => since(0);
        rebalance_timeout_ms: i32 = -1 => since(1).ignorable();
        member_id: &'a str => since(0);
        group_instance_id: Option<&'a str> => since(5).nullable_since(5);
        protocol_type: &'a str => since(0);
        protocols: Vec<JoinGroupRequestProtocol<'a>> => since(0);
        reason: Option<&'a str> => since(8).nullable_since(8).ignorable();
    }

    /// An element of `protocols` of [`JoinGroupRequest`].
    struct JoinGroupRequestProtocol<'a> {
        name: &'a str => since(0);
        metadata: &'a [u8] => since(0);
    }

    /// What the broker answers.
    struct JoinGroupResponse<'a> {
        throttle_time_ms: i32 => since(2).ignorable();
        error_code: ErrorCode => since(0);
        generation_id: i32 = -1 => since(0);
        protocol_type: Option<&'a str> => since(7).nullable_since(7).ignorable();
        protocol_name: Option<&'a str> = Some("") => since(0).nullable_since(7);
        leader: &'a str => since(0);
        skip_assignment: bool => since(9);
        member_id: &'a str => since(0);
        members: Vec<JoinGroupResponseMember<'a>> => since(0);
    }

    /// An element of `members` of [`JoinGroupResponse`].
    struct JoinGroupResponseMember<'a> {
        member_id: &'a str => since(0);
        group_instance_id: Option<&'a str> => since(5).nullable_since(5).ignorable();
        metadata: &'a [u8] => since(0);
    }
}
