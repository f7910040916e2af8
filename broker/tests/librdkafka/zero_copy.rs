//! What the page cache has goes to consumers without a copy, byte for byte; what was just appended comes from memory.

use rdkafka::Offset;

use crate::broker::{Broker, wait_until};
use crate::clients::{TestProducer, create_topic, produce, read, reader, values};
use rdkafka::producer::BaseRecord;

const RECORDS: usize = 500;

/// 20 KB each, no two alike.
fn sent() -> Vec<Vec<u8>> {
    let value = |n: usize| (0..20_000).map(|at| ((at * (n + 7)) >> 5) as u8).collect();
    (0..RECORDS).map(value).collect()
}

/// A count that the broker tells when it stops.
fn stopped(broker: &Broker, counter: &str) -> usize {
    let id = broker.process_id().to_string();
    let killed = std::process::Command::new("kill").args(["-TERM", &id]).status().expect("kill");
    assert!(killed.success());
    wait_until("the broker tells its counters", || {
        let log = broker.log();
        let rest = log.split(&format!("{counter}=")).nth(1)?;
        rest.split_whitespace().next()?.parse().ok()
    })
}

/// How many bytes were not copied while a consumer read everything from the beginning, after a crash.
fn spliced(settings: &[&str]) -> usize {
    let broker = Broker::start(settings);
    create_topic(&broker.address, "large", 1, &[("segment.bytes", "3000000")]).expect("created");
    let sent = sent();
    produce(&broker.address, "large", &[("linger.ms", "5")], &sent);
    let broker = broker.kill_and_restart();
    assert!(values(&broker.address, "large", sent.len()) == sent);
    stopped(&broker, "bytes_spliced")
}

#[test]
fn what_is_in_the_page_cache_is_not_copied() {
    let bytes = spliced(&[]);
    // Not the ends of segments. On a file system in memory, or one that cannot splice, it would be none.
    assert!(bytes > RECORDS * 10_000, "{bytes} bytes");
    // More consumers, that read in pieces of all sizes.
    assert!(spliced(&["ringlane.fetch.zero.copy.min.bytes=1"]) > RECORDS * 10_000);
}

#[test]
fn nothing_is_sent_from_files_where_that_is_switched_off() {
    assert_eq!(spliced(&["ringlane.fetch.zero.copy.min.bytes=-1"]), 0);
}

/// A consumer that keeps up has everything in memory, however small that is.
#[test]
fn who_keeps_up_reads_what_was_produced() {
    for tail in
        ["ringlane.tail.bytes=0", "ringlane.tail.bytes=50000", "ringlane.tail.bytes=8388608"]
    {
        let broker = Broker::start(&[tail, "ringlane.fetch.zero.copy.min.bytes=1"]);
        create_topic(&broker.address, "kept", 1, &[]).expect("created");
        let consumer = reader(&broker.address, "kept", Offset::Beginning);
        let producer = TestProducer::new(&broker.address, &[("linger.ms", "1")]);
        let sent = sent();
        for part in sent.chunks(25) {
            for value in part {
                producer.send(BaseRecord::to("kept").partition(0).payload(value));
            }
            let found = read(&[&consumer], part.len()).into_iter().map(|record| record.value);
            assert!(found.eq(part.iter().cloned().map(Some)), "{tail}");
        }
    }
}
