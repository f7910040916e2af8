//! A broker's life: its shards start, the first takes the data directory and runs the controller, every shard opens its
//! partitions and then its door; at the end the doors close first and the logs are left clean.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use ringlane_controller::{
    BrokerRegistration, Command, Controller, CoreEndpoint, CoreIndex, Endpoint, Options, Outcome,
};
use ringlane_reactor::{AddressReservation, Mesh, Queue, Reactor};
use tracing::info;

use crate::cluster;
use crate::compaction;
use crate::config::BrokerConfig;
use crate::descriptors::Descriptors;
use crate::listener;
use crate::log_directories::LogDirectories;
use crate::race::{Either, race};
use crate::retention;
use crate::router::{self, Job, MAILBOX_JOBS_MAX};
use crate::scrub;
use crate::shard::{CONTROLLER_SHARD, Shard};

/// Where a broker listens.
pub struct Addresses {
    /// The address of all shards together.
    pub shared: AddressReservation,
    /// With `ringlane.core.endpoints`, one more for each shard, in order.
    pub cores: Vec<AddressReservation>,
    /// The host that clients are told.
    pub advertised_host: String,
    /// The port that clients are told for the shared address.
    pub advertised_port: u16,
}

/// A broker that is about to run: what its shards share before they start.
#[derive(Clone)]
pub struct Broker {
    config: Arc<BrokerConfig>,
    addresses: Arc<Addresses>,
    mesh: Mesh<Job>,
    descriptors: Descriptors,
    on_ready: Arc<dyn Fn(SocketAddr) + Send + Sync>,
}

/// Why a broker did not start. One sentence that says what to do.
#[derive(Debug)]
pub struct StartError(String);

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for StartError {}

pub(crate) fn failed(error: impl fmt::Display) -> StartError {
    StartError(error.to_string())
}

impl Broker {
    /// A broker of `shards` shards, whose logs and connections have these descriptors; `on_ready` is told its address once it
    /// answers requests.
    pub fn new(
        config: BrokerConfig,
        addresses: Addresses,
        shards: u16,
        descriptors: Descriptors,
        on_ready: impl Fn(SocketAddr) + Send + Sync + 'static,
    ) -> Self {
        Self {
            config: Arc::new(config),
            addresses: Arc::new(addresses),
            mesh: Mesh::new(shards, MAILBOX_JOBS_MAX),
            descriptors,
            on_ready: Arc::new(on_ready),
        }
    }

    /// Runs one shard of the broker until the process is asked to end. Every shard of the reactor runs this.
    ///
    /// # Errors
    /// On the controller's shard, why the broker did not start or did not stop in order.
    pub async fn run_shard(self, reactor: Reactor) -> io::Result<()> {
        let shard = Shard::new(&reactor, self.config.clone(), self.descriptors, &self.mesh);
        let mailbox = self.mesh.mailbox(reactor.shard());
        let _jobs = reactor.spawn(Queue::Client, router::serve(shard.clone(), mailbox));
        if reactor.shard() != CONTROLLER_SHARD {
            shard.ending.notified().await;
            return Ok(());
        }
        let outcome = self.lead(&shard).await;
        let end = |shard: &Rc<Shard>| {
            // This job's answer must leave before the shard does.
            let shard = shard.clone();
            let reactor = shard.reactor.clone();
            let bell = async move { shard.ending.notify_all() };
            reactor.spawn(Queue::Client, bell).detach();
            std::future::ready(())
        };
        shard.router.call_all(&shard, end).await;
        outcome.map_err(io::Error::other)
    }

    /// The part of the controller's shard: start everything, wait for the end, stop everything.
    async fn lead(&self, shard: &Rc<Shard>) -> Result<(), StartError> {
        let mut directories = LogDirectories::open(shard).await?;
        let cluster_id = directories.cluster_id();
        let options =
            Options { cluster_id: Some(cluster_id.clone()), ..Options::new(shard.broker()) };
        let metadata = directories.metadata().join(ringlane_controller::DIRECTORY_NAME);
        let controller =
            Controller::start(&shard.reactor, &metadata, options).await.map_err(failed)?;
        let named = controller.image().cluster_id().to_owned();
        if named != cluster_id {
            return Err(failed(format!(
                "the data directory {} belongs to the cluster {cluster_id}, the controller's files in it to {named}: one of them was copied from elsewhere; put back the one that belongs here",
                directories.metadata().display()
            )));
        }
        shard.run_controller(controller.clone());
        self.register(shard, &controller).await?;
        directories.recover(shard, &controller.image()).await?;
        directories.tell(shard).await;
        let publishing = shard.reactor.spawn(Queue::Controller, cluster::publish(shard.clone()));
        cluster::applied(shard, controller.image().version()).await;
        directories.begin_writing(shard).await?;
        self.open_doors(shard).await?;
        (self.on_ready)(self.addresses.shared.address());
        let ended = serve(shard).await;
        info!("stopping");
        close_doors(shard).await;
        drop(publishing);
        let in_order = close_logs(shard).await;
        report_counters(shard).await;
        controller.stop().await;
        ended.and(directories.close(shard, &in_order).await)
    }

