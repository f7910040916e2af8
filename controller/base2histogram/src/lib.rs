//! Stands in for the crate `base2histogram` under openraft: the same interface over 65 buckets. openraft makes a histogram
//! even without its feature `runtime-stats`, and the real crate then builds 26 MiB of tables, five times what the rest of
//! the process needs (docs/decisions/0002-controller.md). A percentile here is exact to a power of two.

use std::fmt;
use std::marker::PhantomData;

/// One bucket for zero, and one for each number of significant bits.
const BUCKETS: usize = 65;

/// Counts values by their number of significant bits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Histogram<T = ()> {
    counts: Box<[u64; BUCKETS]>,
    slots: PhantomData<T>,
}

impl<T> Default for Histogram<T> {
    fn default() -> Self {
        Self { counts: Box::new([0; BUCKETS]), slots: PhantomData }
    }
}

impl<T> Histogram<T> {
    /// No values.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts a value.
    pub fn record(&mut self, value: u64) {
        self.record_n(value, 1);
    }

    /// Counts a value `count` times.
    pub fn record_n(&mut self, value: u64, count: u64) {
        self.counts[(u64::BITS - value.leading_zeros()) as usize] += count;
    }

    /// Values so far.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The largest value that the bucket of this share of the values holds; 0 without values.
    fn percentile(&self, permille: u64) -> u64 {
        let rank = (self.total() * permille).div_ceil(1000).max(1);
        let mut seen = 0;
        for (bits, count) in (0..).zip(self.counts.iter()) {
            seen += count;
            if seen >= rank {
                return u64::MAX.checked_shr(u64::BITS - bits).unwrap_or(0);
            }
        }
        0
    }

    /// The usual percentiles.
    pub fn percentile_stats(&self) -> PercentileStats {
        PercentileStats {
            samples: self.total(),
            p0_1: self.percentile(1),
            p1: self.percentile(10),
            p5: self.percentile(50),
            p10: self.percentile(100),
            p50: self.percentile(500),
            p90: self.percentile(900),
            p99: self.percentile(990),
            p99_9: self.percentile(999),
        }
    }
}

/// A summary of a histogram.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[expect(missing_docs, reason = "a percentile is what its name says")]
pub struct PercentileStats {
    pub samples: u64,
    pub p0_1: u64,
    pub p1: u64,
    pub p5: u64,
    pub p10: u64,
    pub p50: u64,
    pub p90: u64,
    pub p99: u64,
    pub p99_9: u64,
}

impl fmt::Display for PercentileStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { samples, p50, p90, p99, p99_9, .. } = self;
        write!(f, "[samples: {samples}, p50: {p50}, p90: {p90}, p99: {p99}, p99.9: {p99_9}]")
    }
}

/// A table of named histograms, one row each.
#[derive(Clone, Debug, Default)]
pub struct AsciiChart(Vec<(String, PercentileStats)>);

impl AsciiChart {
    /// No rows.
    pub fn new() -> Self {
        Self::default()
    }

    /// One more row.
    pub fn add<T>(mut self, name: impl Into<String>, histogram: Histogram<T>) -> Self {
        self.0.push((name.into(), histogram.percentile_stats()));
        self
    }
}

impl fmt::Display for AsciiChart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(name, stats)| writeln!(f, "{name:>22}: {stats}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_exact_to_a_power_of_two() {
        let mut histogram = Histogram::<()>::new();
        (1..=1000).for_each(|value| histogram.record(value));
        let stats = histogram.percentile_stats();
        assert_eq!((stats.samples, stats.p50, stats.p99_9), (1000, 511, 1023));
        assert_eq!(Histogram::<()>::new().percentile_stats(), PercentileStats::default());
        histogram.record(u64::MAX);
        histogram.record(0);
        assert_eq!(histogram.total(), 1002);
    }
}
