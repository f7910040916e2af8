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

mod connecting;
mod connection;
mod transfer;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::task::Waker;
use std::time::Duration;

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

    fn end(&mut self, id: EndId) -> Option<&mut End> {
        let connection = self.connections.get_mut(&id.connection)?;
        Some(&mut connection.ends[usize::from(id.side)])
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
