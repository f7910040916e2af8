//! The settings that every use of a client shares. Kafka's name of each stands beside it.

use std::time::Duration;

/// How a client reaches a cluster.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// `host:port` of brokers that can tell about the cluster (`bootstrap.servers`).
    pub bootstrap: Vec<String>,
    /// What the client calls itself (`client.id`).
    pub client_id: String,
    /// How long a connection may take to be made (`socket.connection.setup.timeout.ms`).
    pub connect_timeout: Duration,
    /// How long a broker may take to answer (`request.timeout.ms`).
    pub request_timeout: Duration,
    /// How long a call is tried again while its errors may pass (`default.api.timeout.ms`).
    pub retry_timeout: Duration,
    /// How long the first broker is looked for. Zero: each bootstrap address is tried once.
    pub bootstrap_timeout: Duration,
    /// How long a topic that no broker knows may take to appear.
    pub unknown_topic_timeout: Duration,
    /// The pause before the first retry; it doubles (`retry.backoff.ms`).
    pub backoff_min: Duration,
    /// The longest pause (`retry.backoff.max.ms`).
    pub backoff_max: Duration,
    /// What is known of a topic is asked for anew after this long (`metadata.max.age.ms`).
    pub metadata_max_age: Duration,
    /// Whether asking for a topic may create it, where the broker does so (`allow.auto.create.topics`).
    pub allow_auto_topic_creation: bool,
    /// The longest response that is accepted, in bytes.
    pub response_bytes_max: usize,
}

impl ClientConfig {
    /// The defaults, with these bootstrap addresses.
    pub fn new(bootstrap: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            bootstrap: bootstrap.into_iter().map(Into::into).collect(),
            client_id: "ringlane".into(),
            connect_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(30),
            retry_timeout: Duration::from_secs(60),
            bootstrap_timeout: Duration::ZERO,
            unknown_topic_timeout: Duration::from_secs(1),
            backoff_min: Duration::from_millis(50),
            backoff_max: Duration::from_secs(1),
            metadata_max_age: Duration::from_secs(300),
            allow_auto_topic_creation: false,
            response_bytes_max: 128 << 20,
        }
    }
}
