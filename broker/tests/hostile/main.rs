//! Every API in every version against requests that no honest client sends: extreme values, cut and changed frames. A panic
//! in any task ends the broker, so after each burst it must still serve others, in little memory.
#![expect(
    clippy::disallowed_methods,
    reason = "starts processes and opens sockets, outside any reactor"
)]
#![expect(dead_code, reason = "shares helpers with the librdkafka tests, and uses some of them")]

#[path = "../librdkafka/broker.rs"]
mod broker;
#[path = "../librdkafka/raw.rs"]
mod raw;

mod alterations;
mod answers;
mod fetches;
mod log_dirs;
mod memory;
mod random;
mod requests;
mod topic_partitions;
mod trailing;
mod unreadable_groups;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use ringlane::apis::TABLE;
use ringlane_wire::ApiKey;

use broker::Broker;
use random::Random;
use raw::{API_VERSIONS, METADATA, Raw, frame};

/// Requests of each API and version. Raise it with `RINGLANE_HOSTILE_FRAMES`, choose another `RINGLANE_HOSTILE_SEED`.
const FRAMES: u64 = 12;
const SEED: u64 = 1;

/// What a broker of two shards may hold after all of this.
const MEMORY_KIB: u64 = 400 * 1024;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

/// The id of the topic "hostile", which is created by asking for it.
fn topic_id(address: &str) -> [u8; 16] {
    // Version 10: topics (id, name, tags), may be created, no operations of either kind, tags.
    let mut body = vec![0, 2];
    body.extend([0; 16]);
    body.extend(b"\x08hostile\x00\x01\x00\x00\x00");
    broker::wait_until("the topic is there", || {
        let mut connection = Raw::send(address, &frame(METADATA, 10, 1, &body));
        let answer = connection.answer().expect("metadata");
        let at = answer.windows(8).position(|bytes| bytes == b"\x08hostile")? + 8;
        let id: [u8; 16] = answer[at..at + 16].try_into().expect("sixteen bytes");
        (id != [0; 16]).then_some(id)
    })
}

/// Changes the body of a frame: other bytes, other numbers, cut or too long.
fn mutate(random: &mut Random, frame: &mut Vec<u8>, body: usize) {
    for _ in 0..=random.below(3) {
        let length = frame.len() - body;
        if length == 0 {
            break;
        }
        let at = body + random.below(length);
        match random.below(5) {
            0 => frame[at] = random.next() as u8,
            1 => frame[at] ^= 1 << random.below(8),
            2 => frame.truncate(at),
            3 => frame.insert(at, *random.pick(&[0, 1, 0x7f, 0x80, 0xff])),
            _ => {
                let extreme = *random.pick(&[i32::MIN, -2, -1, i32::MAX, 1 << 24]);
                let end = frame.len().min(at + 4);
                frame[at..end].copy_from_slice(&extreme.to_be_bytes()[..end - at]);
            }
        }
    }
    requests::set_length(frame);
}

/// Sends a frame; waits a little for an answer, which need not come.
fn throw(address: &str, frame: &[u8]) -> std::io::Result<()> {
    let mut connection = TcpStream::connect(address)?;
    connection.set_read_timeout(Some(Duration::from_millis(20)))?;
    // The broker may close while it is being written.
    let _ = connection.write_all(frame);
    let _ = connection.read(&mut [0; 512]);
    Ok(())
}

/// Whether a connection of another client is answered.
fn serves(address: &str) -> std::io::Result<()> {
    let mut connection = TcpStream::connect(address)?;
    connection.set_read_timeout(Some(Duration::from_secs(20)))?;
    connection.write_all(&frame(API_VERSIONS, 0, 77, &[]))?;
    connection.read_exact(&mut [0; 10])
}

fn hex(frame: &[u8]) -> String {
    frame.iter().take(1024).map(|byte| format!("{byte:02x}")).collect()
}

fn burst(broker: &Broker, seed: u64, key: ApiKey, version: i16, id: [u8; 16]) {
    let mut random = Random::new(seed ^ (key.code() as u64) << 32 ^ (version as u64) << 16);
    let mut sent = Vec::new();
    let mut outcome = Ok(());
    for number in 0..number("RINGLANE_HOSTILE_FRAMES", FRAMES) {
        let (mut frame, body) = requests::request(&mut random, key, version, id);
        if number % 2 == 1 {
            mutate(&mut random, &mut frame, body);
        }
        outcome = outcome.and_then(|()| throw(&broker.address, &frame));
        sent.push(hex(&frame));
    }
    let what = format!("{} version {version}, seed {seed}", key.name());
    if let Err(error) = outcome.and_then(|()| serves(&broker.address)) {
        let log = broker.log();
        let tail: Vec<&str> = log.lines().rev().take(12).collect();
        panic!("{what}: {error}\n{}\nthe log, newest first:\n{}", sent.join("\n"), tail.join("\n"));
    }
    let held_kib = broker.memory_peak_kib();
    assert!(held_kib < MEMORY_KIB, "{what}: {held_kib} KiB\n{}", sent.join("\n"));
}

#[test]
fn no_request_ends_the_broker() {
    let broker = Broker::start(&["num.partitions=2", "offsets.topic.num.partitions=3"]);
    let seed = number("RINGLANE_HOSTILE_SEED", SEED);
    for api in TABLE {
        for version in api.key.versions() {
            // A burst may have deleted the topic of the one before.
            let id = topic_id(&broker.address);
            burst(&broker, seed, api.key, version, id);
        }
    }
    assert!(!broker.log().contains("panicked"), "{}", broker.log());
}
