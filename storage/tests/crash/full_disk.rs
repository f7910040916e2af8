//! A disk that is full for a while, and a crash then or later: what was acknowledged before, meanwhile and afterwards is there,
//! and what was refused is not.

use ringlane_reactor::Rng;
use ringlane_reactor::sim::{DiskFaults, Options};
use ringlane_storage::AppendError;

use crate::common::{each_seed, seeds};
use crate::process::Process;
use crate::roles::Role;
use crate::world::{Life, World};

const SEEDS: u64 = 150;
/// 282: a round passed over a producer snapshot that found no room, and a later one left it torn behind its own record.
const FOUND: [u64; 1] = [282];
const LIVES: usize = 3;
/// How often a disk is full in a life.
const TIMES: usize = 4;
const STEPS: usize = 12;
/// Free bytes that a full disk has at most: some things still find room.
const FREE_BYTES_MAX: u64 = 16 << 10;

impl Process {
    /// Like `work`, where everything may be refused, but nothing else may happen.
    async fn work_on_a_full_disk(&mut self, steps: usize) {
        for _ in 0..steps {
            let number = self.rng.below(self.logs.len() as u64) as usize;
            match self.rng.below(10) {
                0..6 => match self.try_append(number).await {
                    Ok(()) | Err(AppendError::StorageFull) => self.note_what_is_kept().await,
                    Err(error) => panic!("a full disk takes nothing else: {error}"),
                },
                6 => {
                    // Refused or not: the journal keeps what it has to.
                    let _ = self.logs[number].checkpoint().await;
                }
                7 => self.consume(number).await,
                _ => self.pass_time().await,
            }
            self.turn().await;
            for number in 0..self.logs.len() {
                assert_eq!(self.logs[number].is_offline(), None, "a full disk is not a broken one");
                self.look(number);
            }
        }
    }
}

/// What a process does next, on a disk with `faults`.
fn go_on(world: &mut World, process: Process, faults: DiskFaults, steps: usize) -> Process {
    world.simulation.set_disk_faults(world.host, faults);
    let is_full = faults.capacity_bytes < u64::MAX;
    let mut process = process;
    let ended = world.simulation.try_block_on(world.host, move |_| async move {
        match is_full {
            true => process.work_on_a_full_disk(steps).await,
            false => process.work(steps).await,
        }
        process
    });
    ended.expect("nothing interrupts it")
}

fn live(world: &mut World, life: Life, rng: &mut Rng) {
    let mut process = world
        .boot(1, life.seed, |start| async move { Process::start(start).await })
        .expect("nothing interrupts it");
    for _ in 0..TIMES {
        process = go_on(world, process, DiskFaults::default(), STEPS);
        let capacity_bytes = world.simulation.disk_bytes(world.host) + rng.below(FREE_BYTES_MAX);
        let full = DiskFaults { capacity_bytes, ..DiskFaults::default() };
        process = go_on(world, process, full, STEPS);
    }
    if !life.closes {
        process = go_on(world, process, DiskFaults::default(), life.steps);
    }
    // In the host: a process that ends there, without a word.
    world.simulation.block_on(world.host, |_| async { drop(process) });
    world.simulation.crash(world.host, life.kind);
    world.died(life.kind);
    world.simulation.set_disk_faults(world.host, DiskFaults::default());
}

fn run(seed: u64) {
    let mut rng = Rng::new(seed ^ 0xf011);
    let mut world = World::new(Options::seed(seed), vec![Role::Kept; 3], 3);
    for _ in 0..LIVES {
        let steps = rng.below(STEPS as u64) as usize;
        let life = Life::draw(&mut rng, steps);
        live(&mut world, life, &mut rng);
    }
    world.finish(1);
}

#[test]
fn a_full_disk_takes_nothing_that_was_told() {
    each_seed("crash", seeds(SEEDS).chain(FOUND), run);
}
