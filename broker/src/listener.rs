//! Accepting connections on one shard, within `max.connections` and `max.connections.per.ip`, and closing those that are
//! idle for `connections.max.idle.ms`.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use ringlane_reactor::{Listener, Queue, Stream};
use tracing::{info, warn};

use crate::connection;
use crate::shard::Shard;

/// How long a shard waits after it could not accept (no descriptors left) before it tries again.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// The connections of a shard by the address they come from.
#[derive(Default)]
pub(crate) struct Connections {
    by_address: RefCell<BTreeMap<IpAddr, i32>>,
}

impl Connections {
    /// How many connections the shard has.
    pub(crate) fn count(&self) -> i32 {
        self.by_address.borrow().values().sum()
    }

    /// Counts a connection from `address`, or says which setting forbids it.
    fn admit(&self, address: IpAddr, max: i32, max_per_address: i32) -> Result<(), String> {
        if self.count() >= max {
            return Err(format!("max.connections of this shard ({max}) reached"));
        }
        let mut by_address = self.by_address.borrow_mut();
        let count = by_address.entry(address).or_default();
        if *count >= max_per_address {
            return Err(format!(
                "max.connections.per.ip of this shard ({max_per_address}) reached"
            ));
        }
        *count += 1;
        Ok(())
    }

    fn leave(&self, address: IpAddr) {
        let mut by_address = self.by_address.borrow_mut();
        let count = by_address.get_mut(&address).expect("a connection leaves once");
        *count -= 1;
        if *count == 0 {
            by_address.remove(&address);
        }
    }
}

/// Accepts on `listener` for as long as the shard lives.
pub(crate) async fn accept(shard: Rc<Shard>, listener: Listener) {
    loop {
        match listener.accept().await {
            Ok(stream) => welcome(&shard, stream),
            Err(error) => {
                warn!(
                    "cannot accept connections: {error}; trying again (is the limit on open files too low?)"
                );
                shard.reactor.sleep(ACCEPT_RETRY).await;
            }
        }
    }
}

fn welcome(shard: &Rc<Shard>, stream: Stream) {
    let peer = stream.peer();
    let config = &shard.config;
    if let Err(reason) =
        shard.connections.admit(peer.ip(), config.max_connections, config.max_connections_per_ip)
    {
        shard.metrics.connections_refused.increment();
        info!(%peer, "connection closed: {reason}");
        return stream.shutdown();
    }
    let task_shard = shard.clone();
    let task = async move {
        connection::run(task_shard.clone(), stream).await;
        task_shard.connections.leave(peer.ip());
    };
    shard.reactor.spawn(Queue::Client, task).detach();
}

/// Closes connections without progress, as long as the shard lives.
pub(crate) async fn close_idle(shard: Rc<Shard>) {
    let idle = Duration::from_millis(shard.config.connections_max_idle_ms.max(0) as u64);
    loop {
        let oldest = shard.memory.close_idle(shard.reactor.now(), idle);
        // The next one can become idle no earlier than the oldest one that is left.
        let next = oldest.map_or(shard.reactor.now() + idle, |progressed_at| progressed_at + idle);
        shard.reactor.sleep_until(next + Duration::from_millis(1)).await;
    }
}
