//! One connection: frames out, frames in, in the same order (a broker answers a connection's requests in the order in which
//! they came, whatever finished first; Kafka protocol guide, "Network").

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use ringlane_reactor::{Reactor, Stream};
use ringlane_wire::frame::{correlation_id, decode_response, encode_request};
use ringlane_wire::{ApiKey, FrameAssembler, Request};

/// How long a client waits for an answer or a connect before it gives the connection up.
const PATIENCE: Duration = Duration::from_secs(40);
/// The longest answer that is believed.
const FRAME_BYTES_MAX: usize = 64 << 20;

/// A connection to a broker.
pub struct Connection {
    reactor: Reactor,
    stream: Stream,
    assembler: FrameAssembler,
    received: VecDeque<Bytes>,
    awaited: VecDeque<i32>,
    next_correlation_id: i32,
}

/// The version in which the workloads speak an API: the newest that names topics by name.
pub(crate) fn version(api: ApiKey) -> i16 {
    match api {
        ApiKey::Produce | ApiKey::Fetch => 12,
        ApiKey::DeleteTopics => 5,
        ApiKey::OffsetCommit | ApiKey::OffsetFetch => 9,
        // 4 and later ask for a member id first and make the client come back with it (KIP-394).
        ApiKey::JoinGroup => 3,
        ApiKey::LeaveGroup => 2,
        other => *other.versions().end(),
    }
}

/// The answer to `R` in `frame`.
///
/// # Panics
/// When it is not one: a broker that answers nonsense fails the simulation.
pub(crate) fn decode<R: Request>(frame: &[u8]) -> R::Response<'_> {
    let decoded = decode_response::<R>(frame, version(R::API_KEY));
    decoded.unwrap_or_else(|error| panic!("an answer that does not decode: {error}")).1
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// As connect(2), and `TimedOut`.
    pub async fn open(reactor: &Reactor, broker: SocketAddr) -> io::Result<Self> {
        let stream = reactor.timeout(PATIENCE, reactor.connect(broker)).await;
        let stream = stream.map_err(|_| io::ErrorKind::TimedOut)??;
        Ok(Self {
            reactor: reactor.clone(),
            stream,
            assembler: FrameAssembler::new(FRAME_BYTES_MAX),
            received: VecDeque::new(),
            awaited: VecDeque::new(),
            next_correlation_id: 0,
        })
    }

    /// Sends a request without waiting for its answer.
    ///
    /// # Errors
    /// As send(2), and `TimedOut`.
    pub async fn send<R: Request>(&mut self, request: &R) -> io::Result<()> {
        self.next_correlation_id += 1;
        self.awaited.push_back(self.next_correlation_id);
        self.send_unanswered(request).await
    }

    /// Sends a request that has no answer (a produce with acks=0).
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn send_unanswered<R: Request>(&mut self, request: &R) -> io::Result<()> {
        let version = version(R::API_KEY);
        let frame = encode_request(version, self.next_correlation_id, Some("sim"), request)
            .expect("a request that its version can express");
        let sent = self.reactor.timeout(PATIENCE, self.stream.write_all(frame)).await;
        sent.map_err(|_| io::ErrorKind::TimedOut)?
    }

    /// The answer to the oldest request that has none.
    ///
    /// # Errors
    /// As recv(2), `UnexpectedEof`, `TimedOut`, and `InvalidData` for a frame that is none.
    ///
    /// # Panics
    /// When the answers are out of order.
    pub async fn receive(&mut self) -> io::Result<Bytes> {
        let expected = self.awaited.pop_front().expect("a request is waiting");
        let deadline = self.reactor.now() + PATIENCE;
        while self.received.is_empty() {
            let left = deadline - self.reactor.now();
            let read = self.reactor.timeout(left, self.stream.read()).await;
            let chunk = read.map_err(|_| io::ErrorKind::TimedOut)??;
            if chunk.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let received = &mut self.received;
            let pushed = self.assembler.push(&chunk, &mut |frame| received.push_back(frame));
            pushed
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))?;
        }
        let frame = self.received.pop_front().expect("there is one");
        assert_eq!(correlation_id(&frame).ok(), Some(expected), "answers come in order");
        Ok(frame)
    }

    /// One request and its answer.
    ///
    /// # Errors
    /// Of either.
    pub async fn call<R: Request>(&mut self, request: &R) -> io::Result<Bytes> {
        assert!(self.awaited.is_empty(), "a call does not overtake what is under way");
        self.send(request).await?;
        self.receive().await
    }
}
