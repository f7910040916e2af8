//! The load generator against a server whose latency and faults are known, in the simulation: virtual time is exact, so
//! percentiles can be held against what they must be, and a seed replays a run.

mod coordinator;
mod fake;
mod faults;
mod group;
mod latency;
mod paper;
mod reading;
mod transactions;

use std::net::Ipv4Addr;
use std::time::Duration;

use fake::{Fake, Shared, serve};
use ringlane_bench::generator::{Ensemble, Job, Measured};
use ringlane_bench::scenario::Scenario;
use ringlane_bench::settings::Settings;
use ringlane_bench::terminal::Live;
use ringlane_reactor::sim::{NetworkFaults, Options, Simulation};

/// Runs the scenario in `settings` (TOML) on `shards` shards against a fake broker.
fn run(settings: &str, shards: u16, fake: Fake) -> Result<Measured, String> {
    run_on(&Shared::new(fake.into()), settings, shards)
}

/// [`run`] against a broker that can be looked at afterwards.
fn run_on(fake: &Shared, settings: &str, shards: u16) -> Result<Measured, String> {
    run_against(Some(fake.clone()), settings, shards)
}

/// Runs it where nobody listens.
fn run_without_broker(settings: &str) -> Result<Measured, String> {
    run_against(None, settings, 1)
}

fn run_against(fake: Option<Shared>, settings: &str, shards: u16) -> Result<Measured, String> {
    let scenario = Settings::read(settings).and_then(Scenario::new).expect("a scenario");
    let job = Job {
        target: fake::ADDRESS.to_owned(),
        scenario,
        sample: None,
        cpus: Vec::new(),
        server_pid: None,
        live: Live::quiet(),
    };
    // A network that takes no time: what is measured is the broker's doing.
    let network = NetworkFaults { delay_max: Duration::ZERO, ..NetworkFaults::default() };
    let mut simulation = Simulation::new(Options { network, ..Options::seed(7) });
    let broker = simulation.host("broker", Ipv4Addr::new(10, 0, 0, 1).into(), 1);
    let bench = simulation.host("bench", Ipv4Addr::new(10, 0, 0, 2).into(), shards);
    if let Some(fake) = fake {
        simulation.start(broker, move |reactor| serve(reactor, fake.clone()));
        // It listens before anybody asks.
        simulation.run_for(Duration::from_millis(1));
    }
    let (ensemble, outcome) = Ensemble::new(job, shards);
    simulation.start(bench, move |reactor| ensemble.clone().run_shard(reactor));
    let limit = Duration::from_secs(600);
    assert!(simulation.run_until(|sim| !sim.is_running(bench), limit), "the run ends");
    outcome.try_recv().expect("an outcome")
}
