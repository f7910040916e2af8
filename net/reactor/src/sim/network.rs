//! The network between the hosts. The rules, all by the seed:
//!
//! - A connection delivers each direction's bytes in order, none lost or made up, in pieces of any size, each after a delay.
//! - A direction holds at most `window_bytes` that its reader has not taken; at the bound the writer waits.
//! - Connecting to a host that listens nowhere there is refused; to one without power, behind a partition or with a full
//!   backlog it is tried again each second and times out after `CONNECT_TIMEOUT`.
//! - The listeners of a host's shards on one address share its connections (SO_REUSEPORT).
//! - A side that closes sends what it wrote and then its end; one that closes with unread bytes sends a reset, as Linux
//!   does, and bytes that reach a closed side are answered by a reset. A reset may take unread bytes with it.
//! - A crashed process resets its connections; a host without power does so after seconds (its peers' keepalive).
//! - A partition holds what is sent from one host to another. Healed within the patience of TCP (`STALL_MAX`, at least half
//!   of it) the bytes arrive; else the connection is reset on both sides.
//! - Faults (`NetworkFaults`): a piece is late by up to `slow_max`, and with it all behind it; it is lost for good, which
//!   stalls its direction until the reset; a connection is reset in the middle; an accept fails as when out of descriptors.

mod connection;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use connection::{Connection, Content, End, Hold};

use super::disk::CrashKind;
use super::host::HostId;
use super::time::{Event, Timeline};
use super::trace::{Kind, Trace};
use crate::Rng;

/// How the network behaves; rates are once in so many, 0 for never. The default loses and resets nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NetworkFaults {
    /// The longest ordinary delay between two hosts (a tenth of it within one).
    pub delay_max: Duration,
    /// A piece is late: once in so many.
    pub slow_one_in: u64,
    /// How late at most.
    pub slow_max: Duration,
    /// A piece is lost and its connection stalls until it is reset.
    pub stall_one_in: u64,
    /// A connection is reset as a piece is sent.
    pub reset_one_in: u64,
    /// An accept fails with EMFILE; the connection stays in the backlog.
    pub accept_error_one_in: u64,
    /// Bytes on their way or unread that a direction holds.
    pub window_bytes: usize,
}

impl Default for NetworkFaults {
    fn default() -> Self {
        Self {
            delay_max: Duration::from_micros(500),
            slow_one_in: 0,
            slow_max: Duration::from_secs(1),
            stall_one_in: 0,
            reset_one_in: 0,
            accept_error_one_in: 0,
            window_bytes: 64 << 10,
        }
    }
}

/// How long a connect is tried.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a connect waits for an answer before it is tried again.
pub(super) const CONNECT_RETRY: Duration = Duration::from_secs(1);
/// The longest that a direction stands still before the connection is given up.
const STALL_MAX: Duration = Duration::from_secs(30);
/// The largest piece that is delivered at once.
const PIECE_BYTES_MAX: usize = 16 << 10;

/// One side of a connection: 0 connected, 1 accepted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct EndId {
    connection: u64,
    side: u8,
}

impl EndId {
    fn peer(self) -> Self {
        Self { side: 1 - self.side, ..self }
    }
}

pub(super) type ListenerId = u64;

/// What happens on the network by itself.
pub(super) enum NetworkEvent {
    /// Something may have arrived at an end.
    Arrive(EndId),
    /// The patience with a stall that began as this number is over.
    GiveUp(EndId, u64),
}

/// A listening socket of one shard.
struct ListenerState {
    host: HostId,
    address: SocketAddr,
    backlog: VecDeque<EndId>,
    backlog_max: usize,
    acceptor: Option<Waker>,
}

/// What came of a connection attempt.
pub(super) enum Attempt {
    Accepted(EndId),
    Refused,
    /// No answer.
    Lost,
}

/// See the head of this file.
pub(super) struct Network {
    faults: NetworkFaults,
    rng: Rng,
    connections: BTreeMap<u64, Connection>,
    listeners: BTreeMap<ListenerId, ListenerState>,
    /// From, to.
    partitions: BTreeSet<(HostId, HostId)>,
    next_id: u64,
}

