//! Frames of DescribeLogDirs in its newest version, which the oracle does not know, written by hand from Kafka's schema.

use super::hand_checked::{bytes, check};
use crate::ErrorCode;
use crate::messages::describe_log_dirs::{
    DescribableLogDirTopic, DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic,
};
use crate::messages::{DescribeLogDirsRequest, DescribeLogDirsResponse};

#[test]
fn describe_log_dirs_request_5_for_some_and_for_all() {
    let topic = DescribableLogDirTopic { topic: "a", partitions: vec![0, 3] };
    let some = DescribeLogDirsRequest { topics: Some(vec![topic]) };
    let expected = bytes(&[
        &[2],                         // topics: one, plus 1
        &[2, b'a'],                   // topic
        &[3, 0, 0, 0, 0, 0, 0, 0, 3], // partitions: two, plus 1
        &[0, 0],                      // no tagged fields
    ]);
    check(&some, 5, &expected);
    check(&DescribeLogDirsRequest { topics: None }, 5, &[0, 0]); // null, no tagged fields
}

/// Version 5 says whether a directory is cordoned.
#[test]
fn describe_log_dirs_response_5() {
    let partition = DescribeLogDirsPartition {
        partition_index: 3,
        partition_size: 258,
        offset_lag: 1,
        is_future_key: false,
    };
    let value = DescribeLogDirsResponse {
        results: vec![DescribeLogDirsResult {
            error_code: ErrorCode::KAFKA_STORAGE_ERROR,
            log_dir: "/d",
            topics: vec![DescribeLogDirsTopic { name: "a", partitions: vec![partition] }],
            total_bytes: 7,
            usable_bytes: -1,
            is_cordoned: true,
        }],
        ..Default::default()
    };
    let expected = bytes(&[
        &[0, 0, 0, 0],             // throttle_time_ms
        &[0, 0],                   // error_code
        &[2],                      // results: one, plus 1
        &[0, 56],                  // error_code
        &[3, b'/', b'd'],          // log_dir
        &[2, 2, b'a'],             // topics: one, plus 1; name
        &[2, 0, 0, 0, 3],          // partitions: one, plus 1; partition_index
        &[0, 0, 0, 0, 0, 0, 1, 2], // partition_size
        &[0, 0, 0, 0, 0, 0, 0, 1], // offset_lag
        &[0, 0, 0],                // is_future_key; no tagged fields, twice
        &[0, 0, 0, 0, 0, 0, 0, 7], // total_bytes
        &[255; 8],                 // usable_bytes
        &[1, 0, 0],                // is_cordoned; no tagged fields, twice
    ]);
    check(&value, 5, &expected);
}
