//! The result of one side of a measurement, as `result.json` holds it. Scripts rely on its names; what is added keeps them.

mod parts;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::generator::{Job, Measured};
use crate::host::HostFacts;
use crate::percentiles::{Latencies, Percentiles, micros};
use crate::server::{Sample, ServerUse};
use crate::validity::{acknowledged_in_window, blames_the_generator, judge};

pub use parts::{
    Drained, OfLeader, OfPartition, PartLatencies, Transactions, by_leader, by_partition,
};

/// See the file's head.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunResult {
    /// What was measured: begins with `ringlane`, `kafka` or the target's host.
    pub target: String,
    /// Whether the figures may be used.
    pub valid: bool,
    /// Why not, a sentence each.
    pub invalid: Vec<String>,
    /// What qualifies them, a sentence each.
    pub warnings: Vec<String>,
    /// Where acknowledged records are: `page-cache`, `disk` or `unknown`.
    pub durability: String,
    /// `open`: records came by the clock. `closed`: when there was room, so latencies are those of a queue.
    #[serde(rename = "loop")]
    pub kind: String,
    /// When the measured time began, in ms since the epoch.
    pub started_ms: i64,
    /// How long was measured, in seconds.
    pub seconds: f64,
    /// The scenario's settings.
    pub scenario: serde_json::Value,
    /// Rates that were reached.
    pub rates: Rates,
    /// Records of the measured time; the faults are those of all records, warm-up included.
    pub records: Records,
    /// Intended send to acknowledgement.
    pub produce_latency_us: Percentiles,
    /// Intended send to consumption.
    pub end_to_end_latency_us: Percentiles,
    /// What a reader waited for an answer with records: from its request or, if that came later, from the intended send of
    /// the first of them.
    #[serde(default)]
    pub fetch_latency_us: Percentiles,
    /// What was committed, where producers send in transactions.
    #[serde(default)]
    pub transactions: Option<Transactions>,
    /// By partition; empty where there are more than 256.
    #[serde(default)]
    pub by_partition: Vec<OfPartition>,
    /// By the node that led the partition when the run began: a broker, or a core of it where cores have addresses.
    #[serde(default)]
    pub by_leader: Vec<OfLeader>,
    /// What late readers found, and how fast they had read it.
    #[serde(default)]
    pub backlog: Option<Drained>,
    /// What was read of the history.
    #[serde(default)]
    pub history: Option<Drained>,
    /// Records that retention deleted, where the scenario sets it.
    #[serde(default)]
    pub deleted_records: Option<u64>,
    /// The target's process, where it is on this host.
    pub server: ServerUse,
    /// The load generator itself.
    pub generator: Generator,
    /// Where it was measured.
    pub host: HostFacts,
    /// Second by second.
    pub intervals: Vec<Second>,
    /// The produce latency by percentile, from the median to the slowest, for plots.
    pub produce_curve: Vec<Point>,
    /// The same of the end-to-end latency.
    pub end_to_end_curve: Vec<Point>,
}

/// Records a second over the measured time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rates {
    /// What the scenario asked for; null in a closed loop.
    pub asked_per_s: Option<f64>,
    /// Handed to the producers.
    pub sent_per_s: f64,
    /// Acknowledged.
    pub acknowledged_per_s: f64,
}

/// Counts of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Records {
    pub sent: u64,
    pub acknowledged: u64,
    /// Given up by a producer.
    pub unacknowledged: u64,
    /// By all readers together.
    pub consumed: u64,
    pub lost: u64,
    pub duplicated: u64,
    pub reordered: u64,
    pub corrupted: u64,
}

/// The generator's own state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Generator {
    /// How late records were sent.
    pub lag_us: Percentiles,
    /// The busiest core's time in use over elapsed time.
    pub busiest_core: Option<f64>,
    /// How long producers waited for room in their buffer, in seconds.
    pub blocked_s: f64,
    /// The pinned CPUs; empty when it ran wherever the scheduler put it.
    pub cpus: Vec<usize>,
}

/// One second of the measured time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Second {
    /// Its end, from the start of the measured time.
    pub second: f64,
    pub sent: u64,
    pub acknowledged: u64,
    pub consumed: u64,
    pub produce_latency_us: Percentiles,
    pub end_to_end_latency_us: Percentiles,
    #[serde(default)]
    pub fetch_latency_us: Percentiles,
    /// The server's CPU time over elapsed time.
    pub server_cpu_cores: Option<f64>,
    pub server_rss_mib: Option<f64>,
}

/// A latency at a percentile.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Between 0 and 1.
    pub quantile: f64,
    /// In µs.
    pub us: f64,
}

impl Records {
    /// Whether records were lost, doubled, changed or out of order. Where a run was stopped, what is lost had merely not been read.
    pub fn is_faulty(&self, was_stopped: bool) -> bool {
        let lost = if was_stopped { 0 } else { self.lost };
        lost + self.duplicated + self.reordered + self.corrupted > 0
    }
}

impl RunResult {
    /// Why it is not valid, if it is not. What the generator lacked comes first: it may be why the target fell short.
    pub fn problem(&self) -> Option<String> {
        let of_generator = self.invalid.iter().find(|sentence| blames_the_generator(sentence));
        let sentence = of_generator.or(self.invalid.first())?;
        Some(format!("{}: {sentence}", self.target))
    }

