//! Latencies: recorded in ns with three significant digits, told in µs, kept by interval as an HDR log of version 2 that the
//! standard tools read (hdrhistogram.github.io).

use std::time::{Duration, UNIX_EPOCH};

use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::IntervalLogWriterBuilder;
use serde::{Deserialize, Serialize};

/// Latencies in ns.
pub type Latencies = Histogram<u64>;

/// Of the histograms: a percentile is right within one part in a thousand.
pub const SIGNIFICANT_DIGITS: u8 = 3;

/// An empty histogram. It grows with what is recorded.
pub fn latencies() -> Latencies {
    let mut latencies = Histogram::new(SIGNIFICANT_DIGITS).expect("3 digits are between 0 and 5");
    latencies.auto(true);
    latencies
}

/// The percentiles that are told.
pub const QUANTILES: [(&str, f64); 5] =
    [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("p99.99", 0.9999)];

/// Percentiles of latencies in µs. All zero when there were none.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Percentiles {
    /// Half were faster.
    pub p50: f64,
    /// Nine in ten.
    pub p90: f64,
    /// 99 in a hundred.
    pub p99: f64,
    /// 999 in a thousand.
    #[serde(rename = "p99.9")]
    pub p99_9: f64,
    /// 9,999 in ten thousand.
    #[serde(rename = "p99.99")]
    pub p99_99: f64,
    /// The slowest.
    pub max: f64,
}

impl Percentiles {
    /// Of these latencies.
    pub fn of(latencies: &Latencies) -> Self {
        let us = |quantile: f64| micros(latencies.value_at_quantile(quantile));
        let [p50, p90, p99, p99_9, p99_99] = QUANTILES.map(|(_, quantile)| us(quantile));
        Self { p50, p90, p99, p99_9, p99_99, max: micros(latencies.max()) }
    }

    /// By name, in order.
    pub fn named(&self) -> [(&'static str, f64); 6] {
        [
            ("p50", self.p50),
            ("p90", self.p90),
            ("p99", self.p99),
            ("p99.9", self.p99_9),
            ("p99.99", self.p99_99),
            ("max", self.max),
        ]
    }
}

/// ns as µs.
pub fn micros(nanos: u64) -> f64 {
    nanos as f64 / 1e3
}

/// The latencies of consecutive intervals, with when each began since the start and how long it was.
pub type Intervals<'a> = &'a [(Duration, Duration, &'a Latencies)];

/// An interval log of version 2: histograms compressed, times relative to `start_ms` (since the epoch), the largest value of
/// each line in ms.
pub fn interval_log(what: &str, start_ms: i64, intervals: Intervals<'_>) -> Vec<u8> {
    const NANOS_PER_MS: f64 = 1e6;
    let in_memory = "a log in memory can be written";
    let start = UNIX_EPOCH + Duration::from_millis(start_ms.unsigned_abs());
    let (mut log, mut serializer) = (Vec::new(), V2DeflateSerializer::new());
    let mut writer = IntervalLogWriterBuilder::new()
        .add_comment(&format!("[{what} in ns, by ringlane-bench {}]", env!("CARGO_PKG_VERSION")))
        .add_comment("[Histogram log format version 1.3]")
        .with_start_time(start)
        .with_base_time(start)
        .with_max_value_divisor(NANOS_PER_MS)
        .begin_log_with(&mut log, &mut serializer)
        .expect(in_memory);
    for (began, length, latencies) in intervals {
        writer.write_histogram(latencies, *began, *length, None).expect(in_memory);
    }
    log
}

#[cfg(test)]
mod tests {
    use hdrhistogram::serialization::Deserializer;
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

    use super::*;

    #[test]
    fn percentiles_are_in_micros_and_within_the_precision() {
        let mut latencies = latencies();
        for us in 1..=100_000u64 {
            latencies.record(us * 1000).expect("in range");
        }
        let percentiles = Percentiles::of(&latencies).named();
        let expected = [50e3, 90e3, 99e3, 99.9e3, 99.99e3, 100e3];
        for ((name, us), expected) in percentiles.into_iter().zip(expected) {
            assert!((us / expected - 1.0).abs() <= 1e-3, "{name}: {us}");
        }
        assert_eq!(Percentiles::of(&super::latencies()), Percentiles::default());
    }

    #[test]
    fn the_names_in_the_result_are_the_usual_ones() {
        let json = serde_json::to_value(Percentiles::default()).expect("plain numbers");
        for (name, _) in Percentiles::default().named() {
            assert!(json.get(name).is_some(), "{name}");
        }
    }

    #[test]
    fn an_interval_log_holds_what_was_recorded() {
        let mut first = latencies();
        first.record_n(1_500_000, 3).expect("in range");
        let second = latencies();
        let length = Duration::from_secs(1);
        let intervals = [(Duration::ZERO, length, &first), (length, length, &second)];
        let log = interval_log("produce latency", 1_700_000_000_000, &intervals);
        let entries: Vec<_> = IntervalLogIterator::new(&log).map(|e| e.expect("a log")).collect();
        assert!(matches!(entries[0], LogEntry::StartTime(at) if at.as_secs() == 1_700_000_000));
        let histograms = entries.iter().filter_map(|entry| match entry {
            LogEntry::Interval(interval) => Some(interval),
            _ => None,
        });
        let histograms: Vec<_> = histograms.collect();
        assert_eq!(histograms.len(), 2);
        assert_eq!((histograms[1].start_timestamp(), histograms[1].duration()), (length, length));
        let bytes = base64(histograms[0].encoded_histogram());
        let read: Latencies =
            Deserializer::new().deserialize(&mut &bytes[..]).expect("a histogram");
        assert_eq!(read, first);
    }

    fn base64(text: &str) -> Vec<u8> {
        const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let digit = |c: u8| DIGITS.iter().position(|&d| d == c).expect("a digit") as u32;
        let mut bytes = Vec::new();
        for four in text.trim_end_matches('=').as_bytes().chunks(4) {
            let bits = four.iter().fold(0, |bits, &c| bits << 6 | digit(c));
            let whole = (bits << (6 * (4 - four.len()))).to_be_bytes();
            bytes.extend_from_slice(&whole[1..four.len()]);
        }
        bytes
    }
}
