//! Requests at the edges of what an API means: each has an answer that says what is wrong, on a connection that stays.

use ringlane_wire::messages as m;
use ringlane_wire::messages::metadata::MetadataRequestTopic;
use ringlane_wire::{ErrorCode, Request, Uuid, frame};

use crate::broker::Broker;
use crate::raw::Raw;

/// The answer to `request`, handed to `look`; the connection must not close.
fn ask<R: Request, T>(
    connection: &mut Raw,
    version: i16,
    request: &R,
    look: impl FnOnce(R::Response<'_>) -> T,
) -> T {
    let parts = frame::encode_request(version, 7, Some("edges"), request).expect("a request");
    connection.write(&parts.concat());
    let answer = connection.answer().expect("an answer, not a closed connection");
    let (_, answer) = frame::decode_response::<R>(&answer, version).expect("the answer decodes");
    look(answer)
}

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
