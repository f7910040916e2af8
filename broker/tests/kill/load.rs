//! Producers and a consumer, each on a thread of its own, for one round. What they are told goes to the ledger.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, PurgeConfig, ThreadedProducer};
use rdkafka::{ClientContext, Offset, TopicPartitionList};

use crate::clients::client;
use crate::ledger::Ledger;
use crate::random::Random;

/// What is written to: name without the generation, partitions, settings of topic and producer, the largest value.
pub(crate) struct Stream {
    pub(crate) name: &'static str,
    pub(crate) partitions: i32,
    pub(crate) topic: &'static [(&'static str, &'static str)],
    producer: &'static [(&'static str, &'static str)],
    value_bytes_max: u64,
}

/// Its files are not damaged: what it acknowledges is in the page cache only, which `kill -9` leaves whole.
pub(crate) const CACHED: &str = "cached";

const IDEMPOTENT: (&str, &str) = ("enable.idempotence", "true");

/// One producer writes to each.
pub(crate) const STREAMS: &[Stream] = &[
    Stream {
        name: "plain",
        partitions: 4,
        topic: &[("segment.bytes", "60000")],
        producer: &[("batch.num.messages", "20"), ("batch.size", "30000")],
        value_bytes_max: 1500,
    },
    Stream {
        name: "exact",
        partitions: 12,
        topic: &[("segment.bytes", "20000"), ("index.interval.bytes", "1000")],
        producer: &[IDEMPOTENT, ("batch.num.messages", "7"), ("batch.size", "15000")],
        value_bytes_max: 600,
    },
    Stream {
        name: "large",
        partitions: 2,
        topic: &[("segment.bytes", "500000")],
        producer: &[IDEMPOTENT, ("batch.size", "200000"), ("compression.type", "zstd")],
        value_bytes_max: 40_000,
    },
    Stream {
        name: CACHED,
        partitions: 3,
        topic: &[("segment.bytes", "60000"), ("ringlane.durable", "false")],
        producer: &[IDEMPOTENT, ("batch.num.messages", "20"), ("batch.size", "30000")],
        value_bytes_max: 600,
    },
];

impl Stream {
    pub(crate) fn is_idempotent(&self) -> bool {
        self.producer.contains(&IDEMPOTENT)
    }

    /// The name of the topic in this generation.
    pub(crate) fn topic_name(&self, generation: u64) -> String {
        format!("{}-{generation}", self.name)
    }
}

/// Sends each delivery report to the ledger.
struct Reports {
    ledger: Arc<Ledger>,
    /// Every record must arrive.
    strict: Arc<AtomicBool>,
}

impl ClientContext for Reports {}

impl ProducerContext for Reports {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, _: ()) {
        match result {
            Ok(message) => self.ledger.acknowledged(message),
            Err((error, _)) if self.strict.load(Ordering::Relaxed) => {
                self.ledger.problem(format!("a record was not delivered: {error}"));
            }
            // Nobody promised it.
            Err(_) => {}
        }
    }
}

/// The clients of a round.
pub(crate) struct Load {
    sending: Arc<AtomicBool>,
    reading: Arc<AtomicBool>,
    strict: Arc<AtomicBool>,
    producers: Vec<JoinHandle<()>>,
    consumer: JoinHandle<()>,
}

impl Load {
    /// Begins. `ends` is where each partition ends now: consumers read from there.
    pub(crate) fn start(
        address: &str,
        ledger: &Arc<Ledger>,
        round: u64,
        generation: u64,
        random: &mut Random,
        ends: &BTreeMap<(String, i32), i64>,
    ) -> Self {
        let flag = |value| Arc::new(AtomicBool::new(value));
        let (sending, reading, strict) = (flag(true), flag(true), flag(false));
        let mut producers = Vec::new();
        for stream in STREAMS {
            let context = Reports { ledger: ledger.clone(), strict: strict.clone() };
            let config = [stream.producer, &common(random)].concat();
            let producer: ThreadedProducer<Reports> = client(address, &config)
                .create_with_context(context)
                .expect("a producer with this configuration");
            let (topic, random) = (stream.topic_name(generation), Random(random.next()));
            let (sending, strict) = (sending.clone(), strict.clone());
            let value_bytes_max = stream.value_bytes_max;
            producers.push(thread::spawn(move || {
                send(&producer, &topic, round, value_bytes_max, random, &sending);
                end(&producer, &strict);
            }));
        }
        let consumer = consumer(address, ends);
        let (ledger, read) = (ledger.clone(), reading.clone());
        let consumer = thread::spawn(move || {
            while read.load(Ordering::Relaxed) {
                // Errors: the broker is killed.
                if let Some(Ok(message)) = consumer.poll(Duration::from_millis(20)) {
                    ledger.seen(&message);
                }
            }
        });
        Self { sending, reading, strict, producers, consumer }
    }

    /// Ends the clients. What was not acknowledged is forgotten, unless `deliver`: then it must all arrive first.
    pub(crate) fn stop(self, deliver: bool) {
        self.strict.store(deliver, Ordering::Relaxed);
        self.sending.store(false, Ordering::Relaxed);
        for producer in self.producers {
            producer.join().expect("a producer's thread");
        }
        self.reading.store(false, Ordering::Relaxed);
        self.consumer.join().expect("the consumer's thread");
    }
}

fn common(random: &mut Random) -> Vec<(&'static str, &'static str)> {
    let linger = ["0", "1", "5"][random.below(3) as usize];
    vec![
        ("acks", "all"),
        ("linger.ms", linger),
        ("queue.buffering.max.messages", "500"),
        ("reconnect.backoff.ms", "10"),
        ("reconnect.backoff.max.ms", "100"),
        ("retry.backoff.ms", "10"),
        ("log_level", "2"),
    ]
}

/// Sends records, each with a key of its own, while told to.
fn send(
    producer: &ThreadedProducer<Reports>,
    topic: &str,
    round: u64,
    value_bytes_max: u64,
    mut random: Random,
    sending: &AtomicBool,
) {
    let mut number = 0u64;
    while sending.load(Ordering::Relaxed) {
        let key = format!("{round}:{number}");
        let len = random.below(value_bytes_max) as usize;
        let value = random.bytes(len);
        number += 1;
        let mut next = BaseRecord::to(topic).key(key.as_bytes()).payload(&value[..]);
        while let Err((error, record)) = producer.send(next) {
            let full = KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull);
            assert_eq!(error, full, "librdkafka refused a record");
            if !sending.load(Ordering::Relaxed) {
                return;
            }
            producer.poll(Duration::from_millis(5));
            next = record;
        }
    }
}

fn end(producer: &ThreadedProducer<Reports>, strict: &AtomicBool) {
    match strict.load(Ordering::Relaxed) {
        true => producer.flush(Duration::from_secs(60)).expect("everything is delivered in time"),
        false => producer.purge(PurgeConfig::default().queue().inflight()),
    }
}

/// Of all partitions, from where each ended.
fn consumer(address: &str, ends: &BTreeMap<(String, i32), i64>) -> BaseConsumer {
    let config = [("group.id", "unused"), ("enable.auto.commit", "false"), ("log_level", "2")];
    let consumer: BaseConsumer = client(address, &config).create().expect("a consumer");
    let mut partitions = TopicPartitionList::new();
    for ((topic, partition), end) in ends {
        let offset = Offset::Offset(*end);
        partitions.add_partition_offset(topic, *partition, offset).expect("a valid offset");
    }
    consumer.assign(&partitions).expect("assigned");
    consumer
}
