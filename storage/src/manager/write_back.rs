//! Write-back that follows the appends: a round's sync would otherwise find all that was appended since the last one still
//! to be written, and the journal's next groups wait behind that burst.

use std::cell::Cell;

use crate::log::Log;

/// So many bytes appended call for as many to be written back.
const STEP_BYTES: u64 = 1 << 20;

/// A log with fewer bytes to write back is left for later: small pieces cost more than they spare.
pub(crate) const LEAST_BYTES: u64 = 32 << 10;

/// So many logs are looked at in one step.
const LOOKS_MAX: usize = 64;

/// A hand that goes round the logs that changed since the last round of checkpoints.
#[derive(Default)]
pub(super) struct WriteBack {
    /// Appended since the last step.
    bytes: Cell<u64>,
    next: Cell<usize>,
}

impl WriteBack {
    /// Takes note of bytes that were appended, and now and then has as many written back.
    pub(super) fn appended(&self, bytes: u64, dirty: &[Log]) {
        self.bytes.set(self.bytes.get() + bytes);
        if self.bytes.get() < STEP_BYTES {
            return;
        }
        self.bytes.set(0);
        let mut started = 0;
        for _ in 0..dirty.len().min(LOOKS_MAX) {
            let next = self.next.get() % dirty.len();
            self.next.set(next + 1);
            started += dirty[next].start_write_back();
            if started >= STEP_BYTES {
                return;
            }
        }
    }
}
