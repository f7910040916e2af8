//! Time between runs, when no reactor has a clock.

use std::time::{Duration, Instant};

/// Since when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    /// From now on.
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// How long it has been.
    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}
