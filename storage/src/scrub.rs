//! The scrubber: reads what lies on disk and is not asked for, so that bit rot is found while the data can still be
//! restored from elsewhere. One a shard, at a bounded rate, over the segments that are complete and synced.

use std::cell::Cell;
use std::time::Duration;

use ringlane_batch::Offset;
use ringlane_reactor::{Instant, Reactor};

use crate::log::Log;

/// The bounds of a shard's scrubber.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScrubConfig {
    /// Bytes read in a second, at most; at least 1.
    pub bytes_per_second: u64,
    /// From the beginning of one pass over all logs to that of the next; a pass that takes longer is followed at once.
    pub interval: Duration,
}

/// What a pass over the logs came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScrubReport {
    /// Bytes read.
    pub bytes: u64,
    /// Damaged ranges that were not known before.
    pub damaged_ranges: u64,
}

/// A shard's scrubber.
pub struct Scrubber {
    reactor: Reactor,
    config: ScrubConfig,
    /// When the bytes read so far are paid for.
    free_at: Cell<Instant>,
}

impl Scrubber {
    /// One that has read nothing yet.
    ///
    /// # Panics
    /// When it may not read a byte: then there should be none.
    pub fn new(reactor: &Reactor, config: ScrubConfig) -> Self {
        assert!(config.bytes_per_second > 0, "a scrubber that may not read is not made");
        Self { reactor: reactor.clone(), config, free_at: Cell::new(reactor.now()) }
    }

    /// Passes over the logs that `logs` gives for each pass, for ever, and tells `passed` of each log as it goes.
    pub async fn run(&self, logs: impl Fn() -> Vec<Log>, passed: impl Fn(ScrubReport)) {
        loop {
            let began = self.reactor.now();
            for log in logs() {
                passed(self.scrub(&log).await);
            }
            self.reactor.sleep_until(began + self.config.interval).await;
            // A pass that took longer than the interval, over logs that were all in memory, must not starve others.
            self.reactor.yield_now().await;
        }
    }

    /// Reads every complete segment of `log` below its recovery point. Damage is remembered by the log, which says so
    /// once; a segment that cannot be read at all, too.
    pub async fn scrub(&self, log: &Log) -> ScrubReport {
        let mut report = ScrubReport::default();
        for base in log.complete_segments() {
            match self.scrub_one(log, base).await {
                Ok(scrubbed) => {
                    report.bytes += scrubbed.bytes;
                    report.damaged_ranges += scrubbed.damaged_ranges;
                }
                // Retention, compaction or a deletion took it away meanwhile.
                Err(_) if !log.complete_segments().contains(&base) => {}
                Err(error) => {
                    let log = log.directory();
                    tracing::error!(log = %log.display(), segment = base.0, %error, "cannot be scrubbed");
                }
            }
        }
        report
    }

    async fn scrub_one(&self, log: &Log, base: Offset) -> std::io::Result<ScrubReport> {
        let scrubbed = log.scrub_segment(base, async |bytes| self.pay(bytes).await).await?;
        Ok(ScrubReport { bytes: scrubbed.bytes, damaged_ranges: scrubbed.found })
    }

    /// Waits until `bytes` more may have been read.
    async fn pay(&self, bytes: u64) {
        let nanos = u128::from(bytes) * 1_000_000_000 / u128::from(self.config.bytes_per_second);
        let cost = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        // What was not used while idle is not saved up.
        let free_at = self.free_at.get().max(self.reactor.now()) + cost;
        self.free_at.set(free_at);
        self.reactor.sleep_until(free_at).await;
    }
}
