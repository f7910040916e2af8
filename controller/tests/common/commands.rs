//! The commands that the controller's tests submit.

use std::collections::BTreeMap;

use ringlane_batch::TopicId;
use ringlane_controller::{BrokerId, BrokerRegistration, Command, Endpoint, NewTopic, Options};

/// Broker 1, with a snapshot every few entries.
pub(crate) fn options() -> Options {
    Options { snapshot_every: 7, ..Options::new(BrokerId(1)) }
}

/// Broker 1 starts.
pub(crate) fn register(core_count: u16) -> Command {
    let endpoint =
        Endpoint { listener: "PLAINTEXT".to_owned(), host: "localhost".to_owned(), port: 9092 };
    Command::RegisterBroker(BrokerRegistration {
        broker: BrokerId(1),
        core_count,
        endpoints: vec![endpoint],
        core_endpoints: Vec::new(),
        rack: None,
    })
}

/// A topic with one replica.
pub(crate) fn create_topic(name: &str, id: TopicId, partition_count: i32) -> Command {
    Command::CreateTopics(vec![NewTopic {
        name: name.to_owned(),
        id,
        partition_count,
        replication_factor: 1,
        assignments: Vec::new(),
        configs: BTreeMap::new(),
    }])
}
