//! A request with more bytes than its message: Kafka passes over them, and clients are written against Kafka.

use ringlane_wire::frame::decode_response;
use ringlane_wire::messages::metadata::MetadataRequest;

use crate::broker::Broker;
use crate::raw::{METADATA, Raw, frame};
use crate::topic_id;

/// As librdkafka 2.16 sends it: an array that is null by its first byte, which takes one byte where four were meant.
#[test]
fn librdkafka_is_told_of_all_topics() {
    let broker = Broker::start(&[]);
    topic_id(&broker.address);
    let header_tags = 0;
    let body = [header_tags, 0, 0, 0, 0, 1, 0, 0];
    let mut connection = Raw::send(&broker.address, &frame(METADATA, 13, 7, &body));
    let answer = connection.answer().expect("an answer");
    let (_, answer) = decode_response::<MetadataRequest<'_>>(&answer, 13).expect("metadata");
    let names: Vec<_> = answer.topics.iter().filter_map(|topic| topic.name).collect();
    assert_eq!(names, ["hostile"]);
}
