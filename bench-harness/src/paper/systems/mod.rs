//! The brokers of the experiment. Each is started here, measured through its own protocol, and ended. Like `brokers`, this
//! folder touches the operating system; the clients of the brokers that do not speak Kafka's protocol bring a runtime of their
//! own, which is why they are compiled only with the feature `paper`.
#![expect(
    clippy::disallowed_methods,
    reason = "processes and foreign clients live outside reactors"
)]

mod activemq;
mod foreign;
pub(super) mod meter;
mod nats;
mod rabbitmq;
mod redis;

use std::fs;
use std::path::{Path, PathBuf};

use super::kafka_protocol::{self, on_shard};
use super::load::{Done, Load, Tally};
use crate::brokers::{Broker, Kind};
use crate::generator::topic_settings;
use crate::workload::Durability;

/// A broker that the experiment knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub(crate) enum System {
    /// This build's Ringlane.
    Ringlane,
    /// Stock Apache Kafka.
    Kafka,
    /// Apache ActiveMQ, from Maven.
    Activemq,
    /// The distribution's RabbitMQ.
    Rabbitmq,
    /// JetStream of the NATS server on PATH.
    Nats,
    /// Streams of the Redis server on PATH.
    Redis,
}

/// Where a broker is, and who asks.
pub(super) struct Session<'a> {
    pub(super) broker: &'a Broker,
    pub(super) durability: Durability,
    /// The client's.
    pub(super) cpu: usize,
}

impl System {
    /// All of them, in the order of the table.
    pub(crate) const ALL: &'static [Self] =
        &[Self::Ringlane, Self::Kafka, Self::Activemq, Self::Rabbitmq, Self::Nats, Self::Redis];

    /// Its name on the command line and in file names.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ringlane => "ringlane",
            Self::Kafka => "kafka",
            Self::Activemq => "activemq",
            Self::Rabbitmq => "rabbitmq",
            Self::Nats => "nats",
            Self::Redis => "redis",
        }
    }

    fn speaks_kafka(self) -> bool {
        matches!(self, Self::Ringlane | Self::Kafka)
    }

    /// What a batch is in its protocol; none where it has no such unit.
    pub(super) fn batch_means(self) -> Option<&'static str> {
        match self {
            Self::Ringlane | Self::Kafka => Some("a record batch in a produce request of its own"),
            Self::Redis => Some(redis::BATCH),
            Self::Activemq | Self::Rabbitmq | Self::Nats => None,
        }
    }

    /// How it keeps the promise of `durability`.
    pub(super) fn durability_means(self, durability: Durability) -> &'static str {
        match (self, durability) {
            (Self::Ringlane, Durability::Disk) => "topic with ringlane.durable=true, acks=all",
            (Self::Ringlane, _) => "topic with ringlane.durable=false, acks=all",
            (Self::Kafka, Durability::Disk) => "topic with flush.messages=1, acks=all",
            (Self::Kafka, _) => "topic that is never flushed before the acknowledgement, acks=all",
            (Self::Activemq, _) => activemq::durability_means(durability),
            (Self::Rabbitmq, _) => rabbitmq::durability_means(durability),
            (Self::Nats, _) => nats::durability_means(durability),
            (Self::Redis, _) => redis::durability_means(durability),
        }
    }

    /// Gets what it needs in order to start.
    ///
    /// # Errors
    /// A sentence that says what is missing and how to get it.
    pub(super) fn prepare(self, durability: Durability) -> Result<(), String> {
        match self {
            Self::Ringlane => return Kind::Ringlane.prepare(),
            Self::Kafka => return Kind::Kafka.prepare(),
            Self::Activemq | Self::Rabbitmq | Self::Nats | Self::Redis => foreign::check()?,
        }
        match self {
            Self::Activemq => activemq::prepare(),
            Self::Rabbitmq => rabbitmq::prepare(),
            Self::Nats => nats::prepare(durability),
            _ => redis::prepare(),
        }
    }

    /// Starts it on 127.0.0.1 with its data in `directory`, pinned to `cpus`, and waits until it serves.
    ///
    /// # Errors
    /// A sentence, with the end of its log.
    pub(super) fn start(
        self,
        directory: &Path,
        cpus: &[usize],
        durability: Durability,
    ) -> Result<Broker, String> {
        // Their configurations name it, and some change theirs.
        let directory = &make(directory)?;
        match self {
            Self::Ringlane => Kind::Ringlane.start(directory, cpus, &[]),
            Self::Kafka => Kind::Kafka.start(directory, cpus, &[]),
            Self::Activemq => activemq::start(directory, cpus, durability),
            Self::Rabbitmq => rabbitmq::start(directory, cpus),
            Self::Nats => nats::start(directory, cpus, durability),
            Self::Redis => redis::start(directory, cpus, durability),
        }
    }

    /// Makes the topic, queue or stream of `load`.
    ///
    /// # Errors
    /// A sentence.
    pub(super) fn create(self, session: &Session<'_>, load: &Load) -> Result<(), String> {
        if !self.speaks_kafka() {
            return foreign::create(self, session, load);
        }
        let (address, load) = (session.broker.address.clone(), load.clone());
        let settings = topic_settings(session.durability, self == Self::Ringlane);
        on_shard(session.cpu, move |reactor| {
            let (address, load, settings) = (address.clone(), load.clone(), settings.clone());
            async move { kafka_protocol::create(&reactor, &address, &load, settings).await }
        })
    }

    /// Sends the messages of `load`.
    ///
    /// # Errors
    /// A sentence.
    pub(super) fn produce(self, session: &Session<'_>, load: &Load) -> Result<Done, String> {
        if !self.speaks_kafka() {
            return foreign::produce(self, session, load);
        }
        let (address, load) = (session.broker.address.clone(), load.clone());
        on_shard(session.cpu, move |reactor| {
            let (address, load) = (address.clone(), load.clone());
            async move { kafka_protocol::produce(&reactor, &address, &load).await }
        })
    }

    /// Consumes the `expected` messages of `load`, and looks for more.
    ///
    /// # Errors
    /// A sentence.
    pub(super) fn consume(
        self,
        session: &Session<'_>,
        load: &Load,
        expected: u64,
    ) -> Result<(Done, Tally), String> {
        if !self.speaks_kafka() {
            return foreign::consume(self, session, load, Tally::new(load, expected));
        }
        let (address, load) = (session.broker.address.clone(), load.clone());
        on_shard(session.cpu, move |reactor| {
            let (address, load) = (address.clone(), load.clone());
            let tally = Tally::new(&load, expected);
            async move { kafka_protocol::consume(&reactor, &address, &load, tally).await }
        })
    }
}

/// Makes `directory`; where it is, from the root.
fn make(directory: &Path) -> Result<PathBuf, String> {
    let made = fs::create_dir_all(directory).and_then(|()| fs::canonicalize(directory));
    made.map_err(|error| format!("{} cannot be made: {error}", directory.display()))
}
