//! What settings may become when they are altered: words that are added to a list or taken out of it.

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
