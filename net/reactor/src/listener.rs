//! Accepting connections, on every shard at once.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

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

/// How long [`reserve_address`] waits for a port that is taken. The ring of a process that was killed is taken down by a
/// kernel worker after the process is gone, and until then its accept holds the port: 6 to 9 ms, more on a busy machine.
const RELEASE_WAIT: Duration = Duration::from_secs(1);

const RELEASE_PAUSE: Duration = Duration::from_millis(5);

/// Reserves `address` on the real network. It fails when anyone listens there, another Ringlane included: SO_REUSEPORT
/// alone would let two brokers share a port. May block its thread for a second: to be called before there are shards.
///
/// # Errors
/// As bind(2): `AddrInUse`, `AddrNotAvailable`, `PermissionDenied`.
pub fn reserve_address(address: SocketAddr) -> io::Result<AddressReservation> {
    let mut waited = Duration::ZERO;
    loop {
        match uring::ReservedSocket::bind(address) {
            Ok((address, socket)) => {
                return Ok(AddressReservation { address, socket: Some(socket) });
            }
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && waited < RELEASE_WAIT => {
                std::thread::sleep(RELEASE_PAUSE);
                waited += RELEASE_PAUSE;
            }
            Err(error) => return Err(error),
        }
    }
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

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Barrier};

    use super::*;

    #[test]
    fn a_port_that_is_let_go_soon_after_is_waited_for() {
        let loopback = "127.0.0.1:0".parse().unwrap();
        let (address, taken) = uring::ReservedSocket::bind(loopback).unwrap();
        let began = Arc::new(Barrier::new(2));
        let waiting = {
            let began = began.clone();
            std::thread::spawn(move || {
                began.wait();
                reserve_address(address).map(|reservation| reservation.address)
            })
        };
        began.wait();
        // As long as it takes the other thread to find the port taken.
        for _ in 0..200 {
            assert!(uring::ReservedSocket::bind(address).is_err(), "held until it is dropped");
        }
        drop(taken);
        assert_eq!(waiting.join().unwrap().unwrap(), address);
    }
}
