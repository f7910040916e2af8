//! Bytes that are not requests end their own connection, cost no memory, are logged once with the peer, and disturb
//! nobody else.

use crate::broker::{Broker, wait_until};
use crate::raw::{API_VERSIONS, METADATA, PRODUCE, Raw, assert_serves, frame};

/// The connection is closed, the log names the peer, and others are served.
fn assert_closes(broker: &Broker, what: &str, bytes: &[u8]) {
    let mut connection = Raw::send(&broker.address, bytes);
    let peer = connection.local_address();
    assert!(connection.answer().is_none(), "{what}: closed without an answer");
    wait_until("the log names the peer", || broker.log().contains(&peer).then_some(()));
    let lines = broker.log().lines().filter(|line| line.contains(&peer)).count();
    assert_eq!(lines, 1, "{what}: one line in the log");
    assert_serves(&broker.address);
}

#[test]
fn what_is_no_frame_is_closed() {
    let broker = Broker::start(&[]);
    assert_closes(&broker, "the largest length", &i32::MAX.to_be_bytes());
    assert_closes(&broker, "one byte too long", &(100 * 1024 * 1024 + 1i32).to_be_bytes());
    assert_closes(&broker, "a negative length", &(-1i32).to_be_bytes());
    assert_closes(&broker, "HTTP", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_closes(&broker, "a TLS hello", &[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]);
    assert_closes(&broker, "noise", &[0xa5; 4096]);
}

#[test]
fn a_request_beyond_the_setting_is_closed() {
    let broker = Broker::start(&["socket.request.max.bytes=1000"]);
    assert_closes(&broker, "one byte too long", &1001i32.to_be_bytes());
}

#[test]
fn requests_that_do_not_decode_are_closed() {
    let broker = Broker::start(&[]);
    assert_closes(&broker, "an empty frame", &0i32.to_be_bytes());
    assert_closes(&broker, "an unknown API", &frame(999, 0, 1, &[]));
    assert_closes(&broker, "an unsupported version", &frame(METADATA, 99, 1, &[]));
    assert_closes(&broker, "a truncated header", &[0, 0, 0, 3, 0, 18, 0]);
    assert_closes(
        &broker,
        "a truncated array",
        &frame(METADATA, 1, 1, &[0, 0, 0, 2, 0, 3, b'a', b'b', b'c']),
    );
    assert_closes(
        &broker,
        "a string beyond the frame",
        &frame(METADATA, 1, 1, &[0, 0, 0, 1, 0x7f, 0xff, b'a']),
    );
    assert_closes(
        &broker,
        "Produce v2, listed only for librdkafka's sake",
        &frame(PRODUCE, 2, 1, &[0; 10]),
    );
}

/// Array lengths of two billion in old and in compact encoding: refused by the bytes that are there.
#[test]
fn claimed_lengths_allocate_nothing() {
    let broker = Broker::start(&[]);
    assert_serves(&broker.address);
    let before_kib = broker.memory_peak_kib();
    for correlation_id in 0..50 {
        let plain = frame(METADATA, 1, correlation_id, &i32::MAX.to_be_bytes());
        assert!(Raw::send(&broker.address, &plain).answer().is_none());
        // Header version 2 has a tag buffer before the body; the compact length is a varint of the count plus one.
        let compact = frame(METADATA, 9, correlation_id, &[0, 0xff, 0xff, 0xff, 0xff, 0x0f]);
        assert!(Raw::send(&broker.address, &compact).answer().is_none());
    }
    assert_serves(&broker.address);
    let grown_kib = broker.memory_peak_kib() - before_kib;
    assert!(grown_kib < 8 * 1024, "memory grew by {grown_kib} KiB");
}

/// Kafka's rule for ApiVersions alone: a version too new is answered in version 0 with UNSUPPORTED_VERSION (35), so that
/// a newer client can find out what to speak.
#[test]
fn api_versions_too_new_is_answered_in_version_0() {
    let broker = Broker::start(&[]);
    let answer = Raw::send(&broker.address, &frame(API_VERSIONS, 99, 5, &[0])).answer();
    let answer = answer.expect("an answer, not a close");
    assert_eq!(answer[..6], [0, 0, 0, 5, 0, 35]);
}