impl Network {
    pub(super) fn new(faults: NetworkFaults, rng: Rng) -> Self {
        assert!(faults.window_bytes > 0, "a window of nothing passes nothing");
        Self {
            faults,
            rng,
            connections: BTreeMap::new(),
            listeners: BTreeMap::new(),
            partitions: BTreeSet::new(),
            next_id: 0,
        }
    }

    pub(super) fn set_faults(&mut self, faults: NetworkFaults) {
        assert!(faults.window_bytes > 0, "a window of nothing passes nothing");
        self.faults = faults;
    }

    /// How long something takes from one host to another.
    pub(super) fn delay(&mut self, from: HostId, to: HostId) -> Duration {
        let share = if from == to { 10 } else { 1 };
        let max = u64::try_from(self.faults.delay_max.as_nanos()).unwrap_or(u64::MAX) / share;
        let mut nanos = self.rng.below(max.saturating_add(1));
        if self.rng.one_in(self.faults.slow_one_in) {
            let slow_max = u64::try_from(self.faults.slow_max.as_nanos()).unwrap_or(u64::MAX);
            nanos = nanos.saturating_add(self.rng.below(slow_max));
        }
        Duration::from_nanos(nanos)
    }

    fn new_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    pub(super) fn partition(&mut self, from: HostId, to: HostId) {
        self.partitions.insert((from, to));
    }

    pub(super) fn is_cut(&self, from: HostId, to: HostId) -> bool {
        self.partitions.contains(&(from, to))
    }

    /// Lets what a partition holds go on.
    pub(super) fn heal(&mut self, from: HostId, to: HostId, timeline: &mut Timeline) {
        self.partitions.remove(&(from, to));
        let now = timeline.now();
        for (&connection, state) in &mut self.connections {
            for side in [0, 1] {
                let hosts = (state.ends[1 - side].host, state.ends[side].host);
                let inbound = &mut state.ends[side].inbound;
                if hosts == (from, to) && matches!(inbound.hold, Some(Hold::Partition(_))) {
                    inbound.hold = None;
                    let end = EndId { connection, side: side as u8 };
                    timeline.schedule(now, Event::Network(NetworkEvent::Arrive(end)));
                }
            }
        }
    }

    // Listening and connecting.

    pub(super) fn listen(
        &mut self,
        host: HostId,
        address: SocketAddr,
        backlog_max: usize,
    ) -> ListenerId {
        let id = self.new_id();
        let state = ListenerState {
            host,
            address,
            backlog: VecDeque::new(),
            backlog_max: backlog_max.max(1),
            acceptor: None,
        };
        self.listeners.insert(id, state);
        id
    }

    /// Stops listening; connections that nobody accepted are reset.
    pub(super) fn unlisten(&mut self, id: ListenerId, timeline: &mut Timeline) {
        let Some(listener) = self.listeners.remove(&id) else { return };
        for end in listener.backlog {
            self.close(end, Content::Reset, timeline);
        }
    }

    /// The SYN has reached `to`: a listener there takes it or not.
    pub(super) fn attempt(
        &mut self,
        from: (HostId, SocketAddr),
        to: (HostId, SocketAddr),
    ) -> Attempt {
        let matches = |listener: &ListenerState| {
            listener.host == to.0
                && listener.address.port() == to.1.port()
                && (listener.address.ip() == to.1.ip() || listener.address.ip().is_unspecified())
        };
        let mut candidates: Vec<_> =
            self.listeners.iter().filter(|(_, l)| matches(l)).map(|(&id, _)| id).collect();
        if candidates.is_empty() {
            return Attempt::Refused;
        }
        let index = self.rng.below(candidates.len() as u64) as usize;
        let chosen = candidates.swap_remove(index);
        let connection = self.new_id();
        let listener = self.listeners.get_mut(&chosen).expect("a candidate is listening");
        if listener.backlog.len() >= listener.backlog_max {
            return Attempt::Lost;
        }
        let ends = [End::new(from.0, from.1), End::new(to.0, to.1)];
        self.connections.insert(connection, Connection { ends });
        listener.backlog.push_back(EndId { connection, side: 1 });
        if let Some(waker) = listener.acceptor.take() {
            waker.wake();
        }
        Attempt::Accepted(EndId { connection, side: 0 })
    }

