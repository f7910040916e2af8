//! DescribeGroups (key 15): state and members of classic consumer groups.

use crate::ErrorCode;

message! {
    /// What a client sends.
    struct DescribeGroupsRequest<'a> {
        groups: Vec<&'a str> => since(0);
        include_authorized_operations: bool => since(3);
    }

    /// What the broker answers.
    struct DescribeGroupsResponse<'a> {
        throttle_time_ms: i32 => since(1).ignorable();
        groups: Vec<DescribedGroup<'a>> => since(0);
    }

    /// An element of `groups` of [`DescribeGroupsResponse`].
    struct DescribedGroup<'a> {
        error_code: ErrorCode => since(0);
        error_message: Option<&'a str> => since(6).nullable_since(6);
        group_id: &'a str => since(0);
        group_state: &'a str => since(0);
        protocol_type: &'a str => since(0);
        protocol_data: &'a str => since(0);
        members: Vec<DescribedGroupMember<'a>> => since(0);
        authorized_operations: i32 = i32::MIN => since(3);
    }

    /// An element of `members` of [`DescribedGroup`].
    struct DescribedGroupMember<'a> {
        member_id: &'a str => since(0);
        group_instance_id: Option<&'a str> => since(4).nullable_since(4).ignorable();
        client_id: &'a str => since(0);
        client_host: &'a str => since(0);
        member_metadata: &'a [u8] => since(0);
        member_assignment: &'a [u8] => since(0);
    }
}
