//! Durable records and what was said of each: acknowledged at this offset, or refused.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::Message;
use rdkafka::Offset;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::BaseRecord;

use crate::broker::wait_until;
use crate::clients::{TIMEOUT, TestProducer, client, create_topic};

const TOPIC: &str = "durable";
const PARTITIONS: i32 = 3;
/// Sent at a time.
const BURST: u64 = 40;

/// See the module.
#[derive(Default)]
pub(crate) struct Records {
    /// By partition and offset, the number of the record.
    acknowledged: BTreeMap<(i32, i64), u64>,
    next: u64,
}

impl Records {
    /// Makes the topic.
    pub(crate) fn new(address: &str) -> Self {
        create_topic(address, TOPIC, PARTITIONS, &[]).expect("created");
        Self::default()
    }

    /// Produces `count` records at least: all of them must be acknowledged, whatever retries that takes.
    pub(crate) fn produce(&mut self, address: &str, count: u64) {
        let producer = TestProducer::new(address, &[("acks", "all"), ("retry.backoff.ms", "20")]);
        producer.learn(TOPIC);
        for _ in 0..count.div_ceil(BURST) {
            let refused = self.burst(&producer);
            assert!(refused.is_empty(), "{refused:?}");
        }
    }

    /// Produces, without retries, until something is refused: with an error that a client retries.
    pub(crate) fn produce_until_refused(&mut self, address: &str) {
        let producer = TestProducer::new(address, &[("acks", "all"), ("retries", "0")]);
        producer.learn(TOPIC);
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let refused = self.burst(&producer);
            for error in &refused {
                let code = error.rdkafka_error_code();
                assert_eq!(code, Some(RDKafkaErrorCode::KafkaStorageError), "{error}");
            }
            if !refused.is_empty() {
                return;
            }
            assert!(Instant::now() < deadline, "nothing is refused");
        }
    }

    /// Has `happen` happen, and produces on, without retries, until the broker has `ended`. Answers what `happen` does: whether
    /// it did.
    pub(crate) fn produce_until_ended(
        &mut self,
        address: &str,
        happen: impl FnOnce() -> bool,
        mut ended: impl FnMut() -> bool,
    ) -> bool {
        let settings = [("acks", "all"), ("retries", "0"), ("message.timeout.ms", "1000")];
        let producer = TestProducer::new(address, &settings);
        producer.learn(TOPIC);
        assert_eq!(self.burst(&producer).len(), 0, "nothing has happened yet");
        if !happen() {
            return false;
        }
        let deadline = Instant::now() + Duration::from_secs(60);
        while !ended() {
            self.burst(&producer);
            assert!(Instant::now() < deadline, "the broker goes on");
        }
        true
    }

    /// Sends some, and waits until each was acknowledged or refused.
    fn burst(&mut self, producer: &TestProducer) -> Vec<KafkaError> {
        for number in self.next..self.next + BURST {
            let (key, value) = (number.to_string(), value(number));
            let partition = (number % PARTITIONS as u64) as i32;
            let record = BaseRecord::to(TOPIC).partition(partition);
            producer.send(record.key(key.as_bytes()).payload(&value));
        }
        self.next += BURST;
        let (mut refused, mut waiting) = (Vec::new(), BURST);
        wait_until("all records are acknowledged or refused", || {
            for report in producer.reported() {
                waiting -= 1;
                match report {
                    Ok(record) => {
                        let key = record.key.expect("a key");
                        let key = String::from_utf8(key).expect("a number");
                        let place = (record.partition, record.offset);
                        let number = key.parse().expect("a number");
                        let before = self.acknowledged.insert(place, number);
                        assert_eq!(before, None, "{place:?} was given away before");
                    }
                    Err(error) => refused.push(error),
                }
            }
            (waiting == 0).then_some(())
        });
        refused
    }

    /// Reads everything there is: offsets without a gap, no record twice, each as it was sent, and what was acknowledged
    /// where it was said to be.
    pub(crate) fn check(&self, address: &str) {
        let config =
            [("group.id", "unused"), ("enable.auto.commit", "false"), ("check.crcs", "true")];
        let consumer: BaseConsumer = client(address, &config).create().expect("a consumer");
        let mut partitions = TopicPartitionList::new();
        let mut rest = 0;
        for partition in 0..PARTITIONS {
            let added = partitions.add_partition_offset(TOPIC, partition, Offset::Beginning);
            added.expect("a valid offset");
            let marks = consumer.fetch_watermarks(TOPIC, partition, TIMEOUT).expect("watermarks");
            rest += marks.1 - marks.0;
        }
        consumer.assign(&partitions).expect("assigned");
        let mut found = BTreeMap::new();
        let mut next = BTreeMap::new();
        let deadline = Instant::now() + Duration::from_secs(60);
        while rest > 0 {
            assert!(Instant::now() < deadline, "{rest} records are missing");
            let Some(message) = consumer.poll(Duration::from_millis(50)) else { continue };
            let message = message.expect("a record that can be read");
            let expected: &mut i64 = next.entry(message.partition()).or_default();
            assert_eq!(message.offset(), *expected, "the next offset");
            *expected += 1;
            rest -= 1;
            let key = std::str::from_utf8(message.key().expect("a key")).expect("a number");
            let number: u64 = key.parse().expect("a number");
            assert!(message.payload() == Some(&value(number)), "record {number} was changed");
            found.insert((message.partition(), message.offset()), number);
        }
        for (place, number) in &self.acknowledged {
            assert_eq!(found.get(place), Some(number), "what was acknowledged at {place:?}");
        }
    }
}

/// 8,000 bytes that no other record has.
fn value(number: u64) -> Vec<u8> {
    number.to_be_bytes().repeat(1000)
}