    /// The result of `job`, judged.
    pub fn new(target: &str, job: &Job, measured: &Measured, host: HostFacts) -> Self {
        let judgement = judge(&job.scenario, measured);
        let scenario = serde_json::to_value(&job.scenario).expect("settings are plain values");
        let durability = measured.durability;
        Self {
            target: target.to_owned(),
            valid: judgement.invalid.is_empty(),
            invalid: judgement.invalid,
            warnings: judgement.warnings,
            durability: durability.map_or_else(|| "unknown".to_owned(), |known| known.to_string()),
            kind: if job.scenario.is_open_loop() { "open" } else { "closed" }.to_owned(),
            started_ms: measured.started_ms,
            seconds: measured.window.as_secs_f64(),
            scenario,
            rates: rates(job, measured),
            records: records(measured),
            produce_latency_us: Percentiles::of(&measured.total.produce),
            end_to_end_latency_us: Percentiles::of(&measured.total.end_to_end),
            fetch_latency_us: Percentiles::of(&measured.total.fetch),
            transactions: Transactions::of(measured),
            by_partition: by_partition(&[&measured.breakdown], job.scenario.partitions),
            by_leader: by_leader(&[&measured.breakdown]),
            backlog: Drained::over(&[&measured.backlog]),
            history: Drained::over(&[&measured.history]),
            deleted_records: measured.deleted_records,
            server: server(measured),
            generator: Generator {
                lag_us: Percentiles::of(&measured.total.lag),
                busiest_core: measured.busiest_core,
                blocked_s: measured.counts.blocked.as_secs_f64(),
                cpus: job.cpus.clone(),
            },
            host,
            intervals: seconds(measured),
            produce_curve: curve(&measured.total.produce),
            end_to_end_curve: curve(&measured.total.end_to_end),
        }
    }
}

fn rates(job: &Job, measured: &Measured) -> Rates {
    let window = measured.window.max(Duration::from_nanos(1)).as_secs_f64();
    let asked_per_s = match job.scenario.rate {
        crate::units::Rate::PerSecond(rate) => Some(rate),
        crate::units::Rate::Max => None,
    };
    Rates {
        asked_per_s,
        sent_per_s: measured.counts.sent.measured as f64 / window,
        acknowledged_per_s: acknowledged_in_window(measured) as f64 / window,
    }
}

fn records(measured: &Measured) -> Records {
    let (counts, faults) = (&measured.counts, &measured.faults);
    Records {
        sent: counts.sent.measured,
        acknowledged: counts.acknowledged.measured,
        unacknowledged: counts.unacknowledged.measured,
        consumed: counts.consumed.measured,
        lost: faults.lost,
        duplicated: faults.duplicated,
        reordered: faults.reordered,
        corrupted: counts.corrupted,
    }
}

fn server(measured: &Measured) -> ServerUse {
    let samples: Vec<Sample> =
        measured.snapshots.iter().filter_map(|snapshot| snapshot.server).collect();
    let rss_max = samples.iter().map(|sample| sample.rss_kib).max();
    match (samples.as_slice(), rss_max) {
        ([first, .., last], Some(rss_max)) => {
            ServerUse::between(first, last, acknowledged_in_window(measured), rss_max)
        }
        _ => ServerUse::default(),
    }
}

fn seconds(measured: &Measured) -> Vec<Second> {
    let Some(first) = measured.snapshots.first() else { return Vec::new() };
    let pairs = measured.snapshots.windows(2).zip(&measured.intervals);
    let second =
        |(pair, interval): (&[crate::generator::Snapshot], &crate::generator::Interval)| {
            let (before, after) = (&pair[0], &pair[1]);
            let servers = before.server.zip(after.server);
            let cores = servers.map(|(before, after)| {
                let cpu = after.cpu.total().saturating_sub(before.cpu.total());
                cpu.as_secs_f64() / (after.at - before.at).as_secs_f64().max(1e-9)
            });
            Second {
                second: (after.at - first.at).as_secs_f64(),
                sent: after.counts.sent.all - before.counts.sent.all,
                acknowledged: after.counts.acknowledged.all - before.counts.acknowledged.all,
                consumed: after.counts.consumed.all - before.counts.consumed.all,
                produce_latency_us: Percentiles::of(&interval.produce),
                end_to_end_latency_us: Percentiles::of(&interval.end_to_end),
                fetch_latency_us: Percentiles::of(&interval.fetch),
                server_cpu_cores: cores,
                server_rss_mib: after.server.map(|sample| sample.rss_kib as f64 / 1024.0),
            }
        };
    pairs.map(second).collect()
}

/// Steps of a curve for each tenth of what is left to the slowest.
const STEPS_PER_DECADE: i32 = 20;

/// From the median towards the slowest, evenly on a logarithmic scale of what is left, as far as there are samples.
pub fn curve(latencies: &Latencies) -> Vec<Point> {
    let samples = latencies.len();
    let mut points = Vec::new();
    for step in 0.. {
        let left = 0.5 * 10f64.powf(-f64::from(step) / f64::from(STEPS_PER_DECADE));
        if left * (samples as f64) < 1.0 {
            break;
        }
        let us = micros(latencies.value_at_quantile(1.0 - left));
        points.push(Point { quantile: 1.0 - left, us });
    }
    if samples > 0 {
        let quantile = 1.0 - 1.0 / (samples as f64 * 2.0).max(4.0);
        points.push(Point { quantile, us: micros(latencies.max()) });
    }
    points
}
