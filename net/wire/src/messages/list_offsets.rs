//! ListOffsets (key 2): the offset at a timestamp, or one of the special ones (earliest, latest, ...), of partitions.

use crate::ErrorCode;

message! {
    /// What a client sends.
    struct ListOffsetsRequest<'a> {
        replica_id: i32 => since(0);
        isolation_level: i8 => since(2);
        topics: Vec<ListOffsetsTopic<'a>> => since(0);
        timeout_ms: i32 => since(10).ignorable();
    }

    /// An element of `topics` of [`ListOffsetsRequest`].
    struct ListOffsetsTopic<'a> {
        name: &'a str => since(0);
        partitions: Vec<ListOffsetsPartition> => since(0);
    }

    /// An element of `partitions` of [`ListOffsetsTopic`].
    struct ListOffsetsPartition {
        partition_index: i32 => since(0);
        current_leader_epoch: i32 = -1 => since(4).ignorable();
        timestamp: i64 => since(0);
    }

    /// What the broker answers.
    struct ListOffsetsResponse<'a> {
        throttle_time_ms: i32 => since(2).ignorable();
        topics: Vec<ListOffsetsTopicResponse<'a>> => since(0);
    }

    /// An element of `topics` of [`ListOffsetsResponse`].
    struct ListOffsetsTopicResponse<'a> {
        name: &'a str => since(0);
        partitions: Vec<ListOffsetsPartitionResponse> => since(0);
    }

    /// An element of `partitions` of [`ListOffsetsTopicResponse`].
    struct ListOffsetsPartitionResponse {
        partition_index: i32 => since(0);
        error_code: ErrorCode => since(0);
        timestamp: i64 = -1 => since(1);
        offset: i64 = -1 => since(1);
        leader_epoch: i32 = -1 => since(4);
    }
}
