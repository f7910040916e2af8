//! Fetches that want many bytes: a client chooses how many, and how many it waits with must not cost the broker a read at
//! each record that comes.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use ringlane_batch::{BatchBuilder, BatchFields, Codec, TimestampMs};
use ringlane_wire::messages::fetch::{FetchPartition, FetchRequest, FetchTopic};
use ringlane_wire::messages::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
use ringlane_wire::{ErrorCode, Records, frame};

use crate::broker::{Broker, wait_until};
use crate::raw::{Raw, ask};
use crate::topic_id;

const MIB: i32 = 1 << 20;
const PARTITIONS: i32 = 4;
const VALUE_BYTES: usize = 1000;
/// Of a batch with one such value.
const BATCHES: usize = 200;
/// What one fetch may read: each partition at the start and at the end, and once between, for batches that were on their way
/// to the disk at the start.
const READS_MAX: usize = 3 * PARTITIONS as usize;

fn start(cores: usize) -> Broker {
    start_with(cores, "ringlane.fetch.zero.copy.min.bytes=65536")
}

fn start_with(cores: usize, setting: &str) -> Broker {
    let cores = format!("ringlane.shards={cores}");
    let broker = Broker::start(&["num.partitions=4", "log.segment.bytes=1048576", &cores, setting]);
    topic_id(&broker.address);
    broker
}

fn batch() -> Vec<u8> {
    batch_of(VALUE_BYTES)
}

fn batch_of(value_bytes: usize) -> Vec<u8> {
    let mut builder = BatchBuilder::new(Codec::None);
    builder.append(TimestampMs(1), None, Some(&vec![7; value_bytes]), &[]);
    builder.finish(&BatchFields::default()).to_vec()
}

/// One batch to each partition in turn, each once the one before is acknowledged.
fn produce(address: &str, batches: usize) {
    produce_each(address, &batch(), batches);
}

fn produce_each(address: &str, batch: &[u8], batches: usize) {
    let mut connection = Raw::connect(address);
    for number in 0..batches {
        let index = number as i32 % PARTITIONS;
        let partition = PartitionProduceData { index, records: Some(Records::Borrowed(batch)) };
        let topic = TopicProduceData {
            name: "hostile",
            partition_data: vec![partition],
            ..Default::default()
        };
        let request = ProduceRequest {
            acks: -1,
            timeout_ms: 10_000,
            topic_data: vec![topic],
            ..Default::default()
        };
        let code = ask(&mut connection, 9, &request, |answer| {
            answer.responses[0].partition_responses[0].error_code
        });
        assert_eq!(code, ErrorCode::NONE);
    }
}

fn fetch(min_bytes: usize, partition_max_bytes: i32, max_wait_ms: i32) -> Vec<u8> {
    let partitions = (0..PARTITIONS).map(|partition| FetchPartition {
        partition,
        fetch_offset: 0,
        partition_max_bytes,
        ..Default::default()
    });
    let topic =
        FetchTopic { topic: "hostile", partitions: partitions.collect(), ..Default::default() };
    let request = FetchRequest {
        max_wait_ms,
        min_bytes: min_bytes as i32,
        max_bytes: 16 << 20,
        session_epoch: -1,
        topics: vec![topic],
        ..Default::default()
    };
    frame::encode_request(12, 1, None, &request).expect("a request").concat()
}

/// How many bytes of records a fetch's answer has.
fn fetched_bytes(answer: &[u8]) -> usize {
    let (_, answer) = frame::decode_response::<FetchRequest<'_>>(answer, 12).expect("an answer");
    let partitions = answer.responses.iter().flat_map(|topic| &topic.partitions);
    let bytes = partitions.map(|partition| {
        assert_eq!(partition.error_code, ErrorCode::NONE);
        match &partition.records {
            Some(Records::Borrowed(bytes)) => bytes.len(),
            _ => 0,
        }
    });
    bytes.sum()
}

/// Ready when the first segment of each partition has so many bytes in its file.
fn wait_until_written(broker: &Broker, bytes: usize) {
    for partition in 0..PARTITIONS {
        let file = format!("hostile-{partition}/00000000000000000000.log");
        let file = broker.data_directory().join(file);
        let len = || file.metadata().is_ok_and(|file| file.len() == bytes as u64);
        wait_until("the segments have what the journal has", || len().then_some(()));
    }
}

/// What the broker counted, as it says when it stops.
fn counted(broker: &Broker, counter: &str) -> usize {
    let id = broker.process_id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().expect("kill").success());
    wait_until("the broker tells its counters", || {
        let log = broker.log();
        let rest = log.split(&format!(" {counter}=")).nth(1)?;
        rest.split_whitespace().next()?.parse().ok()
    })
}

/// The fetch waits for what only all of the batches give, so it is answered in the end, and not before.
#[test]
fn a_fetch_that_waits_for_many_bytes_reads_once_more() {
    for cores in [1, 2] {
        let broker = start(cores);
        let wanted_bytes = BATCHES * batch().len();
        let mut connection = Raw::send(&broker.address, &fetch(wanted_bytes, MIB, i32::MAX));
        let address = broker.address.clone();
        let producer = thread::spawn(move || produce(&address, BATCHES));
        let answer = connection.answer().expect("an answer");
        assert_eq!(fetched_bytes(&answer), wanted_bytes, "{cores} cores");
        producer.join().expect("all is acknowledged");
        let reads = counted(&broker, "partitions_read");
        assert!(reads <= READS_MAX, "{cores} cores: {reads} reads");
    }
}

