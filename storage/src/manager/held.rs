//! What the logs of a shard hold back from their segments, bounded: batches that the journal has reach their file many at a
//! time while there is much to do, and at once when there is not.
//!
//! A write of its own for each batch is what a durable record costs most: 1.6 of 3.2 us with 1 KiB in 100 partitions, 4.9 of
//! 11 in 2,000. The journal restores what a crash finds unwritten, as it does after a power cut.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::{Rc, Weak};

use super::LogManager;
use crate::log::{Log, Shared};

/// Of all logs of a shard and directory together.
const HELD_BYTES_MAX: u64 = 8 << 20;
/// So many logs are written to before other tasks get their turn.
const LOGS_PER_TURN: usize = 16;
/// What may be held until the next look at the free space is this part of it: every shard may take one.
const PART_OF_FREE_SPACE: u64 = 256;

/// Who holds something, and how much that is.
#[derive(Default)]
pub(super) struct HeldBack {
    bytes: Cell<u64>,
    /// In the order in which they began to, each once.
    logs: RefCell<VecDeque<Weak<Shared>>>,
    /// What may still be held before the free space is looked at again.
    allowance: Cell<u64>,
    /// A task waits for the journal to have nothing to do.
    waits: Cell<bool>,
}

impl LogManager {
    /// Whether a batch of so many bytes may be held back: there is space for all that is held, so that it can be written
    /// whenever it has to be. (A full device must refuse a batch before it is acknowledged.)
    pub(crate) fn may_hold(&self, bytes: u64) -> bool {
        let held = &self.0.held;
        if held.allowance.get() < bytes {
            let space = self.0.disk.space(&self.0.directory);
            let free = space.map_or(0, |space| space.free_bytes);
            held.allowance.set((free / PART_OF_FREE_SPACE).min(HELD_BYTES_MAX));
        }
        let rest = held.allowance.get().checked_sub(bytes);
        held.allowance.set(rest.unwrap_or(0));
        rest.is_some()
    }

    /// Takes note that `log` held `before` bytes, and holds `after` now. Has the oldest written where all logs together hold
    /// too much.
    pub(crate) fn held_changed(&self, log: &Log, before: u64, after: u64) {
        let held = &self.0.held;
        let others = held.bytes.get().checked_sub(before).expect("what was held is counted");
        held.bytes.set(others + after);
        if after > 0 && !log.wait_to_be_written(true) {
            held.logs.borrow_mut().push_back(Rc::downgrade(&log.0));
            self.write_when_idle();
        }
        while held.bytes.get() > HELD_BYTES_MAX && self.write_oldest() {}
    }

    /// Has everything written that is held when the journal has nothing to do.
    fn write_when_idle(&self) {
        if self.0.held.waits.replace(true) {
            return;
        }
        let this = self.clone();
        let write = async move {
            this.write_held().await;
            // Others may take the space before the next batch comes.
            this.0.held.allowance.set(0);
            this.0.held.waits.set(false);
        };
        self.spawn_background(write);
    }

    async fn write_held(&self) {
        let Some(journal) = self.0.journal.get() else { return };
        let mut written = 0;
        while !self.0.held.logs.borrow().is_empty() {
            let rested = journal.rested();
            if !journal.is_resting() {
                rested.await;
                continue;
            }
            self.write_oldest();
            written += 1;
            if written % LOGS_PER_TURN == 0 {
                self.0.reactor.yield_now().await;
            }
        }
    }

    /// Writes what the log holds that began first. Answers whether there was one.
    fn write_oldest(&self) -> bool {
        let oldest = self.0.held.logs.borrow_mut().pop_front();
        if let Some(log) = oldest.as_ref().and_then(Weak::upgrade).map(Log) {
            log.wait_to_be_written(false);
            log.write_held_in_time();
        }
        oldest.is_some()
    }
}
