//! Bytes written by hand from the protocol guide, a comment a field: they keep codec and oracle from agreeing on a mistake,
//! and cover the versions that the oracle lacks.

use std::fmt::Debug;

use super::encode;
use crate::header::decode_request_header;
use crate::messages::api_versions::ApiVersion;
use crate::messages::consumer_protocol::{
    ConsumerProtocolAssignment, ConsumerProtocolSubscription, TopicPartition,
};
use crate::messages::describe_topic_partitions::{Cursor, TopicRequest};
use crate::messages::fetch::{self, FetchableTopicResponse, PartitionData};
use crate::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsTopic, ListOffsetsTopicResponse,
};
use crate::messages::metadata::MetadataRequestTopic;
use crate::messages::offset_commit::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use crate::messages::offset_fetch::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use crate::messages::produce::{self, PartitionProduceData, TopicProduceData};
use crate::messages::*;
use crate::{Decode, ErrorCode, Reader, RequestHeader, Uuid};

/// `bytes` decode to `value`, and `value` encodes to `bytes`.
pub(super) fn check<'a, M: Decode<'a> + PartialEq + Debug>(
    value: &M,
    version: i16,
    bytes: &'a [u8],
) {
    assert_eq!(M::decode_to_end(&mut Reader::new(bytes), version).as_ref(), Ok(value));
    assert_eq!(encode(value, version).expect("the value has an encoding"), bytes);
}

