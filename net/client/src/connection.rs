//! One connection to a broker: requests leave in the order in which they were started, any number before the first answer
//! (pipelining), and each answer finds its request by correlation id.
//!
//! Contract: a request that is not answered in time ends the connection, since everything behind it would wait as well;
//! every request without an answer then fails with the same reason. A connection that ended is never used again.

mod negotiate;
mod pending;
mod pump;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use ringlane_reactor::{
    Instant, Notify, OneshotSender, Queue, Reactor, Stream, Task, oneshot, resolve,
};
use ringlane_wire::frame::encode_request;
use ringlane_wire::{ApiKey, Request};

pub use pending::{Pending, Sent};

use crate::answer::Answer;
use crate::config::ClientConfig;
use crate::error::Error;
use crate::versions::Versions;

/// A connection whose versions are agreed. Clones share it; it closes with the last of them.
#[derive(Clone)]
pub struct Connection(Rc<Handle>);

struct Handle {
    shared: Rc<Shared>,
    versions: Versions,
    _tasks: [Task<()>; 3],
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.close("this side closed it".into());
    }
}

/// What the requests, the writer, the reader and the watchdog share.
struct Shared {
    reactor: Reactor,
    address: Rc<str>,
    client_id: String,
    request_timeout: Duration,
    stream: Stream,
    state: RefCell<State>,
    /// Rings when `outgoing` is no longer empty, and when the connection ends.
    to_write: Notify,
    /// Rings when `outgoing` has been written, and when the connection ends.
    written: Notify,
    /// Rings when a deadline is earlier than all before it.
    earlier_deadline: Notify,
}

#[derive(Default)]
struct State {
    next_correlation_id: i32,
    /// Parts of frames that wait for the writer.
    outgoing: Vec<Bytes>,
    /// Frames put into `outgoing`, and frames of those that were written.
    queued_count: u64,
    written_count: u64,
    waiting: BTreeMap<i32, Waiting>,
    /// When the watchdog looks next.
    watched: Option<Instant>,
    /// Why it ended.
    closed: Option<Error>,
}

struct Waiting {
    api_key: ApiKey,
    deadline: Instant,
    timeout: Duration,
    answer: OneshotSender<Bytes>,
}

impl Connection {
    /// Connects to `address` (`host:port`) and agrees on versions.
    ///
    /// # Errors
    /// `Invalid`, `Resolve`, `Connect`; those of the first exchange: `Disconnected`, `TimedOut`, `Protocol`.
    pub async fn open(
        reactor: &Reactor,
        address: &str,
        config: &ClientConfig,
    ) -> Result<Self, Error> {
        let name: Rc<str> = address.into();
        let (host, port) = split_address(address)?;
        let failed = |reason: String| Error::Connect { address: name.clone(), reason };
        let socket_address = resolve(host, port)
            .map_err(|error| Error::Resolve { address: name.clone(), reason: error.to_string() })?;
        let connect = reactor.connect(socket_address);
        let stream = match reactor.timeout(config.connect_timeout, connect).await {
            Err(_) => return Err(failed(format!("no answer within {:?}", config.connect_timeout))),
            Ok(Err(error)) => return Err(failed(error.to_string())),
            Ok(Ok(stream)) => stream,
        };
        let shared = Rc::new(Shared {
            reactor: reactor.clone(),
            address: name,
            client_id: config.client_id.clone(),
            request_timeout: config.request_timeout,
            stream,
            state: RefCell::default(),
            to_write: Notify::new(),
            written: Notify::new(),
            earlier_deadline: Notify::new(),
        });
        let tasks = [
            reactor.spawn(Queue::Client, pump::write(shared.clone())),
            reactor.spawn(Queue::Client, pump::read(shared.clone(), config.response_bytes_max)),
            reactor.spawn(Queue::Client, pump::watch(shared.clone())),
        ];
        let versions = negotiate::versions(&shared).await?;
        Ok(Self(Rc::new(Handle { shared, versions, _tasks: tasks })))
    }

    /// `host:port` as it was connected to.
    pub fn address(&self) -> &Rc<str> {
        &self.0.shared.address
    }

    /// Whether it has ended: nothing will be answered on it any more.
    pub fn is_closed(&self) -> bool {
        self.0.shared.state.borrow().closed.is_some()
    }

    /// The version in which requests of this API are sent.
    ///
    /// # Errors
    /// `Unsupported` when the broker and this client have none in common.
    pub fn version(&self, api_key: ApiKey) -> Result<i16, Error> {
        self.0.versions.highest_common(api_key).ok_or_else(|| Error::Unsupported {
            address: self.address().clone(),
            api_key,
            theirs: self.0.versions.theirs(api_key),
        })
    }

    /// The level of the feature `transaction.version` in the broker's cluster (KIP-890); 0 where it has none.
    pub(crate) fn transaction_version(&self) -> i16 {
        self.0.versions.transaction_version()
    }

    /// Queues `request` for sending, behind all that were started before, and gives the future of its answer. Dropping
    /// that does not take the request back.
    ///
    /// # Errors
    /// `Unsupported`; `Invalid` when the request has no form in the version; why the connection ended, if it has.
    pub fn start<R: Request>(&self, request: &R) -> Result<Pending, Error> {
        let timeout = self.0.shared.request_timeout;
        let version = self.version(R::API_KEY)?;
        self.0.shared.start(version, request, timeout)
    }

