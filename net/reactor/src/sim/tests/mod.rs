//! The simulated world itself: what it promises to those who test in it.

mod crashes;
mod determinism;
mod direct;
mod disk_faults;
mod file_system;
mod network;
mod processes;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::{HostId, Options, Simulation};

const SEEDS: std::ops::Range<u64> = 0..40;

fn ip(last: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 0, 0, last))
}

fn address(last: u8) -> SocketAddr {
    SocketAddr::new(ip(last), 9092)
}

/// A world of one host of one shard.
fn one_host(seed: u64) -> (Simulation, HostId) {
    let mut simulation = Simulation::new(Options::seed(seed));
    let host = simulation.host("one", ip(1), 1);
    (simulation, host)
}
