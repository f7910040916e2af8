//! A process that may open few files (RLIMIT_NOFILE). Many partitions take turns with theirs, at the creation of the topic, under
//! load and when the journal is written back into them; connections, however many want in, leave them theirs; and where there
//! is none, nothing fails for good.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpStream;
use std::process::Command;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::BaseRecord;
use rdkafka::{Offset, TopicPartitionList};

use crate::broker::{Broker, Directory, set, wait_until};
use crate::clients::{Record, TestProducer, client, create_topic, produce, read};

/// The fewest that two shards start with.
const FILES_MAX: u32 = 256;
/// Three files each, and as many again for what an acknowledgement needs.
const PARTITIONS: i32 = 300;
const ROUNDS: usize = 3;
/// In each life.
const RECORDS: usize = ROUNDS * PARTITIONS as usize;

type Records = BTreeSet<(i32, Vec<u8>)>;

/// A broker of so many descriptors with the topic.
fn start(files_max: u32, settings: &[&str]) -> Broker {
    let settings = set(&[&["ringlane.shards=2"], settings].concat());
    let broker = Broker::start_limited(Some(files_max), Directory::new(), settings);
    create_topic(&broker.address, "many", PARTITIONS, &[]).expect("created");
    broker
}

fn producer(broker: &Broker, settings: &[(&str, &str)]) -> TestProducer {
    let settings = [&[("acks", "all")], settings].concat();
    let producer = TestProducer::new(&broker.address, &settings);
    producer.learn("many");
    producer
}

/// A record for each partition in each round; what became of them.
fn put_all(producer: &TestProducer, life: &str) -> Vec<Result<Record, KafkaError>> {
    for round in 0..ROUNDS {
        for partition in 0..PARTITIONS {
            let value = format!("{life} {round} of {partition}");
            producer.send(BaseRecord::to("many").partition(partition).payload(value.as_bytes()));
        }
    }
    let mut reports = Vec::new();
    wait_until("all are acknowledged or refused", || {
        reports.append(&mut producer.reported());
        (reports.len() == RECORDS).then_some(())
    });
    reports
}

/// What the records hold that were acknowledged, which all of them must have been.
fn taken(reports: Vec<Result<Record, KafkaError>>) -> Records {
    let reports = reports.into_iter().map(|report| report.expect("acknowledged"));
    reports.map(|record| (record.partition, record.value.expect("a value"))).collect()
}

/// Reads until everything that is `wanted` is there; everything that was.
fn read_all(broker: &Broker, wanted: &Records) -> Records {
    let config = [("group.id", "unused"), ("enable.auto.commit", "false")];
    let consumer: BaseConsumer = client(&broker.address, &config).create().expect("a consumer");
    let mut partitions = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        partitions.add_partition_offset("many", partition, Offset::Beginning).expect("an offset");
    }
    consumer.assign(&partitions).expect("assigned");
    let mut found = Records::new();
    wait_until("everything is read", || {
        let missing = wanted.difference(&found).count();
        let more = read(&[&consumer], missing.max(1)).into_iter().map(Ok);
        found.append(&mut taken(more.collect()));
        found.is_superset(wanted).then_some(())
    });
    found
}

#[test]
fn partitions_take_turns_with_their_files() {
    let broker = start(FILES_MAX, &[]);
    let mut put = taken(put_all(&producer(&broker, &[]), "first"));
    let broker = broker.kill_and_restart();
    put.append(&mut taken(put_all(&producer(&broker, &[]), "second")));
    assert_eq!(read_all(&broker, &put), put);
    assert!(!broker.log().contains("Too many open files"), "{}", broker.log());
}

/// Soon full: rounds of checkpoints open files, too.
const SMALL_JOURNAL: &str = "ringlane.journal.file.bytes=65536";

/// The sockets of the broker's process.
fn sockets(broker: &Broker) -> usize {
    let open = fs::read_dir(format!("/proc/{}/fd", broker.process_id())).expect("it runs");
    let targets = open.flatten().filter_map(|entry| fs::read_link(entry.path()).ok());
    targets.filter(|target| target.to_string_lossy().starts_with("socket:")).count()
}

