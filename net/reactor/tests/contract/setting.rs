//! Where a contract test runs: on one shard or several, of this machine or of a simulated one.

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use ringlane_reactor::sim::{Options, Simulation};
use ringlane_reactor::{
    AddressReservation, Disk, Mesh, OneshotSender, Reactor, ShardConfig, ShardId, allowed_cpus,
    reserve_address, run_shards,
};

/// What shards send each other.
pub(crate) enum Letter {
    Number(u64),
    /// Answer with the number plus one.
    Question(u64, OneshotSender<u64>),
}

/// What a shard of a test is given.
#[derive(Clone)]
pub(crate) struct Setting {
    pub(crate) reactor: Reactor,
    /// Exists, empty, for this test alone.
    pub(crate) directory: PathBuf,
    /// Nobody listens there but this test.
    pub(crate) reservation: Arc<AddressReservation>,
    /// Mailboxes of [`MAILBOX_CAPACITY`] for all shards of the test.
    pub(crate) mesh: Mesh<Letter>,
}

pub(crate) const MAILBOX_CAPACITY: usize = 4;

impl Setting {
    pub(crate) fn disk(&self) -> Disk {
        self.reactor.disk()
    }

    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.directory.join(name)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.reservation.address()
    }

    pub(crate) fn shard(&self) -> ShardId {
        self.reactor.shard()
    }
}

/// A test that hangs fails after this long.
const PATIENCE: Duration = Duration::from_secs(60);

async fn patiently<F: Future<Output = ()>>(
    setting: Setting,
    test: fn(Setting) -> F,
) -> io::Result<()> {
    let reactor = setting.reactor.clone();
    match reactor.timeout(PATIENCE, test(setting)).await {
        Ok(()) => Ok(()),
        Err(_) => Err(io::Error::other("the test hangs")),
    }
}

/// Runs `test` on `shards` shards of this machine.
pub(crate) fn on_the_ring<F: Future<Output = ()> + 'static>(shards: u16, test: fn(Setting) -> F) {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("ringlane-contract-{}-{number}", std::process::id());
    let directory = std::env::temp_dir().join(name);
    std::fs::create_dir(&directory).expect("a directory for the test");
    let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let reservation = Arc::new(reserve_address(any_port).expect("a port for the test"));
    let mesh = Mesh::new(shards, MAILBOX_CAPACITY);
    let cpus = allowed_cpus().into_iter().cycle().take(usize::from(shards)).collect();
    let config = ShardConfig::on(cpus);
    let own = directory.clone();
    let result = run_shards(&config, move |reactor| {
        let (directory, reservation) = (own.clone(), reservation.clone());
        patiently(Setting { reactor, directory, reservation, mesh: mesh.clone() }, test)
    });
    std::fs::remove_dir_all(&directory).expect("the directory is still there");
    result.expect("every shard ends well");
}

/// Runs `test` on `shards` shards of a simulated host, with several seeds.
pub(crate) fn in_the_simulation<F: Future<Output = ()> + 'static>(
    shards: u16,
    test: fn(Setting) -> F,
) {
    for seed in 0..20 {
        let mut simulation = Simulation::new(Options::seed(seed));
        let host = simulation.host("host", Ipv4Addr::new(10, 0, 0, 1).into(), shards);
        simulation.create_dir(host, "/test").expect("an empty disk");
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 9092));
        let reservation = Arc::new(AddressReservation::simulated(address));
        let mesh = Mesh::new(shards, MAILBOX_CAPACITY);
        simulation.start(host, move |reactor| {
            let (directory, reservation) = (PathBuf::from("/test"), reservation.clone());
            patiently(Setting { reactor, directory, reservation, mesh: mesh.clone() }, test)
        });
        simulation.run_until(|simulation| !simulation.is_running(host), 2 * PATIENCE);
        assert_eq!(simulation.exit(host), Some(Ok(())), "seed {seed}");
    }
}

/// Makes each named test, an `async fn(Setting)` run on every shard, into one for the ring and one for the simulation.
macro_rules! contract {
    (on $shards:literal: $($test:ident),+ $(,)?) => {
        mod on_the_ring {
            $(#[test]
            fn $test() {
                crate::setting::on_the_ring($shards, super::$test);
            })+
        }

        mod in_the_simulation {
            $(#[test]
            fn $test() {
                crate::setting::in_the_simulation($shards, super::$test);
            })+
        }
    };
}
pub(crate) use contract;
