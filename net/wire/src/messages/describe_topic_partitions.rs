//! DescribeTopicPartitions (key 75): the partitions of topics, a page at a time (KIP-966).

use crate::{ErrorCode, Uuid};

message! {
    /// What a client sends.
    struct DescribeTopicPartitionsRequest<'a> {
        topics: Vec<TopicRequest<'a>> => since(0);
        response_partition_limit: i32 = 2000 => since(0);
        cursor: Option<Cursor<'a>> => since(0).nullable_since(0);
    }

    /// An element of `topics` of [`DescribeTopicPartitionsRequest`].
    struct TopicRequest<'a> {
        name: &'a str => since(0);
    }

    /// Where a page begins: `cursor` of [`DescribeTopicPartitionsRequest`], `next_cursor` of
    /// [`DescribeTopicPartitionsResponse`].
    struct Cursor<'a> {
        topic_name: &'a str => since(0);
        partition_index: i32 => since(0);
    }

    /// What the broker answers.
    struct DescribeTopicPartitionsResponse<'a> {
        throttle_time_ms: i32 => since(0).ignorable();
        topics: Vec<DescribeTopicPartitionsResponseTopic<'a>> => since(0);
        next_cursor: Option<Cursor<'a>> => since(0).nullable_since(0);
    }

    /// An element of `topics` of [`DescribeTopicPartitionsResponse`].
    struct DescribeTopicPartitionsResponseTopic<'a> {
        error_code: ErrorCode => since(0);
        name: Option<&'a str> = Some("") => since(0).nullable_since(0);
        topic_id: Uuid => since(0).ignorable();
        is_internal: bool => since(0).ignorable();
        partitions: Vec<DescribeTopicPartitionsResponsePartition> => since(0);
        topic_authorized_operations: i32 = i32::MIN => since(0);
    }

    /// An element of `partitions` of [`DescribeTopicPartitionsResponseTopic`].
    struct DescribeTopicPartitionsResponsePartition {
        error_code: ErrorCode => since(0);
        partition_index: i32 => since(0);
        leader_id: i32 => since(0);
        leader_epoch: i32 = -1 => since(0).ignorable();
        replica_nodes: Vec<i32> => since(0);
        isr_nodes: Vec<i32> => since(0);
        eligible_leader_replicas: Option<Vec<i32>> => since(0).nullable_since(0);
        last_known_elr: Option<Vec<i32>> => since(0).nullable_since(0);
        offline_replicas: Vec<i32> => since(0).ignorable();
    }
}
