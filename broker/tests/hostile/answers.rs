//! Requests at the edges of what an API means: each has an answer that says what is wrong, on a connection that stays.

use std::fs;

use ringlane_batch::{BatchBuilder, BatchFields, Codec, TimestampMs};
use ringlane_wire::messages as m;
use ringlane_wire::messages::incremental_alter_configs::{AlterConfigsResource, AlterableConfig};
use ringlane_wire::messages::metadata::MetadataRequestTopic;
use ringlane_wire::messages::offset_fetch::OffsetFetchRequestTopic;
use ringlane_wire::messages::produce::{PartitionProduceData, TopicProduceData};
use ringlane_wire::{ErrorCode, Records, Uuid, frame};

use crate::broker::Broker;
use crate::raw::{Raw, ask};

#[test]
fn a_client_is_named_as_kafka_demands() {
    let broker = Broker::start(&[]);
    let mut connection = Raw::connect(&broker.address);
    let mut error_code = |client_software_name, client_software_version| {
        let request = m::ApiVersionsRequest { client_software_name, client_software_version };
        ask(&mut connection, 3, &request, |answer| answer.error_code)
    };
    for name in ["a", "7", "apache-kafka-java", "a.-b"] {
        assert_eq!(error_code(name, "1.0"), ErrorCode::NONE, "{name:?}");
        assert_eq!(error_code("client", name), ErrorCode::NONE, "{name:?}");
    }
    for name in ["", "-", "a-", "a.", "-a", ".a", "a b", "ä"] {
        assert_eq!(error_code(name, "1.0"), ErrorCode::INVALID_REQUEST, "{name:?}");
        assert_eq!(error_code("client", name), ErrorCode::INVALID_REQUEST, "{name:?}");
    }
}

#[test]
fn topics_are_not_asked_for_by_id_before_metadata_12() {
    let broker = Broker::start(&[]);
    let mut connection = Raw::connect(&broker.address);
    let mut error_code = |version, topic_id, name| {
        let topics = Some(vec![MetadataRequestTopic { topic_id, name }]);
        let request = m::MetadataRequest { topics, ..Default::default() };
        ask(&mut connection, version, &request, |answer| {
            let [topic] = &answer.topics[..] else { panic!("one topic: {answer:?}") };
            assert_eq!((topic.topic_id, topic.name.unwrap_or("")), (topic_id, name.unwrap_or("")));
            topic.error_code
        })
    };
    let (unknown, named) = (Uuid([9; 16]), Some("named"));
    for version in [10, 11] {
        assert_eq!(error_code(version, unknown, None), ErrorCode::INVALID_REQUEST);
        assert_eq!(error_code(version, Uuid::ZERO, None), ErrorCode::INVALID_REQUEST);
        assert_eq!(error_code(version, unknown, named), ErrorCode::INVALID_REQUEST);
    }
    for version in [12, 13] {
        assert_eq!(error_code(version, unknown, None), ErrorCode::UNKNOWN_TOPIC_ID);
    }
}

/// Nobody has a coordinator on a broker that has not been asked for one.
#[test]
fn a_groups_error_is_at_every_partition_before_offset_fetch_2() {
    let broker = Broker::start(&[]);
    let mut connection = Raw::connect(&broker.address);
    let topic = |name, partition_indexes| OffsetFetchRequestTopic { name, partition_indexes };
    let topics = Some(vec![topic("a", vec![0, 5]), topic("b", vec![1])]);
    let request = m::OffsetFetchRequest { group_id: "none", topics, ..Default::default() };
    let error_code = ErrorCode::COORDINATOR_NOT_AVAILABLE;
    let partitions = ask(&mut connection, 1, &request, |answer| {
        let topics = answer.topics.iter();
        let partitions = topics.flat_map(|topic| {
            topic.partitions.iter().map(|partition| {
                assert_eq!((partition.committed_offset, partition.metadata), (-1, Some("")));
                (topic.name.to_owned(), partition.partition_index, partition.error_code)
            })
        });
        partitions.collect::<Vec<_>>()
    });
    let expected = [("a", 0), ("a", 5), ("b", 1)];
    assert_eq!(partitions, expected.map(|(name, index)| (name.to_owned(), index, error_code)));
    ask(&mut connection, 2, &request, |answer| {
        assert_eq!((answer.error_code, answer.topics.len()), (error_code, 0));
    });
}

fn controller_log_bytes(broker: &Broker) -> u64 {
    let log = broker.data_directory().join("__cluster_metadata-0/log");
    fs::metadata(log).expect("the controller's log").len()
}

#[test]
fn refused_alterations_write_nothing() {
    let broker = Broker::start(&[]);
    let mut connection = Raw::connect(&broker.address);
    let mut alter = |name, value| {
        let config = AlterableConfig { name, config_operation: 0, value: Some(value) };
        // The default of all brokers.
        let resource =
            AlterConfigsResource { resource_type: 4, resource_name: "", configs: vec![config] };
        let request =
            m::IncrementalAlterConfigsRequest { resources: vec![resource], ..Default::default() };
        ask(&mut connection, 1, &request, |answer| answer.responses[0].error_code)
    };
    let before = controller_log_bytes(&broker);
    assert_eq!(alter("no.such.setting", "1"), ErrorCode::INVALID_CONFIG);
    assert_eq!(alter("message.max.bytes", "many"), ErrorCode::INVALID_REQUEST);
    assert_eq!(controller_log_bytes(&broker), before);
    assert_eq!(alter("message.max.bytes", "1000"), ErrorCode::NONE);
    assert!(controller_log_bytes(&broker) > before, "an alteration is in the controller's log");
}

fn produce(batch: &[u8]) -> Vec<u8> {
    let partition = PartitionProduceData { index: 0, records: Some(Records::Borrowed(batch)) };
    let topic =
        TopicProduceData { name: "hostile", partition_data: vec![partition], ..Default::default() };
    let request = m::ProduceRequest {
        acks: 1,
        timeout_ms: 10_000,
        topic_data: vec![topic],
        ..Default::default()
    };
    frame::encode_request(9, 1, None, &request).expect("a request").concat()
}

/// A client looks at its metadata again, and does not report a failed disk.
#[test]
fn a_topic_deleted_under_a_produce_is_unknown() {
    const FRAMES: usize = 500;
    let broker = Broker::start(&["num.partitions=1", "ringlane.connection.requests.max=500"]);
    let mut builder = BatchBuilder::new(Codec::None);
    builder.append(TimestampMs(1), None, Some(b"value"), &[]);
    let frames = produce(&builder.finish(&BatchFields::default())).repeat(FRAMES);
    let mut deleting = Raw::connect(&broker.address);
    for _ in 0..5 {
        crate::topic_id(&broker.address);
        let mut producing = Raw::send(&broker.address, &frames);
        let request = m::DeleteTopicsRequest {
            topic_names: vec!["hostile"],
            timeout_ms: 10_000,
            ..Default::default()
        };
        ask(&mut deleting, 5, &request, |answer| {
            assert_eq!(answer.responses[0].error_code, ErrorCode::NONE);
        });
        for _ in 0..FRAMES {
            let answer = producing.answer().expect("an answer");
            let (_, answer) = frame::decode_response::<m::ProduceRequest>(&answer, 9)
                .expect("the answer decodes");
            let error_code = answer.responses[0].partition_responses[0].error_code;
            let expected = [
                ErrorCode::NONE,
                ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
                ErrorCode::NOT_LEADER_OR_FOLLOWER,
            ];
            assert!(expected.contains(&error_code), "{error_code}");
        }
    }
}
