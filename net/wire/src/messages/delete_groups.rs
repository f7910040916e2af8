//! DeleteGroups (key 42): removes empty groups and their committed offsets.

use crate::ErrorCode;

message! {
    /// What a client sends.
    struct DeleteGroupsRequest<'a> {
        groups_names: Vec<&'a str> => since(0);
    }

    /// What the broker answers.
    struct DeleteGroupsResponse<'a> {
        throttle_time_ms: i32 => since(0);
        results: Vec<DeletableGroupResult<'a>> => since(0);
    }

    /// An element of `results` of [`DeleteGroupsResponse`].
    struct DeletableGroupResult<'a> {
        group_id: &'a str => since(0);
        error_code: ErrorCode => since(0);
    }
}
