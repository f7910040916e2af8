//! `kill -9` in the middle of producing loses nothing that was acknowledged, and moves nothing.

use std::collections::BTreeMap;

use rdkafka::Offset;
use rdkafka::consumer::Consumer;
use rdkafka::producer::BaseRecord;

use crate::broker::{Broker, wait_until};
use crate::clients::{TIMEOUT, TestProducer, create_topic, read, reader};

const ROUNDS: u64 = 3;
/// Acknowledgements to wait for before each kill; more records are on their way by then.
const ACKNOWLEDGED_MIN: usize = 2_000;

/// Offset and value of each acknowledged record.
type Ledger = BTreeMap<i64, Vec<u8>>;

/// Produces until enough is acknowledged, and leaves with records still in flight.
fn produce_into(ledger: &mut Ledger, address: &str, round: u64, acks: &str) {
    let config = [("acks", acks), ("linger.ms", "1"), ("batch.num.messages", "20")];
    let producer = TestProducer::new(address, &config);
    let mut number = 0u64;
    let mut acknowledged = 0;
    wait_until("enough is acknowledged", || {
        for _ in 0..500 {
            let value = format!("round {round}, record {number}");
            producer.send(BaseRecord::to("ledger").partition(0).payload(value.as_bytes()));
            number += 1;
        }
        for record in producer.reported().into_iter().flatten() {
            acknowledged += 1;
            let before = ledger.insert(record.offset, record.value.expect("a value"));
            assert!(before.is_none(), "offset {} was acknowledged twice", record.offset);
        }
        (acknowledged >= ACKNOWLEDGED_MIN).then_some(())
    });
}

fn survives(acks: &str) {
    let mut broker = Broker::start(&[]);
    create_topic(&broker.address, "ledger", 1, &[]).expect("created");
    let mut ledger = Ledger::new();
    for round in 0..ROUNDS {
        produce_into(&mut ledger, &broker.address, round, acks);
        broker = broker.kill_and_restart();

        let consumer = reader(&broker.address, "ledger", Offset::Beginning);
        let (low, high) = consumer.fetch_watermarks("ledger", 0, TIMEOUT).expect("watermarks");
        let last = ledger.last_key_value().map_or(0, |(&offset, _)| offset);
        assert!(low == 0 && high > last, "the log holds {low}..{high}, acknowledged up to {last}");
        let found: Ledger = read(&[&consumer], high as usize)
            .into_iter()
            .map(|record| (record.offset, record.value.expect("a value")))
            .collect();
        assert_eq!(found.len() as i64, high, "every offset can be read");
        for (offset, value) in &ledger {
            assert_eq!(found.get(offset), Some(value), "the record at offset {offset}");
        }
    }
}

#[test]
fn nothing_acknowledged_by_all_is_lost() {
    survives("all");
}

#[test]
fn nothing_acknowledged_by_the_leader_is_lost() {
    survives("1");
}
