//! The experiment's producer and consumer in Kafka's protocol, for Ringlane and stock Kafka alike. A batch is one record batch
//! in a produce request of its own, `acks=all`; requests are pipelined on one connection. The producer is not idempotent:
//! that would allow five requests in flight, and the window is the same everywhere.

use std::collections::VecDeque;
use std::io;
use std::sync::mpsc;
use std::time::Duration;

use ringlane_batch::{BatchBuilder, BatchFields, Codec, TimestampMs};
use ringlane_client::{
    Admin, Answer, Client, ClientConfig, Connection, Consumer, ConsumerConfig, Error, NewTopic,
    Pending, Position,
};
use ringlane_reactor::{Reactor, ShardConfig, run_shards};
use ringlane_wire::messages::ProduceRequest;
use ringlane_wire::messages::produce::{PartitionProduceData, TopicProduceData};

use super::load::{Done, Load, MESSAGE_BYTES, Messages, Tally, WINDOW};

/// A consumer waits so long for what was acknowledged.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long to look for more than was expected.
const GRACE: Duration = Duration::from_millis(200);

const ACKS_ALL: i16 = -1;
const ACKS_TIMEOUT_MS: i32 = 30_000;

/// Runs `work` on a pinned shard, and waits for it.
///
/// # Errors
/// Those of `work` as a sentence; when there can be no shard.
pub(super) fn on_shard<T, F>(
    cpu: usize,
    work: impl Fn(Reactor) -> F + Send + Clone + 'static,
) -> Result<T, String>
where
    T: Send + 'static,
    F: Future<Output = Result<T, Error>> + 'static,
{
    let (sender, outcome) = mpsc::channel();
    let main = move |reactor: Reactor| {
        let (sender, work) = (sender.clone(), work.clone());
        async move {
            let _ = sender.send(work(reactor).await.map_err(|error| error.to_string()));
            io::Result::Ok(())
        }
    };
    run_shards(&ShardConfig::on(vec![cpu]), main)
        .map_err(|error| format!("the client cannot run: {error}"))?;
    outcome.try_recv().unwrap_or_else(|_| Err("the client ended without a result".to_owned()))
}

async fn connect(reactor: &Reactor, address: &str) -> Result<Client, Error> {
    let mut config = ClientConfig::new([address]);
    config.client_id = "ringlane-bench-paper".into();
    Client::connect(reactor, config).await
}

/// Creates the topic of `load`, of one partition with these settings.
///
/// # Errors
/// When it cannot be reached, or refuses.
pub async fn create(
    reactor: &Reactor,
    address: &str,
    load: &Load,
    settings: Vec<(String, String)>,
) -> Result<(), Error> {
    let client = connect(reactor, address).await?;
    let topic = NewTopic { configs: settings, ..NewTopic::new(&load.place, 1) };
    Admin::new(&client).create_topic(&topic).await.map(drop)
}

/// Sends the messages of `load`.
///
/// # Errors
/// The first that the broker refuses, or when the connection ends.
pub async fn produce(reactor: &Reactor, address: &str, load: &Load) -> Result<Done, Error> {
    let client = connect(reactor, address).await?;
    let connection = leader(&client, load).await?;
    let topic = client.topic(&load.place).await?;
    let (mut messages, mut waiting) = (Messages::new(load), VecDeque::new());
    let (began, mut sent) = (reactor.now(), 0);
    while let Some(count) = load.next_batch(sent, reactor.now() - began) {
        let mut builder = BatchBuilder::new(Codec::None);
        for _ in 0..count {
            let now = TimestampMs(reactor.wall_clock_ms());
            builder.append(now, None, Some(messages.next()), &[]);
        }
        let records = builder.finish(&BatchFields::default());
        let partition = PartitionProduceData { index: 0, records: Some(records.into()) };
        let data = TopicProduceData {
            name: &load.place,
            topic_id: topic.id,
            partition_data: vec![partition],
        };
        let request = ProduceRequest {
            transactional_id: None,
            acks: ACKS_ALL,
            timeout_ms: ACKS_TIMEOUT_MS,
            topic_data: vec![data],
        };
        waiting.push_back(connection.start(&request)?);
        sent += count;
        if waiting.len() >= load.batches_in_flight() {
            acknowledged(waiting.pop_front(), load).await?;
        }
    }
    while !waiting.is_empty() {
        acknowledged(waiting.pop_front(), load).await?;
    }
    Ok(Done { messages: sent, elapsed: reactor.now() - began })
}

/// A connection to the partition's leader, as soon as there is one.
async fn leader(client: &Client, load: &Load) -> Result<Connection, Error> {
    let reactor = client.reactor();
    let deadline = reactor.now() + PATIENCE;
    loop {
        let known = client.refresh(&[&load.place]).await;
        match client.known_leader(&load.place, 0) {
            Some(leader) => return client.connection(leader).await,
            None if reactor.now() >= deadline => {
                known?;
                let place = &load.place;
                return Err(Error::Invalid(format!("no broker leads partition 0 of {place}")));
            }
            None => reactor.sleep(client.config().backoff_min).await,
        }
    }
}

async fn acknowledged(pending: Option<Pending>, load: &Load) -> Result<(), Error> {
    let Some(pending) = pending else { return Ok(()) };
    let answer: Answer = pending.await?;
    let response = answer.decode::<ProduceRequest<'_>>()?;
    for topic in &response.responses {
        for partition in &topic.partition_responses {
            answer.check(partition.error_code, &load.place, partition.error_message)?;
        }
    }
    Ok(())
}

/// Reads the topic of `load` from its start until `tally` is complete, or nothing more comes. The tally comes back with what
/// was seen.
///
/// # Errors
/// What the client cannot hide.
pub async fn consume(
    reactor: &Reactor,
    address: &str,
    load: &Load,
    mut tally: Tally,
) -> Result<(Done, Tally), Error> {
    let client = connect(reactor, address).await?;
    leader(&client, load).await?;
    let bytes = i32::try_from(WINDOW).unwrap_or(i32::MAX) * MESSAGE_BYTES as i32;
    let config =
        ConsumerConfig { partition_max_bytes: bytes, max_bytes: bytes, ..Default::default() };
    let mut consumer = Consumer::new(&client, config);
    let began = reactor.now();
    consumer.assign([(load.place.as_str(), 0, Position::Offset(0))]);
    let mut elapsed = Duration::ZERO;
    loop {
        let patience = if tally.is_complete() { GRACE } else { PATIENCE };
        let Ok(fetched) = reactor.timeout(patience, consumer.poll()).await else { break };
        fetched?.for_each(|record| tally.see(record.value.unwrap_or_default()))?;
        elapsed = reactor.now() - began;
    }
    Ok((Done { messages: tally.consumed(), elapsed }, tally))
}
