//! Accepting connections on one shard, within `max.connections`, `max.connections.per.ip` and what descriptors there are for
//! them, and closing those that are idle for `connections.max.idle.ms`.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use ringlane_reactor::requirements::FILES_REMEDY;
use ringlane_reactor::{Instant, Listener, Queue, ShardId, Stream};
use tracing::{info, warn};

use crate::config::BrokerConfig;
use crate::connection;
use crate::shard::Shard;

/// The shard that counts the broker's connections.
const COUNTING_SHARD: ShardId = ShardId(0);

/// How long a shard waits after it could not accept (no descriptors left) before it tries again.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// Whoever asks for connections that there are no descriptors for does not fill the log.
const TELL_INTERVAL: Duration = Duration::from_secs(10);

/// How many connections the shard has; and those of the broker by the address they come from, kept on one shard, and only where
/// a setting bounds them: elsewhere a connection is not worth a message.
#[derive(Default)]
pub(crate) struct Connections {
    here: Cell<usize>,
    /// When it was last said that there are no more descriptors for them.
    told: Cell<Option<Instant>>,
    count: Cell<i32>,
    by_address: RefCell<BTreeMap<IpAddr, i32>>,
}

impl Connections {
    /// Counts a connection from `address`, or says which setting forbids it.
    fn admit(&self, address: IpAddr, config: &BrokerConfig) -> Result<(), String> {
        let (max, max_per_ip) = (config.max_connections, config.max_connections_per_ip);
        if self.count.get() >= max {
            return Err(format!("max.connections ({max}) reached"));
        }
        let mut by_address = self.by_address.borrow_mut();
        let from_here = by_address.get(&address).copied().unwrap_or_default();
        if from_here >= max_per_ip {
            return Err(format!("max.connections.per.ip ({max_per_ip}) reached"));
        }
        by_address.insert(address, from_here + 1);
        self.count.set(self.count.get() + 1);
        Ok(())
    }

    /// Says, now and then, why connections are closed that the shard has no descriptors for.
    fn tell_refusal(&self, now: Instant) {
        if self.told.get().is_none_or(|told| now - told >= TELL_INTERVAL) {
            self.told.set(Some(now));
            warn!(
                "connections are closed: this core has {} of them, as many as the limit of open files (RLIMIT_NOFILE) leaves it; {FILES_REMEDY}",
                self.here.get()
            );
        }
    }

    fn leave(&self, address: IpAddr) {
        let mut by_address = self.by_address.borrow_mut();
        let from_here = by_address.remove(&address).expect("a connection leaves once");
        if from_here > 1 {
            by_address.insert(address, from_here - 1);
        }
        self.count.set(self.count.get() - 1);
        assert!(self.count.get() >= 0, "no more connections leave than came");
    }
}

/// A connection's place among those that the shard has descriptors for.
struct Seat(Rc<Shard>);

impl Seat {
    fn take(shard: &Rc<Shard>) -> Option<Self> {
        let max = shard.descriptors.connections_of_each(shard.reactor.shard_count());
        let here = &shard.connections.here;
        (here.get() < max).then(|| {
            here.set(here.get() + 1);
            Self(shard.clone())
        })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let here = &self.0.connections.here;
        here.set(here.get().checked_sub(1).expect("a seat is given back once"));
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
    let config = &shard.config;
    let Some(seat) = Seat::take(shard) else {
        shard.metrics.connections_refused.increment();
        shard.connections.tell_refusal(shard.reactor.now());
        return stream.shutdown();
    };
    let is_bounded = config.max_connections.min(config.max_connections_per_ip) < i32::MAX;
    let task_shard = shard.clone();
    let task = async move {
        let _seat = seat;
        if is_bounded {
            serve_bounded(task_shard, stream).await;
        } else {
            connection::run(task_shard, stream).await;
        }
    };
    shard.reactor.spawn(Queue::Client, task).detach();
}

/// Serves a connection if the shard that counts them all has room for it.
async fn serve_bounded(shard: Rc<Shard>, stream: Stream) {
    let peer = stream.peer();
    let admit = move |shard: &Rc<Shard>| {
        std::future::ready(shard.connections.admit(peer.ip(), &shard.config))
    };
    if let Err(reason) = shard.router.call(&shard, COUNTING_SHARD, admit).await {
        shard.metrics.connections_refused.increment();
        info!(%peer, "connection closed: {reason}");
        return stream.shutdown();
    }
    connection::run(shard.clone(), stream).await;
    let leave = move |shard: &Rc<Shard>| {
        shard.connections.leave(peer.ip());
        std::future::ready(())
    };
    shard.router.call(&shard, COUNTING_SHARD, leave).await;
}

/// Closes connections without progress, as long as the shard lives; none where the setting is negative.
pub(crate) async fn close_idle(shard: Rc<Shard>) {
    let Ok(idle_ms) = u64::try_from(shard.config.connections_max_idle_ms) else { return };
    let idle = Duration::from_millis(idle_ms);
    loop {
        let oldest = shard.memory.close_idle(shard.reactor.now(), idle);
        // The next one can become idle no earlier than the oldest one that is left.
        let next = oldest.map_or(shard.reactor.now() + idle, |progressed_at| progressed_at + idle);
        shard.reactor.sleep_until(next + Duration::from_millis(1)).await;
    }
}
