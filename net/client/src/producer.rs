//! Sends records: collected into a batch for each partition, sent by partition leader, acknowledged or given up within the
//! delivery timeout.
//!
//! Contract: records that one task sends to one partition are stored in that order, also after retries; with idempotence
//! each is stored once (KIP-98).

mod batch;
mod coordinator;
mod murmur2;
mod partitioner;
mod queue;
mod request;
mod sender;
mod state;
mod transaction;
mod transactional;

use std::rc::Rc;
use std::time::Duration;

use ringlane_batch::{Codec, Header, TimestampMs};
use ringlane_reactor::{Queue, Task};

pub use batch::{Acknowledged, Delivery};
pub use murmur2::murmur2;

use crate::client::Client;
use crate::error::Error;
use crate::offsets::no_such_partition;
use sender::Shared;

/// When a broker acknowledges a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Acks {
    /// Never: it counts as sent once the kernel has it.
    None,
    /// Once the leader has it.
    Leader,
    /// Once all in-sync replicas have it.
    All,
}

impl Acks {
    fn code(self) -> i16 {
        match self {
            Self::None => 0,
            Self::Leader => 1,
            Self::All => -1,
        }
    }
}

/// The settings of a producer. Kafka's name of each stands beside it.
#[derive(Clone, Debug)]
pub struct ProducerConfig {
    /// When a batch is acknowledged (`acks`).
    pub acks: Acks,
    /// Whether a retry is never stored twice (`enable.idempotence`). Has no effect with [`Acks::None`].
    pub idempotent: bool,
    /// How batches are compressed (`compression.type`).
    pub codec: Codec,
    /// How long a batch waits for more records (`linger.ms`).
    pub linger: Duration,
    /// A batch of this many bytes, before compression, waits no longer (`batch.size`).
    pub batch_bytes: usize,
    /// The most bytes of batches in one request (`max.request.size`).
    pub request_bytes_max: usize,
    /// Requests to a broker that are not answered yet (`max.in.flight.requests.per.connection`); 1 to 5.
    pub in_flight_max: usize,
    /// Bytes of records that are not acknowledged yet; at the bound [`Producer::send`] waits (`buffer.memory`).
    pub buffer_bytes_max: usize,
    /// How long a broker may wait for replicas (`request.timeout.ms` in its role inside the request).
    pub acks_timeout: Duration,
    /// How long a batch is tried (`delivery.timeout.ms`).
    pub delivery_timeout: Duration,
    /// Under which name it has transactions, if it has (`transactional.id`): one producer at a time. Wants [`Acks::All`] and
    /// idempotence.
    pub transactional_id: Option<String>,
    /// How long a transaction may take before the coordinator aborts it (`transaction.timeout.ms`).
    pub transaction_timeout: Duration,
}

impl Default for ProducerConfig {
    fn default() -> Self {
        Self {
            acks: Acks::All,
            idempotent: true,
            codec: Codec::None,
            linger: Duration::from_millis(5),
            batch_bytes: 16 << 10,
            request_bytes_max: 1 << 20,
            in_flight_max: 5,
            buffer_bytes_max: 32 << 20,
            acks_timeout: Duration::from_secs(30),
            delivery_timeout: Duration::from_secs(120),
            transactional_id: None,
            transaction_timeout: Duration::from_secs(60),
        }
    }
}

/// A record to send.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProducerRecord<'a> {
    /// Its key; the same key goes to the same partition.
    pub key: Option<&'a [u8]>,
    /// Its value; `None` is a tombstone.
    pub value: Option<&'a [u8]>,
    /// Its headers.
    pub headers: &'a [Header<'a>],
    /// Its timestamp in ms since the epoch; now, if there is none.
    pub timestamp: Option<i64>,
}

impl ProducerRecord<'_> {
    fn len_bytes(&self) -> usize {
        let headers = self.headers.iter();
        let headers = headers.map(|h| h.key.len() + h.value.map_or(0, <[u8]>::len));
        self.key.map_or(0, <[u8]>::len) + self.value.map_or(0, <[u8]>::len) + headers.sum::<usize>()
    }
}

/// See the file's head. Dropping it drops what was not acknowledged yet: [`Self::flush`] first.
pub struct Producer {
    shared: Rc<Shared>,
    _sender: Task<()>,
}

