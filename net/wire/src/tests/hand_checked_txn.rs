//! Frames of the transaction APIs, written by hand from Kafka's schemas, in the versions that clients speak.

use super::hand_checked::{bytes, check};
use crate::ErrorCode;
use crate::messages::add_partitions_to_txn::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnTopic, AddPartitionsToTxnTopicResult,
};
use crate::messages::{
    AddPartitionsToTxnRequest, AddPartitionsToTxnResponse, EndTxnRequest, EndTxnResponse,
};

#[test]
fn add_partitions_to_txn_request_0_and_3() {
    let value = AddPartitionsToTxnRequest {
        v3_and_below_transactional_id: "tx",
        v3_and_below_producer_id: 258,
        v3_and_below_producer_epoch: 7,
        v3_and_below_topics: vec![AddPartitionsToTxnTopic { name: "a", partitions: vec![0, 3] }],
        ..Default::default()
    };
    let fixed = bytes(&[
        &[0, 2, b't', b'x'],                   // transactional id: 16-bit length
        &[0, 0, 0, 0, 0, 0, 1, 2],             // producer id
        &[0, 7],                               // producer epoch
        &[0, 0, 0, 1, 0, 1, b'a'],             // topics: one; name
        &[0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3], // partitions: two
    ]);
    check(&value, 0, &fixed);
    let flexible = bytes(&[
        &[3, b't', b'x'],             // transactional id: length 2, plus 1
        &[0, 0, 0, 0, 0, 0, 1, 2],    // producer id
        &[0, 7],                      // producer epoch
        &[2, 2, b'a'],                // topics: one, plus 1; name
        &[3, 0, 0, 0, 0, 0, 0, 0, 3], // partitions: two, plus 1
        &[0, 0],                      // no tagged fields, twice
    ]);
    check(&value, 3, &flexible);
}

#[test]
fn add_partitions_to_txn_response_3() {
    let partition = AddPartitionsToTxnPartitionResult {
        partition_index: 3,
        partition_error_code: ErrorCode::CONCURRENT_TRANSACTIONS,
    };
    let value = AddPartitionsToTxnResponse {
        throttle_time_ms: 1,
        results_by_topic_v3_and_below: vec![AddPartitionsToTxnTopicResult {
            name: "a",
            results_by_partition: vec![partition],
        }],
        ..Default::default()
    };
    let expected = bytes(&[
        &[0, 0, 0, 1],           // throttle_time_ms
        &[2, 2, b'a'],           // topics: one, plus 1; name
        &[2, 0, 0, 0, 3, 0, 51], // partitions: one, plus 1; index, error code
        &[0, 0, 0],              // no tagged fields, three times
    ]);
    check(&value, 3, &expected);
}

#[test]
fn end_txn_request_1_and_3() {
    let value = EndTxnRequest {
        transactional_id: "tx",
        producer_id: 258,
        producer_epoch: 7,
        committed: true,
    };
    let rest = [0, 0, 0, 0, 0, 0, 1, 2, 0, 7, 1]; // producer id and epoch, committed
    check(&value, 1, &bytes(&[&[0, 2, b't', b'x'], &rest]));
    check(&value, 3, &bytes(&[&[3, b't', b'x'], &rest, &[0]]));
}

/// Version 5 tells the producer's next epoch.
#[test]
fn end_txn_response_4_and_5() {
    let value = EndTxnResponse { error_code: ErrorCode::PRODUCER_FENCED, ..Default::default() };
    check(&value, 4, &[0, 0, 0, 0, 0, 90, 0]); // throttle_time_ms, error_code, no tagged fields
    let value = EndTxnResponse { producer_id: 258, producer_epoch: 8, ..Default::default() };
    let expected = bytes(&[
        &[0, 0, 0, 0, 0, 0],             // throttle_time_ms, error_code
        &[0, 0, 0, 0, 0, 0, 1, 2, 0, 8], // producer id and epoch
        &[0],                            // no tagged fields
    ]);
    check(&value, 5, &expected);
}
