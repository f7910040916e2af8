//! One seed, one run: a broker and its clients drawn from the seed, and a fate for each of the broker's lives. Swarm testing
//! (Groce et al., ISSTA 2012): each kind of fault is left out of half of the runs, so that none hides what another would show.

use std::fmt;
use std::panic::catch_unwind;
use std::time::Duration;

use ringlane_reactor::Rng;
use ringlane_reactor::sim::{ClockFaults, CrashKind, DiskFaults, HostId, NetworkFaults, Options};

use crate::audit::audit;
use crate::cluster::Cluster;
use crate::invariants::bounded;
use crate::workload::{Plan, Work};

/// What a run came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// Which run.
    pub seed: u64,
    /// Equal for equal runs.
    pub trace_hash: u64,
    /// Tasks polled and leaps of time.
    pub steps: u64,
    /// Virtual time.
    pub time: Duration,
    /// How often the broker died.
    pub deaths: u64,
    /// Records that were acknowledged.
    pub acknowledged: usize,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, trace_hash, steps, time, deaths, acknowledged } = self;
        write!(
            f,
            "seed {seed}: {acknowledged} records acknowledged, {deaths} deaths, {steps} steps in {time:.1?} of virtual \
             time, trace {trace_hash:016x}"
        )
    }
}

/// What many runs came to.
#[derive(Clone, Default, Debug)]
pub struct Total {
    /// Runs that held every invariant.
    pub passed: u64,
    /// Seeds of those that did not.
    pub failed: Vec<u64>,
    deaths: u64,
    acknowledged: usize,
    steps: u64,
}

impl Total {
    /// Counts a run.
    pub fn add(&mut self, seed: u64, outcome: Option<Outcome>) {
        match outcome {
            Some(outcome) => {
                self.passed += 1;
                self.deaths += outcome.deaths;
                self.acknowledged += outcome.acknowledged;
                self.steps += outcome.steps;
            }
            None => self.failed.push(seed),
        }
    }
}

impl fmt::Display for Total {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { passed, failed, deaths, acknowledged, steps } = self;
        write!(
            f,
            "{passed} seeds passed, {} failed {failed:?}; {acknowledged} records acknowledged, {deaths} deaths, {steps} steps",
            failed.len()
        )
    }
}

/// Runs `seed`; on failure prints how to replay it.
pub fn try_run(seed: u64) -> Option<Outcome> {
    let outcome = catch_unwind(|| run(seed)).ok();
    if outcome.is_none() {
        eprintln!(
            "seed {seed} failed; replay it: cargo run --release -p ringlane-sim -- --seed {seed}"
        );
    }
    outcome
}

/// The longest of the broker's lives, in milliseconds.
const LIFE_MS_MAX: u64 = 1_500;
/// The longest between two of them.
const DEATH_MS_MAX: u64 = 3_000;
/// A crash falls on one of so many disk operations.
const CRASH_OPERATIONS_MAX: u64 = 250;

struct Run {
    cluster: Cluster,
    work: Work,
    clients: Vec<HostId>,
    rng: Rng,
    /// Whether the host has another number of cores now and then.
    moves: bool,
    deaths: u64,
}

/// Runs `seed`.
///
/// # Panics
/// When an invariant does not hold.
pub fn run(seed: u64) -> Outcome {
    let mut rng = Rng::new(seed ^ 0x7269_6e67_6c61_6e65);
    let options = draw_options(seed, &mut rng);
    let shards = draw_shards(&mut rng);
    let settings: &[&str] = if rng.one_in(3) { &["log.dirs=/data,/second"] } else { &[] };
    let mut cluster = Cluster::new(options, shards, settings);
    draw_reading(seed).into_iter().for_each(|setting| cluster.set(setting));
    let (work, clients) = Plan::draw(&mut rng).start(&mut cluster);
    let moves = rng.one_in(2);
    let mut run = Run { cluster, work, clients, rng, moves, deaths: 0 };
    for _ in 0..1 + run.rng.below(4) {
        run.life();
    }
    run.finish();
    run.audit();
    run.die(CrashKind::Power);
    run.cluster.start();
    run.audit();
    Outcome {
        seed,
        trace_hash: run.cluster.simulation.trace_hash(),
        steps: run.cluster.simulation.steps(),
        time: Duration::from_nanos(run.cluster.simulation.now().as_nanos()),
        deaths: run.deaths,
        acknowledged: run.work.oracle.acknowledged_count(),
    }
}

