//! AddPartitionsToTxn (key 24): partitions that a transaction is about to write to (KIP-98). Clients end at version 3, what is
//! above is between brokers (KIP-890).

use crate::ErrorCode;

message! {
    /// What a client sends.
    struct AddPartitionsToTxnRequest<'a> {
        transactions: Vec<AddPartitionsToTxnTransaction<'a>> => since(4);
        v3_and_below_transactional_id: &'a str => between(0, 3);
        v3_and_below_producer_id: i64 => between(0, 3);
        v3_and_below_producer_epoch: i16 => between(0, 3);
        v3_and_below_topics: Vec<AddPartitionsToTxnTopic<'a>> => between(0, 3);
    }

    /// An element of `transactions` of [`AddPartitionsToTxnRequest`].
    struct AddPartitionsToTxnTransaction<'a> {
        transactional_id: &'a str => since(4);
        producer_id: i64 => since(4);
        producer_epoch: i16 => since(4);
        verify_only: bool => since(4);
        topics: Vec<AddPartitionsToTxnTopic<'a>> => since(4);
    }

    /// The partitions of a topic.
    struct AddPartitionsToTxnTopic<'a> {
        name: &'a str => since(0);
        partitions: Vec<i32> => since(0);
    }

    /// What the broker answers.
    struct AddPartitionsToTxnResponse<'a> {
        throttle_time_ms: i32 => since(0);
        error_code: ErrorCode => since(4).ignorable();
        results_by_transaction: Vec<AddPartitionsToTxnResult<'a>> => since(4);
        results_by_topic_v3_and_below: Vec<AddPartitionsToTxnTopicResult<'a>> => between(0, 3);
    }

    /// An element of `results_by_transaction` of [`AddPartitionsToTxnResponse`].
    struct AddPartitionsToTxnResult<'a> {
        transactional_id: &'a str => since(4);
        topic_results: Vec<AddPartitionsToTxnTopicResult<'a>> => since(4);
    }

    /// What became of a topic's partitions.
    struct AddPartitionsToTxnTopicResult<'a> {
        name: &'a str => since(0);
        results_by_partition: Vec<AddPartitionsToTxnPartitionResult> => since(0);
    }

    /// An element of `results_by_partition` of [`AddPartitionsToTxnTopicResult`].
    struct AddPartitionsToTxnPartitionResult {
        partition_index: i32 => since(0);
        partition_error_code: ErrorCode => since(0);
    }
}
