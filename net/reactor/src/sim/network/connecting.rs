//! Listening, connecting and accepting.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::task::{Context, Poll};

use super::connection::{Connection, Content, End};
use super::{Attempt, EndId, HostId, ListenerId, ListenerState, Network, Timeline};

impl Network {
    pub(in crate::sim) fn listen(
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
    pub(in crate::sim) fn unlisten(&mut self, id: ListenerId, timeline: &mut Timeline) {
        let Some(listener) = self.listeners.remove(&id) else { return };
        for end in listener.backlog {
            self.close(end, Content::Reset, timeline);
        }
    }

    /// The SYN has reached `to`: a listener there takes it or not.
    pub(in crate::sim) fn attempt(
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

    pub(in crate::sim) fn poll_accept(
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
    pub(in crate::sim) fn addresses(&self, end: EndId) -> (SocketAddr, SocketAddr) {
        let ends = &self.connections[&end.connection].ends;
        (ends[usize::from(end.side)].address, ends[usize::from(1 - end.side)].address)
    }
}
