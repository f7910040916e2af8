//! A simulated listening socket.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use super::network::ListenerId;
use super::shard::Shard;
use super::stream::Stream;

/// Listens until dropped.
pub(crate) struct Listener {
    shard: Rc<Shard>,
    id: ListenerId,
}

impl Listener {
    pub(crate) fn open(shard: &Rc<Shard>, address: SocketAddr, backlog: u32) -> io::Result<Self> {
        let world = shard.world();
        let own = world.with_host(shard.host(), |host| host.ip);
        let ip = address.ip();
        if ip != own && !ip.is_loopback() && !ip.is_unspecified() {
            return Err(io::ErrorKind::AddrNotAvailable.into());
        }
        assert!(address.port() != 0, "the reservation has found a port");
        let id = world.network.borrow_mut().listen(shard.host(), address, backlog as usize);
        Ok(Self { shard: shard.clone(), id })
    }

    pub(crate) async fn accept(&self) -> io::Result<Stream> {
        self.shard.alive().await;
        let network = &self.shard.world().network;
        let end = poll_fn(|cx| network.borrow_mut().poll_accept(self.id, cx)).await?;
        Ok(Stream::new(&self.shard, end))
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if self.shard.is_alive() {
            let world = self.shard.world();
            world.network.borrow_mut().unlisten(self.id, &mut world.timeline.borrow_mut());
        }
    }
}
