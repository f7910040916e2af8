//! A process that may open few files (RLIMIT_NOFILE). Many partitions take turns with theirs, at the creation of the topic, under
//! load and when the journal is written back into them; connections, however many want in, leave them theirs.

use std::collections::BTreeSet;
use std::net::TcpStream;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::producer::BaseRecord;
use rdkafka::{Offset, TopicPartitionList};

use crate::broker::{Broker, Directory, set, wait_until};
use crate::clients::{Record, TestProducer, client, create_topic, read};

/// The fewest that two shards start with.
const FILES_MAX: u32 = 256;
/// Three files each, and as many again for what an acknowledgement needs.
const PARTITIONS: i32 = 300;
const ROUNDS: usize = 3;

/// A record for each partition in each round, all of them acknowledged; what they hold.
fn put_all(address: &str, life: &str) -> BTreeSet<(i32, Vec<u8>)> {
    let producer = TestProducer::new(address, &[("acks", "all")]);
    producer.learn("many");
    send_all(&producer, life);
    taken(producer.finish())
}

fn send_all(producer: &TestProducer, life: &str) {
    for round in 0..ROUNDS {
        for partition in 0..PARTITIONS {
            let value = format!("{life} {round} of {partition}");
            producer.send(BaseRecord::to("many").partition(partition).payload(value.as_bytes()));
        }
    }
}

fn taken(reports: Vec<Result<Record, KafkaError>>) -> BTreeSet<(i32, Vec<u8>)> {
    let reports = reports.into_iter().map(|report| report.expect("acknowledged"));
    reports.map(|record| (record.partition, record.value.expect("a value"))).collect()
}

fn read_all(address: &str, count: usize) -> BTreeSet<(i32, Vec<u8>)> {
    let config = [("group.id", "unused"), ("enable.auto.commit", "false")];
    let consumer: BaseConsumer = client(address, &config).create().expect("a consumer");
    let mut partitions = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        partitions.add_partition_offset("many", partition, Offset::Beginning).expect("an offset");
    }
    consumer.assign(&partitions).expect("assigned");
    let records = read(&[&consumer], count).into_iter();
    records.map(|record| (record.partition, record.value.expect("a value"))).collect()
}

#[test]
fn partitions_take_turns_with_their_files() {
    let settings = set(&["ringlane.shards=2"]);
    let broker = Broker::start_limited(Some(FILES_MAX), Directory::new(), settings);
    create_topic(&broker.address, "many", PARTITIONS, &[]).expect("created");
    let mut put = put_all(&broker.address, "first");
    let broker = broker.kill_and_restart();
    put.append(&mut put_all(&broker.address, "second"));
    assert_eq!(put.len(), 2 * ROUNDS * PARTITIONS as usize);
    assert_eq!(read_all(&broker.address, put.len()), put);
    assert!(!broker.log().contains("Too many open files"), "{}", broker.log());
}

#[test]
fn connections_leave_logs_their_descriptors() {
    // Full after some hundred records: rounds of checkpoints open files, too.
    let settings = set(&["ringlane.shards=2", "ringlane.journal.file.bytes=65536"]);
    let broker = Broker::start_limited(Some(FILES_MAX), Directory::new(), settings);
    create_topic(&broker.address, "many", PARTITIONS, &[]).expect("created");
    let producer = TestProducer::new(&broker.address, &[("acks", "all")]);
    producer.learn("many");
    send_all(&producer, "before");
    let mut put = BTreeSet::new();
    wait_until("they are taken", || {
        put.append(&mut taken(producer.reported()));
        (put.len() == ROUNDS * PARTITIONS as usize).then_some(())
    });

    let connect = |_| TcpStream::connect(&broker.address).expect("the backlog takes it");
    let flood: Vec<_> = (0..2 * FILES_MAX).map(connect).collect();
    wait_until("they are too many", || {
        broker.log().contains("leaves it; raise the limit with `ulimit -n").then_some(())
    });
    send_all(&producer, "meanwhile");
    put.append(&mut taken(producer.finish()));
    drop(flood);
    assert_eq!(put.len(), 2 * ROUNDS * PARTITIONS as usize);
    assert_eq!(read_all(&broker.address, put.len()), put);
    assert!(!broker.log().contains("Too many open files"), "{}", broker.log());
}
