//! Crashes at every kind of write and sync, of logs that share the managers of one to three shards: durable ones and others,
//! compacted, truncated and deleted from, with journals that are recycled again and again, and other numbers of shards in
//! each life. Whatever the seed, what is in `invariants/` holds. `RINGLANE_SEED` replays one, `RINGLANE_SEEDS` runs that many.

#[path = "../common/mod.rs"]
mod common;
mod every_operation;
mod found;
mod full_disk;
mod invariants;
mod lies;
mod lost;
mod process;
mod roles;
mod stories;
mod told;
mod work;
mod world;

use ringlane_reactor::Rng;
use ringlane_reactor::sim::Options;

use common::seeds;
use roles::Role;
use world::{Life, World};

const SEEDS: u64 = 300;
/// 9164, 12514 and 29862: `log verify` left to the operator a torn snapshot that the start removes, or writes anew.
const FOUND: [u64; 3] = [9164, 12514, 29862];
const LIVES: usize = 4;
const STEPS: usize = 90;
/// A cut falls on one of so many operations of a life.
const CUT_MAX: u64 = 400;

fn run(seed: u64) {
    let mut options = Options::seed(seed);
    let mut rng = Rng::new(seed ^ 0xc4a5);
    options.disk.sector_bytes = if rng.one_in(2) { 512 } else { 4096 };
    let mut world = World::new(options, Role::draw(&mut rng), 2 + rng.below(3) as u32);
    for _ in 0..LIVES {
        let life = Life::draw(&mut rng, STEPS);
        world.live(life, Some(rng.below(CUT_MAX)));
    }
    world.finish(1 + rng.below(3) as u16);
}

#[test]
fn a_crash_takes_nothing_that_was_told() {
    common::each_seed("crash", seeds(SEEDS).chain(FOUND), run);
}
