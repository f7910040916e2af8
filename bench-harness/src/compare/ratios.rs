//! The figures of two brokers set against each other, round by round.

use serde::Serialize;

use super::pool::median;
use super::{Level, Run};
use crate::result::RunResult;
use crate::terminal::{micros, thousands};

/// A figure of both brokers, and the second's over the first's.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ratio {
    /// What was measured.
    pub figure: String,
    /// In what.
    pub unit: &'static str,
    /// Of the first broker: the median over the rounds.
    pub first: f64,
    /// Of the second.
    pub second: f64,
    /// Second over first: the median of the rounds' ratios.
    pub ratio: f64,
    /// The smallest and the largest of them.
    pub low: f64,
    /// See `low`.
    pub high: f64,
}

/// How a figure is taken from a result.
type Pick = Box<dyn Fn(&RunResult) -> Option<f64>>;

/// Each figure that is compared: its name, unit, and where it is.
fn figures() -> Vec<(String, &'static str, Pick)> {
    let mut figures: Vec<(String, &'static str, Pick)> = Vec::new();
    for at in 0..6 {
        let produce = move |result: &RunResult| Some(result.produce_latency_us.named()[at].1);
        let name = crate::percentiles::Percentiles::default().named()[at].0;
        figures.push((format!("produce {name}"), "us", Box::new(produce)));
    }
    for at in 0..6 {
        let end_to_end = move |result: &RunResult| Some(result.end_to_end_latency_us.named()[at].1);
        let name = crate::percentiles::Percentiles::default().named()[at].0;
        figures.push((format!("end to end {name}"), "us", Box::new(end_to_end)));
    }
    let mut add = |name: &str, unit, pick: fn(&RunResult) -> Option<f64>| {
        figures.push((name.to_owned(), unit, Box::new(pick)));
    };
    add("fetch p50", "us", |result| Some(result.fetch_latency_us.p50));
    add("fetch p99", "us", |result| Some(result.fetch_latency_us.p99));
    add("commit p50", "us", |result| Some(result.transactions?.commit_latency_us.p50));
    add("commit p99", "us", |result| Some(result.transactions?.commit_latency_us.p99));
    add("acknowledged rate", "records/s", |result| Some(result.rates.acknowledged_per_s));
    add("broker CPU", "us/record", |result| result.server.cpu_us_per_record);
    add("broker memory", "MiB", |result| result.server.rss_mib);
    add("disk writes", "bytes/record", |result| result.server.disk_bytes_per_record);
    add("voluntary switches", "1/record", |result| result.server.voluntary_switches_per_record);
    figures
}

/// The ratios of two brokers' runs; none unless there are two that have runs.
pub(super) fn ratios(runs: &[Vec<Run>]) -> Vec<Ratio> {
    let [first, second] = runs else { return Vec::new() };
    let ratio = |(figure, unit, pick): (String, &'static str, Pick)| {
        let values = |runs: &[Run]| -> Vec<f64> {
            runs.iter().filter_map(|(result, _)| pick(result)).collect()
        };
        let (first, second) = (values(first), values(second));
        let pairs = first.iter().zip(&second).filter(|(first, _)| **first > 0.0);
        let ratios: Vec<f64> = pairs.map(|(first, second)| second / first).collect();
        Some(Ratio {
            figure,
            unit,
            low: ratios.iter().copied().reduce(f64::min)?,
            high: ratios.iter().copied().reduce(f64::max)?,
            ratio: median(ratios)?,
            first: median(first)?,
            second: median(second)?,
        })
    };
    figures().into_iter().filter_map(ratio).collect()
}

/// A value with its unit.
fn show(value: f64, unit: &str) -> String {
    match unit {
        "us" => micros(value),
        "us/record" => format!("{value:.1} µs/record"),
        "MiB" => format!("{value:.0} MiB"),
        "1/record" => format!("{value:.2} /record"),
        unit => format!("{} {unit}", thousands(value)),
    }
}

impl Level {
    /// The figures of a broker that is alone, over all rounds; empty where there are two, which have ratios.
    pub(crate) fn figures_alone(&self) -> Vec<(String, String)> {
        let [side] = self.sides.as_slice() else { return Vec::new() };
        let shown = |(figure, unit, pick): (String, &'static str, Pick)| {
            pick(side).map(|value| (figure, show(value, unit)))
        };
        figures().into_iter().filter_map(shown).collect()
    }
}

impl Ratio {
    /// A value of this figure with its unit.
    pub fn show(&self, value: f64) -> String {
        show(value, self.unit)
    }

    /// The ratio with its spread.
    pub fn spread(&self) -> String {
        let digits =
            |ratio: f64| if ratio < 10.0 { format!("{ratio:.2}") } else { format!("{ratio:.1}") };
        format!("{} ({}-{})", digits(self.ratio), digits(self.low), digits(self.high))
    }
}

/// A run in a line of progress.
pub(crate) fn in_a_line(result: &RunResult) -> String {
    let (produce, read) = (&result.produce_latency_us, &result.end_to_end_latency_us);
    let cpu = result.server.cpu_us_per_record;
    format!(
        "produce p50 {} p99 {} max {}  end to end p99 {}  CPU {}{}",
        micros(produce.p50),
        micros(produce.p99),
        micros(produce.max),
        micros(read.p99),
        cpu.map_or_else(|| "-".to_owned(), |cpu| format!("{cpu:.0} µs/record")),
        if result.valid { "" } else { "  INVALID" },
    )
}
