//! Accepting connections, on every shard at once.

use std::io;
use std::net::SocketAddr;

use crate::reactor::{Reactor, Side};
use crate::stream::{Stream, StreamSide};
use crate::{sim, uring};

/// An address that is ours to listen on, before any shard does. With port 0 it names the port that was found.
pub struct AddressReservation {
    pub(crate) address: SocketAddr,
    /// Keeps the port: bound with SO_REUSEPORT but not listening, so no connection reaches it. None in the simulation,
    /// where nobody else takes an address.
    #[expect(dead_code, reason = "held for its drop")]
    pub(crate) socket: Option<uring::ReservedSocket>,
}

/// Reserves `address` on the real network. It fails when anyone listens there, another Ringlane included: SO_REUSEPORT
/// alone would let two brokers share a port.
///
/// # Errors
/// As bind(2): `AddrInUse`, `AddrNotAvailable`, `PermissionDenied`.
pub fn reserve_address(address: SocketAddr) -> io::Result<AddressReservation> {
    let (address, socket) = uring::ReservedSocket::bind(address)?;
    Ok(AddressReservation { address, socket: Some(socket) })
}

impl AddressReservation {
    /// A simulated host's address.
    pub fn simulated(address: SocketAddr) -> Self {
        Self { address, socket: None }
    }

    /// The address, with its real port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// A listening socket of one shard.
pub struct Listener(Inner);

enum Inner {
    Uring(uring::Listener),
    Sim(sim::Listener),
}

impl Listener {
    pub(crate) fn open(
        reactor: &Reactor,
        address: &AddressReservation,
        backlog: u32,
    ) -> io::Result<Self> {
        Ok(Self(match &reactor.0 {
            Side::Uring(shard) => {
                Inner::Uring(uring::Listener::open(shard, address.address, backlog)?)
            }
            Side::Sim(shard) => Inner::Sim(sim::Listener::open(shard, address.address, backlog)?),
        }))
    }

    /// The next connection.
    ///
    /// # Errors
    /// As accept(2). Running out of descriptors is such an error: wait, then accept again.
    pub async fn accept(&self) -> io::Result<Stream> {
        Ok(Stream(match &self.0 {
            Inner::Uring(listener) => StreamSide::Uring(listener.accept().await?),
            Inner::Sim(listener) => StreamSide::Sim(listener.accept().await?),
        }))
    }
}