    /// Tells the controller that this broker is here, with as many cores as it has now.
    async fn register(&self, shard: &Shard, controller: &Controller) -> Result<(), StartError> {
        let endpoint = |port| Endpoint {
            listener: "PLAINTEXT".into(),
            host: self.addresses.advertised_host.clone(),
            port,
        };
        let cores = (0..).map(CoreIndex).zip(&self.addresses.cores);
        let registration = BrokerRegistration {
            broker: shard.broker(),
            core_count: shard.reactor.shard_count(),
            endpoints: vec![endpoint(self.addresses.advertised_port)],
            core_endpoints: cores
                .map(|(core, address)| CoreEndpoint {
                    core,
                    endpoint: endpoint(address.address().port()),
                })
                .collect(),
            rack: None,
        };
        match controller.submit(Command::RegisterBroker(registration)).await.map_err(failed)? {
            Outcome::BrokerRegistered { .. } => Ok(()),
            other => Err(failed(format!("the controller did not take this broker: {other}"))),
        }
    }

    /// Every shard begins to accept.
    async fn open_doors(&self, shard: &Rc<Shard>) -> Result<(), StartError> {
        let addresses = self.addresses.clone();
        let open = move |shard: &Rc<Shard>| {
            let opened = open_here(shard, &addresses).map_err(|error| error.to_string());
            std::future::ready(opened)
        };
        for opened in shard.router.call_all(shard, open).await {
            opened.map_err(failed)?;
        }
        Ok(())
    }
}

fn open_here(shard: &Rc<Shard>, addresses: &Addresses) -> io::Result<()> {
    let backlog = shard.config.socket_listen_backlog_size as u32;
    let own = addresses.cores.get(usize::from(shard.reactor.shard().0));
    for address in std::iter::once(&addresses.shared).chain(own) {
        let listener = shard.reactor.listen(address, backlog)?;
        let door = shard.clone();
        let accept = async move {
            race(listener::accept(door.clone(), listener), door.closing.notified()).await;
        };
        shard.reactor.spawn(Queue::Client, accept).detach();
    }
    shard.reactor.spawn(Queue::Background, listener::close_idle(shard.clone())).detach();
    if shard.config.log_cleaner_enable {
        shard.reactor.spawn(Queue::Background, compaction::run(shard.clone())).detach();
    }
    shard.reactor.spawn(Queue::Background, retention::run(shard.clone())).detach();
    shard.reactor.spawn(Queue::Background, scrub::run(shard.clone())).detach();
    Ok(())
}

async fn close_doors(shard: &Rc<Shard>) {
    let close = |shard: &Rc<Shard>| {
        shard.closing.notify_all();
        std::future::ready(())
    };
    shard.router.call_all(shard, close).await;
}

/// What the broker counted while it ran, in one log line.
async fn report_counters(shard: &Rc<Shard>) {
    let values = |shard: &Rc<Shard>| {
        let stalls = shard.reactor.stalls();
        let stalls = [("stalls", stalls.turns), ("stalled_us", stalls.time.as_micros() as u64)];
        std::future::ready(shard.metrics.values().into_iter().chain(stalls).collect::<Vec<_>>())
    };
    let mut total = BTreeMap::<&str, u64>::new();
    for (name, value) in shard.router.call_all(shard, values).await.into_iter().flatten() {
        *total.entry(name).or_default() += value;
    }
    let counted: Vec<String> =
        total.iter().map(|(name, value)| format!("{name}={value}")).collect();
    info!("since the start: {}", counted.join(" "));
}

/// Ready when the broker is to end: it was asked to, or has no log directory to go on with.
async fn serve(shard: &Rc<Shard>) -> Result<(), StartError> {
    let failing = async {
        loop {
            let has_failed = shard.has_failed.notified();
            if let Some(reason) = shard.log_dirs.borrow().fatal() {
                return reason;
            }
            has_failed.await;
        }
    };
    match race(failing, shard.reactor.terminated()).await {
        Either::First(reason) => Err(failed(format!("the broker ends: {reason}"))),
        Either::Second(()) => Ok(()),
    }
}

/// Closes every log on its shard. Answers of each directory whether all logs in it are in order.
async fn close_logs(shard: &Rc<Shard>) -> BTreeMap<usize, bool> {
    let close = |shard: &Rc<Shard>| {
        let shard = shard.clone();
        async move { crate::partitions::close_all(&shard).await }
    };
    let mut all = BTreeMap::new();
    for (index, in_order) in shard.router.call_all(shard, close).await.into_iter().flatten() {
        *all.entry(index).or_insert(true) &= in_order;
    }
    all
}
