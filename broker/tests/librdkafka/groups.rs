//! Consumer groups: members share the partitions, take over from each other, and resume from committed offsets.

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::producer::BaseRecord;

use crate::broker::{Broker, wait_until};
use crate::clients::{TestProducer, client, create_topic, read};

fn member(address: &str, group: &str, topic: &str) -> BaseConsumer {
    let config = [
        ("group.id", group),
        ("auto.offset.reset", "earliest"),
        ("enable.auto.commit", "false"),
        ("heartbeat.interval.ms", "200"),
        ("session.timeout.ms", "10000"),
    ];
    let consumer: BaseConsumer = client(address, &config).create().expect("a consumer");
    consumer.subscribe(&[topic]).expect("subscribed");
    consumer
}

/// Partitions that the member has now, after giving librdkafka a chance to rebalance.
fn assigned(member: &BaseConsumer) -> usize {
    assert!(
        member.poll(std::time::Duration::from_millis(10)).is_none(),
        "no record is expected yet"
    );
    member.assignment().expect("an assignment").count()
}

fn produce_numbers(address: &str, topic: &str, numbers: std::ops::Range<u32>) {
    let producer = TestProducer::new(address, &[]);
    for number in numbers {
        let partition = (number % 4) as i32;
        producer.send(
            BaseRecord::to(topic).partition(partition).payload(number.to_string().as_bytes()),
        );
    }
    assert!(producer.finish().iter().all(Result::is_ok));
}

fn numbers(records: &[crate::clients::Record]) -> Vec<u32> {
    let text = |value: &Option<Vec<u8>>| String::from_utf8(value.clone().expect("a value"));
    let mut numbers: Vec<u32> = records
        .iter()
        .map(|record| text(&record.value).expect("text").parse().expect("a number"))
        .collect();
    numbers.sort_unstable();
    numbers
}

#[test]
fn two_members_share_and_one_takes_over() {
    let broker = Broker::start(&[]);
    let address = &broker.address;
    create_topic(address, "shared", 4, &[]).expect("created");
    let first = member(address, "pair", "shared");
    wait_until("the first member has all partitions", || (assigned(&first) == 4).then_some(()));
    let second = member(address, "pair", "shared");
    wait_until("both members have two partitions", || {
        ((assigned(&first), assigned(&second)) == (2, 2)).then_some(())
    });
    produce_numbers(address, "shared", 0..200);
    let records = read(&[&first, &second], 200);
    assert_eq!(numbers(&records), (0..200).collect::<Vec<_>>(), "each record once");
    first.commit_consumer_state(CommitMode::Sync).expect("committed");
    second.commit_consumer_state(CommitMode::Sync).expect("committed");
    drop(first); // leaves the group
    wait_until("the second member has all partitions", || (assigned(&second) == 4).then_some(()));
    produce_numbers(address, "shared", 200..220);
    assert_eq!(numbers(&read(&[&second], 20)), (200..220).collect::<Vec<_>>(), "only what is new");
}

#[test]
fn a_group_resumes_from_its_commit_even_after_a_crash() {
    let broker = Broker::start(&[]);
    create_topic(&broker.address, "resumed", 4, &[]).expect("created");
    produce_numbers(&broker.address, "resumed", 0..40);
    let consumer = member(&broker.address, "resuming", "resumed");
    assert_eq!(read(&[&consumer], 40).len(), 40);
    consumer.commit_consumer_state(CommitMode::Sync).expect("committed");
    drop(consumer);

    let broker = broker.kill_and_restart();
    produce_numbers(&broker.address, "resumed", 40..60);
    let consumer = member(&broker.address, "resuming", "resumed");
    assert_eq!(numbers(&read(&[&consumer], 20)), (40..60).collect::<Vec<_>>());
}
