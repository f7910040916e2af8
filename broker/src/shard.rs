//! A shard: one pinned core and all that it owns. Its tasks share it through an `Rc`; other shards reach it through the
//! router only.

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use ringlane_controller::{BrokerId, Controller};
use ringlane_reactor::{Mesh, Notify, Reactor, ShardId};
use ringlane_storage::Cleaner;

use crate::cluster::Published;
use crate::compaction::cleaner_config;
use crate::config::BrokerConfig;
use crate::coordinator::Coordinators;
use crate::descriptors::Descriptors;
use crate::listener::Connections;
use crate::log_dirs::LogDirs;
use crate::memory::Ledger;
use crate::metrics::Metrics;
use crate::partitions::Partitions;
use crate::producer_ids::ProducerIds;
use crate::router::{Job, Router};

/// The bound on held bytes where `queued.max.request.bytes` does not say, for the whole broker.
const HELD_BYTES_MAX: i64 = 512 * 1024 * 1024;

/// The shard that runs the controller and speaks for the broker.
pub(crate) const CONTROLLER_SHARD: ShardId = ShardId(0);

/// Everything that one shard owns.
pub(crate) struct Shard {
    /// The way to the outside.
    pub(crate) reactor: Reactor,
    /// The settings that the broker was started with.
    pub(crate) config: Arc<BrokerConfig>,
    /// What logs and connections may have open, of the whole process.
    pub(crate) descriptors: Descriptors,
    /// The way to the other shards.
    pub(crate) router: Router,
    /// The cluster image, as far as this shard has applied it.
    pub(crate) image: Published,
    /// On the controller's shard: where logs live.
    pub(crate) log_dirs: RefCell<LogDirs>,
    /// On the controller's shard: rings when no log directory is left to go on with.
    pub(crate) has_failed: Notify,
    /// The partitions that this shard owns.
    pub(crate) partitions: Partitions,
    /// Compacts their logs.
    pub(crate) cleaner: Cleaner,
    /// The group coordinators of the `__consumer_offsets` partitions among them.
    pub(crate) coordinators: Coordinators,
    /// Producer ids to give out.
    pub(crate) producer_ids: ProducerIds,
    /// What connections hold.
    pub(crate) memory: Rc<Ledger>,
    /// Who is connected to the broker, on the shard that counts them.
    pub(crate) connections: Connections,
    /// What was counted.
    pub(crate) metrics: Metrics,
    /// Rings when the shard is to accept no more connections.
    pub(crate) closing: Notify,
    /// Rings when the shard is to end.
    pub(crate) ending: Notify,
    controller: OnceCell<Controller>,
}

impl Shard {
    /// The shard that `reactor` runs, over the mesh that joins all of its broker's.
    pub(crate) fn new(
        reactor: &Reactor,
        config: Arc<BrokerConfig>,
        descriptors: Descriptors,
        mesh: &Mesh<Job>,
    ) -> Rc<Self> {
        let shards = reactor.shard_count();
        let share = held_bytes_share(&config, shards);
        Rc::new(Self {
            reactor: reactor.clone(),
            descriptors,
            router: Router::new(mesh, reactor.shard(), shards),
            image: Published::default(),
            log_dirs: RefCell::default(),
            has_failed: Notify::new(),
            partitions: Partitions::default(),
            cleaner: Cleaner::new(reactor, cleaner_config(&config, shards)),
            coordinators: Coordinators::default(),
            producer_ids: ProducerIds::default(),
            memory: Ledger::new(usize::try_from(share).unwrap_or(usize::MAX)),
            connections: Connections::default(),
            metrics: Metrics::default(),
            closing: Notify::new(),
            ending: Notify::new(),
            controller: OnceCell::new(),
            config,
        })
    }

    /// This broker's number.
    pub(crate) fn broker(&self) -> BrokerId {
        BrokerId(self.config.node_id)
    }

    /// Puts the controller on this shard.
    ///
    /// # Panics
    /// On any shard but the controller's, or the second time.
    pub(crate) fn run_controller(&self, controller: Controller) {
        assert_eq!(self.reactor.shard(), CONTROLLER_SHARD, "the controller has its shard");
        assert!(self.controller.set(controller).is_ok(), "a broker runs one controller");
    }

    /// The controller, on its shard.
    ///
    /// # Panics
    /// On any other shard, or before it started.
    pub(crate) fn controller(&self) -> &Controller {
        self.controller.get().expect("the controller runs on its shard")
    }
}

/// What the connections of one of `shards` may hold.
fn held_bytes_share(config: &BrokerConfig, shards: u16) -> i64 {
    let all = match config.queued_max_request_bytes {
        ..=0 => HELD_BYTES_MAX,
        limit => limit,
    };
    // A shard can always take the largest request beside another's.
    (all / i64::from(shards)).max(2 * i64::from(config.socket_request_max_bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_held_up_to_the_bound_or_where_there_is_none_to_ours() {
        let share = |queued_max_request_bytes| {
            let config = BrokerConfig { queued_max_request_bytes, ..BrokerConfig::defaults() };
            held_bytes_share(&config, 2)
        };
        assert_eq!(share(1 << 40), 1 << 39);
        assert_eq!(share(1), 200 << 20, "two of the largest requests");
        for none in [0, -1, -2] {
            assert_eq!(share(none), 256 << 20, "{none}");
        }
    }
}
