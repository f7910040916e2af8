//! What a durable log holds back from its active segment (`segment/held.rs`): when it may, and how it is written in time.

use std::io;

use ringlane_batch::BatchView;

use super::{Log, State};
use crate::error::is_storage_full;
use crate::segment::Leaving;

/// A larger batch is written at once: it gains nothing by company.
const BATCH_BYTES_MAX: usize = 16 << 10;
/// Of one log, whatever the others hold: what is written at once keeps the shard from everything else.
const HELD_BYTES_MAX: u64 = 512 << 10;

impl State {
    /// Whether the next batch, of so many bytes, may be held back: the journal will prove it, and everything before it.
    pub(super) fn could_hold(&self, bytes: usize) -> bool {
        let is_proven = self.offsets().durable.offset() >= self.journal_from;
        self.config.durable && is_proven && bytes <= BATCH_BYTES_MAX
    }

    /// Adds a stamped batch to the active segment: what it holds, or the file.
    pub(super) fn add(&mut self, batch: &BatchView<'_>, hold: bool) -> io::Result<()> {
        let interval = self.config.index_interval_bytes;
        let segment = self.active_mut();
        if !hold {
            return segment.append(batch, interval);
        }
        if segment.held_bytes() + batch.len() as u64 > HELD_BYTES_MAX {
            segment.write_held()?;
        }
        segment.hold(batch, interval);
        Ok(())
    }
}

impl Log {
    /// Changes the state in a way that may change what is held, and has that counted.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.0.state.borrow_mut();
        let before = state.active().held_bytes();
        let changed = change(&mut state);
        let after = state.active().held_bytes();
        let spare = state.active_mut().give_back();
        drop(state);
        self.0.manager.keep_spare(spare);
        if before != after {
            self.0.manager.held_changed(self, before, after);
        }
        changed
    }

    /// Gives the active segment memory for what it holds next, if any is to spare.
    pub(super) fn lend_spare(&self) {
        let wants_memory = self.0.state.borrow().active().wants_memory();
        if wants_memory && let Some(spare) = self.0.manager.spare() {
            self.0.state.borrow_mut().active_mut().lend(spare);
        }
    }

    /// Says whether the log is among those that wait to be written, and answers whether it was.
    pub(crate) fn wait_to_be_written(&self, waits: bool) -> bool {
        std::mem::replace(&mut self.0.state.borrow_mut().waits_to_be_written, waits)
    }

    /// How many bytes are held.
    pub(crate) fn held_bytes(&self) -> u64 {
        self.0.state.borrow().active().held_bytes()
    }

    /// Whether a kernel worker writes to the log.
    pub(crate) fn is_leaving(&self) -> bool {
        self.0.state.borrow().is_leaving
    }

    /// What a kernel worker is to write, for [`Log::has_left`]: all that is held, unless one is at it already. Space is reserved
    /// in steps of `step_max` at most.
    pub(crate) fn leave(&self, step_max: u64) -> Option<Leaving> {
        let mut state = self.0.state.borrow_mut();
        if state.is_leaving || state.active().held_bytes() == 0 {
            return None;
        }
        let leaving = state.active_mut().leave(step_max)?;
        state.is_leaving = true;
        Some(leaving)
    }

    /// The worker is done. What it could not write is held still: see [`Log::write_held_in_time`].
    pub(crate) fn has_left(&self, written: &io::Result<()>) {
        self.change(|state| {
            state.is_leaving = false;
            match written {
                Ok(()) => state.active_mut().has_left(),
                Err(_) => state.active_mut().has_not_left(),
            }
        });
        self.offline_unless_written(written);
    }

    /// Ready when no worker writes to the log's files: from then on nothing but the log's own calls changes them.
    pub(super) async fn nothing_leaves(&self) {
        loop {
            let left = self.0.manager.left();
            if !self.0.state.borrow().is_leaving {
                return;
            }
            left.await;
        }
    }

    /// Writes what is held.
    pub(super) fn write_held(&self) -> io::Result<()> {
        self.change(|state| state.active_mut().write_held())
    }

    /// The same, where nobody waits for it. What cannot be written stays held: the next append tries again, and the next round
    /// of checkpoints, which leaves the journal as it is if that fails, too.
    pub(crate) fn write_held_in_time(&self) {
        self.offline_unless_written(&self.write_held());
    }

    fn offline_unless_written(&self, written: &io::Result<()>) {
        match written {
            Err(error) if !is_storage_full(error) => {
                self.go_offline(&format!("cannot write to the log: {error}"));
            }
            _ => {}
        }
    }
}
