//! What of a log is durable. Two things prove it: a group of the journal that was written, and a sync of the segments, be it
//! a round of checkpoints or the log's own.
//!
//! The journal proves only what it holds. A log that was not durable for a while has batches that are in no journal; until
//! a sync covers those, groups written behind them prove nothing.

use std::cell::Cell;
use std::io;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use ringlane_batch::{DurableEndOffset, LogEndOffset, Offset};
use ringlane_reactor::Queue;

use super::state::FlushDue;
use super::{Log, Shared, State};
use crate::error::{StorageError, is_not_begun};
use crate::journal::{Client, Seat};

/// A sync that no descriptor was left for is tried again after so long.
pub(super) const DESCRIPTORS_INTERVAL: Duration = Duration::from_millis(100);

/// What one sync of a log covers: taken when it begins, so that appends behind it are not claimed.
struct Sync {
    /// The segments with unsynced bytes.
    bases: Vec<Offset>,
    /// The log's directory, when names in it are not durable.
    directory: Option<PathBuf>,
    end: LogEndOffset,
    names_changed: u64,
    truncations: u64,
}

impl State {
    /// Whether the log's own sync is called for: a durable log has something that no journal holds, or as many records
    /// as `flush.messages` says wait for it.
    pub(super) fn wants_sync(&self) -> bool {
        let gap = self.config.durable && self.offsets().durable.offset() < self.journal_from;
        self.offline_reason().is_none() && (gap || self.flush_due.is_some())
    }

    fn begin_sync(&self) -> Sync {
        let durable = self.offsets().durable.offset();
        let is_behind = durable < self.offsets().end.offset();
        let first = self.segment_index(durable);
        // One that ends there is synced too: if a torn tail was cut off it, nothing after it may be durable before that is.
        let first = match self.segments[first].base == durable {
            true => first.saturating_sub(1),
            false => first,
        };
        let bases = self.segments[first..].iter().map(|segment| segment.base);
        Sync {
            bases: if is_behind { bases.collect() } else { Vec::new() },
            directory: (self.names_synced < self.names_changed).then(|| self.dir.clone()),
            end: self.offsets().end,
            names_changed: self.names_changed,
            truncations: self.truncations,
        }
    }

    /// Takes note of a completed sync. One that began before a truncation proves nothing.
    fn finish_sync(&mut self, sync: &Sync) {
        if !self.is_closed() && sync.truncations == self.truncations {
            self.names_synced = self.names_synced.max(sync.names_changed);
            self.synced_to(sync.end);
        }
    }

    /// Everything before `end` is synced, as are its names.
    pub(super) fn synced_to(&mut self, end: LogEndOffset) {
        let end = DurableEndOffset::at(end.offset());
        self.move_offsets(|offsets| offsets.durable = offsets.durable.max(end));
        self.count_journal();
        let durable = self.offsets().durable.offset();
        let due = self.flush_due.filter(|due| due.end > durable);
        self.flush_due = due.map(|due| due.synced_to(durable));
    }

    /// The journal holds, durably, every entry of the log up to `sequence`.
    fn journaled(&mut self, sequence: u64) {
        assert!(sequence <= self.log_sequence, "no entry is durable before it is made");
        self.journaled_sequence = self.journaled_sequence.max(sequence);
        while let Some((_, end)) = self.journaling.front().filter(|(entry, _)| *entry <= sequence) {
            self.journaled_to = self.journaled_to.max(*end);
            self.journaling.pop_front();
        }
        self.count_journal();
    }

    /// Moves the durable end as far as the journal proves it.
    fn count_journal(&mut self) {
        let journaled = DurableEndOffset::at(self.journaled_to);
        if self.offsets().durable.offset() >= self.journal_from {
            self.move_offsets(|offsets| offsets.durable = offsets.durable.max(journaled));
        }
    }
}

impl Client for Shared {
    fn seat(&self) -> &Cell<Seat> {
        &self.journal_seat
    }

    fn prefetch(&self) {
        self.prefetch_for_durable();
    }

    fn durable(&self, log_sequence: u64) {
        {
            let mut state = self.state.borrow_mut();
            if state.is_closed() {
                return;
            }
            state.journaled(log_sequence);
        }
        self.ring_durable();
    }

