//! What was read of records that had been there before their reader came: a backlog, or the history.

use std::time::Duration;

use crate::percentiles::{Latencies, latencies};

/// See the file's head.
#[derive(Clone, Debug)]
pub struct Drain {
    /// Records that had been there.
    pub records: u64,
    /// Bytes of their values.
    pub bytes: u64,
    /// From when the readers began to the last of these records.
    pub took: Duration,
    /// Of their fetches: request to answer.
    pub fetch: Latencies,
}

impl Default for Drain {
    fn default() -> Self {
        Self { records: 0, bytes: 0, took: Duration::ZERO, fetch: latencies() }
    }
}

impl Drain {
    /// A record was there, `after` this long of reading.
    pub(super) fn take(&mut self, bytes: usize, after: Duration) {
        self.records += 1;
        self.bytes += bytes as u64;
        self.took = self.took.max(after);
    }

    /// An answer came this long after its request.
    pub(super) fn fetched(&mut self, latency: Duration) {
        let nanos = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        self.fetch.record(nanos).expect("a histogram that resizes takes any value");
    }

    /// Takes in what was read beside it.
    pub fn add(&mut self, other: &Self) {
        self.records += other.records;
        self.bytes += other.bytes;
        self.took = self.took.max(other.took);
        self.fetch.add(&other.fetch).expect("a histogram that resizes takes any other");
    }
}
