//! The state of one connection: two ends, each with what is on its way to it and what has arrived.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::task::Waker;

use bytes::{Buf, Bytes};

use super::HostId;
use crate::Instant;

pub(super) struct Connection {
    pub(super) ends: [End; 2],
}

/// What travels to an end.
pub(super) enum Content {
    Bytes(Bytes),
    /// The peer has closed and sends no more.
    End,
    Reset,
}

/// Why a direction stands still, with a number of its own.
#[derive(Clone, Copy)]
pub(super) enum Hold {
    Partition(u64),
    Lost(u64),
}

impl Hold {
    pub(super) fn number(self) -> u64 {
        match self {
            Self::Partition(number) | Self::Lost(number) => number,
        }
    }
}

/// One direction, seen from where it ends.
#[derive(Default)]
pub(super) struct Inbound {
    in_flight: VecDeque<(Instant, Content)>,
    received: VecDeque<Bytes>,
    /// Bytes in flight and received.
    pub(super) buffered_bytes: usize,
    /// Nothing arrives before what was sent before it.
    last_arrival: Instant,
    pub(super) ended: bool,
    pub(super) hold: Option<Hold>,
}

impl Inbound {
    /// Puts `content` on its way, to arrive at `at` or with the last before it; gives back when.
    pub(super) fn push(&mut self, at: Instant, content: Content) -> Instant {
        self.last_arrival = self.last_arrival.max(at);
        if let Content::Bytes(bytes) = &content {
            self.buffered_bytes += bytes.len();
        }
        self.in_flight.push_back((self.last_arrival, content));
        self.last_arrival
    }

    pub(super) fn delay_until(&mut self, at: Instant) {
        self.last_arrival = self.last_arrival.max(at);
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.in_flight.front().is_some_and(|&(at, _)| at <= now)
    }

    pub(super) fn has_unread(&self) -> bool {
        !self.received.is_empty()
    }

    /// At most `most` of the bytes that have arrived.
    pub(super) fn take(&mut self, most: usize) -> Vec<u8> {
        let mut taken = Vec::new();
        while taken.len() < most {
            let Some(piece) = self.received.front_mut() else { break };
            let count = piece.len().min(most - taken.len());
            taken.extend_from_slice(&piece[..count]);
            piece.advance(count);
            if piece.is_empty() {
                self.received.pop_front();
            }
        }
        assert!(taken.len() <= self.buffered_bytes, "what is read was counted");
        self.buffered_bytes -= taken.len();
        taken
    }

    fn discard_received(&mut self) {
        let bytes: usize = self.received.iter().map(Bytes::len).sum();
        self.buffered_bytes -= bytes;
        self.received.clear();
    }
}

pub(super) struct End {
    pub(super) host: HostId,
    pub(super) address: SocketAddr,
    pub(super) inbound: Inbound,
    pub(super) reader: Option<Waker>,
    /// Waits for room in the other end's inbound.
    pub(super) writer: Option<Waker>,
    /// By its owner.
    pub(super) closed: bool,
    pub(super) error: Option<ErrorKind>,
}

impl End {
    pub(super) fn new(host: HostId, address: SocketAddr) -> Self {
        Self {
            host,
            address,
            inbound: Inbound::default(),
            reader: None,
            writer: None,
            closed: false,
            error: None,
        }
    }

    pub(super) fn wake(&mut self) {
        self.reader.take().into_iter().chain(self.writer.take()).for_each(Waker::wake);
    }

    /// Takes in all that is due. True: bytes came for a side that is closed, which deserves a reset.
    pub(super) fn receive_due(&mut self, now: Instant, keeps_unread: bool) -> bool {
        let mut unwanted = false;
        while self.inbound.is_due(now) {
            let (_, content) = self.inbound.in_flight.pop_front().expect("just seen");
            match content {
                Content::Bytes(bytes) if self.closed || self.error.is_some() => {
                    self.inbound.buffered_bytes -= bytes.len();
                    unwanted |= self.closed;
                }
                Content::Bytes(bytes) => self.inbound.received.push_back(bytes),
                Content::End => self.inbound.ended = true,
                Content::Reset => {
                    self.error.get_or_insert(ErrorKind::ConnectionReset);
                    if !keeps_unread {
                        self.inbound.discard_received();
                    }
                }
            }
        }
        unwanted
    }

    /// Its owner is done with it.
    pub(super) fn close(&mut self) {
        assert!(!self.closed, "an end closes once");
        self.closed = true;
        self.inbound.discard_received();
        self.wake();
    }

    /// Fails it at once, with all that was on its way.
    pub(super) fn fail(&mut self, error: ErrorKind) {
        self.error.get_or_insert(error);
        self.inbound = Inbound::default();
        self.wake();
    }
}