    fn journal_failed(&self, reason: &str) {
        self.go_offline_with_directory(reason);
    }
}

impl Log {
    /// Asks for a sync of the log's own if its state calls for one.
    pub(crate) fn register_if_wanted(&self) {
        let register = {
            let mut state = self.0.state.borrow_mut();
            let register = state.wants_sync() && !state.sync_registered;
            state.sync_registered |= register;
            register
        };
        if register {
            self.0.manager.0.sync.register(self);
        }
    }

    /// Ready when the journal holds the log's entry `sequence` durably.
    pub(super) async fn journaled(&self, sequence: u64) -> Result<(), StorageError> {
        loop {
            let changed = self.durable_changed();
            if self.0.state.borrow().journaled_sequence >= sequence {
                return Ok(());
            }
            if let Some(reason) = self.is_offline() {
                return Err(StorageError::Offline(reason));
            }
            changed.await;
        }
    }

    /// Has the log synced `flush.ms` after the first append that nothing made durable.
    pub(super) fn arm_flush_timer(&self) {
        let after = {
            let mut state = self.0.state.borrow_mut();
            let wanted = !state.config.durable && !state.flush_timer_armed;
            let after = state.config.flush_interval().filter(|_| wanted);
            state.flush_timer_armed |= after.is_some();
            after
        };
        let Some(after) = after else { return };
        self.later(after, |log| {
            log.0.state.borrow_mut().flush_timer_fired();
            log.register_if_wanted();
        });
    }

    /// Asks for a sync again after a while.
    fn sync_after(&self, after: Duration) {
        self.later(after, Log::register_if_wanted);
    }

    /// Does something to the log after a while, if it is used then.
    fn later(&self, after: Duration, act: impl FnOnce(&Log) + 'static) {
        let (weak, reactor) = (Rc::downgrade(&self.0), self.0.reactor.clone());
        let acting = async move {
            reactor.sleep(after).await;
            if let Some(log) = weak.upgrade().map(Log) {
                act(&log);
            }
        };
        self.0.reactor.spawn(Queue::Background, acting).detach();
    }

    /// One sync, on behalf of the shard's group.
    pub(crate) async fn sync(&self) {
        // It proves what the file has, and no more.
        self.write_held_in_time();
        let sync = {
            let mut state = self.0.state.borrow_mut();
            state.sync_registered = false;
            if !state.wants_sync() || state.active().held_bytes() > 0 {
                return;
            }
            state.begin_sync()
        };
        match self.execute(&sync).await {
            Ok(()) => {
                self.0.state.borrow_mut().finish_sync(&sync);
                self.0.ring_durable();
                self.register_if_wanted();
            }
            // The directory of a deleted log is gone, and a truncation removes segments; of an open one they stay.
            Err(_) if self.0.state.borrow().is_stale(&sync) => {}
            // Nothing was synced that the kernel could call clean.
            Err(error) if is_not_begun(&error) => self.sync_after(DESCRIPTORS_INTERVAL),
            // Never retried: the kernel may have dropped the bytes and call the next sync a success (fsyncgate).
            Err(error) => self.go_offline(&format!("cannot sync: {error}")),
        }
    }

    async fn execute(&self, sync: &Sync) -> io::Result<()> {
        if let Some(directory) = &sync.directory {
            self.0.disk.sync_dir(directory).await?;
        }
        for base in &sync.bases {
            if let Err(error) = self.sync_segment(*base).await {
                let segments = &self.0.state.borrow().segments;
                if segments.binary_search_by_key(base, |segment| segment.base).is_ok() {
                    return Err(error);
                }
                // It lies before the log's start meanwhile, and its file may be gone.
            }
        }
        Ok(())
    }

    async fn sync_segment(&self, base: Offset) -> io::Result<()> {
        self.files_of(base).await?.log.sync_data().await
    }
}

impl State {
    fn is_stale(&self, sync: &Sync) -> bool {
        self.is_closed() || sync.truncations != self.truncations
    }

    fn flush_timer_fired(&mut self) {
        self.flush_timer_armed = false;
        let (durable, end) = (self.offsets().durable.offset(), self.offsets().end.offset());
        if durable < end {
            // Nobody waits for it.
            self.flush_due.get_or_insert(FlushDue { from: Offset(i64::MAX), end });
        }
    }
}
