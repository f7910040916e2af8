//! A broker that dies at any disk operation of a topic's creation has the topic afterwards or has it not; an answered
//! creation stays, and one that was not can be asked for again.

use std::cell::Cell;
use std::rc::Rc;

use ringlane_reactor::sim::CrashKind;

use super::{SEEDS, all, code, put};
use crate::client::{Client, TopicSpec};
use crate::cluster::{BROKER, Cluster};

fn story(seed: u64, operation: u64, kind: CrashKind) {
    let mut cluster = Cluster::serving(seed);
    let (host, answered) = (cluster.client_host(), Rc::new(Cell::new(false)));
    let creating = answered.clone();
    cluster.spawn(host, move |reactor| {
        let (mut client, creating) = (Client::new(&reactor, BROKER), creating.clone());
        async move {
            let created = client.create_topic(&TopicSpec::durable("orders", 3)).await;
            creating.set(created.is_ok());
        }
    });
    cluster.crash_at(operation, kind);
    cluster.crash(kind);
    cluster.start();
    let again = cluster.client(|mut client| async move {
        client.create_topic(&TopicSpec::durable("orders", 3)).await
    });
    match answered.get() {
        true => assert!(code(again).is_some_and(|code| code.name() == "TOPIC_ALREADY_EXISTS")),
        false => assert!(code(again).is_none_or(|code| code.name() == "TOPIC_ALREADY_EXISTS")),
    }
    put(&mut cluster, "orders", "one").expect("the topic is there");
    assert_eq!(all(&mut cluster, "orders"), ["one"]);
}

#[test]
fn a_topic_is_created_whole_or_not() {
    for seed in SEEDS {
        for operation in 0..12 {
            story(seed * 100 + operation, operation, CrashKind::Power);
            story(seed * 100 + operation, operation, CrashKind::Process);
        }
    }
}