pub(super) fn bytes(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

const ID: Uuid = Uuid(*b"0123456789abcdef");

#[test]
fn api_versions_request_with_its_header() {
    let frame = bytes(&[
        &[0, 18],      // key 18
        &[0, 3],       // version 3, so header version 2
        &[0, 0, 0, 5], // correlation id
        &[0, 9],       // client id: 16-bit length even in header version 2
        b"rdkafka-1",  //
        &[0],          // header: no tagged fields
        &[11],         // client_software_name: length 10, plus 1
        b"librdkafka", //
        &[6],          // client_software_version: length 5, plus 1
        b"2.3.0",      //
        &[0],          // no tagged fields
    ]);
    let (header, mut r) = decode_request_header(&frame).expect("a header");
    let client_id = Some("rdkafka-1");
    let expected = RequestHeader { api_key: 18, api_version: 3, correlation_id: 5, client_id };
    assert_eq!(header, expected);
    let expected =
        ApiVersionsRequest { client_software_name: "librdkafka", client_software_version: "2.3.0" };
    assert_eq!(ApiVersionsRequest::decode_to_end(&mut r, 3), Ok(expected));
}

/// What a client gets that asked for a version of ApiVersions that the broker does not have.
#[test]
fn api_versions_response_0() {
    let value = ApiVersionsResponse {
        error_code: ErrorCode::UNSUPPORTED_VERSION,
        api_keys: vec![ApiVersion { api_key: 18, min_version: 0, max_version: 4 }],
        ..Default::default()
    };
    let bytes = bytes(&[
        &[0, 35],             // error_code
        &[0, 0, 0, 1],        // api_keys: one
        &[0, 18, 0, 0, 0, 4], // api_key, min_version, max_version
    ]);
    check(&value, 0, &bytes);
}

#[test]
fn metadata_request_1_for_all_topics() {
    let value = MetadataRequest { topics: None, ..Default::default() };
    check(&value, 1, &[0xff, 0xff, 0xff, 0xff]); // topics: null
}

#[test]
fn metadata_request_12_by_name_and_by_id() {
    let value = MetadataRequest {
        topics: Some(vec![
            MetadataRequestTopic { name: Some("t"), ..Default::default() },
            MetadataRequestTopic { topic_id: ID, name: None },
        ]),
        allow_auto_topic_creation: false,
        include_topic_authorized_operations: true,
        ..Default::default()
    };
    let bytes = bytes(&[
        &[3],                // topics: two, plus 1
        &[0; 16],            // topic_id: none
        &[2, b't', 0],       // name: length 1, plus 1; no tagged fields
        b"0123456789abcdef", // topic_id
        &[0, 0],             // name: null; no tagged fields
        &[0],                // allow_auto_topic_creation (4+)
        &[1],                // include_topic_authorized_operations (8+; the cluster's were 8 to 10)
        &[0],                // no tagged fields
    ]);
    check(&value, 12, &bytes);
}

fn produce_request(topic: TopicProduceData<'_>) -> ProduceRequest<'_> {
    ProduceRequest { acks: -1, timeout_ms: 30_000, topic_data: vec![topic], ..Default::default() }
}

#[test]
fn produce_request_3() {
    let partition = PartitionProduceData { index: 2, records: Some(b"abc".as_slice().into()) };
    let value = produce_request(TopicProduceData {
        name: "orders",
        partition_data: vec![partition],
        ..Default::default()
    });
    let bytes = bytes(&[
        &[0xff, 0xff],       // transactional_id: null
        &[0xff, 0xff],       // acks: all
        &[0, 0, 0x75, 0x30], // timeout_ms: 30000
        &[0, 0, 0, 1, 0, 6], // topic_data: one; name: length
        b"orders",           //
        &[0, 0, 0, 1],       // partition_data: one
        &[0, 0, 0, 2],       // index
        &[0, 0, 0, 3],       // records: length
        b"abc",              //
    ]);
    check(&value, 3, &bytes);
}

#[test]
fn produce_request_13() {
    let partition = PartitionProduceData { index: 2, records: None };
    let value = produce_request(TopicProduceData {
        topic_id: ID,
        partition_data: vec![partition],
        ..Default::default()
    });
    let bytes = bytes(&[
        &[0],                // transactional_id: null
        &[0xff, 0xff],       // acks: all
        &[0, 0, 0x75, 0x30], // timeout_ms: 30000
        &[2],                // topic_data: one, plus 1
        b"0123456789abcdef", // topic_id (13+, instead of the name)
        &[2],                // partition_data: one, plus 1
        &[0, 0, 0, 2],       // index
        &[0],                // records: null
        &[0, 0, 0],          // no tagged fields: partition, topic, request
    ]);
    check(&value, 13, &bytes);
}

/// KIP-951: who leads now, as tagged fields at two depths.
#[test]
fn produce_response_10() {
    let partition = produce::PartitionProduceResponse {
        error_code: ErrorCode::NOT_LEADER_OR_FOLLOWER,
        base_offset: -1,
        current_leader: produce::LeaderIdAndEpoch { leader_id: 7, leader_epoch: 3 },
        ..Default::default()
    };
    let value = ProduceResponse {
        responses: vec![produce::TopicProduceResponse {
            name: "t",
            partition_responses: vec![partition],
            ..Default::default()
        }],
        node_endpoints: vec![produce::NodeEndpoint {
            node_id: 7,
            host: "h",
            port: 9092,
            rack: None,
        }],
        ..Default::default()
    };
    let bytes = bytes(&[
        &[2, 2, b't', 2],             // responses: one; name; partition_responses: one
        &[0, 0, 0, 0],                // index
        &[0, 6],                      // error_code
        &[0xff; 8],                   // base_offset: -1
        &[0xff; 8],                   // log_append_time_ms: -1
        &[0xff; 8],                   // log_start_offset: -1
        &[1, 0],                      // record_errors: none; error_message: null
        &[1, 0, 9],                   // one tagged field: tag 0, 9 bytes: current_leader
        &[0, 0, 0, 7, 0, 0, 0, 3, 0], // leader_id, leader_epoch, no tagged fields
        &[0],                         // topic: no tagged fields
        &[0, 0, 0, 0],                // throttle_time_ms
        &[1, 0, 13],                  // one tagged field: tag 0, 13 bytes: node_endpoints
        &[2, 0, 0, 0, 7, 2, b'h'],    // one, plus 1; node_id; host
        &[0, 0, 0x23, 0x84, 0, 0],    // port; rack: null; no tagged fields
    ]);
    check(&value, 10, &bytes);
}

/// A follower's fetch: who it is went from the first field into a tagged one (KIP-903).
#[test]
fn fetch_request_17_of_a_follower() {
    let value = FetchRequest {
        replica_state: fetch::ReplicaState { replica_id: 2, replica_epoch: 9 },
        max_wait_ms: 500,
        min_bytes: 1,
        session_epoch: -1,
        topics: vec![fetch::FetchTopic {
            topic_id: ID,
            partitions: vec![fetch::FetchPartition {
                partition: 4,
                current_leader_epoch: 8,
                fetch_offset: 1000,
                last_fetched_epoch: 7,
                log_start_offset: 10,
                partition_max_bytes: 0x10_0000,
                replica_directory_id: ID,
                ..Default::default()
            }],
            ..Default::default()
        }],
        ..Default::default()
    };
    let bytes = bytes(&[
        &[0, 0, 1, 0xf4],             // max_wait_ms (replica_id: up to 14)
        &[0, 0, 0, 1],                // min_bytes
        &[0x7f, 0xff, 0xff, 0xff],    // max_bytes
        &[0],                         // isolation_level
        &[0, 0, 0, 0],                // session_id
        &[0xff, 0xff, 0xff, 0xff],    // session_epoch
        &[2],                         // topics: one, plus 1
        b"0123456789abcdef",          // topic_id
        &[2],                         // partitions: one, plus 1
        &[0, 0, 0, 4],                // partition
        &[0, 0, 0, 8],                // current_leader_epoch
        &[0, 0, 0, 0, 0, 0, 3, 0xe8], // fetch_offset
        &[0, 0, 0, 7],                // last_fetched_epoch
        &[0, 0, 0, 0, 0, 0, 0, 10],   // log_start_offset
        &[0, 0x10, 0, 0],             // partition_max_bytes
        &[1, 0, 16],                  // one tagged field: tag 0, 16 bytes: replica_directory_id
        b"0123456789abcdef",          //
        &[0],                         // topic: no tagged fields
        &[1],                         // forgotten_topics_data: none
        &[1],                         // rack_id: ""
        &[1, 1, 13],                  // one tagged field: tag 1, 13 bytes: replica_state
        &[0, 0, 0, 2],                // replica_id
        &[0, 0, 0, 0, 0, 0, 0, 9, 0], // replica_epoch; no tagged fields
    ]);
    check(&value, 17, &bytes);
}

#[test]
fn fetch_response_12_with_a_diverging_epoch() {
    let value = FetchResponse {
        session_id: 6,
        responses: vec![FetchableTopicResponse {
            topic: "t",
            partitions: vec![PartitionData {
                high_watermark: 12,
                diverging_epoch: fetch::EpochEndOffset { epoch: 3, end_offset: 11 },
                aborted_transactions: None,
                records: Some(b"ab".as_slice().into()),
                ..Default::default()
            }],
            ..Default::default()
        }],
        ..Default::default()
    };
    let bytes = bytes(&[
        &[0, 0, 0, 0, 0, 0],           // throttle_time_ms; error_code
        &[0, 0, 0, 6],                 // session_id
        &[2, 2, b't', 2],              // responses: one; topic; partitions: one
        &[0, 0, 0, 0, 0, 0],           // partition_index; error_code
        &[0, 0, 0, 0, 0, 0, 0, 12],    // high_watermark
        &[0xff; 8],                    // last_stable_offset: -1
        &[0xff; 8],                    // log_start_offset: -1
        &[0],                          // aborted_transactions: null
        &[0xff, 0xff, 0xff, 0xff],     // preferred_read_replica: none
        &[3, b'a', b'b'],              // records: length 2, plus 1
        &[1, 0, 13],                   // one tagged field: tag 0, 13 bytes: diverging_epoch
        &[0, 0, 0, 3],                 // epoch
        &[0, 0, 0, 0, 0, 0, 0, 11, 0], // end_offset; no tagged fields
        &[0, 0],                       // no tagged fields: topic, response
    ]);
    check(&value, 12, &bytes);
}

/// The oracle ends at version 10. 11 has the same fields.
#[test]
fn list_offsets_request_11() {
    let partition = ListOffsetsPartition { timestamp: -5, ..Default::default() };
    let value = ListOffsetsRequest {
        replica_id: -1,
        isolation_level: 1,
        topics: vec![ListOffsetsTopic { name: "t", partitions: vec![partition] }],
        timeout_ms: 256,
    };
    let bytes = bytes(&[
        &[0xff, 0xff, 0xff, 0xff],                         // replica_id: a consumer
        &[1],                                              // isolation_level
        &[2, 2, b't', 2],                                  // topics: one; name; partitions: one
        &[0, 0, 0, 0],                                     // partition_index
        &[0xff, 0xff, 0xff, 0xff],                         // current_leader_epoch: unknown
        &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfb], // timestamp: -5
        &[0, 0],                                           // no tagged fields: partition, topic
        &[0, 0, 1, 0],                                     // timeout_ms (10+)
        &[0],                                              // no tagged fields
    ]);
    check(&value, 11, &bytes);
}

/// The oracle ends at version 10. 11 has the same fields.
#[test]
fn list_offsets_response_11() {
    let partition = ListOffsetsPartitionResponse { offset: 5, ..Default::default() };
    let topic = ListOffsetsTopicResponse { name: "t", partitions: vec![partition] };
    let value = ListOffsetsResponse { throttle_time_ms: 1, topics: vec![topic] };
    let bytes = bytes(&[
        &[0, 0, 0, 1],             // throttle_time_ms
        &[2, 2, b't', 2],          // topics: one; name; partitions: one
        &[0, 0, 0, 0, 0, 0],       // partition_index; error_code
        &[0xff; 8],                // timestamp: -1
        &[0, 0, 0, 0, 0, 0, 0, 5], // offset
        &[0xff, 0xff, 0xff, 0xff], // leader_epoch: -1 has no tag, so it is written
        &[0, 0, 0],                // no tagged fields: partition, topic, response
    ]);
    check(&value, 11, &bytes);
}

/// The oracle ends at version 9. 10 names topics by id (KIP-848).
#[test]
fn offset_commit_request_10() {
    let partition = OffsetCommitRequestPartition {
        partition_index: 1,
        committed_offset: 42,
        committed_metadata: None,
        ..Default::default()
    };
    let value = OffsetCommitRequest {
        group_id: "g",
        generation_id_or_member_epoch: 5,
        member_id: "m",
        topics: vec![OffsetCommitRequestTopic {
            topic_id: ID,
            partitions: vec![partition],
            ..Default::default()
        }],
        ..Default::default()
    };
    let bytes = bytes(&[
        &[2, b'g'],                 // group_id
        &[0, 0, 0, 5],              // generation_id_or_member_epoch
        &[2, b'm'],                 // member_id
        &[0],                       // group_instance_id: null (retention_time_ms: 2 to 4)
        &[2],                       // topics: one, plus 1
        b"0123456789abcdef",        // topic_id (10+, instead of the name)
        &[2],                       // partitions: one, plus 1
        &[0, 0, 0, 1],              // partition_index
        &[0, 0, 0, 0, 0, 0, 0, 42], // committed_offset
        &[0xff, 0xff, 0xff, 0xff],  // committed_leader_epoch: unknown
        &[0],                       // committed_metadata: null
        &[0, 0, 0],                 // no tagged fields: partition, topic, request
    ]);
    check(&value, 10, &bytes);
}

/// The oracle ends at version 9. 10 names topics by id (KIP-848).
#[test]
fn offset_fetch_request_10() {
    let topic =
        OffsetFetchRequestTopics { topic_id: ID, partition_indexes: vec![3], ..Default::default() };
    let group =
        OffsetFetchRequestGroup { group_id: "g", topics: Some(vec![topic]), ..Default::default() };
    let value =
        OffsetFetchRequest { groups: vec![group], require_stable: true, ..Default::default() };
    let bytes = bytes(&[
        &[2, 2, b'g'],             // groups: one, plus 1; group_id
        &[0],                      // member_id: null
        &[0xff, 0xff, 0xff, 0xff], // member_epoch: -1
        &[2],                      // topics: one, plus 1
        b"0123456789abcdef",       // topic_id (10+, instead of the name)
        &[2, 0, 0, 0, 3],          // partition_indexes: one, plus 1
        &[0, 0],                   // no tagged fields: topic, group
        &[1],                      // require_stable
        &[0],                      // no tagged fields
    ]);
    check(&value, 10, &bytes);
}

/// The one API with a struct that may be null.
#[test]
fn describe_topic_partitions_request_0_with_and_without_a_cursor() {
    let topics = [
        &[2][..],            // topics: one, plus 1
        &[2, b'a', 0],       // name, no tagged fields
        &[0, 0, 0x07, 0xd0], // response_partition_limit
    ];
    let cursor = [
        &[1][..],         // cursor: not null
        &[2, b'a'],       // topic_name
        &[0, 0, 0, 3, 0], // partition_index, no tagged fields
    ];
    let mut request = DescribeTopicPartitionsRequest {
        topics: vec![TopicRequest { name: "a" }],
        ..Default::default()
    };
    check(&request, 0, &bytes(&[&topics.concat(), &[0xff, 0]])); // null, no tagged fields
    request.cursor = Some(Cursor { topic_name: "a", partition_index: 3 });
    check(&request, 0, &bytes(&[&topics.concat(), &cursor.concat(), &[0]]));
}

/// KIP-482: a field of a later Kafka is skipped, wherever it stands.
#[test]
fn unknown_tagged_fields_are_skipped() {
    let bytes = bytes(&[
        &[2, b'g', 0, 0, 0, 1, 2, b'm'], // group_id, generation_id, member_id
        &[0],                            // group_instance_id: null
        &[2],                            // two tagged fields
        &[0x81, 0x01, 3, 1, 2, 3],       // tag 129, 3 bytes
        &[0x82, 0x01, 0],                // tag 130, empty
    ]);
    let expected = HeartbeatRequest {
        group_id: "g",
        generation_id: 1,
        member_id: "m",
        group_instance_id: None,
    };
    assert_eq!(HeartbeatRequest::decode_to_end(&mut Reader::new(&bytes), 4), Ok(expected));
}

#[test]
fn a_value_that_a_version_lacks_is_an_error_unless_ignorable() {
    let mut request = HeartbeatRequest { group_instance_id: Some("i"), ..Default::default() };
    let error = encode(&request, 2).expect_err("version 2 has no group instance id");
    assert_eq!(error.to_string(), "field group_instance_id is set, but version 2 does not have it");
    request.group_instance_id = None;
    assert!(encode(&request, 2).is_ok());
    let throttled = HeartbeatResponse { throttle_time_ms: 9, ..Default::default() };
    assert_eq!(encode(&throttled, 0), Ok(vec![0, 0]), "throttle_time_ms is ignorable");
    let null_name = MetadataRequestTopic { topic_id: ID, name: None };
    let by_id = MetadataRequest { topics: Some(vec![null_name]), ..Default::default() };
    let error = encode(&by_id, 9).expect_err("version 9 knows topics by name only");
    assert_eq!(error.to_string(), "field name is null, but version 9 has no null for it");
}

#[test]
fn consumer_protocol_subscription_and_assignment() {
    let owned = TopicPartition { topic: "t", partitions: vec![1] };
    let mut subscription = ConsumerProtocolSubscription {
        topics: vec!["t"],
        owned_partitions: vec![owned.clone()],
        ..Default::default()
    };
    let version_1 = bytes(&[
        &[0, 1],                   // version
        &[0, 0, 0, 1, 0, 1, b't'], // topics: one
        &[0xff, 0xff, 0xff, 0xff], // user_data: null
        &[0, 0, 0, 1, 0, 1, b't'], // owned_partitions: one; topic
        &[0, 0, 0, 1, 0, 0, 0, 1], // partitions: one; 1
    ]);
    assert_eq!(subscription.encode(1).as_deref(), Ok(&version_1[..]));
    assert_eq!(ConsumerProtocolSubscription::decode(&version_1).as_ref(), Ok(&subscription));

    subscription.generation_id = 4;
    let later = bytes(&[
        &[0, 9],         // a version that we do not know: read as ours
        &version_1[2..], //
        &[0, 0, 0, 4],   // generation_id (2+)
        &[0xff, 0xff],   // rack_id: null (3+)
        &[1, 2, 3],      // its later fields
    ]);
    assert_eq!(ConsumerProtocolSubscription::decode(&later), Ok(subscription));
    assert!(ConsumerProtocolSubscription::decode(&[0xff, 0xff, 0, 0]).is_err(), "version -1");

    let assignment =
        ConsumerProtocolAssignment { assigned_partitions: vec![owned], user_data: Some(&[5]) };
    let assigned = bytes(&[
        &[0, 0],                   // version
        &[0, 0, 0, 1, 0, 1, b't'], // assigned_partitions: one; topic
        &[0, 0, 0, 1, 0, 0, 0, 1], // partitions: one; 1
        &[0, 0, 0, 1, 5],          // user_data
    ]);
    assert_eq!(assignment.encode(0).as_deref(), Ok(&assigned[..]));
    assert_eq!(ConsumerProtocolAssignment::decode(&assigned), Ok(assignment));
}
