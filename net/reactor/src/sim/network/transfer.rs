//! Bytes on their way: written in pieces, sent, arrived, read in other pieces.

use std::io::{self, ErrorKind};
use std::task::{Context, Poll};

use bytes::Bytes;

use super::connection::{Content, Hold};
use super::{EndId, Event, Network, NetworkEvent, PIECE_BYTES_MAX, Timeline};

impl Network {
    /// Sends what fits of `bytes`, in pieces; ready when all of it is sent.
    pub(in crate::sim) fn poll_write(
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
    pub(super) fn send(&mut self, to: EndId, content: Content, timeline: &mut Timeline) {
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

    pub(super) fn arrive(&mut self, to: EndId, timeline: &mut Timeline) {
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
    pub(in crate::sim) fn poll_read(
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
}