    pub(super) fn poll_accept(
        &mut self,
        id: ListenerId,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<EndId>> {
        let Some(listener) = self.listeners.get_mut(&id) else {
            return Poll::Ready(Err(ErrorKind::NotConnected.into()));
        };
        if listener.backlog.is_empty() {
            listener.acceptor = Some(cx.waker().clone());
            return Poll::Pending;
        }
        if self.rng.one_in(self.faults.accept_error_one_in) {
            return Poll::Ready(Err(io::Error::from_raw_os_error(libc::EMFILE)));
        }
        Poll::Ready(Ok(listener.backlog.pop_front().expect("just seen")))
    }

    /// Own address, peer's address.
    pub(super) fn addresses(&self, end: EndId) -> (SocketAddr, SocketAddr) {
        let ends = &self.connections[&end.connection].ends;
        (ends[usize::from(end.side)].address, ends[usize::from(1 - end.side)].address)
    }

    fn end(&mut self, id: EndId) -> Option<&mut End> {
        let connection = self.connections.get_mut(&id.connection)?;
        Some(&mut connection.ends[usize::from(id.side)])
    }

    // Bytes.

    /// Sends what fits of `bytes`, in pieces; ready when all of it is sent.
    pub(super) fn poll_write(
        &mut self,
        from: EndId,
        bytes: &mut Bytes,
        timeline: &mut Timeline,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let Some(own) = self.end(from).filter(|end| !end.closed) else {
                return Poll::Ready(Err(ErrorKind::ConnectionAborted.into()));
            };
            if let Some(error) = own.error {
                return Poll::Ready(Err(error.into()));
            }
            if bytes.is_empty() {
                return Poll::Ready(Ok(()));
            }
            let window = self.faults.window_bytes;
            let peer = self.end(from.peer()).expect("both ends are there");
            let room = window.saturating_sub(peer.inbound.buffered_bytes);
            if room == 0 {
                self.end(from).expect("still there").writer = Some(cx.waker().clone());
                return Poll::Pending;
            }
            let most = room.min(bytes.len()).min(PIECE_BYTES_MAX) as u64;
            let whole = self.rng.one_in(2);
            let len = if whole { most } else { 1 + self.rng.below(most) };
            let piece = bytes.split_to(len as usize);
            if self.rng.one_in(self.faults.reset_one_in) {
                self.reset_both(from.connection, ErrorKind::ConnectionReset);
                continue;
            }
            self.send(from.peer(), Content::Bytes(piece), timeline);
        }
    }

    /// Puts `content` on its way to an end.
    fn send(&mut self, to: EndId, content: Content, timeline: &mut Timeline) {
        let Some(connection) = self.connections.get(&to.connection) else { return };
        let hosts = [0, 1].map(|side: usize| connection.ends[side].host);
        let (from_host, to_host) = (hosts[usize::from(1 - to.side)], hosts[usize::from(to.side)]);
        let at = timeline.now() + self.delay(from_host, to_host);
        let stalls = self.rng.one_in(self.faults.stall_one_in);
        let end = self.end(to).expect("the connection is there");
        let at = end.inbound.push(at, content);
        if stalls && end.inbound.hold.is_none() {
            self.hold(to, Hold::Lost, timeline);
        }
        timeline.schedule(at, Event::Network(NetworkEvent::Arrive(to)));
    }

    /// Stops a direction until it is healed or given up.
    fn hold(&mut self, to: EndId, hold: impl FnOnce(u64) -> Hold, timeline: &mut Timeline) {
        let number = self.new_id();
        let half = STALL_MAX / 2;
        let patience = half + Duration::from_nanos(self.rng.below(half.as_nanos() as u64));
        let at = timeline.now() + patience;
        timeline.schedule(at, Event::Network(NetworkEvent::GiveUp(to, number)));
        let end = self.end(to).expect("a connection that is held exists");
        end.inbound.hold = Some(hold(number));
    }

    pub(super) fn happen(&mut self, event: NetworkEvent, timeline: &mut Timeline, trace: &Trace) {
        match event {
            NetworkEvent::Arrive(end) => {
                trace.add(Kind::Network, &[end.connection, u64::from(end.side)]);
                self.arrive(end, timeline);
            }
            NetworkEvent::GiveUp(end, number) => {
                let held = self.end(end).and_then(|end| end.inbound.hold);
                if held.is_some_and(|hold| hold.number() == number) {
                    trace.add(Kind::Network, &[end.connection, u64::from(end.side), number]);
                    self.reset_both(end.connection, ErrorKind::TimedOut);
                }
            }
        }
    }

