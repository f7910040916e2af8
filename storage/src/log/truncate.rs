//! Dropping the tail of a log. The journal says so first, durably; then the files are cut, the newest first, and the log is
//! loaded from them as after a restart: producers and epochs come out right by construction. A segment of which clients were sent
//! more than stays is not cut: the part that stays takes its place in a new file (`beginning.rs`).

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use ringlane_batch::{DurableEndOffset, LogEndOffset, Offset, RecoveryPoint};

use super::Log;
use crate::compaction::lower_checkpoint;
use crate::error::StorageError;
use crate::journal::{Client, EntryHead, EntryKind};
use crate::names::Kind;
use crate::recovered::{Basis, FoundLog};
use crate::recovery;
use crate::segment::{Files, locate};

/// A log that was cut while its disk was full asks so often whether there is room again.
const ROOM_INTERVAL: Duration = Duration::from_millis(100);

/// Where a log is cut.
struct Cut {
    /// Of the segment that holds it.
    files: Files,
    base: Offset,
    position: u64,
    /// Where the log ends then.
    end: Offset,
}

impl Log {
    /// Drops every batch that ends at `offset` or later, durably, and gives back the new end: `offset`, or the base of
    /// the batch that straddled it. Nothing happens when the log ends before.
    ///
    /// # Errors
    /// The disk's; the log is offline then, except where space or a descriptor was missing, or a round failed
    /// for want of one, before anything was done.
    ///
    /// # Panics
    /// When `offset` lies before the log's start.
    pub async fn truncate_to(&self, offset: Offset) -> Result<LogEndOffset, StorageError> {
        let _files = self.0.file_turn.enter().await;
        let _appends = self.0.append_turn.enter().await;
        assert!(
            offset >= self.log_start().offset(),
            "truncation to {offset}, before the log's start"
        );
        if let Some(reason) = self.is_offline() {
            return Err(StorageError::Offline(reason));
        }
        if offset >= self.log_end().offset() {
            return Ok(self.log_end());
        }
        let prepared = self.prepare_cut(offset).await;
        let is_put_off = prepared.as_ref().is_err_and(is_of_another_time);
        let outcome = match prepared {
            Ok((cut, beginning)) => self.carry_out(&cut, beginning).await,
            Err(error) => Err(error),
        };
        {
            let mut state = self.0.state.borrow_mut();
            let end = state.offsets().end.offset();
            state.spans.resume(end);
            // No round may pass over it: the journal would have to keep its entry for ever, and fill up.
            state.is_half_cut |= outcome.is_err() && state.truncating.is_some();
        }
        if let Err(error) = &outcome
            && !is_put_off
        {
            self.go_offline(&error.to_string());
        }
        outcome
    }

    /// Where to cut, and the file that takes the place of a segment that clients were sent more of. Nothing is gone yet.
    async fn prepare_cut(&self, offset: Offset) -> Result<(Cut, Option<PathBuf>), StorageError> {
        // Loading begins at the snapshot before the cut, which some round has to have written: from an earlier one on it
        // would build the indexes of complete segments anew, and a crash would find them half built.
        self.checkpoint().await?;
        self.nothing_leaves().await;
        let cut = self.find_cut(offset).await?;
        lower_checkpoint(&self.0.disk, &self.directory(), cut.end).await?;
        // Until the log has another end: whether there is a copy is decided here.
        let was_sent = self.0.state.borrow_mut().spans.stop_at(cut.end);
        let beginning = match was_sent {
            true => Some(self.copy_beginning(&cut.files.log, cut.base, cut.position).await?),
            false => None,
        };
        Ok((cut, beginning))
    }

    async fn carry_out(
        &self,
        cut: &Cut,
        beginning: Option<PathBuf>,
    ) -> Result<LogEndOffset, StorageError> {
        // First: from here on no replay brings back what is cut.
        self.journal_truncation(cut).await?;
        let log_end = self.cut(cut, beginning).await?;
        // A replay of the truncation would cut again what is appended from now on and in no journal.
        loop {
            match self.checkpoint().await {
                Err(error) if is_of_another_time(&error) && self.is_offline().is_none() => {
                    self.0.reactor.sleep(ROOM_INTERVAL).await;
                }
                checkpointed => return checkpointed.map(|()| log_end),
            }
        }
    }