#[test]
fn connections_leave_logs_their_descriptors() {
    // Enough for those that the kernel accepts ahead of the broker, which closes what is too many.
    let broker = start(1024, &[SMALL_JOURNAL]);
    let producer = producer(&broker, &[]);
    let mut put = taken(put_all(&producer, "before"));
    let before = sockets(&broker);
    let connect = |_| TcpStream::connect(&broker.address).expect("the backlog takes it");
    let flood: Vec<_> = (0..700).map(connect).collect();
    wait_until("they are too many", || {
        broker.log().contains("leaves it; raise the limit with `ulimit -n").then_some(())
    });
    put.append(&mut taken(put_all(&producer, "meanwhile")));
    drop(flood);
    wait_until("there is room again", || (sockets(&broker) <= before).then_some(()));
    assert_eq!(read_all(&broker, &put), put);
    // The kernel may accept more at once than it is to, and be refused the next itself; of no log is that said.
    let log = broker.log();
    let mut short = log.lines().filter(|line| line.contains("Too many open files"));
    assert!(short.all(|line| line.contains("cannot accept connections")), "{log}");
}

/// Says how many files the process may have open from now on.
fn limit(broker: &Broker, files: u32) {
    let (id, limit) = (broker.process_id().to_string(), format!("--nofile={files}:"));
    let limited = Command::new("prlimit").args(["--pid", &id, &limit]).status();
    assert!(limited.expect("prlimit, of util-linux").success());
}

#[test]
fn a_shortage_of_descriptors_is_no_failure_of_the_disk() {
    let broker = start(FILES_MAX, &[SMALL_JOURNAL]);
    let producer = producer(&broker, &[("retries", "0")]);
    let mut put = taken(put_all(&producer, "before"));
    // Fewer than it has: whatever is to be opened now, by appends or by rounds of checkpoints, is not.
    limit(&broker, 32);
    let (accepted, refused): (Vec<_>, Vec<_>) =
        put_all(&producer, "meanwhile").into_iter().partition(Result::is_ok);
    limit(&broker, FILES_MAX);
    assert!(!refused.is_empty(), "most of the logs have their files closed");
    for error in refused.into_iter().filter_map(Result::err) {
        let code = error.rdkafka_error_code();
        assert_eq!(code, Some(RDKafkaErrorCode::KafkaStorageError), "clients retry that: {error}");
    }
    put.append(&mut taken(accepted));
    put.append(&mut taken(put_all(&producer, "afterwards")));
    assert_eq!(read_all(&broker, &put), put);
    assert!(!broker.log().contains("offline"), "{}", broker.log());
}

/// What a round writes of a log whose segment is complete is a file of its own.
#[test]
fn a_round_that_can_open_nothing_is_tried_again() {
    let settings = set(&["ringlane.shards=1", SMALL_JOURNAL]);
    let broker = Broker::start_limited(Some(FILES_MAX), Directory::new(), settings);
    let create = |topic, settings| create_topic(&broker.address, topic, 1, settings).expect(topic);
    create("short", &[("segment.bytes", "2000")]);
    create("long", &[]);
    let each_alone = ("batch.num.messages", "1");
    let values = |count| vec![vec![7; 1_000]; count];
    // Its files are open from now on.
    produce(&broker.address, "long", &[each_alone], &values(1));
    // A segment is complete, and its snapshot waits for a round, which half of the journal calls for.
    produce(&broker.address, "short", &[each_alone], &values(5));
    let producer = TestProducer::new(&broker.address, &[each_alone]);
    producer.learn("long");
    // Its connection.
    producer.send(BaseRecord::to("long").partition(0).payload(b"first"));
    wait_until("it is taken", || producer.reported().pop()).expect("acknowledged");
    limit(&broker, 3);
    for value in values(300) {
        producer.send(BaseRecord::to("long").partition(0).payload(&value));
    }
    wait_until("a round finds no descriptor", || {
        broker.log().contains(".snapshot: Too many open files").then_some(())
    });
    limit(&broker, FILES_MAX);
    assert!(producer.finish().iter().all(Result::is_ok), "what it waits for ends");
    // More than the journal has: rounds go on.
    assert_eq!(produce(&broker.address, "long", &[each_alone], &values(500)).len(), 500);
    assert_eq!(produce(&broker.address, "short", &[], &values(1)), [5]);
    assert!(!broker.log().contains("offline"), "{}", broker.log());
}
