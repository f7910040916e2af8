//! The load generator: one shard a core, each with its own producers, readers and connections. The conductor, on the first
//! shard, prepares the target, starts all at one moment, gathers what they report and decides when it is over.

mod breakdown;
mod conduct;
mod desk;
mod drain;
mod history;
mod outgoing;
mod plan;
mod read;
mod send;
mod setup;
mod tally;
mod transact;
mod worker;

use std::io;
use std::sync::mpsc;
use std::time::Duration;

use ringlane_reactor::{Instant, Mesh, Queue, Reactor, ShardConfig, ShardId, run_shards};

use crate::proc::HostCpu;
use crate::scenario::Scenario;
use crate::server::Sample;
use crate::terminal::Live;
use crate::verify::Faults;
use crate::workload::Durability;

pub use breakdown::{Breakdown, Kind, Layout, Leader, Share};
pub use drain::Drain;
pub(crate) use setup::topic_settings;
pub use tally::{Counts, Interval, Stage};

/// What is to be measured, where, and how it is shown meanwhile.
#[derive(Clone, Debug)]
pub struct Job {
    /// `host:port` of a broker.
    pub target: String,
    /// What is sent.
    pub scenario: Scenario,
    /// The content of the scenario's sample file, if it names one.
    pub sample: Option<Vec<u8>>,
    /// A pinned shard on each of these CPUs; one shard that is not pinned when there are none.
    pub cpus: Vec<usize>,
    /// The process that serves the target, if it is on this host.
    pub server_pid: Option<u32>,
    /// Progress on standard error.
    pub live: Live,
}

/// The state of everything at one moment of the measured time.
#[derive(Clone, Copy, Debug)]
pub struct Snapshot {
    /// When.
    pub at: Instant,
    /// Records so far.
    pub counts: Counts,
    /// The server's use of its host, if it can be seen.
    pub server: Option<Sample>,
    /// The host's CPUs.
    pub host: Option<HostCpu>,
    /// The wall clock less the monotonic clock, in ms: it moves when the wall clock is set.
    pub clock_offset_ms: i64,
}

/// What came of a run. Raw: judged and told elsewhere.
#[derive(Clone, Debug)]
pub struct Measured {
    /// When the measured time began, in ms since the epoch.
    pub started_ms: i64,
    /// How long it was: shorter than the scenario's when the run was stopped.
    pub window: Duration,
    /// Records at the end.
    pub counts: Counts,
    /// What verification found.
    pub faults: Faults,
    /// Latencies over all.
    pub total: Interval,
    /// Latencies of each second of the measured time, and of what came after it in the last.
    pub intervals: Vec<Interval>,
    /// Latencies by partition and leader.
    pub breakdown: Breakdown,
    /// What late readers found when they began.
    pub backlog: Drain,
    /// What was read of the history.
    pub history: Drain,
    /// Records that retention deleted, where that was asked for and the target tells.
    pub deleted_records: Option<u64>,
    /// At the start of the measured time, each second, and at its end.
    pub snapshots: Vec<Snapshot>,
    /// The busiest shard's time on a CPU over elapsed time.
    pub busiest_core: Option<f64>,
    /// Where acknowledged records are, as the target says.
    pub durability: Option<Durability>,
    /// Why it ended before its time.
    pub stopped: Option<String>,
    /// The first error of a producer or reader, if there was one.
    pub first_error: Option<String>,
}

/// Messages that wait between the shards.
const MAILBOX_CAPACITY: usize = 1024;

/// Memory for receive buffers of a shard: a reader that catches up receives as fast as the network delivers.
const RECEIVE_BUFFER_BYTES: usize = 8 << 20;
const UNREAD_BYTES_MAX: usize = 2 << 20;

/// Measures. Blocks until it is over.
///
/// # Errors
/// A sentence, when nothing was measured: the target cannot be reached or prepared, or no shard can be had.
pub fn measure(job: &Job) -> Result<Measured, String> {
    let mut config = match job.cpus.is_empty() {
        true => ShardConfig::single(),
        false => ShardConfig::on(job.cpus.clone()),
    };
    config.gives_way = true;
    config.receive_buffer_bytes = RECEIVE_BUFFER_BYTES;
    config.unread_bytes_max = UNREAD_BYTES_MAX;
    let shards = u16::try_from(config.cpus.len()).map_err(|_| "too many CPUs".to_owned())?;
    let (ensemble, outcome) = Ensemble::new(job.clone(), shards);
    let ended = run_shards(&config, move |reactor| ensemble.clone().run_shard(reactor));
    ended.map_err(|error| format!("the load generator cannot run: {error}"))?;
    outcome.try_recv().unwrap_or_else(|_| Err("the load generator ended without a result".into()))
}

/// The shards of a generator, to be run by whatever has reactors for them.
#[derive(Clone)]
pub struct Ensemble {
    job: Job,
    orders: Mesh<worker::Order>,
    reports: Mesh<(u16, worker::Report)>,
    outcome: mpsc::Sender<Result<Measured, String>>,
}

impl Ensemble {
    /// So many shards that carry out `job`; the first of them sends what comes of it.
    pub fn new(job: Job, shards: u16) -> (Self, mpsc::Receiver<Result<Measured, String>>) {
        let orders = Mesh::new(shards, MAILBOX_CAPACITY);
        let reports = Mesh::new(1, MAILBOX_CAPACITY);
        let (sender, outcome) = mpsc::channel();
        (Self { job, orders, reports, outcome: sender }, outcome)
    }

    /// Runs the part of the reactor's shard.
    ///
    /// # Errors
    /// None: what fails is told in the outcome.
    pub async fn run_shard(self, reactor: Reactor) -> io::Result<()> {
        let Self { job, orders, reports, outcome } = self;
        let (shard, first) = (reactor.shard(), ShardId(0));
        let to_conductor = reports.sender(first);
        let worker =
            worker::run(job.clone(), reactor.clone(), orders.mailbox(shard), to_conductor.clone());
        if shard != first {
            return worker.await;
        }
        let worker = reactor.spawn(Queue::Client, worker);
        let shards = (0..reactor.shard_count()).map(|shard| orders.sender(ShardId(shard)));
        let inbox = reports.mailbox(first);
        let measured = conduct::run(&job, &reactor, inbox, to_conductor, shards.collect()).await;
        let _ = outcome.send(measured);
        worker.await
    }
}
