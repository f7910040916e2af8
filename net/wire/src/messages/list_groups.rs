//! ListGroups (key 16): the groups that a broker coordinates.

use crate::ErrorCode;

message! {
    /// What a client sends.
    struct ListGroupsRequest<'a> {
        states_filter: Vec<&'a str> => since(4);
        types_filter: Vec<&'a str> => since(5);
    }

    /// What the broker answers.
    struct ListGroupsResponse<'a> {
        throttle_time_ms: i32 => since(1).ignorable();
        error_code: ErrorCode => since(0);
        groups: Vec<ListedGroup<'a>> => since(0);
    }

    /// An element of `groups` of [`ListGroupsResponse`].
    struct ListedGroup<'a> {
        group_id: &'a str => since(0);
        protocol_type: &'a str => since(0);
        group_state: &'a str => since(4).ignorable();
        group_type: &'a str => since(5).ignorable();
    }
}
