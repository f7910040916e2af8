//! Connections that would hold memory: the broker bounds what they hold together, and serves others meanwhile.

use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use bytes::Bytes;
use ringlane_batch::{BatchBuilder, BatchFields, Codec, TimestampMs};
use ringlane_wire::messages::fetch::{FetchPartition, FetchRequest, FetchTopic};
use ringlane_wire::messages::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
use ringlane_wire::{Records, frame};

use crate::broker::Broker;
use crate::raw::{Raw, assert_serves};
use crate::topic_id;

const MIB: usize = 1 << 20;

/// Requests of at most 8 MiB, and 32 MiB for all connections together.
const SETTINGS: [&str; 3] =
    ["socket.request.max.bytes=8388608", "queued.max.request.bytes=33554432", "num.partitions=1"];

/// What the broker may grow by at that bound: frames double as they grow, and sockets have buffers.
const GROWTH_KIB: u64 = 160 * 1024;

fn assert_grew_little(broker: &Broker, before_kib: u64) {
    let grown_kib = broker.memory_peak_kib() - before_kib;
    assert!(grown_kib < GROWTH_KIB, "memory grew by {grown_kib} KiB");
}

fn join(parts: Vec<Bytes>) -> Vec<u8> {
    parts.concat()
}

/// The largest frames, claimed on 200 connections that each send an eighth of one and then wait.
#[test]
fn claimed_frames_are_bounded_together() {
    let broker = Broker::start(&SETTINGS);
    assert_serves(&broker.address);
    let before_kib = broker.memory_peak_kib();
    let mut frame = (8 * MIB as i32).to_be_bytes().to_vec();
    frame.resize(MIB, 0);
    let mut held = Vec::new();
    for _ in 0..200 {
        let mut connection = TcpStream::connect(&broker.address).expect("the broker accepts");
        connection.set_nonblocking(true).expect("a socket option");
        let mut sent = 0;
        while let Ok(count @ 1..) = connection.write(&frame[sent..]) {
            sent += count;
        }
        held.push(connection);
    }
    assert_serves(&broker.address);
    assert_grew_little(&broker, before_kib);
}

fn produce_one_mib(address: &str) {
    let mut builder = BatchBuilder::new(Codec::None);
    let value = vec![7; MIB - 1024];
    builder.append(TimestampMs(1), None, Some(&value), &[]);
    let batch = builder.finish(&BatchFields::default());
    let partition = PartitionProduceData { index: 0, records: Some(Records::Borrowed(&batch)) };
    let topic =
        TopicProduceData { name: "hostile", partition_data: vec![partition], ..Default::default() };
    let request = ProduceRequest {
        acks: 1,
        timeout_ms: 10_000,
        topic_data: vec![topic],
        ..Default::default()
    };
    let parts = frame::encode_request(9, 1, None, &request).expect("a request");
    let answer = Raw::send(address, &join(parts)).answer().expect("an answer");
    assert!(answer.len() > 8, "the records are stored");
}

fn fetch_all() -> Vec<u8> {
    let partition = FetchPartition {
        partition: 0,
        fetch_offset: 0,
        partition_max_bytes: 16 * MIB as i32,
        ..Default::default()
    };
    let topic = FetchTopic { topic: "hostile", partitions: vec![partition], ..Default::default() };
    let request = FetchRequest {
        max_wait_ms: 1000,
        min_bytes: 1,
        max_bytes: 16 * MIB as i32,
        session_epoch: -1,
        topics: vec![topic],
        ..Default::default()
    };
    join(frame::encode_request(12, 1, None, &request).expect("a request"))
}

/// 50 clients that ask for 16 MiB several times and read none of it; then one who reads.
#[test]
fn answers_that_nobody_reads_are_bounded_together() {
    let broker = Broker::start(&SETTINGS);
    topic_id(&broker.address);
    (0..16).for_each(|_| produce_one_mib(&broker.address));
    let before_kib = broker.memory_peak_kib();
    let fetches = fetch_all().repeat(8);
    let deaf: Vec<Raw> = (0..50).map(|_| Raw::send(&broker.address, &fetches)).collect();
    let answer = Raw::send(&broker.address, &fetch_all()).answer().expect("others are served");
    assert!(answer.len() > 64 * 1024, "with records");
    assert_serves(&broker.address);
    assert_grew_little(&broker, before_kib);
    drop(deaf);
}

/// A client that leaves while its requests wait at the bound on requests under way is noticed, though nothing is read from
/// it any more: a broker with room for one connection takes the next.
#[test]
fn a_client_that_leaves_with_a_full_queue_is_noticed() {
    let broker = Broker::start(&["max.connections=1", "ringlane.connection.requests.max=2"]);
    let mut leaving = Raw::connect(&broker.address);
    leaving.write(&crate::frame(crate::API_VERSIONS, 0, 1, &[]).repeat(100_000));
    drop(leaving);
    crate::broker::wait_until("there is room again", || {
        let mut next = TcpStream::connect(&broker.address).expect("the broker accepts");
        next.set_read_timeout(Some(Duration::from_secs(5))).expect("a socket option");
        next.write_all(&crate::frame(crate::API_VERSIONS, 0, 1, &[])).ok()?;
        std::io::Read::read_exact(&mut next, &mut [0; 4]).ok()
    });
}
