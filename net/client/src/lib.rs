//! A small asynchronous Kafka client on the reactor: for the command line, the load generator and the simulation.
//!
//! Order of reading: [`Connection`] carries requests and answers, [`Client`] knows the cluster and retries, [`Producer`] and
//! [`Consumer`] move records, [`GroupConsumer`] shares partitions with others, [`Admin`] changes and describes.
//! Nothing here touches the operating system but through the reactor, so all of it runs in the simulation.
//!
//! ```no_run
//! use ringlane_client::{
//!     Admin, Client, ClientConfig, Consumer, ConsumerConfig, NewTopic, Position, Producer,
//!     ProducerConfig, ProducerRecord,
//! };
//! use ringlane_reactor::Reactor;
//!
//! async fn round_trip(reactor: Reactor) -> Result<(), ringlane_client::Error> {
//!     let client = Client::connect(&reactor, ClientConfig::new(["127.0.0.1:9092"])).await?;
//!     Admin::new(&client).create_topic(&NewTopic::new("orders", 3)).await?;
//!
//!     let producer = Producer::new(&client, ProducerConfig::default());
//!     let record = ProducerRecord { key: Some(b"k"), value: Some(b"v"), ..Default::default() };
//!     let sent = producer.send("orders", None, &record).await?;
//!     println!("offset {}", sent.await?.offset);
//!
//!     let mut consumer = Consumer::new(&client, ConsumerConfig::default());
//!     consumer.assign([("orders", 0, Position::Earliest)]);
//!     let fetched = consumer.poll().await?;
//!     fetched.for_each(|record| println!("{:?}", record.value))?;
//!     Ok(())
//! }
//! ```

mod admin;
mod answer;
mod backoff;
mod client;
mod config;
mod connection;
mod consumer;
mod error;
mod group;
mod metadata;
mod offsets;
mod pool;
mod producer;
mod race;
mod versions;

pub use admin::{
    Admin, ConfigChange, ConfigEntry, ConfigResource, ConfigSource, CreatedTopic, GroupDescription,
    GroupListing, GroupMember, GroupOffset, NewTopic,
};
pub use answer::Answer;
pub use client::Client;
pub use config::ClientConfig;
pub use connection::{Connection, Pending, Sent};
pub use consumer::{Consumer, ConsumerConfig, Fetched, Isolation, OffsetReset};
pub use error::{Error, Refusal};
pub use group::{GroupConfig, GroupConsumer};
pub use metadata::{BrokerInfo, NodeId, PartitionInfo, TopicInfo};
pub use offsets::{OffsetAt, Position};
pub use producer::{
    Acknowledged, Acks, Delivery, Producer, ProducerConfig, ProducerRecord, murmur2,
};
pub use race::{Either, race};
