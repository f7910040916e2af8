//! Produce (key 0): appends record batches to partitions.

use crate::{ErrorCode, Records, Uuid};

message! {
    /// What a client sends.
    struct ProduceRequest<'a> {
        transactional_id: Option<&'a str> => since(3).nullable_since(3);
        acks: i16 => since(0);
        timeout_ms: i32 => since(0);
        topic_data: Vec<TopicProduceData<'a>> => since(0);
    }

    /// An element of `topic_data` of [`ProduceRequest`].
    struct TopicProduceData<'a> {
        name: &'a str => between(0, 12).ignorable();
        topic_id: Uuid => since(13).ignorable();
        partition_data: Vec<PartitionProduceData<'a>> => since(0);
    }

    /// An element of `partition_data` of [`TopicProduceData`].
    struct PartitionProduceData<'a> {
        index: i32 => since(0);
        records: Option<Records<'a>> => since(0).nullable_since(0);
    }

    /// What the broker answers.
    struct ProduceResponse<'a> {
        responses: Vec<TopicProduceResponse<'a>> => since(0);
        throttle_time_ms: i32 => since(1).ignorable();
        node_endpoints: Vec<NodeEndpoint<'a>> => since(10).tag(0);
    }

    /// An element of `responses` of [`ProduceResponse`].
    struct TopicProduceResponse<'a> {
        name: &'a str => between(0, 12).ignorable();
        topic_id: Uuid => since(13).ignorable();
        partition_responses: Vec<PartitionProduceResponse<'a>> => since(0);
    }

    /// An element of `partition_responses` of [`TopicProduceResponse`].
    struct PartitionProduceResponse<'a> {
        index: i32 => since(0);
        error_code: ErrorCode => since(0);
        base_offset: i64 => since(0);
        log_append_time_ms: i64 = -1 => since(2).ignorable();
        log_start_offset: i64 = -1 => since(5).ignorable();
        record_errors: Vec<BatchIndexAndErrorMessage<'a>> => since(8).ignorable();
        error_message: Option<&'a str> => since(8).nullable_since(8).ignorable();
        current_leader: LeaderIdAndEpoch => since(10).tag(0);
    }

    /// An element of `record_errors` of [`PartitionProduceResponse`].
    struct BatchIndexAndErrorMessage<'a> {
        batch_index: i32 => since(8);
        batch_index_error_message: Option<&'a str> => since(8).nullable_since(8);
    }

    /// The `current_leader` of [`PartitionProduceResponse`].
    struct LeaderIdAndEpoch {
        leader_id: i32 = -1 => since(10);
        leader_epoch: i32 = -1 => since(10);
    }

    /// An element of `node_endpoints` of [`ProduceResponse`].
    struct NodeEndpoint<'a> {
        node_id: i32 => since(10);
        host: &'a str => since(10);
        port: i32 => since(10);
        rack: Option<&'a str> => since(10).nullable_since(10);
    }
}