impl Producer {
    /// A producer on `client`.
    ///
    /// # Panics
    /// When `in_flight_max` is not 1 to 5: brokers remember five batches of a producer. When there is a `transactional_id`
    /// without idempotence and [`Acks::All`].
    pub fn new(client: &Client, config: ProducerConfig) -> Self {
        assert!((1..=5).contains(&config.in_flight_max), "1 to 5 requests in flight");
        let is_safe = config.idempotent && config.acks == Acks::All;
        assert!(config.transactional_id.is_none() || is_safe, "transactions want acks=all");
        let shared = Rc::new(Shared::new(client.clone(), config));
        let sender = client.reactor().spawn(Queue::Client, sender::run(shared.clone()));
        Self { shared, _sender: sender }
    }

    /// Takes a record, for `partition` or the one that its key or chance decides. Waits while the buffer is full, and for
    /// what must be known of the topic. The future inside gives the acknowledgement and may be dropped.
    ///
    /// # Errors
    /// When the topic or partition does not exist, or cannot be asked for. With transactions: when none is open, or it has
    /// failed.
    pub async fn send(
        &self,
        topic: &str,
        partition: Option<i32>,
        record: &ProducerRecord<'_>,
    ) -> Result<Delivery, Error> {
        let shared = &self.shared;
        shared.wait_for_room().await;
        if !shared.state.borrow().knows(topic) || shared.client.is_stale(topic) {
            let known = shared.client.topic(topic).await?;
            shared.state.borrow_mut().learn(&known);
        }
        let timestamp = record.timestamp.unwrap_or_else(|| shared.client.reactor().wall_clock_ms());
        let mut state = shared.state.borrow_mut();
        if let Some(error) = state.fatal() {
            return Err(error);
        }
        if let Some(transaction) = &state.transaction {
            transaction.check_open()?;
        }
        let count = state.partition_count(topic);
        let partition = match (partition, record.key) {
            (Some(partition), _) => usize::try_from(partition)
                .ok()
                .filter(|&index| index < count)
                .ok_or_else(|| no_such_partition(topic, partition, count))?,
            (None, Some(key)) => partitioner::of_key(key, count),
            (None, None) => state.sticky_partition(shared, topic, record.len_bytes()),
        };
        let (delivery, is_news) =
            state.append(shared, topic, partition, record, TimestampMs(timestamp));
        drop(state);
        if is_news {
            shared.wake.notify_all();
        }
        Ok(delivery)
    }

    /// Sends everything without lingering, and waits until all is acknowledged or given up.
    ///
    /// # Errors
    /// That of the first batch that was given up since the last flush.
    pub async fn flush(&self) -> Result<(), Error> {
        self.shared.flush().await
    }

    /// Makes this the producer with the transactional id (KIP-98): an earlier one is fenced, and what it left open aborted.
    /// Comes before the first transaction, once.
    ///
    /// # Errors
    /// `Invalid` without a transactional id; `Unsupported` and `Refused` where the cluster has no transactions or does not
    /// grant this one. Called again it may succeed.
    pub async fn init_transactions(&self) -> Result<(), Error> {
        self.shared.init_transactions().await
    }

    /// Begins a transaction: what is sent from now on belongs to it. Asks nobody.
    ///
    /// # Errors
    /// `Invalid` where none can begin; why the producer can do nothing any more, if it cannot.
    pub fn begin_transaction(&self) -> Result<(), Error> {
        self.shared.with_transaction(transaction::Transaction::begin)
    }

    /// Waits until all that was sent is acknowledged, and commits it. Readers of committed records see it soon after.
    ///
    /// # Errors
    /// Why it failed: then it has to be aborted. Or why the producer can do nothing any more (it was fenced, or whether the
    /// transaction was committed is unknown): then every call tells that.
    pub async fn commit_transaction(&self) -> Result<(), Error> {
        self.shared.commit_transaction().await
    }

    /// Gives up what was not sent yet, and has the transaction's records never be seen by readers of committed records.
    ///
    /// # Errors
    /// Why the producer can do nothing any more.
    pub async fn abort_transaction(&self) -> Result<(), Error> {
        self.shared.abort_transaction().await
    }

    /// Why the first batch was given up since the last flush, if one was.
    pub fn failed(&self) -> Option<Error> {
        self.shared.state.borrow().first_error.clone()
    }

    /// Bytes of records that are not acknowledged yet.
    pub fn buffered_bytes(&self) -> usize {
        self.shared.state.borrow().buffered_bytes()
    }
}
