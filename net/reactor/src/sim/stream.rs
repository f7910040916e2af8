//! A simulated connection from one side; its bytes travel as `network.rs` says.

use std::future::{pending, poll_fn};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;

use bytes::Bytes;

use super::host::HostId;
use super::network::{Attempt, CONNECT_RETRY, CONNECT_TIMEOUT, EndId};
use super::shard::Shard;
use super::trace::Kind;
use crate::Part;

/// One side of a connection. Clones share it; it closes with the last.
#[derive(Clone)]
pub(crate) struct Stream(Rc<OpenStream>);

struct OpenStream {
    shard: Rc<Shard>,
    end: EndId,
    local: SocketAddr,
    peer: SocketAddr,
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.close(true);
    }
}

impl OpenStream {
    fn close(&self, dropped: bool) {
        if self.shard.is_alive() {
            let world = self.shard.world();
            let mut network = world.network.borrow_mut();
            network.close_orderly(self.end, dropped, &mut world.timeline.borrow_mut());
        }
    }
}

/// The host at `ip`, seen from `from`.
fn host_at(shard: &Shard, ip: IpAddr) -> Option<HostId> {
    if ip.is_loopback() || ip.is_unspecified() {
        return Some(shard.host());
    }
    shard.world().host_at(ip)
}

impl Stream {
    pub(super) fn new(shard: &Rc<Shard>, end: EndId) -> Self {
        let (local, peer) = shard.world().network.borrow().addresses(end);
        Self(Rc::new(OpenStream { shard: shard.clone(), end, local, peer }))
    }

    pub(crate) async fn connect(shard: &Rc<Shard>, address: SocketAddr) -> io::Result<Self> {
        shard.alive().await;
        let world = shard.world();
        let local = world.with_host(shard.host(), |host| {
            let ip = if address.ip().is_loopback() { address.ip() } else { host.ip };
            SocketAddr::new(ip, host.ephemeral_port())
        });
        let deadline = shard.now() + CONNECT_TIMEOUT;
        while shard.now() < deadline {
            let to = host_at(shard, address.ip());
            match attempt(shard, local, to, address).await {
                Attempt::Accepted(end) => {
                    let stream = Self::new(shard, end);
                    answer(shard, to).await;
                    return Ok(stream);
                }
                Attempt::Refused => {
                    answer(shard, to).await;
                    return Err(io::ErrorKind::ConnectionRefused.into());
                }
                Attempt::Lost => shard.pause(CONNECT_RETRY).await,
            }
        }
        Err(io::ErrorKind::TimedOut.into())
    }

    pub(crate) fn peer(&self) -> SocketAddr {
        self.0.peer
    }

    pub(crate) fn local(&self) -> SocketAddr {
        self.0.local
    }

    pub(crate) async fn read(&self) -> io::Result<Vec<u8>> {
        let OpenStream { shard, end, .. } = &*self.0;
        shard.alive().await;
        poll_fn(|cx| shard.world().network.borrow_mut().poll_read(*end, cx)).await
    }

    pub(crate) async fn write_all(&self, parts: Vec<Bytes>) -> io::Result<()> {
        let OpenStream { shard, end, .. } = &*self.0;
        for mut part in parts {
            shard.alive().await;
            poll_fn(|cx| {
                let world = shard.world();
                let mut network = world.network.borrow_mut();
                network.poll_write(*end, &mut part, &mut world.timeline.borrow_mut(), cx)
            })
            .await?;
        }
        Ok(())
    }

    /// What lies in files is looked at when its turn to leave has come.
    pub(crate) async fn write_parts(&self, parts: Vec<Part>) -> io::Result<()> {
        for part in parts {
            let bytes = match part {
                Part::Bytes(bytes) => bytes,
                Part::File(range) => {
                    self.0.shard.alive().await;
                    let (file, offset) = range.of_simulation()?;
                    file.bytes(&self.0.shard, offset, range.len())
                }
            };
            self.write_all(vec![bytes]).await?;
        }
        Ok(())
    }

    pub(crate) fn shutdown(&self) {
        self.0.close(false);
    }
}

/// Sends a SYN and sees what becomes of it.
async fn attempt(
    shard: &Rc<Shard>,
    local: SocketAddr,
    to: Option<HostId>,
    address: SocketAddr,
) -> Attempt {
    let Some(to) = to else { return Attempt::Lost };
    answer(shard, Some(to)).await;
    let world = shard.world();
    let mut network = world.network.borrow_mut();
    let cut = network.is_cut(shard.host(), to) || network.is_cut(to, shard.host());
    if cut || !world.with_host(to, |host| host.powered) {
        return Attempt::Lost;
    }
    let attempt = network.attempt((shard.host(), local), (to, address));
    let accepted = matches!(attempt, Attempt::Accepted(_));
    world.trace.add(Kind::Network, &[shard.key(), u64::from(address.port()), u64::from(accepted)]);
    attempt
}

/// The time that something takes to or from `peer`.
async fn answer(shard: &Rc<Shard>, peer: Option<HostId>) {
    let Some(peer) = peer else { return pending().await };
    let delay = shard.world().network.borrow_mut().delay(shard.host(), peer);
    shard.pause(delay).await;
}