    /// Cuts the files and loads the log from them. The `beginning` of the segment that holds the cut, where there is one, is
    /// put in its place.
    async fn cut(
        &self,
        cut: &Cut,
        beginning: Option<PathBuf>,
    ) -> Result<LogEndOffset, StorageError> {
        let &Cut { base, position, end: new_end, .. } = cut;
        let _shape = self.0.shape_turn.enter().await;
        let (dir, config, removed, snapshots, before) = {
            let mut state = self.0.state.borrow_mut();
            assert!(!state.is_leaving, "nothing is written behind a cut");
            state.truncations += 1;
            state.truncating = None;
            state.is_half_cut = true;
            let later = state.segments.iter().map(|segment| segment.base).filter(|b| *b > base);
            let snapshots = state.snapshots.iter().copied().filter(|at| *at > new_end);
            let (removed, snapshots): (Vec<_>, Vec<_>) = (later.collect(), snapshots.collect());
            state.segments.retain(|segment| segment.base <= base);
            state.active_mut().len = position;
            state.journaled_to = state.journaled_to.min(new_end);
            state.journal_from = state.journal_from.min(new_end);
            // Or the syncs would go round for ever: no end that there is ever passes it.
            state.flush_due = state.flush_due.and_then(|due| due.cut(new_end));
            state.move_offsets(|offsets| {
                offsets.end = LogEndOffset::at(new_end);
                offsets.durable = offsets.durable.min(DurableEndOffset::at(new_end));
                offsets.recovery_point = offsets.recovery_point.min(RecoveryPoint::at(new_end));
            });
            let before = (*state.offsets(), state.log_sequence, state.epochs.clone());
            (state.dir.clone(), state.config.clone(), removed, snapshots, before)
        };
        self.remove(&dir, Kind::ProducerSnapshot, &snapshots).await?;
        for kind in [Kind::Log, Kind::OffsetIndex, Kind::TimeIndex] {
            self.remove(&dir, kind, &removed).await?;
        }
        let is_cut = match beginning {
            Some(beginning) => self.0.disk.rename(&beginning, &Kind::Log.path(&dir, base)).await,
            None => cut.files.log.set_len(position),
        };
        is_cut.map_err(StorageError::io("truncate a segment in", &dir))?;
        let (offsets, log_sequence, epochs) = before;
        let basis = Basis::Truncation(epochs);
        let found = FoundLog { log_sequence, log_start: offsets.start.offset(), basis };
        let now_ms = self.0.reactor.wall_clock_ms();
        let (mut loaded, report) =
            recovery::load(&self.0.disk, &dir, &config, now_ms, &found).await?;
        // Below it where compaction left a gap before the cut.
        assert!(report.log_end.offset() <= new_end, "a truncated log ends where it was cut");
        // What was on disk before still is.
        let end = loaded.offsets.end.offset();
        loaded.offsets.recovery_point = offsets.recovery_point.min(RecoveryPoint::at(end));
        loaded.offsets.durable = offsets.durable.min(DurableEndOffset::at(end));
        {
            let mut state = self.0.state.borrow_mut();
            state.truncations += 1;
            state.replace_with(loaded);
        }
        self.0.manager.opened_files(self);
        Ok(report.log_end)
    }

    /// Waits until the journal says, durably, where the log is cut.
    async fn journal_truncation(&self, cut: &Cut) -> Result<(), StorageError> {
        let journal = self.0.manager.journal().await.map_err(StorageError::Offline)?;
        let room = journal.reserve(0).await;
        let room = room.map_err(|error| StorageError::Offline(error.to_string()))?;
        let client: Rc<dyn Client> = self.0.clone();
        // Added before the round of checkpoints can look at the log again.
        let sequence = {
            let mut state = self.0.state.borrow_mut();
            state.takes_entries()?;
            let log_sequence = state.next_sequence();
            let (topic_id, partition) = state.key;
            let head = EntryHead {
                kind: EntryKind::Truncate,
                topic_id,
                partition,
                log_sequence,
                base_offset: cut.end,
                segment_base: cut.base,
                position: u32::try_from(cut.position).expect("a segment rolls below 2 GiB"),
            };
            let added = journal.add(room, &head, &[], &client);
            let mark = added.map_err(|error| StorageError::Offline(error.to_string()))?;
            state.truncating = Some((log_sequence, mark));
            log_sequence
        };
        self.mark_dirty();
        self.journaled(sequence).await
    }

    async fn find_cut(&self, offset: Offset) -> Result<Cut, StorageError> {
        let dir = self.directory();
        let (base, start) = {
            let state = self.0.state.borrow();
            let base = state.segments[state.segment_index(offset)].base;
            (base, state.offsets().start.offset())
        };
        let disk = &self.0.disk;
        let opened = Files::open(disk, &dir, base, ringlane_reactor::OpenOptions::WRITE).await;
        let files = opened.map_err(StorageError::io("open a segment in", &dir))?;
        let source = {
            let state = self.0.state.borrow();
            let index = state.segment_index(offset);
            state.segments[index].source(files.clone(), offset)
        };
        let batch = locate(&source, offset).await;
        let batch = batch.map_err(StorageError::io("read a segment in", &dir))?;
        let (position, end) = match batch {
            // The log's start may lie within the batch; the log never ends before it.
            Some(batch) => (batch.position, batch.base.min(offset).max(start)),
            // Only a gap that compaction left is behind the last batch.
            None => (source.len, offset),
        };
        Ok(Cut { files, base, position, end })
    }

    async fn remove(&self, dir: &Path, kind: Kind, offsets: &[Offset]) -> Result<(), StorageError> {
        for offset in offsets.iter().rev() {
            let path = kind.path(dir, *offset);
            match self.0.disk.remove_file(&path).await {
                // A snapshot may have become superfluous a moment ago.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                removed => removed.map_err(StorageError::io("remove", &path))?,
            }
        }
        Ok(())
    }
}

/// Whether nothing was done and nothing is known to be wrong: a round that met more has taken its logs offline.
fn is_of_another_time(error: &StorageError) -> bool {
    error.is_shortage() || matches!(error, StorageError::NotCheckpointed(_))
}
