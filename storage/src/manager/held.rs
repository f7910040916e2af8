//! What the logs of a shard hold back from their segments, bounded: batches that the journal has reach their file many at a
//! time while there is much to do, and at once when there is not.
//!
//! A write of its own for each batch is what a durable record costs most: 1.6 of 3.2 us with 1 KiB in 100 partitions, 4.9 of
//! 11 in 2,000. The journal restores what a crash finds unwritten, as it does after a power cut.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::{Rc, Weak};
use std::time::Duration;

use ringlane_reactor::{Notified, Notify, Queue};

use super::LogManager;
use crate::config::HeldConfig;
use crate::journal::Journal;
use crate::log::{BegunPlan, Log, Shared};
use crate::segment::{SHORTEST_STEP, Spare};

/// So many logs are written to, and about so many bytes, before other tasks get their turn.
const LOGS_PER_TURN: usize = 16;
const BYTES_PER_TURN: u64 = 256 << 10;
/// A journal that rests between two groups of many has something to do: what logs hold is not written one batch at a time then.
const REST: Duration = Duration::from_millis(2);
/// In a round so many logs are handed to kernel workers for each whose turn has come.
const LOGS_HANDED_OVER: usize = 4;
/// What may be held until the next look at the free space is this part of it: every shard may take one.
const PART_OF_FREE_SPACE: u64 = 256;
/// A log reserves such a part of the free space at most: with thousands of logs it is theirs, but not most of it.
const STEPS_IN_FREE_SPACE: u64 = 32_768;

/// Who holds something, and how much that is.
#[derive(Default)]
pub(super) struct HeldBack {
    config: HeldConfig,
    bytes: Cell<u64>,
    /// What of that kernel workers are writing.
    leaving: Cell<u64>,
    /// Rings when they have written something.
    left: Notify,
    /// In the order in which they began to, each once.
    logs: RefCell<VecDeque<Weak<Shared>>>,
    /// What may still be held before the free space is looked at again.
    allowance: Cell<u64>,
    /// What may be reserved in one step for one log, as of then.
    step_max: Cell<u64>,
    /// Memory that was held in, the warmest last, and how many bytes it is.
    spare: RefCell<Vec<Spare>>,
    spare_bytes: Cell<u64>,
    /// A task waits for the journal to have nothing to do.
    waits: Cell<bool>,
}

/// What a task has written since others had their turn.
#[derive(Default)]
pub(super) struct Turn {
    logs: usize,
    bytes: u64,
}

impl Turn {
    /// Takes note of a log that was written to. Answers whether others are to go first now.
    pub(super) fn is_over(&mut self, bytes: u64) -> bool {
        self.logs += 1;
        self.bytes += bytes;
        let is_over = self.logs >= LOGS_PER_TURN || self.bytes >= BYTES_PER_TURN;
        if is_over {
            *self = Self::default();
        }
        is_over
    }
}

/// How much a log may reserve in one step, with so much space free and no more than `most`. Steps much shorter are worth nothing.
fn step_max(free: u64, most: u64) -> u64 {
    let step = (free / STEPS_IN_FREE_SPACE).min(most);
    if step < most / SHORTEST_STEP { 0 } else { step }
}

impl HeldBack {
    pub(super) fn new(config: HeldConfig) -> Self {
        Self { config, ..Self::default() }
    }

    /// What all logs together may hold, so many as they are.
    fn bytes_max(&self) -> u64 {
        let logs = self.logs.borrow().len() as u64;
        self.config.bytes_max.min(logs * self.config.log_share_bytes)
    }

    /// What no kernel worker is writing. (What the shard wrote in the place of one is not held any more, but leaves.)
    fn bytes_to_write(&self) -> u64 {
        self.bytes.get().saturating_sub(self.leaving.get())
    }

    fn forget_spares(&self) {
        self.spare.take();
        self.spare_bytes.set(0);
    }
}

