//! The shard's monotonic clock with the arithmetic that openraft asks for.

use std::ops::{Add, AddAssign, Sub, SubAssign};
use std::time::Duration;

use ringlane_reactor::{Instant, Reactor};

/// A moment on the shard's clock.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct RaftInstant(pub(super) Instant);

impl openraft::Instant for RaftInstant {
    fn now() -> Self {
        Self(Reactor::current().now())
    }
}

impl Add<Duration> for RaftInstant {
    type Output = Self;

    fn add(self, rhs: Duration) -> Self {
        Self(self.0 + rhs)
    }
}

impl AddAssign<Duration> for RaftInstant {
    fn add_assign(&mut self, rhs: Duration) {
        *self = *self + rhs;
    }
}

impl Sub<Duration> for RaftInstant {
    type Output = Self;

    /// Stops at the clock's start.
    fn sub(self, rhs: Duration) -> Self {
        let rhs = u64::try_from(rhs.as_nanos()).unwrap_or(u64::MAX);
        Self(Instant::from_nanos(self.0.as_nanos().saturating_sub(rhs)))
    }
}

impl Sub for RaftInstant {
    type Output = Duration;

    fn sub(self, rhs: Self) -> Duration {
        self.0.saturating_since(rhs.0)
    }
}

impl SubAssign<Duration> for RaftInstant {
    fn sub_assign(&mut self, rhs: Duration) {
        *self = *self - rhs;
    }
}
