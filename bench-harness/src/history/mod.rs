//! What past commits measured: a line of JSON each in `history.jsonl`, written by `history record` and shown by `history`.
//! Pure but for [`record`]: texts in, texts out.

pub(crate) mod record;
mod standing;
mod table;

use serde::{Deserialize, Serialize};

use crate::host::HostFacts;
use crate::percentiles::Percentiles;
use crate::result::RunResult;

pub use standing::{Standing, standing};
pub use table::table;

/// A measured commit: a line of the file. What is added to it must have a default, so that old lines stay readable.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The commit's whole hash.
    pub commit: String,
    /// The first line of its message.
    pub subject: String,
    /// When it was measured, in UTC.
    pub date: String,
    /// Where.
    pub host: HostFacts,
    /// What each standing scenario gave.
    pub scenarios: Vec<Figures>,
}

/// What a standing scenario gave, over all its rounds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// The scenario's name.
    pub scenario: String,
    /// Whether the figures may be used.
    pub valid: bool,
    /// Why not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub invalid: Vec<String>,
    /// Where acknowledged records were.
    pub durability: String,
    /// How often it was run.
    pub rounds: usize,
    /// Records that were acknowledged and measured, in all rounds.
    pub records: u64,
    /// Null in a closed loop.
    pub asked_per_s: Option<f64>,
    /// The rate that was reached.
    pub acknowledged_per_s: f64,
    /// Intended send to acknowledgement; all rounds together.
    pub produce_latency_us: Percentiles,
    /// Intended send to consumption; all rounds together.
    pub end_to_end_latency_us: Percentiles,
    /// The 99th percentile of the produce latency in each round: how far they lie apart is the noise.
    pub produce_p99_us_by_round: Vec<f64>,
    /// The broker's CPU time for each acknowledged record, in µs: the median of the rounds.
    pub cpu_us_per_record: Option<f64>,
    /// The broker's memory, in MiB: the median of the rounds.
    pub rss_mib: Option<f64>,
}

impl Figures {
    /// Of the pooled result of `rounds`.
    pub fn new(scenario: &str, pooled: &RunResult, rounds: &[&RunResult]) -> Self {
        assert!(!rounds.is_empty(), "figures come from a round at least");
        let p99 = |result: &&RunResult| tenths(result.produce_latency_us.p99);
        Self {
            scenario: scenario.to_owned(),
            valid: pooled.valid,
            invalid: pooled.invalid.clone(),
            durability: pooled.durability.clone(),
            rounds: rounds.len(),
            records: pooled.records.acknowledged,
            asked_per_s: pooled.rates.asked_per_s,
            acknowledged_per_s: tenths(pooled.rates.acknowledged_per_s),
            produce_latency_us: rounded(&pooled.produce_latency_us),
            end_to_end_latency_us: rounded(&pooled.end_to_end_latency_us),
            produce_p99_us_by_round: rounds.iter().map(p99).collect(),
            cpu_us_per_record: pooled.server.cpu_us_per_record.map(hundredths),
            rss_mib: pooled.server.rss_mib.map(tenths),
        }
    }
}

/// A line is read by people too: no more digits than were measured.
fn tenths(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

fn hundredths(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

fn rounded(percentiles: &Percentiles) -> Percentiles {
    Percentiles {
        p50: tenths(percentiles.p50),
        p90: tenths(percentiles.p90),
        p99: tenths(percentiles.p99),
        p99_9: tenths(percentiles.p99_9),
        p99_99: tenths(percentiles.p99_99),
        max: tenths(percentiles.max),
    }
}

impl Entry {
    /// The commit's name as people write it.
    pub fn short(&self) -> &str {
        self.commit.get(..7).unwrap_or(&self.commit)
    }

    /// The kind of host: figures of different kinds are not on one line of a plot.
    pub fn kind_of_host(&self) -> String {
        let HostFacts { cpu_model, cpus, memory_mib, .. } = &self.host;
        format!("{cpus} CPUs ({cpu_model}), {} GiB", (*memory_mib as f64 / 1024.0).round())
    }

    /// What a scenario gave, if it was measured.
    pub fn figures(&self, scenario: &str) -> Option<&Figures> {
        self.scenarios.iter().find(|figures| figures.scenario == scenario)
    }
}

/// The entries of a file, oldest first.
///
/// # Errors
/// A sentence that names the line that is none.
pub fn parse(text: &str) -> Result<Vec<Entry>, String> {
    let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
    let entry = |(number, line)| {
        serde_json::from_str(line)
            .map_err(|error| format!("line {number} is no measured commit: {error}"))
    };
    lines.map(entry).collect()
}

/// `text` with a line for `entry`.
pub fn append(text: &str, entry: &Entry) -> String {
    let line = serde_json::to_string(entry).expect("an entry is plain values");
    let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    format!("{text}{end}{line}\n")
}

/// The kinds of host in `entries`, in the order in which they first come.
pub fn kinds_of_host(entries: &[Entry]) -> Vec<String> {
    first_of_each(entries.iter().map(Entry::kind_of_host))
}

/// The scenarios in `entries`, in the order in which they first come.
pub fn scenarios(entries: &[Entry]) -> Vec<String> {
    let names = entries.iter().flat_map(|entry| &entry.scenarios);
    first_of_each(names.map(|figures| figures.scenario.clone()))
}

fn first_of_each(names: impl Iterator<Item = String>) -> Vec<String> {
    names.fold(Vec::new(), |mut known, name| {
        if !known.contains(&name) {
            known.push(name);
        }
        known
    })
}

#[cfg(test)]
pub(crate) mod tests;