impl LogManager {
    /// Whether a batch of so many bytes may be held back: there is space for all that is held, so that it can be written
    /// whenever it has to be. (A full device must refuse a batch before it is acknowledged.)
    pub(crate) fn may_hold(&self, bytes: u64) -> bool {
        let held = &self.0.held;
        if held.allowance.get() < bytes {
            let space = self.0.disk.space(&self.0.directory);
            let free = space.map_or(0, |space| space.free_bytes);
            held.allowance.set((free / PART_OF_FREE_SPACE).min(held.config.bytes_max));
            held.step_max.set(step_max(free, held.config.reserved_step_max));
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
        while held.bytes_to_write() > held.bytes_max() && self.write_oldest(true) {}
    }

    /// Rings when a kernel worker has written what a log held.
    pub(crate) fn left(&self) -> Notified {
        self.0.held.left.notified()
    }

    /// Memory for a log to hold in, if any is left over.
    pub(crate) fn spare(&self) -> Option<Spare> {
        let held = &self.0.held;
        let spare = held.spare.borrow_mut().pop()?;
        held.spare_bytes.set(held.spare_bytes.get() - spare.capacity() as u64);
        Some(spare)
    }

    /// Keeps memory for the next log that holds something, as long as the shard is busy.
    pub(crate) fn keep_spare(&self, spare: Option<Spare>) {
        let Some(spare) = spare else { return };
        let held = &self.0.held;
        let bytes = held.spare_bytes.get() + spare.capacity() as u64;
        if bytes <= held.config.bytes_max && held.waits.get() {
            held.spare_bytes.set(bytes);
            held.spare.borrow_mut().push(spare);
        }
    }

    /// Has everything written that is held when the journal has had nothing to do for a moment.
    fn write_when_idle(&self) {
        if self.0.held.waits.replace(true) {
            return;
        }
        let this = self.clone();
        let write = async move {
            this.write_held().await;
            // Others may take the space before the next batch comes.
            this.0.held.allowance.set(0);
            this.0.held.forget_spares();
            this.0.held.waits.set(false);
        };
        self.spawn_background(write);
    }

    async fn write_held(&self) {
        let Some(journal) = self.0.journal.get() else { return };
        let mut turn = Turn::default();
        while !self.0.held.logs.borrow().is_empty() {
            self.rest_of(journal).await;
            while journal.is_resting() && !self.0.held.logs.borrow().is_empty() {
                let before = self.0.held.bytes.get();
                self.write_oldest(false);
                if turn.is_over(before.saturating_sub(self.0.held.bytes.get())) {
                    self.0.reactor.yield_now().await;
                }
            }
        }
    }

    /// Ready when the journal has had nothing to do for [`REST`].
    async fn rest_of(&self, journal: &Journal) {
        loop {
            let rested = journal.rested();
            if !journal.is_resting() {
                rested.await;
                continue;
            }
            let groups = journal.stats().groups;
            self.0.reactor.sleep(REST).await;
            if journal.is_resting() && journal.stats().groups == groups {
                return;
            }
        }
    }

    /// Writes what the log holds that began first, or has it written behind. Answers whether there was one.
    fn write_oldest(&self, behind: bool) -> bool {
        let oldest = self.0.held.logs.borrow_mut().pop_front();
        if let Some(log) = oldest.as_ref().and_then(Weak::upgrade).map(Log) {
            log.wait_to_be_written(false);
            if !(behind && self.write_behind(&log)) {
                log.write_held_in_time();
            }
        }
        oldest.is_some()
    }

    /// Begins the part in a round of some more of `logs`, as long as workers are not busy, behind the first ones, whose has `begun`:
    /// has what they hold written by workers, and adds to `begun`. Waits until that of the first has.
    pub(super) async fn hand_over(&self, logs: &[Log], begun: &mut VecDeque<Option<BegunPlan>>) {
        let held = &self.0.held;
        let most = logs.len().min(begun.len() + LOGS_HANDED_OVER);
        while begun.len() < most {
            let left = self.left();
            if held.leaving.get() < held.config.leaving_bytes_max {
                let log = &logs[begun.len()];
                self.write_behind(log);
                begun.push_back(log.begin_checkpoint());
            } else if begun.is_empty() && held.leaving.get() > 0 {
                left.await;
            } else {
                break;
            }
        }
    }

    /// Has a kernel worker write what `log` holds, unless they have enough to do or one writes to the log already. Answers
    /// whether one does.
    fn write_behind(&self, log: &Log) -> bool {
        let leaving = &self.0.held.leaving;
        if leaving.get() >= self.0.held.config.leaving_bytes_max {
            return false;
        }
        let Some(part) = log.leave(self.0.held.step_max.get()) else { return false };
        let len = part.len();
        leaving.set(leaving.get() + len);
        let (this, log) = (self.clone(), log.clone());
        let write = async move {
            let written = part.write().await;
            let leaving = &this.0.held.leaving;
            leaving.set(leaving.get() - len);
            log.has_left(&written);
            this.0.held.left.notify_all();
        };
        self.0.reactor.spawn(Queue::Journal, write).detach();
        true
    }
}