    /// [`Self::start`] in a version of `version_max` or below, where a higher one would mean something else.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub(crate) fn start_at_most<R: Request>(
        &self,
        request: &R,
        version_max: i16,
    ) -> Result<Pending, Error> {
        let timeout = self.0.shared.request_timeout;
        let version = self.version(R::API_KEY)?.min(version_max);
        self.0.shared.start(version, request, timeout)
    }

    /// Sends `request` and waits for its answer.
    ///
    /// # Errors
    /// As [`Self::start`]; `Disconnected`, `TimedOut`.
    pub async fn call<R: Request>(&self, request: &R) -> Result<Answer, Error> {
        self.start(request)?.await
    }

    /// [`Self::call`] for a request that a broker answers late by design: `extra` is added to the time it has.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub async fn call_patiently<R: Request>(
        &self,
        request: &R,
        extra: Duration,
    ) -> Result<Answer, Error> {
        let timeout = self.0.shared.request_timeout.saturating_add(extra);
        let version = self.version(R::API_KEY)?;
        self.0.shared.start(version, request, timeout)?.await
    }

    /// Queues a request that no broker answers (a produce with `acks=0`). The future is ready once it was handed to the
    /// kernel.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_unanswered<R: Request>(&self, request: &R) -> Result<Sent, Error> {
        let version = self.version(R::API_KEY)?;
        let (_, number) = self.0.shared.queue(version, request)?;
        Ok(Sent { shared: self.0.shared.clone(), number, notified: None })
    }
}

impl Shared {
    /// Encodes and queues a request; its correlation id, and how many frames are queued with it.
    fn queue<R: Request>(&self, version: i16, request: &R) -> Result<(i32, u64), Error> {
        let mut state = self.state.borrow_mut();
        if let Some(error) = &state.closed {
            return Err(error.clone());
        }
        let id = state.next_correlation_id;
        let parts =
            encode_request(version, id, Some(&self.client_id), request).map_err(|error| {
                Error::Invalid(format!("{} v{version} cannot be sent: {error}", R::API_KEY.name()))
            })?;
        // Only what is sent uses up an id. After i32::MAX comes 0, as ids below are Kafka's own.
        state.next_correlation_id = id.wrapping_add(1) & i32::MAX;
        state.queued_count += 1;
        let was_empty = state.outgoing.is_empty();
        state.outgoing.extend(parts);
        let number = state.queued_count;
        drop(state);
        if was_empty {
            self.to_write.notify_all();
        }
        Ok((id, number))
    }

    fn start<R: Request>(
        self: &Rc<Self>,
        version: i16,
        request: &R,
        timeout: Duration,
    ) -> Result<Pending, Error> {
        let (id, _) = self.queue(version, request)?;
        let (sender, receiver) = oneshot();
        let deadline = self.reactor.now() + timeout;
        let waiting = Waiting { api_key: R::API_KEY, deadline, timeout, answer: sender };
        let mut state = self.state.borrow_mut();
        let is_earliest = state.watched.is_none_or(|watched| deadline < watched);
        let before = state.waiting.insert(id, waiting);
        assert!(before.is_none(), "a correlation id is used once at a time");
        drop(state);
        if is_earliest {
            self.earlier_deadline.notify_all();
        }
        Ok(Pending { shared: self.clone(), receiver, api_key: R::API_KEY, version })
    }

    /// Why it ended; it has.
    fn why_closed(&self) -> Error {
        self.state.borrow().closed.clone().unwrap_or_else(|| self.ended("it is closed"))
    }

    fn ended(&self, reason: &str) -> Error {
        Error::Disconnected { address: self.address.clone(), reason: reason.to_owned() }
    }

    fn close(&self, reason: String) {
        self.close_with(self.ended(&reason));
    }

    /// Ends the connection, once: everyone who waits gets `error`.
    fn close_with(&self, error: Error) {
        let waiting = {
            let mut state = self.state.borrow_mut();
            if state.closed.is_some() {
                return;
            }
            state.closed = Some(error);
            state.outgoing.clear();
            std::mem::take(&mut state.waiting)
        };
        drop(waiting);
        self.stream.shutdown();
        self.to_write.notify_all();
        self.written.notify_all();
        self.earlier_deadline.notify_all();
    }
}

/// Host and port of `host:port`; an IPv6 address stands in brackets.
fn split_address(address: &str) -> Result<(&str, u16), Error> {
    let parts = address.rsplit_once(':').and_then(|(host, port)| {
        let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
        Some((host, port.parse().ok().filter(|&port| port != 0)?)).filter(|_| !host.is_empty())
    });
    parts.ok_or_else(|| {
        Error::Invalid(format!("{address:?} is not HOST:PORT, as in 127.0.0.1:9092 or [::1]:9092"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_host_and_a_port() {
        assert_eq!(split_address("broker.example:9092"), Ok(("broker.example", 9092)));
        assert_eq!(split_address("[::1]:19092"), Ok(("::1", 19092)));
        for bad in ["", "broker", ":9092", "broker:", "broker:0", "broker:70000", "broker:x"] {
            assert!(matches!(split_address(bad), Err(Error::Invalid(_))), "{bad}");
        }
    }
}
