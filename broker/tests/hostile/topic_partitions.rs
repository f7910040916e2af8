//! DescribeTopicPartitions: pages, cursors, and brokers that are named once whatever addresses their cores have.

use ringlane_wire::messages as m;
use ringlane_wire::messages::create_topics::CreatableTopic;
use ringlane_wire::messages::describe_topic_partitions::{Cursor, TopicRequest};
use ringlane_wire::{ErrorCode, Uuid};

use crate::broker::Broker;
use crate::raw::{Raw, ask};

/// The broker's `node.id`.
const BROKER: i32 = 1;

/// A partition by its topic and index; the place where a page ends.
type Place = (String, i32);

/// Topic, error, and how many partitions.
type Topic = (String, ErrorCode, usize);

struct Page {
    topics: Vec<Topic>,
    partitions: Vec<Place>,
    next: Option<Place>,
}

fn describe(connection: &mut Raw, names: &[&str], from: Option<(&str, i32)>, limit: i32) -> Page {
    let cursor = from.map(|(topic_name, partition_index)| Cursor { topic_name, partition_index });
    let request = m::DescribeTopicPartitionsRequest {
        topics: names.iter().map(|name| TopicRequest { name }).collect(),
        response_partition_limit: limit,
        cursor,
    };
    ask(connection, 0, &request, |answer| {
        let mut page = Page { topics: Vec::new(), partitions: Vec::new(), next: None };
        for topic in &answer.topics {
            let name = topic.name.expect("a name").to_owned();
            page.topics.push((name.clone(), topic.error_code, topic.partitions.len()));
            assert_eq!(topic.topic_id == Uuid::ZERO, topic.error_code != ErrorCode::NONE);
            for partition in &topic.partitions {
                page.partitions.push((name.clone(), partition.partition_index));
                assert_eq!((partition.error_code, partition.leader_id), (ErrorCode::NONE, BROKER));
                assert_eq!(
                    (&partition.replica_nodes, &partition.isr_nodes),
                    (&vec![BROKER], &vec![BROKER])
                );
                let (eligible, last) =
                    (&partition.eligible_leader_replicas, &partition.last_known_elr);
                assert_eq!((eligible, last), (&Some(vec![]), &Some(vec![])));
                assert!(partition.offline_replicas.is_empty() && partition.leader_epoch >= 0);
            }
        }
        page.next =
            answer.next_cursor.map(|next| (next.topic_name.to_owned(), next.partition_index));
        page
    })
}

pub(crate) fn broker_with_topics(settings: &[&str], topics: &[(&str, i32)]) -> (Broker, Raw) {
    let broker = Broker::start(settings);
    let mut connection = Raw::connect(&broker.address);
    let topics = topics.iter().map(|&(name, num_partitions)| CreatableTopic {
        name,
        num_partitions,
        replication_factor: 1,
        ..Default::default()
    });
    let request = m::CreateTopicsRequest {
        topics: topics.collect(),
        timeout_ms: 10_000,
        ..Default::default()
    };
    ask(&mut connection, 7, &request, |answer| {
        assert!(answer.topics.iter().all(|topic| topic.error_code == ErrorCode::NONE));
    });
    (broker, connection)
}

fn place(topic: &str, index: i32) -> Place {
    (topic.to_owned(), index)
}

#[test]
fn pages_follow_each_other_without_gap_or_overlap() {
    let (_broker, mut connection) = broker_with_topics(&[], &[("b", 2), ("c", 1), ("a", 3)]);
    let expected = [("a", 0), ("a", 1), ("a", 2), ("b", 0), ("b", 1), ("c", 0)]
        .map(|(name, at)| place(name, at));
    for limit in 1..=7 {
        for names in [&[][..], &["c", "a", "b", "a"]] {
            let mut found = Vec::new();
            let mut next: Option<Place> = None;
            loop {
                let from = next.as_ref().map(|(name, index)| (name.as_str(), *index));
                let page = describe(&mut connection, names, from, limit);
                assert!(!page.partitions.is_empty() && page.partitions.len() <= limit as usize);
                found.extend(page.partitions);
                next = page.next;
                if next.is_none() {
                    break;
                }
            }
            assert_eq!(found, expected, "limit {limit}, topics {names:?}");
        }
    }
}

/// KIP-966: no more than the broker allows, and never none.
#[test]
fn a_page_is_as_long_as_the_broker_allows() {
    let settings = ["max.request.partition.size.limit=2"];
    let (_broker, mut connection) = broker_with_topics(&settings, &[("a", 3), ("b", 1)]);
    let page = describe(&mut connection, &[], None, 1000);
    assert_eq!((page.partitions.len(), page.next), (2, Some(place("a", 2))));
    for limit in [0, -1, i32::MIN] {
        let page = describe(&mut connection, &[], None, limit);
        assert_eq!((page.partitions.len(), page.next), (1, Some(place("a", 1))));
    }
    // A whole topic fits: the next page begins with the next topic.
    let page = describe(&mut connection, &[], Some(("a", 1)), 1000);
    assert_eq!((page.partitions.len(), page.next), (2, Some(place("b", 0))));
    assert_eq!(page.topics.len(), 1, "the next one is not named without partitions");
}

#[test]
fn topics_and_cursors_that_mean_nothing() {
    let (_broker, mut connection) = broker_with_topics(&[], &[("a", 1), ("c", 1)]);
    let topics = describe(&mut connection, &["no such", "c", "b"], None, 10).topics;
    let topic = |name: &str, code, count| (name.to_owned(), code, count);
    assert_eq!(
        topics,
        [
            topic("b", ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, 0),
            topic("c", ErrorCode::NONE, 1),
            topic("no such", ErrorCode::INVALID_TOPIC_EXCEPTION, 0),
        ]
    );
    for cursor in [("a", -1), ("b", 0)] {
        let topics = describe(&mut connection, &["a"], Some(cursor), 10).topics;
        assert_eq!(topics, [topic("a", ErrorCode::INVALID_REQUEST, 0)], "{cursor:?}");
    }
    // The cursor's topic was deleted between two pages of all topics, or has become shorter.
    assert_eq!(describe(&mut connection, &[], Some(("b", 0)), 10).partitions, [place("c", 0)]);
    let page = describe(&mut connection, &[], Some(("a", i32::MAX)), 10);
    assert_eq!((page.partitions, page.next), (vec![place("c", 0)], None));
}

/// Clients are led to cores, administrators to brokers: [`describe`] checks each partition's.
#[test]
fn brokers_are_named_where_cores_have_addresses() {
    let settings = ["ringlane.core.endpoints=true", "ringlane.shards=2"];
    let (_broker, mut connection) = broker_with_topics(&settings, &[("a", 4)]);
    let request = m::MetadataRequest { topics: None, ..Default::default() };
    ask(&mut connection, 12, &request, |answer| {
        assert!(
            answer.topics[0].partitions.iter().all(|partition| partition.leader_id > 1_000_000)
        );
    });
    assert_eq!(describe(&mut connection, &[], None, 10).partitions.len(), 4);
}
