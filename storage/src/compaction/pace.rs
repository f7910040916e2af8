//! How fast cleaning goes: no more bytes a second than allowed, and no piece of work so long that a produce on the same
//! shard would notice.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use ringlane_reactor::{Instant, Reactor};

/// Let others run after so many bytes: a fraction of a millisecond's work.
const SLICE_BYTES: u64 = 64 << 10;
/// A budget that was not used adds up for at most this long.
const BURST: Duration = Duration::from_millis(100);
/// So long a wait goes on under a rate that was changed meanwhile.
const PATIENCE: Duration = Duration::from_secs(1);

/// A token bucket, seen as the moment up to which the allowed bytes are spent.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    spent_until: Instant,
}

impl Bucket {
    /// Takes `bytes` out at `now`: how long to wait for them.
    fn take(&mut self, bytes: u64, bytes_per_second: f64, now: Instant) -> Duration {
        let earliest = Instant::from_nanos(
            now.as_nanos().saturating_sub(u64::try_from(BURST.as_nanos()).unwrap_or(u64::MAX)),
        );
        let cost = Duration::try_from_secs_f64(bytes as f64 / bytes_per_second.max(1.0));
        self.spent_until = self.spent_until.max(earliest) + cost.unwrap_or(Duration::MAX);
        self.spent_until.saturating_since(now)
    }
}

/// See the module.
pub(crate) struct Pace {
    reactor: Reactor,
    bucket: RefCell<Bucket>,
    bytes_per_second: Cell<f64>,
    /// Bytes since others ran.
    slice_bytes: Cell<u64>,
}

impl Pace {
    pub(crate) fn new(reactor: &Reactor, bytes_per_second: f64) -> Self {
        let bucket = Bucket { spent_until: reactor.now() };
        Self {
            reactor: reactor.clone(),
            bucket: bucket.into(),
            bytes_per_second: Cell::new(bytes_per_second),
            slice_bytes: Cell::new(0),
        }
    }

    /// Changes the rate (`log.cleaner.io.max.bytes.per.second`), for whoever waits now, too.
    pub(crate) fn set_rate(&self, bytes_per_second: f64) {
        let before = self.bytes_per_second.replace(bytes_per_second);
        if before.to_bits() != bytes_per_second.to_bits() {
            self.bucket.borrow_mut().spent_until = self.reactor.now();
        }
    }

    /// Waits until `bytes` more may be read or written.
    pub(crate) async fn spend(&self, bytes: u64) {
        let rate = self.bytes_per_second.get();
        let mut wait = self.bucket.borrow_mut().take(bytes, rate, self.reactor.now());
        while !wait.is_zero() {
            self.reactor.sleep(wait.min(PATIENCE)).await;
            wait = self.bucket.borrow().spent_until.saturating_since(self.reactor.now());
        }
    }

    /// Lets others run, if `bytes` more make a slice of work.
    pub(crate) async fn worked(&self, bytes: u64) {
        self.slice_bytes.set(self.slice_bytes.get() + bytes);
        if self.slice_bytes.get() >= SLICE_BYTES {
            self.slice_bytes.set(0);
            self.reactor.yield_now().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_out_keeps_to_the_rate() {
        let at = |ms: u64| Instant::from_nanos(ms * 1_000_000);
        let mut bucket = Bucket { spent_until: at(1000) };
        assert_eq!(bucket.take(500, 1000.0, at(1000)), Duration::from_millis(500));
        assert_eq!(bucket.take(500, 1000.0, at(1500)), Duration::from_millis(500));
        assert_eq!(
            bucket.take(100, 1000.0, at(9000)),
            Duration::ZERO,
            "an idle time gives a burst"
        );
        assert_eq!(bucket.take(100, 1000.0, at(9000)), Duration::from_millis(100), "a bounded one");
        assert_eq!(bucket.take(1 << 40, f64::MAX, at(9200)), Duration::ZERO, "no limit");
        assert!(bucket.take(1, f64::NAN, at(9200)) <= Duration::from_secs(1));
    }
}
