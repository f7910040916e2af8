//! The bound on what the logs of a shard keep in memory for consumers who keep up (`log/tail.rs`): what was appended first goes first,
//! whichever log it is of.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::{Rc, Weak};

use ringlane_batch::Offset;

use super::LogManager;
use crate::log::{Log, Shared, TAIL_OVERHEAD_BYTES};

/// What is kept.
pub(super) struct Tails {
    bytes_max: u64,
    bytes: Rc<Cell<u64>>,
    /// Where each batch is, in the order in which they were appended. Some are gone from there.
    batches: RefCell<VecDeque<(Weak<Shared>, Offset)>>,
}

impl Tails {
    pub(super) fn new(bytes_max: u64) -> Self {
        Self { bytes_max, bytes: Rc::default(), batches: RefCell::default() }
    }
}

impl LogManager {
    /// Whether anything may be kept.
    pub(crate) fn keeps_tails(&self) -> bool {
        self.0.tails.bytes_max > 0
    }

    /// Memory of all that is kept, in bytes.
    pub(crate) fn tail_bytes(&self) -> &Rc<Cell<u64>> {
        &self.0.tails.bytes
    }

    /// Takes note that `log` keeps the batch at `base`, and has the oldest go where all together keep too much.
    pub(crate) fn kept_in_tail(&self, log: &Log, base: Offset) {
        let tails = &self.0.tails;
        tails.batches.borrow_mut().push_back((Rc::downgrade(&log.0), base));
        // Of those that are gone already there are not many more than could be kept.
        let is_too_much = || {
            let entries = tails.batches.borrow().len() as u64;
            tails.bytes.get() > tails.bytes_max || entries > tails.bytes_max / TAIL_OVERHEAD_BYTES
        };
        while is_too_much() {
            let oldest = tails.batches.borrow_mut().pop_front();
            let Some((log, base)) = oldest else { return };
            if let Some(log) = log.upgrade() {
                Log(log).forget_oldest(base);
            }
        }
    }
}
