//! Latencies of many writes, and what is told of them.

use std::time::Duration;

/// More are counted, not kept: memory stays bounded.
const KEPT_MAX: usize = 100_000;

/// What is told of the latencies of one kind of write, in microseconds.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Latency {
    /// How many writes there were.
    pub count: u64,
    /// Half of them took no longer.
    pub p50_us: f64,
    /// 99 of 100 took no longer.
    pub p99_us: f64,
    /// The longest.
    pub max_us: f64,
    /// Writes in a second, all writers together.
    pub per_second: f64,
}

/// Latencies as they come.
#[derive(Default)]
pub(super) struct Samples {
    kept: Vec<Duration>,
    count: u64,
    max: Duration,
}

impl Samples {
    pub(super) fn add(&mut self, latency: Duration) {
        self.count += 1;
        self.max = self.max.max(latency);
        if self.kept.len() < KEPT_MAX {
            self.kept.push(latency);
        }
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.count += other.count;
        self.max = self.max.max(other.max);
        let room = KEPT_MAX - self.kept.len();
        self.kept.extend(other.kept.into_iter().take(room));
    }

    /// What is told of them, given how long they took together.
    pub(super) fn latency(mut self, elapsed: Duration) -> Latency {
        assert!(self.kept.len() as u64 <= self.count, "what is kept was counted");
        self.kept.sort_unstable();
        // The nearest rank: of one sample every percentile is that sample.
        let at = |part: f64| {
            let rank = (self.kept.len() as f64 * part).ceil() as usize;
            self.kept.get(rank.max(1) - 1).copied().unwrap_or_default()
        };
        let us = |duration: Duration| duration.as_nanos() as f64 / 1000.0;
        Latency {
            count: self.count,
            p50_us: us(at(0.5)),
            p99_us: us(at(0.99)),
            max_us: us(self.max),
            per_second: self.count as f64 / elapsed.as_secs_f64().max(1e-9),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_by_nearest_rank() {
        let mut samples = Samples::default();
        (1..=200).rev().for_each(|us| samples.add(Duration::from_micros(us)));
        let latency = samples.latency(Duration::from_secs(2));
        assert_eq!((latency.p50_us, latency.p99_us, latency.max_us), (100.0, 198.0, 200.0));
        assert_eq!((latency.count, latency.per_second), (200, 100.0));
        assert_eq!(Samples::default().latency(Duration::ZERO), Latency::default());
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut samples = Samples::default();
        (0..KEPT_MAX + 10).for_each(|_| samples.add(Duration::from_micros(1)));
        let mut other = Samples::default();
        other.add(Duration::from_secs(1));
        samples.merge(other);
        assert_eq!(samples.kept.len(), KEPT_MAX);
        let latency = samples.latency(Duration::from_secs(1));
        assert_eq!((latency.count, latency.max_us), (KEPT_MAX as u64 + 11, 1e6));
    }
}