    fn arrive(&mut self, to: EndId, timeline: &mut Timeline) {
        let Some(connection) = self.connections.get(&to.connection) else { return };
        let [to_host, from_host] =
            [to, to.peer()].map(|end| connection.ends[usize::from(end.side)].host);
        let cut = self.is_cut(from_host, to_host);
        let end = self.end(to).expect("the connection is there");
        if end.inbound.hold.is_some() || !end.inbound.is_due(timeline.now()) {
            return;
        }
        if cut {
            return self.hold(to, Hold::Partition, timeline);
        }
        let keeps_unread = self.rng.one_in(2);
        let end = self.end(to).expect("the connection is there");
        let unwanted = end.receive_due(timeline.now(), keeps_unread);
        end.wake();
        if unwanted {
            self.send(to.peer(), Content::Reset, timeline);
        }
        if let Some(peer) = self.end(to.peer())
            && let Some(writer) = peer.writer.take()
        {
            writer.wake();
        }
    }

    /// The next bytes that have arrived: a part of them, or more than one piece at once.
    pub(super) fn poll_read(
        &mut self,
        id: EndId,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Vec<u8>>> {
        let most = match self.rng.below(4) {
            0 => 1 + self.rng.below(64) as usize,
            1 => 1 + self.rng.below(4096) as usize,
            _ => PIECE_BYTES_MAX,
        };
        let Some(end) = self.end(id).filter(|end| !end.closed) else {
            return Poll::Ready(Err(ErrorKind::ConnectionAborted.into()));
        };
        let bytes = end.inbound.take(most);
        if !bytes.is_empty() {
            if let Some(writer) = self.end(id.peer()).and_then(|peer| peer.writer.take()) {
                writer.wake();
            }
            return Poll::Ready(Ok(bytes));
        }
        if let Some(error) = end.error {
            return Poll::Ready(Err(error.into()));
        }
        if end.inbound.ended {
            return Poll::Ready(Ok(Vec::new()));
        }
        end.reader = Some(cx.waker().clone());
        Poll::Pending
    }

    // Ends of connections.

    /// Closes an end as its owner does: what it wrote still arrives, then its end (or a reset, where it left bytes unread
    /// and has dropped the socket).
    pub(super) fn close_orderly(&mut self, id: EndId, dropped: bool, timeline: &mut Timeline) {
        let Some(end) = self.end(id) else { return };
        let content = match dropped && end.inbound.has_unread() {
            true => Content::Reset,
            false => Content::End,
        };
        self.close(id, content, timeline);
    }

    fn close(&mut self, id: EndId, last: Content, timeline: &mut Timeline) {
        let Some(end) = self.end(id).filter(|end| !end.closed) else { return };
        end.close();
        let failed = end.error.is_some();
        if !failed {
            self.send(id.peer(), last, timeline);
        }
        if let Some(writer) = self.end(id.peer()).and_then(|peer| peer.writer.take()) {
            writer.wake();
        }
        let over = |connection: &Connection| connection.ends.iter().all(|end| end.closed);
        if self.connections.get(&id.connection).is_some_and(over) {
            self.connections.remove(&id.connection);
        }
    }

    fn reset_both(&mut self, connection: u64, error: ErrorKind) {
        let Some(connection) = self.connections.get_mut(&connection) else { return };
        for end in &mut connection.ends {
            end.fail(error);
        }
    }

    /// A host's process is gone: nobody listens there, and its peers hear of it sooner or later.
    pub(super) fn host_died(&mut self, host: HostId, kind: CrashKind, timeline: &mut Timeline) {
        self.listeners.retain(|_, listener| listener.host != host);
        let mut dead = Vec::new();
        for (&connection, state) in &self.connections {
            for side in [0, 1] {
                let end = &state.ends[usize::from(side)];
                if end.host == host && !end.closed {
                    dead.push(EndId { connection, side });
                }
            }
        }
        for end in dead {
            if kind == CrashKind::Power {
                let late = timeline.now() + Duration::from_nanos(self.rng.below(5_000_000_000));
                if let Some(peer) = self.end(end.peer()) {
                    peer.inbound.delay_until(late);
                }
            }
            self.close(end, Content::Reset, timeline);
        }
    }
}
