//! CreatePartitions (key 37): adds partitions to topics.

use crate::ErrorCode;

message! {
    /// What a client sends.
    struct CreatePartitionsRequest<'a> {
        topics: Vec<CreatePartitionsTopic<'a>> => since(0);
        timeout_ms: i32 => since(0);
        validate_only: bool => since(0);
    }

    /// An element of `topics` of [`CreatePartitionsRequest`].
    struct CreatePartitionsTopic<'a> {
        name: &'a str => since(0);
        count: i32 => since(0);
        assignments: Option<Vec<CreatePartitionsAssignment>> = Some(Vec::new())
            => since(0).nullable_since(0);
    }

    /// An element of `assignments` of [`CreatePartitionsTopic`].
    struct CreatePartitionsAssignment {
        broker_ids: Vec<i32> => since(0);
    }

    /// What the broker answers.
    struct CreatePartitionsResponse<'a> {
        throttle_time_ms: i32 => since(0);
        results: Vec<CreatePartitionsTopicResult<'a>> => since(0);
    }

    /// An element of `results` of [`CreatePartitionsResponse`].
    struct CreatePartitionsTopicResult<'a> {
        name: &'a str => since(0);
        error_code: ErrorCode => since(0);
        error_message: Option<&'a str> => since(0).nullable_since(0);
    }
}
