//! What settings may become when they are altered: words that are added to a list or taken out of it, two settings of
//! which one bounds the other, and spaces.

use ringlane_wire::ErrorCode;
use ringlane_wire::messages as m;
use ringlane_wire::messages::create_topics::{CreatableTopic, CreatableTopicConfig};
use ringlane_wire::messages::describe_configs::DescribeConfigsResource;
use ringlane_wire::messages::incremental_alter_configs::{AlterConfigsResource, AlterableConfig};

use crate::broker::Broker;
use crate::raw::{Raw, ask};

const TOPIC: i8 = 2;
const BROKER: i8 = 4;

const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

/// A setting's name, what to do with it, and the value.
type Change = (&'static str, i8, &'static str);
type Answered = (ErrorCode, Option<String>);

const DONE: Answered = (ErrorCode::NONE, None);

fn create(connection: &mut Raw, name: &str, settings: &[(&str, &str)]) -> Answered {
    let config = |&(name, value)| CreatableTopicConfig { name, value: Some(value) };
    let topic = CreatableTopic {
        name,
        num_partitions: 1,
        replication_factor: 1,
        configs: settings.iter().map(config).collect(),
        ..Default::default()
    };
    let request =
        m::CreateTopicsRequest { topics: vec![topic], timeout_ms: 10_000, ..Default::default() };
    ask(connection, 7, &request, |answer| {
        let topic = &answer.topics[0];
        (topic.error_code, topic.error_message.map(str::to_owned))
    })
}

fn alter(
    connection: &mut Raw,
    (resource_type, resource_name): (i8, &str),
    changes: &[Change],
) -> Answered {
    let config = |&(name, config_operation, value): &Change| AlterableConfig {
        name,
        config_operation,
        value: Some(value),
    };
    let configs = changes.iter().map(config).collect();
    let resource = AlterConfigsResource { resource_type, resource_name, configs };
    let request =
        m::IncrementalAlterConfigsRequest { resources: vec![resource], ..Default::default() };
    ask(connection, 1, &request, |answer| {
        let resource = &answer.responses[0];
        (resource.error_code, resource.error_message.map(str::to_owned))
    })
}

fn shown(connection: &mut Raw, (resource_type, resource_name): (i8, &str), key: &str) -> String {
    let resource = DescribeConfigsResource {
        resource_type,
        resource_name,
        configuration_keys: Some(vec![key]),
    };
    let request = m::DescribeConfigsRequest { resources: vec![resource], ..Default::default() };
    ask(connection, 4, &request, |answer| {
        answer.results[0].configs[0].value.expect("no secret").to_owned()
    })
}

#[test]
fn the_last_word_of_a_policy_can_be_taken_out() {
    let broker = Broker::start(&["num.partitions=1"]);
    let mut connection = Raw::connect(&broker.address);
    assert_eq!(create(&mut connection, "kept", &[]), DONE);
    let (topic, policy) = ((TOPIC, "kept"), "cleanup.policy");
    assert_eq!(alter(&mut connection, topic, &[(policy, SUBTRACT, "delete")]), DONE);
    assert_eq!(shown(&mut connection, topic, policy), "");
    assert_eq!(alter(&mut connection, topic, &[(policy, APPEND, "compact")]), DONE);
    assert_eq!(shown(&mut connection, topic, policy), "compact");
    let refused = alter(&mut connection, topic, &[(policy, APPEND, "")]);
    assert_eq!(refused.0, ErrorCode::INVALID_CONFIG, "an empty word: {refused:?}");
    let all = (BROKER, "");
    assert_eq!(alter(&mut connection, all, &[("log.cleanup.policy", SET, "")]), DONE);
    assert_eq!(create(&mut connection, "inherits", &[]), DONE);
    assert_eq!(shown(&mut connection, (TOPIC, "inherits"), policy), "");
}

/// Kafka's sentence.
fn conflict(min: i64, max: i64) -> Answered {
    let text = format!(
        "conflict topic config setting min.compaction.lag.ms ({min}) > max.compaction.lag.ms ({max})"
    );
    (ErrorCode::INVALID_CONFIG, Some(text))
}

#[test]
fn a_topics_least_lag_does_not_get_above_its_most() {
    let broker = Broker::start(&[]);
    let mut connection = Raw::connect(&broker.address);
    let (least, most) = ("min.compaction.lag.ms", "max.compaction.lag.ms");
    let refused = create(&mut connection, "never", &[(least, "10"), (most, "9")]);
    assert_eq!(refused, conflict(10, 9));
    assert_eq!(create(&mut connection, "lags", &[(least, "10"), (most, "20")]), DONE);
    let topic = (TOPIC, "lags");
    let mut alter_topic = |changes: &[Change]| alter(&mut connection, topic, changes);
    assert_eq!(alter_topic(&[(most, SET, "9")]), conflict(10, 9));
    assert_eq!(alter_topic(&[(least, SET, "21")]), conflict(21, 20));
    assert_eq!(alter_topic(&[(least, SET, "100"), (most, SET, "200")]), DONE, "only together");
    assert_eq!(alter_topic(&[(least, DELETE, ""), (most, SET, "1")]), DONE);
}

#[test]
fn a_topics_lags_go_together_with_those_that_it_inherits() {
    let broker = Broker::start(&["log.cleaner.max.compaction.lag.ms=5000"]);
    let mut connection = Raw::connect(&broker.address);
    let (least, most) = ("min.compaction.lag.ms", "max.compaction.lag.ms");
    assert_eq!(create(&mut connection, "never", &[(least, "5001")]), conflict(5001, 5000));
    assert_eq!(create(&mut connection, "lags", &[(least, "6000"), (most, "7000")]), DONE);
    let without = [(most, DELETE, "")];
    assert_eq!(alter(&mut connection, (TOPIC, "lags"), &without), conflict(6000, 5000));
    // The two of a broker that runs may conflict in Kafka, and a topic without a setting of its own is made nevertheless.
    let of_brokers = [("log.cleaner.min.compaction.lag.ms", SET, "5002")];
    assert_eq!(alter(&mut connection, (BROKER, ""), &of_brokers), DONE);
    assert_eq!(create(&mut connection, "plain", &[]), DONE);
    let other = [("retention.ms", SET, "77")];
    assert_eq!(alter(&mut connection, (TOPIC, "plain"), &other), conflict(5002, 5000));
}

#[test]
fn spaces_around_a_value_do_not_count() {
    let broker = Broker::start(&[]);
    let mut connection = Raw::connect(&broker.address);
    let (topic, key) = ((TOPIC, "spaced"), "retention.ms");
    assert_eq!(create(&mut connection, "spaced", &[(key, " 5 ")]), DONE);
    assert_eq!(shown(&mut connection, topic, key), "5");
    assert_eq!(alter(&mut connection, topic, &[(key, SET, "\t6 ")]), DONE);
    assert_eq!(shown(&mut connection, topic, key), "6");
}