/// How the broker reads: from memory, from files by itself, or by sending parts of them.
fn draw_reading(seed: u64) -> Vec<&'static str> {
    // Of its own: what the seed means for the rest stays what it was.
    let mut rng = Rng::new(seed ^ 0x0066_6574_6368);
    let tail = ["ringlane.tail.bytes=0", "ringlane.tail.bytes=2000"];
    let zero_copy = "ringlane.fetch.zero.copy.min.bytes=1";
    let tail = (!rng.one_in(3)).then(|| tail[rng.below(2) as usize]);
    tail.into_iter().chain(rng.one_in(2).then_some(zero_copy)).collect()
}

fn draw_options(seed: u64, rng: &mut Rng) -> Options {
    let mut one_in = |n: u64| if rng.one_in(2) { 0 } else { n };
    let (slow_disk, slow, stall, reset) = (one_in(60), one_in(60), one_in(600), one_in(250));
    let (accept_error, jump) = (one_in(10), one_in(40));
    Options {
        disk: DiskFaults {
            slow_one_in: slow_disk,
            sector_bytes: if rng.one_in(2) { 512 } else { 4096 },
            latency_max: Duration::from_micros(20 + rng.below(3_000)),
            ..DiskFaults::default()
        },
        network: NetworkFaults {
            delay_max: Duration::from_micros(100 + rng.below(10_000)),
            slow_one_in: slow,
            stall_one_in: stall,
            reset_one_in: reset,
            accept_error_one_in: accept_error,
            ..NetworkFaults::default()
        },
        clock: ClockFaults { skew_ms_max: 5_000, jump_one_in: jump, jump_ms_max: 3_600_000 },
        // Far above what a run takes: more means that tasks spin.
        step_limit: 2_000_000,
        ..Options::seed(seed)
    }
}

fn draw_shards(rng: &mut Rng) -> u16 {
    1 + rng.below(4) as u16
}

impl Run {
    /// The broker starts, lives for a while and dies, or is stopped.
    fn life(&mut self) {
        if self.moves && self.rng.one_in(2) {
            self.cluster.set_shards(draw_shards(&mut self.rng));
        }
        self.cluster.boot();
        let kind = if self.rng.one_in(2) { CrashKind::Process } else { CrashKind::Power };
        match self.rng.below(6) {
            0..3 => self.die_at_an_operation(kind),
            3 => {
                self.live();
                self.die(kind);
            }
            4 => {
                if self.cluster.wait_until_ready() {
                    self.live();
                    self.audit();
                    self.die(kind);
                }
            }
            _ => {
                self.live();
                self.deaths += 1;
                self.cluster.stop();
            }
        }
        // The power may go after the process went.
        if kind == CrashKind::Process && self.rng.one_in(4) {
            self.die(CrashKind::Power);
        }
        let dead = self.rng.below(DEATH_MS_MAX);
        self.cluster.simulation.run_for(Duration::from_millis(dead));
    }

    fn die(&mut self, kind: CrashKind) {
        self.deaths += 1;
        self.cluster.crash(kind);
        if kind == CrashKind::Power {
            self.work.oracle.power_went();
        }
    }

    /// Also while it starts: then few operations are left to it.
    fn die_at_an_operation(&mut self, kind: CrashKind) {
        let operations = match self.rng.below(3) {
            0 => self.rng.below(30),
            _ => self.rng.below(CRASH_OPERATIONS_MAX),
        };
        self.cluster.crash_at(operations, kind);
        // It may have had nothing left to write.
        self.die(kind);
    }

    /// Some time passes, in which a client may be cut off and a clock may jump.
    fn live(&mut self) {
        let simulation = &mut self.cluster.simulation;
        let broker = self.cluster.broker;
        for _ in 0..2 {
            let client = self.clients[self.rng.below(self.clients.len() as u64) as usize];
            match self.rng.below(6) {
                0 => simulation.partition(client, broker),
                1 => simulation.partition_one_way(broker, client),
                2 => {
                    let by_ms = self.rng.below(7_200_000) as i64 - 3_600_000;
                    simulation.jump_wall_clock(broker, by_ms);
                }
                _ => {}
            }
            let ms = self.rng.below(LIFE_MS_MAX);
            simulation.run_for(Duration::from_millis(ms));
            simulation.heal(client, broker);
        }
    }

    /// No more faults: everyone comes to an end.
    fn finish(&mut self) {
        self.cluster.simulation.set_network_faults(NetworkFaults::default());
        self.cluster.start();
        self.work.stop();
        let work = self.work.clone();
        self.cluster.simulation.run_until(|_| work.is_finished(), bounded::LIMIT);
        let ended = bounded::check(&self.work.unfinished());
        ended.unwrap_or_else(|violation| panic!("{violation}"));
    }

    fn audit(&mut self) {
        let oracle = self.work.oracle.clone();
        let audited =
            self.cluster.client(|mut client| async move { audit(&mut client, &oracle).await });
        audited.unwrap_or_else(|violation| panic!("{violation}"));
    }
}
