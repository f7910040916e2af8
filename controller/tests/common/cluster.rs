//! A simulated broker for the controller's tests.

use std::net::IpAddr;

use ringlane_reactor::sim::{HostId, Options, Simulation};

/// Where the controller keeps its files.
pub(crate) const DIR: &str = "/data/controller";

/// One broker with two shards.
pub(crate) fn cluster(options: Options) -> (Simulation, HostId) {
    let mut simulation = Simulation::new(options);
    let host = simulation.host("broker", IpAddr::from([10, 0, 0, 1]), 2);
    // The data directory is the operator's, and durable before any of this.
    simulation.create_dir(host, "/data").expect("the disk is empty");
    (simulation, host)
}
