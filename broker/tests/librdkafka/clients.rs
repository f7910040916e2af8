//! Short ways to the parts of librdkafka that the tests use: produce and know what was acknowledged, read, administrate.

use std::pin::pin;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Headers, Message, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};
use rdkafka::{ClientContext, Offset, TopicPartitionList};

pub(crate) const TIMEOUT: Duration = Duration::from_secs(30);

/// A record as a consumer sees it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Record {
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Vec<(String, Option<Vec<u8>>)>,
    pub(crate) timestamp_ms: Option<i64>,
}

impl Record {
    fn new(message: &impl Message) -> Self {
        let headers = message.headers().map(|headers| {
            let owned = |h: rdkafka::message::Header<'_, &[u8]>| {
                (h.key.to_string(), h.value.map(<[u8]>::to_vec))
            };
            headers.iter().map(owned).collect()
        });
        Self {
            partition: message.partition(),
            offset: message.offset(),
            key: message.key().map(<[u8]>::to_vec),
            value: message.payload().map(<[u8]>::to_vec),
            headers: headers.unwrap_or_default(),
            timestamp_ms: message.timestamp().to_millis(),
        }
    }
}

/// Sends each delivery report on: the record as acknowledged, or why it was not.
struct Reports(Sender<Result<Record, KafkaError>>);

impl ClientContext for Reports {}

impl ProducerContext for Reports {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, _: ()) {
        let report = match result {
            Ok(message) => Ok(Record::new(message)),
            Err((error, _)) => Err(error.clone()),
        };
        let _ = self.0.send(report); // nobody listens any more when a test ends early
    }
}

/// A producer with its delivery reports.
pub(crate) struct TestProducer {
    producer: ThreadedProducer<Reports>,
    reports: Receiver<Result<Record, KafkaError>>,
}

impl TestProducer {
    pub(crate) fn new(address: &str, config: &[(&str, &str)]) -> Self {
        let (sender, reports) = channel();
        let producer = client(address, config)
            .create_with_context(Reports(sender))
            .expect("a producer with this configuration");
        Self { producer, reports }
    }

    /// Lets librdkafka learn the topic's partitions before the first record: records that it holds back until then can
    /// fall in behind later ones, which a test of order would take for the broker's doing.
    pub(crate) fn learn(&self, topic: &str) {
        let timeout = Duration::from_secs(10);
        self.producer.client().fetch_metadata(Some(topic), timeout).expect("metadata");
    }

    /// Hands the record to librdkafka, waiting while its queue is full.
    pub(crate) fn send(&self, record: BaseRecord<'_, [u8], [u8]>) {
        let mut next = record;
        loop {
            match self.producer.send(next) {
                Ok(()) => return,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), record)) => {
                    next = record;
                    self.producer.poll(Duration::from_millis(5));
                }
                Err((error, _)) => panic!("librdkafka refused a record: {error}"),
            }
        }
    }

    /// The reports that are there by now.
    pub(crate) fn reported(&self) -> Vec<Result<Record, KafkaError>> {
        self.reports.try_iter().collect()
    }

    /// Waits until everything is delivered; the reports, in order.
    pub(crate) fn finish(self) -> Vec<Result<Record, KafkaError>> {
        self.producer.flush(TIMEOUT).expect("everything is delivered in time");
        self.reported()
    }
}

/// Produces these values to one partition and returns their offsets.
pub(crate) fn produce(
    address: &str,
    topic: &str,
    config: &[(&str, &str)],
    values: &[Vec<u8>],
) -> Vec<i64> {
    let producer = TestProducer::new(address, config);
    producer.learn(topic);
    for value in values {
        producer.send(BaseRecord::to(topic).partition(0).payload(value));
    }
    let reports = producer.finish();
    reports.into_iter().map(|report| report.expect("acknowledged").offset).collect()
}

/// `key:` and headers for a `BaseRecord`.
pub(crate) fn headers(pairs: &[(&str, Option<&[u8]>)]) -> OwnedHeaders {
    pairs.iter().fold(OwnedHeaders::new(), |headers, &(key, value)| {
        headers.insert(rdkafka::message::Header { key, value })
    })
}

/// The configuration that every client of the tests starts from.
pub(crate) fn client(address: &str, config: &[(&str, &str)]) -> ClientConfig {
    let mut all = ClientConfig::new();
    all.set("bootstrap.servers", address).set("broker.address.family", "v4");
    for (key, value) in config {
        all.set(*key, *value);
    }
    all
}

/// A consumer of one partition from this offset, outside any group.
pub(crate) fn reader(address: &str, topic: &str, offset: Offset) -> BaseConsumer {
    let config = [("group.id", "unused"), ("enable.auto.commit", "false"), ("check.crcs", "true")];
    let consumer: BaseConsumer = client(address, &config).create().expect("a consumer");
    let mut partitions = TopicPartitionList::new();
    partitions.add_partition_offset(topic, 0, offset).expect("a valid offset");
    consumer.assign(&partitions).expect("assigned");
    consumer
}

/// The next `count` records of these consumers together; fewer at the deadline, for the caller to compare.
pub(crate) fn read(consumers: &[&BaseConsumer], count: usize) -> Vec<Record> {
    let deadline = Instant::now() + TIMEOUT;
    let mut records = Vec::new();
    while records.len() < count && Instant::now() < deadline {
        for consumer in consumers {
            match consumer.poll(Duration::from_millis(50)) {
                Some(Ok(message)) => records.push(Record::new(&message)),
                Some(Err(error)) => panic!("a consumer failed: {error}"),
                None => {}
            }
        }
    }
    records
}

/// The values of partition 0, from the start, `count` of them.
pub(crate) fn values(address: &str, topic: &str, count: usize) -> Vec<Vec<u8>> {
    let records = read(&[&reader(address, topic, Offset::Beginning)], count);
    records.into_iter().map(|record| record.value.unwrap_or_default()).collect()
}

/// Creates a topic, or says with which code that failed.
pub(crate) fn create_topic(
    address: &str,
    topic: &str,
    partitions: i32,
    config: &[(&str, &str)],
) -> Result<(), RDKafkaErrorCode> {
    let topic = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
    let topic = config.iter().fold(topic, |topic, (key, value)| topic.set(key, value));
    create(address, &topic)
}

/// Deletes a topic.
pub(crate) fn delete_topic(address: &str, topic: &str) {
    let deleted = block_on(admin(address).delete_topics(&[topic], &AdminOptions::new()));
    one(deleted.expect("an answer")).expect("deleted");
}

/// Creates a topic as described, or says with which code that failed.
pub(crate) fn create(address: &str, topic: &NewTopic<'_>) -> Result<(), RDKafkaErrorCode> {
    let created = block_on(admin(address).create_topics([topic], &AdminOptions::new()));
    one(created.expect("an answer")).map(drop).map_err(|(_, code)| code)
}

pub(crate) fn admin(address: &str) -> AdminClient<DefaultClientContext> {
    client(address, &[]).create().expect("an admin client")
}

/// The only element.
pub(crate) fn one<T>(mut list: Vec<T>) -> T {
    assert_eq!(list.len(), 1, "one answer for one question");
    list.remove(0)
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Runs a future of the admin client on this thread.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}
