//! Clients that are slow, idle, many, or never read: they get what they can take, and everybody else is served.

use crate::broker::Broker;
use crate::raw::{API_VERSIONS, METADATA, Raw, assert_serves, frame};

#[test]
fn a_request_in_single_bytes_is_answered_and_holds_nobody_up() {
    let broker = Broker::start(&[]);
    let mut slow = Raw::connect(&broker.address);
    for byte in frame(API_VERSIONS, 0, 9, &[]) {
        slow.write(&[byte]);
        assert_serves(&broker.address);
    }
    assert_eq!(slow.answer().expect("an answer")[..6], [0, 0, 0, 9, 0, 0]);
}

#[test]
fn answers_come_in_the_order_of_the_requests() {
    let broker = Broker::start(&[]);
    let requests: Vec<u8> = (0..500)
        .flat_map(|i| match i % 3 {
            0 => frame(METADATA, 0, i, &[0; 4]),
            _ => frame(API_VERSIONS, 0, i, &[]),
        })
        .collect();
    let mut connection = Raw::send(&broker.address, &requests);
    for i in 0..500i32 {
        assert_eq!(connection.answer().expect("an answer")[..4], i.to_be_bytes());
    }
}

/// A client that asks and never reads: the broker stops reading from it instead of storing answers without bound.
#[test]
fn a_client_that_never_reads_is_pushed_back() {
    const LIMIT_BYTES: usize = 256 << 20;
    let broker = Broker::start(&[]);
    assert_serves(&broker.address);
    let before_kib = broker.memory_peak_kib();
    let requests: Vec<u8> = (0..10_000).flat_map(|i| frame(API_VERSIONS, 0, i, &[])).collect();
    let mut deaf = Raw::connect(&broker.address);
    let taken = deaf.write_until_blocked(&requests, LIMIT_BYTES);
    assert!(taken < LIMIT_BYTES, "the broker took {taken} bytes of requests");
    assert_serves(&broker.address);
    let grown_kib = broker.memory_peak_kib() - before_kib;
    assert!(grown_kib < 32 * 1024, "memory grew by {grown_kib} KiB");
}

#[test]
fn idle_connections_cost_others_nothing() {
    let broker = Broker::start(&[]);
    let idle: Vec<Raw> = (0..400).map(|_| Raw::connect(&broker.address)).collect();
    assert_serves(&broker.address);
    drop(idle);
    assert_serves(&broker.address);
}

#[test]
fn an_idle_connection_is_closed_after_its_time() {
    let broker = Broker::start(&["connections.max.idle.ms=200"]);
    assert!(Raw::connect(&broker.address).answer().is_none(), "closed by the broker");
}

#[test]
fn connections_beyond_the_setting_are_closed_at_once() {
    let broker = Broker::start(&["max.connections=3"]);
    let mut kept: Vec<Raw> = (0..3).map(|_| Raw::connect(&broker.address)).collect();
    for connection in &mut kept {
        connection.write(&frame(API_VERSIONS, 0, 1, &[]));
        assert!(connection.answer().is_some(), "within the bound");
    }
    assert!(Raw::connect(&broker.address).answer().is_none(), "beyond the bound");
}

#[test]
fn with_a_negative_bound_no_connection_is_idle_for_too_long() {
    let broker = Broker::start(&["connections.max.idle.ms=-1"]);
    let mut quiet = Raw::connect(&broker.address);
    // Long enough for a bound of nothing, for which this must not be taken.
    for _ in 0..100 {
        assert_serves(&broker.address);
    }
    quiet.write(&frame(API_VERSIONS, 0, 9, &[]));
    assert_eq!(quiet.answer().expect("an answer")[..6], [0, 0, 0, 9, 0, 0]);
}