/// One byte more than there is: at the end of its time it is answered what there is.
#[test]
fn a_fetch_is_answered_what_there_is_when_its_time_is_over() {
    let broker = start(2);
    produce(&broker.address, 8);
    let there_bytes = 8 * batch().len();
    let mut connection = Raw::send(&broker.address, &fetch(there_bytes + 1, MIB, 50));
    let answer = connection.answer().expect("an answer");
    assert_eq!(fetched_bytes(&answer), there_bytes);
}

/// Of each partition one batch fits and a second does not, however many come: what is wanted is never there.
#[test]
fn a_fetch_that_cannot_have_what_it_wants_is_answered_all_the_same() {
    let broker = start(1);
    let max_bytes = batch().len() as i32 * 3 / 2;
    let all = fetch((PARTITIONS * max_bytes) as usize, max_bytes, i32::MAX);
    let mut connection = Raw::send(&broker.address, &all);
    let address = broker.address.clone();
    let is_answered = Arc::new(AtomicBool::new(false));
    let is_over = is_answered.clone();
    let producer = thread::spawn(move || {
        while !is_over.load(Ordering::Relaxed) {
            produce(&address, PARTITIONS as usize);
        }
    });
    let answer = connection.answer();
    is_answered.store(true, Ordering::Relaxed);
    assert_eq!(fetched_bytes(&answer.expect("an answer")), PARTITIONS as usize * batch().len());
    producer.join().expect("all is acknowledged");
}

/// A read ends where its segment does. What is behind it is there already: nothing is to be waited for, as in Kafka.
#[test]
fn a_fetch_does_not_wait_at_the_end_of_a_segment() {
    let broker = start(2);
    // Two of them are more than the least segment.
    let batch = batch_of(600_000);
    produce_each(&broker.address, &batch, 2 * PARTITIONS as usize);
    let more_than_one_segment_each = PARTITIONS as usize * (batch.len() + 1);
    let fetch = fetch(more_than_one_segment_each, 2 * MIB, i32::MAX);
    let mut connection = Raw::send(&broker.address, &fetch);
    let answer = connection.answer().expect("an answer");
    assert_eq!(fetched_bytes(&answer), PARTITIONS as usize * batch.len());
}

/// What is sent from the file ends where the index knows that a batch does. What is behind that is there already, too.
#[test]
fn a_fetch_does_not_wait_where_what_comes_from_the_file_ends() {
    let broker = start_with(1, "ringlane.fetch.zero.copy.min.bytes=1");
    produce(&broker.address, BATCHES);
    let each = BATCHES / PARTITIONS as usize * batch().len();
    wait_until_written(&broker, each);
    // Nine batches fit and are wanted, and an index has an entry for each fourth.
    let max_bytes = 9 * batch().len() as i32;
    let wanted = fetch((PARTITIONS * max_bytes) as usize, max_bytes, i32::MAX);
    let answer = Raw::send(&broker.address, &wanted).answer().expect("an answer");
    assert_eq!(fetched_bytes(&answer), PARTITIONS as usize * 8 * batch().len());
}

/// A client whose answer has begun, and how long that is.
fn begins(address: &str, request: &[u8]) -> (TcpStream, usize) {
    let mut client = TcpStream::connect(address).expect("the broker accepts");
    client.write_all(request).expect("the broker takes the bytes");
    let mut size = [0; 4];
    client.read_exact(&mut size).expect("an answer");
    (client, u32::from_be_bytes(size) as usize)
}

/// More clients than there are pipes to the sockets, each with an answer that none of its buffers holds, and gone when that has begun.
#[test]
fn clients_that_vanish_while_they_are_sent_files_leave_nothing_to_others() {
    let broker = Broker::start(&["num.partitions=4", "ringlane.shards=1"]);
    topic_id(&broker.address);
    let batch = batch_of(1_000_000);
    produce_each(&broker.address, &batch, 16);
    let each = 4 * batch.len();
    wait_until_written(&broker, each);
    let everything = fetch(1, 4 * MIB, 0);
    for _ in 0..3 {
        let clients: Vec<_> = (0..12).map(|_| begins(&broker.address, &everything)).collect();
        assert!(clients.iter().all(|(_, bytes)| *bytes > 4 * each));
    }
    let answer = Raw::send(&broker.address, &everything).answer().expect("an answer");
    let (_, answer) = frame::decode_response::<FetchRequest<'_>>(&answer, 12).expect("an answer");
    for partition in &answer.responses[0].partitions {
        let Some(Records::Borrowed(bytes)) = &partition.records else { panic!("no records") };
        assert_eq!(bytes.len(), each);
        // What a broker sets is before the checksum.
        let mut batches = bytes.chunks(batch.len());
        assert!(batches.all(|sent| sent[17..] == batch[17..]), "bytes of another answer");
    }
    assert!(counted(&broker, "bytes_spliced") > 4 * each, "not from the file");
}
