//! A simulated broker and its clients' hosts: boots it, kills it, takes its power, starts it again.

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ringlane::config;
use ringlane::descriptors::Descriptors;
use ringlane::server::{Addresses, Broker};
use ringlane_reactor::sim::{CrashKind, HostId, Options, Simulation};
use ringlane_reactor::{AddressReservation, Reactor};

use crate::client::Client;

const BROKER_IP: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
/// Where the broker listens.
pub const BROKER: SocketAddr = SocketAddr::new(BROKER_IP, 9092);
/// Where its data is.
pub const DATA: &str = "/data";
/// The virtual time that a start may take.
const START_MAX: Duration = Duration::from_secs(120);

/// So few logs may have open files that they close theirs for each other.
const DESCRIPTORS: Descriptors = Descriptors { logs_max: 6, connections_max: 1000 };

/// Small files, so that a short run rolls them and the journal turns over every few dozen batches, and few partitions for the groups' offsets.
const SETTINGS: &[&str] = &[
    "log.segment.bytes=8192",
    "log.index.interval.bytes=512",
    // The clients' records are of 1970.
    "log.retention.ms=-1",
    "ringlane.journal.file.bytes=65536",
    "ringlane.journal.files=2",
    "offsets.topic.num.partitions=3",
    "group.initial.rebalance.delay.ms=0",
    "auto.create.topics.enable=false",
    "ringlane.receive.buffer.bytes=65536",
];

/// One broker and the hosts of its clients.
pub struct Cluster {
    /// The world that they are in.
    pub simulation: Simulation,
    /// The broker's host.
    pub broker: HostId,
    shards: u16,
    settings: Vec<String>,
    ready: Arc<AtomicBool>,
    clients: u8,
    story: Option<HostId>,
}

impl Cluster {
    /// A world with a broker of `shards` shards, not started.
    pub fn new(options: Options, shards: u16, settings: &[&str]) -> Self {
        let mut simulation = Simulation::new(options);
        let broker = simulation.host("broker", BROKER_IP, shards);
        simulation.create_dir(broker, DATA).expect("an empty disk");
        let all = SETTINGS.iter().chain(settings).map(|setting| (*setting).to_owned());
        Self {
            simulation,
            broker,
            shards,
            settings: all.collect(),
            ready: Arc::default(),
            clients: 0,
            story: None,
        }
    }

    /// A world without faults and a broker of two shards that serves: where most stories begin.
    pub fn serving(seed: u64) -> Self {
        let mut cluster = Self::new(Options::seed(seed), 2, &[]);
        cluster.start();
        cluster
    }

    /// A new host for a client.
    pub fn client_host(&mut self) -> HostId {
        self.clients += 1;
        let ip = IpAddr::V4(Ipv4Addr::new(10, 0, 1, self.clients));
        self.simulation.host(&format!("client-{}", self.clients), ip, 1)
    }

    // The broker's life.

    /// From its next start on the broker has `shards` shards.
    pub fn set_shards(&mut self, shards: u16) {
        self.simulation.set_shards(self.broker, shards);
        self.shards = shards;
    }

    /// From its next start on the broker has this setting, whatever it had.
    pub fn set(&mut self, setting: &str) {
        self.settings.push(setting.to_owned());
    }

    /// Starts the broker without waiting for it to serve.
    pub fn boot(&mut self) {
        let mut arguments = vec![format!("log.dirs={DATA}")];
        arguments.extend(self.settings.iter().cloned());
        let config = config::load(None, &arguments).expect("good settings").config;
        let addresses = Addresses {
            shared: AddressReservation::simulated(BROKER),
            cores: Vec::new(),
            advertised_host: BROKER_IP.to_string(),
            advertised_port: BROKER.port(),
        };
        self.ready = Arc::default();
        let ready = self.ready.clone();
        let on_ready = move |_| ready.store(true, Ordering::Relaxed);
        let broker = Broker::new(config, addresses, self.shards, DESCRIPTORS, on_ready);
        self.simulation.start(self.broker, move |reactor| broker.clone().run_shard(reactor));
    }

    /// Starts the broker and waits until it serves.
    ///
    /// # Panics
    /// When it ends or does not serve in time.
    pub fn start(&mut self) {
        self.boot();
        assert!(self.wait_until_ready(), "the broker died while it started: {:?}", self.exit());
    }

    /// Waits for a broker that was booted: whether it serves, rather than died.
    ///
    /// # Panics
    /// When it does neither in time.
    pub fn wait_until_ready(&mut self) -> bool {
        let (ready, host) = (self.ready.clone(), self.broker);
        let decided = self.simulation.run_until(
            |simulation| ready.load(Ordering::Relaxed) || !simulation.is_running(host),
            START_MAX,
        );
        assert!(decided, "bounded: the broker does not start within {START_MAX:?}");
        self.is_running()
    }

    /// Whether the broker's process is there.
    pub fn is_running(&self) -> bool {
        self.simulation.is_running(self.broker)
    }

    /// How the broker ended, where it ended by itself.
    pub fn exit(&self) -> Option<Result<(), String>> {
        self.simulation.exit(self.broker)
    }

    /// Ends the broker's process at once.
    pub fn crash(&mut self, kind: CrashKind) {
        self.simulation.crash(self.broker, kind);
    }

    /// Ends the broker's process at its next disk operation but `operations`; waits for that.
    pub fn crash_at(&mut self, operations: u64, kind: CrashKind) {
        self.simulation.crash_at(self.broker, operations, kind);
        let host = self.broker;
        let limit = Duration::from_secs(600);
        self.simulation.run_until(|simulation| !simulation.is_running(host), limit);
    }

    /// Stops the broker in order.
    ///
    /// # Panics
    /// When it does not end, or ends with an error.
    pub fn stop(&mut self) {
        self.simulation.stop(self.broker);
        let host = self.broker;
        let stopped = self
            .simulation
            .run_until(|simulation| !simulation.is_running(host), Duration::from_secs(120));
        assert!(stopped, "bounded: the broker does not stop");
    }

    /// Crashes and starts again.
    pub fn restart(&mut self, kind: CrashKind) {
        self.crash(kind);
        self.start();
    }

    // Its clients.

    /// Runs `act` as a client on a host of its own, until it is done.
    pub fn client<T, F>(&mut self, act: impl FnOnce(Client) -> F + 'static) -> T
    where
        T: 'static,
        F: Future<Output = T> + 'static,
    {
        let ip = IpAddr::V4(Ipv4Addr::new(10, 0, 2, 1));
        let simulation = &mut self.simulation;
        let host = *self.story.get_or_insert_with(|| simulation.host("story", ip, 1));
        self.simulation.block_on(host, move |reactor| act(Client::new(&reactor, BROKER)))
    }

    /// Starts a process on a client's host that runs `main`.
    pub fn spawn<F>(&mut self, host: HostId, main: impl Fn(Reactor) -> F + 'static)
    where
        F: Future<Output = ()> + 'static,
    {
        let main = Rc::new(main);
        self.simulation.start(host, move |reactor| {
            let main = main.clone();
            async move {
                main(reactor).await;
                Ok(())
            }
        });
    }
}
