//! DeleteTopics (key 20), by name or by topic id.

use crate::{ErrorCode, Uuid};

message! {
    /// What a client sends.
    struct DeleteTopicsRequest<'a> {
        topics: Vec<DeleteTopicState<'a>> => since(6);
        topic_names: Vec<&'a str> => between(0, 5).ignorable();
        timeout_ms: i32 => since(0);
    }

    /// An element of `topics` of [`DeleteTopicsRequest`].
    struct DeleteTopicState<'a> {
        name: Option<&'a str> => since(6).nullable_since(6);
        topic_id: Uuid => since(6);
    }

    /// What the broker answers.
    struct DeleteTopicsResponse<'a> {
        throttle_time_ms: i32 => since(1).ignorable();
        responses: Vec<DeletableTopicResult<'a>> => since(0);
    }

    /// An element of `responses` of [`DeleteTopicsResponse`].
    struct DeletableTopicResult<'a> {
        name: Option<&'a str> = Some("") => since(0).nullable_since(6);
        topic_id: Uuid => since(6).ignorable();
        error_code: ErrorCode => since(0);
        error_message: Option<&'a str> => since(5).nullable_since(5).ignorable();
    }
}
