//! What was measured at one durability and rate, and whether it may be used.

use serde::Serialize;

use super::Ratio;
use crate::result::RunResult;
use crate::terminal::micros;

/// The comparison at one durability and rate.
#[derive(Clone, Debug, Serialize)]
pub struct Level {
    /// `page-cache` or `disk`.
    pub durability: String,
    /// The rate that was asked for, in records a second, or `max`.
    pub rate: String,
    /// A lower rate held, and this did not: it shows no more than that.
    pub is_limit: bool,
    /// The rounds that were measured once more, since they were not valid, each with the reason. They are not part of the figures.
    pub repeated: Vec<String>,
    /// The brokers, over all rounds.
    pub sides: Vec<RunResult>,
    /// Of the second broker's figures to the first's.
    pub ratios: Vec<Ratio>,
}

impl Level {
    /// Why it does not hold, if it does not.
    pub(super) fn problem(&self) -> Option<String> {
        self.sides.iter().find_map(RunResult::problem)
    }

    /// Whether records were lost, doubled, changed or out of order, which no rate excuses.
    pub(super) fn is_faulty(&self, was_stopped: bool) -> bool {
        self.sides.iter().any(|side| side.records.is_faulty(was_stopped))
    }

    /// Whether its figures may be used, or show no more than where a ladder ended.
    pub(crate) fn is_usable(&self) -> bool {
        self.is_limit || self.sides.iter().all(|side| side.valid)
    }

    /// In a line: the rate and the 99th percentiles.
    pub(crate) fn in_a_line(&self) -> String {
        let sides = self.sides.iter().map(|side| {
            let mark = if side.valid { "" } else { " (does not hold)" };
            format!("{} {}{mark}", side.target, micros(side.produce_latency_us.p99))
        });
        format!("{:>8} records/s: produce p99 {}", self.rate, sides.collect::<Vec<_>>().join(", "))
    }
}
