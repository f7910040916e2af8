//! The slice of seeds that every test run takes, and that a seed replays its run. `RINGLANE_SEED=n` runs that one
//! alone, `RINGLANE_SEEDS=n` so many.

use std::env;

use crate::seeds::{Total, run, try_run};

/// Run in this many tests at the same time, as many seeds each.
const SLICES: u64 = 4;
const SEEDS_A_SLICE: u64 = 300;

fn run_slice(slice: u64) {
    let (from, to) = range();
    let mut total = Total::default();
    for seed in (from..to).filter(|seed| seed % SLICES == slice) {
        total.add(seed, try_run(seed));
    }
    println!("{total}");
    assert!(total.failed.is_empty(), "{total}");
}

fn range() -> (u64, u64) {
    let number = |name: &str| {
        let text = env::var(name).ok()?;
        Some(text.parse::<u64>().unwrap_or_else(|_| panic!("{name}={text}: must be a number")))
    };
    match (number("RINGLANE_SEED"), number("RINGLANE_SEEDS")) {
        (Some(seed), _) => (seed, seed + 1),
        (None, Some(count)) => (0, count),
        (None, None) => (0, SLICES * SEEDS_A_SLICE),
    }
}

#[test]
fn every_invariant_holds_in_slice_0() {
    run_slice(0);
}

#[test]
fn every_invariant_holds_in_slice_1() {
    run_slice(1);
}

#[test]
fn every_invariant_holds_in_slice_2() {
    run_slice(2);
}

#[test]
fn every_invariant_holds_in_slice_3() {
    run_slice(3);
}

/// Hash maps with a random state, clocks and addresses of the machine would show here.
#[test]
fn a_seed_replays_its_run() {
    let mut hashes = Vec::new();
    for seed in 0..40 {
        let first = run(seed);
        assert_eq!(first, run(seed));
        hashes.push(first.trace_hash);
    }
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(hashes.len(), 40, "another seed is another run");
}
