//! The stall detector: turns of a shard's loop that kept everyone else waiting for too long, be it for a write that the kernel held
//! up, a task that computed, or a CPU that another process had.

use std::time::Duration;

/// A turn that takes longer counts. Tasks are asked to end theirs after a quarter of it.
pub const STALL_MIN: Duration = Duration::from_millis(1);

/// What a shard's stall detector has counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stalls {
    /// Turns of [`STALL_MIN`] or more.
    pub turns: u64,
    /// What they took together.
    pub time: Duration,
}

impl Stalls {
    /// Takes note of a turn.
    #[must_use]
    pub(crate) fn and(self, turn: Duration) -> Self {
        match turn >= STALL_MIN {
            true => Self { turns: self.turns + 1, time: self.time + turn },
            false => self,
        }
    }
}
