//! The measurements of a disk in the simulation: bounded in time and bytes, nothing left behind, and ended when asked.

use std::cell::Cell;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use ringlane_reactor::sim::{Options, Simulation};
use ringlane_tuning::disk::{Bounds, Measured, measure};

const DIR: &str = "/data";

fn bounds(seconds: u64) -> Bounds {
    Bounds { time: Duration::from_secs(seconds), file_bytes: 32 << 20 }
}

/// What is measured in a world, how long it took there, and what is left in the directory.
fn measured(seed: u64, seconds: u64) -> (Measured, Duration, usize) {
    let mut simulation = Simulation::new(Options::seed(seed));
    let host = simulation.host("broker", IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), 1);
    simulation.block_on(host, move |reactor| async move {
        let disk = reactor.disk();
        disk.create_dir_all(Path::new(DIR)).await.expect("a directory");
        let begin = reactor.now();
        let told = Rc::new(Cell::new(0.0));
        let last = told.clone();
        let tell = move |progress: ringlane_tuning::disk::Progress| {
            assert!(progress.part >= last.get() && progress.part <= 1.0, "progress goes on");
            last.set(progress.part);
        };
        let measured = measure(&reactor, Path::new(DIR), bounds(seconds), tell).await;
        let left = disk.list(Path::new(DIR)).await.expect("the directory").len();
        (measured.expect("a sound disk"), reactor.now() - begin, left)
    })
}

#[test]
fn a_measurement_is_bounded_and_leaves_nothing() {
    for seconds in [1, 10] {
        let (measured, took, left) = measured(seconds, seconds);
        assert_eq!(left, 0, "its files are gone");
        let bound = Duration::from_secs(seconds).mul_f64(1.3) + Duration::from_secs(1);
        assert!(took < bound, "{took:?} of {seconds} s");
        assert_eq!(measured.durable.len(), 12, "four sizes, three depths");
        assert!(measured.durable.iter().all(|(_, _, latency)| latency.count > 0));
        assert!(measured.write_bytes_per_second > 0);
        assert!(measured.plain_write.count > 0 && measured.ring_write.count > 0);
        assert_eq!(measured.inline_write.count, measured.ring_write.count);
    }
}
