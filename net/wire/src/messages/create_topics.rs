//! CreateTopics (key 19).

use crate::{ErrorCode, Uuid};

message! {
    /// What a client sends.
    struct CreateTopicsRequest<'a> {
        topics: Vec<CreatableTopic<'a>> => since(0);
        timeout_ms: i32 = 60000 => since(0);
        validate_only: bool => since(1);
    }

    /// An element of `topics` of [`CreateTopicsRequest`].
    struct CreatableTopic<'a> {
        name: &'a str => since(0);
        num_partitions: i32 => since(0);
        replication_factor: i16 => since(0);
        assignments: Vec<CreatableReplicaAssignment> => since(0);
        configs: Vec<CreatableTopicConfig<'a>> => since(0);
    }

    /// An element of `assignments` of [`CreatableTopic`].
    struct CreatableReplicaAssignment {
        partition_index: i32 => since(0);
        broker_ids: Vec<i32> => since(0);
    }

    /// An element of `configs` of [`CreatableTopic`].
    struct CreatableTopicConfig<'a> {
        name: &'a str => since(0);
        value: Option<&'a str> = Some("") => since(0).nullable_since(0);
    }

    /// What the broker answers.
    struct CreateTopicsResponse<'a> {
        throttle_time_ms: i32 => since(2).ignorable();
        topics: Vec<CreatableTopicResult<'a>> => since(0);
    }

    /// An element of `topics` of [`CreateTopicsResponse`].
    struct CreatableTopicResult<'a> {
        name: &'a str => since(0);
        topic_id: Uuid => since(7).ignorable();
        error_code: ErrorCode => since(0);
        error_message: Option<&'a str> = Some("") => since(1).nullable_since(0).ignorable();
        topic_config_error_code: ErrorCode => since(5).ignorable().tag(0);
        num_partitions: i32 = -1 => since(5).ignorable();
        replication_factor: i16 = -1 => since(5).ignorable();
        configs: Option<Vec<CreatableTopicConfigs<'a>>> = Some(Vec::new())
            => since(5).nullable_since(5).ignorable();
    }

    /// An element of `configs` of [`CreatableTopicResult`].
    struct CreatableTopicConfigs<'a> {
        name: &'a str => since(5);
        value: Option<&'a str> = Some("") => since(5).nullable_since(5);
        read_only: bool => since(5);
        config_source: i8 = -1 => since(5).ignorable();
        is_sensitive: bool => since(5);
    }
}
