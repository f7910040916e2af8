//! DeleteRecords (key 21): moves the start of partitions (KIP-107).

use crate::ErrorCode;

message! {
    /// What a client sends.
    struct DeleteRecordsRequest<'a> {
        topics: Vec<DeleteRecordsTopic<'a>> => since(0);
        timeout_ms: i32 => since(0);
    }

    /// An element of `topics` of [`DeleteRecordsRequest`].
    struct DeleteRecordsTopic<'a> {
        name: &'a str => since(0);
        partitions: Vec<DeleteRecordsPartition> => since(0);
    }

    /// An element of `partitions` of [`DeleteRecordsTopic`].
    struct DeleteRecordsPartition {
        partition_index: i32 => since(0);
        offset: i64 => since(0);
    }

    /// What the broker answers.
    struct DeleteRecordsResponse<'a> {
        throttle_time_ms: i32 => since(0);
        topics: Vec<DeleteRecordsTopicResult<'a>> => since(0);
    }

    /// An element of `topics` of [`DeleteRecordsResponse`].
    struct DeleteRecordsTopicResult<'a> {
        name: &'a str => since(0);
        partitions: Vec<DeleteRecordsPartitionResult> => since(0);
    }

    /// An element of `partitions` of [`DeleteRecordsTopicResult`].
    struct DeleteRecordsPartitionResult {
        partition_index: i32 => since(0);
        low_watermark: i64 => since(0);
        error_code: ErrorCode => since(0);
    }
}
