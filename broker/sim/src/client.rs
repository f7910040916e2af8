//! A raw Kafka client for workloads and oracles. It hides nothing: every error is the caller's to judge, nothing is retried,
//! and requests may be pipelined, sent again or abandoned.

mod connection;
mod groups;
mod records;
mod topics;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use ringlane_reactor::Reactor;
use ringlane_wire::{ErrorCode, Request};

pub use connection::Connection;
pub use groups::{Joined, Member};
pub use records::{Acks, Fetched, FetchedRecord, ProduceSpec, batch_of};
pub use topics::{TopicDescription, TopicSpec};

/// Why an exchange gave no result.
#[derive(Debug)]
pub enum Failure {
    /// The connection failed: whether the request was carried out is unknown.
    Io(io::Error),
    /// The broker refused.
    Code(ErrorCode),
}

impl Failure {
    /// The broker's refusal, if it is one.
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Io(_) => None,
            Self::Code(code) => Some(*code),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "{error}"),
            Self::Code(code) => write!(f, "{code}"),
        }
    }
}

/// Nothing, or the failure that `code` is.
pub(crate) fn check(code: ErrorCode) -> Result<(), Failure> {
    if code.is_none() { Ok(()) } else { Err(Failure::Code(code)) }
}

/// How long a client waits before it tries again after a failure.
const BACKOFF: Duration = Duration::from_millis(100);

/// One client of one broker: a connection that is made anew after it failed.
pub struct Client {
    reactor: Reactor,
    broker: SocketAddr,
    connection: Option<Connection>,
}

impl Client {
    /// A client that connects when it is first used.
    pub fn new(reactor: &Reactor, broker: SocketAddr) -> Self {
        Self { reactor: reactor.clone(), broker, connection: None }
    }

    /// Where it runs.
    pub fn reactor(&self) -> &Reactor {
        &self.reactor
    }

    /// The connection, made if there is none.
    ///
    /// # Errors
    /// As connect(2).
    pub async fn connection(&mut self) -> io::Result<&mut Connection> {
        if self.connection.is_none() {
            self.connection = Some(Connection::open(&self.reactor, self.broker).await?);
        }
        Ok(self.connection.as_mut().expect("it was just made"))
    }

    /// Closes the connection, whatever is under way on it.
    pub fn disconnect(&mut self) {
        self.connection = None;
    }

    /// Waits a little, as clients do before they try again.
    pub async fn back_off(&self) {
        let jitter = Duration::from_micros(self.reactor.random_u64() % 100_000);
        self.reactor.sleep(BACKOFF + jitter).await;
    }

    /// One request and its answer. A failure closes the connection.
    ///
    /// # Errors
    /// What the connection failed with.
    pub async fn ask<R: Request>(&mut self, request: &R) -> io::Result<Bytes> {
        let answer = match self.connection().await {
            Ok(connection) => connection.call(request).await,
            Err(error) => Err(error),
        };
        if answer.is_err() {
            self.disconnect();
        }
        answer
    }
}
