//! A running hash over every decision of a simulation: equal hashes mean that two runs were the same run.

use std::cell::Cell;

/// What kind of decision a traced value belongs to, so that equal numbers of different kinds differ.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Step = 1,
    Time,
    Disk,
    Network,
    Host,
}

/// The hash so far. FNV-1a over whole words, finished with the mixer of SplitMix64.
pub(super) struct Trace(Cell<u64>);

impl Trace {
    pub(super) fn new() -> Self {
        Self(Cell::new(0xcbf2_9ce4_8422_2325))
    }

    pub(super) fn add(&self, kind: Kind, values: &[u64]) {
        let step = |hash: u64, value: u64| (hash ^ value).wrapping_mul(0x0000_0100_0000_01b3);
        let hash = step(self.0.get(), kind as u64).rotate_left(23);
        self.0.set(values.iter().fold(hash, |hash, &value| step(hash, value).rotate_left(23)));
    }

    pub(super) fn hash(&self) -> u64 {
        let z = self.0.get();
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z ^ (z >> 31)
    }
}
