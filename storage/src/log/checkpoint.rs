//! A log's part in a round of checkpoints: it tells what its shard's file shall say of it, and once that is on disk moves
//! its recovery point there. The sync between the two is the shard's (`manager/rounds.rs`).

use std::sync::Arc;

use ringlane_batch::{LogEndOffset, Offset, RecoveryPoint};
use ringlane_reactor::OpenOptions;

use super::{Log, State};
use crate::error::{StorageError, is_of_one_file, is_shortage, is_storage_full};
use crate::journal::Mark;
use crate::manager::WRITE_BACK_BYTES_MIN;
use crate::names::Kind;
use crate::producer_state;
use crate::segment::Segment;
use crate::shard_checkpoint::Record;

/// What a round writes of a log: everything in it is in the page cache.
pub(crate) struct Plan {
    pub(crate) record: Arc<Record>,
    /// The snapshots that the round writes.
    snapshots: Vec<Offset>,
    names_changed: u64,
    truncations: u64,
    /// The journal's groups from here on are needed: the first of them holds a truncation that the record does not cover.
    pub(crate) needs_groups_from: Option<Mark>,
}

/// What a log told when its part in a round began: everything in it is in the page cache once nothing leaves.
pub(crate) struct BegunPlan {
    plan: Plan,
    /// The snapshots that the round shall write.
    snapshots: Vec<(Offset, Vec<u8>)>,
}

impl Log {
    /// Makes everything appended so far durable and moves the recovery point behind it, with the other logs of the shard.
    ///
    /// # Errors
    /// The disk's; the log is offline then, unless the device is just full.
    pub async fn checkpoint(&self) -> Result<(), StorageError> {
        if let Some(reason) = self.is_offline() {
            return Err(StorageError::Offline(reason));
        }
        self.mark_dirty();
        self.0.manager.checkpoint().await?;
        match self.0.manager.passes_over(self) {
            true => self.0.state.borrow().takes_entries(),
            false => Ok(()),
        }
    }

    /// Has the next round take this log along.
    pub(crate) fn mark_dirty(&self) {
        let before = std::mem::replace(&mut self.0.state.borrow_mut().is_dirty, true);
        if !before {
            self.0.manager.is_dirty(self);
        }
    }

    /// A round has taken the log along.
    pub(crate) fn mark_clean(&self) {
        self.0.state.borrow_mut().is_dirty = false;
    }

    /// Has what was appended to the active segment written back, if it is worth it. Answers how many bytes that are.
    pub(crate) fn start_write_back(&self) -> u64 {
        self.0.state.borrow_mut().active_mut().start_write_back(WRITE_BACK_BYTES_MIN)
    }

    /// What the round shall write of the log as it is now, for [`Log::plan_checkpoint`] when its turn comes: what is appended
    /// until then is left to the next round. `None` where only the turn can tell.
    pub(crate) fn begin_checkpoint(&self) -> Option<BegunPlan> {
        let now_ms = self.0.reactor.wall_clock_ms();
        let mut state = self.0.state.borrow_mut();
        let may_begin = !state.closes && state.active().all_leaves();
        // An error is met again when its turn comes, and told then; a cut has ended by then, or failed.
        if may_begin { state.begin_checkpoint(now_ms).unwrap_or_default() } else { None }
    }

    /// What the round shall write of the log: as it was when that `begun`, if it did; `None` when there is none any more.
    ///
    /// # Errors
    /// The disk's, where the log's files cannot be brought to what its record would say: the journal must keep what it has.
    pub(crate) async fn plan_checkpoint(
        &self,
        begun: Option<BegunPlan>,
    ) -> Result<Option<Plan>, StorageError> {
        if let Some(begun) = begun {
            self.nothing_leaves().await;
            if self.0.state.borrow().has_written(&begun.plan) {
                return self.write_snapshots(begun).await.map(Some);
            }
            // The worker failed, or the log was cut or closed.
        }
        let now_ms = self.0.reactor.wall_clock_ms();
        let shape = self.0.shape_turn.enter().await;
        self.nothing_leaves().await;
        self.write_held()
            .map_err(|error| StorageError::io("write to a log in", &self.directory())(error))?;
        let begun = self.0.state.borrow_mut().begin_checkpoint(now_ms);
        drop(shape);
        match begun {
            Ok(Some(begun)) => self.write_snapshots(begun).await.map(Some),
            Ok(None) => Ok(None),
            // What the next start takes for indexed must be: without its last entry a time index passes over its newest records.
            Err(error) => {
                // Of what concerns the log alone the round says more.
                if !is_storage_full(&error) && !is_of_one_file(&error) {
                    self.go_offline(&format!("cannot complete a segment: {error}"));
                }
                let dir = self.directory();
                Err(StorageError::io("complete a segment of a log in", &dir)(error))
            }
        }
    }

    /// Writes the snapshots of a plan whose bytes are in the file: it is complete then.
    async fn write_snapshots(&self, begun: BegunPlan) -> Result<Plan, StorageError> {
        let BegunPlan { mut plan, snapshots } = begun;
        let dir = self.directory();
        // Not synced one by one: each has a checksum, and only those that the round's sync covered are counted on. One that a
        // later round would bring lies before the recovery point of this one, where nobody looks whether it is whole.
        for (offset, snapshot) in snapshots {
            let path = Kind::ProducerSnapshot.path(&dir, offset);
            match self.put(&path, &snapshot).await {
                Ok(()) => plan.snapshots.push(offset),
                // The log was deleted meanwhile.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => break,
                Err(error) => {
                    if !is_shortage(&error) && !is_of_one_file(&error) {
                        self.go_offline(&format!("cannot write a producer snapshot: {error}"));
                    }
                    return Err(StorageError::io("write", &path)(error));
                }
            }
        }
        Ok(plan)
    }

    /// Puts a small file in its place in one step, not durably.
    async fn put(&self, path: &std::path::Path, content: &[u8]) -> std::io::Result<()> {
        let temporary = path.with_extension("snapshot.tmp");
        let disk = &self.0.disk;
        disk.open(&temporary, OpenOptions::CREATE_EMPTY).await?.write_at(content, 0)?;
        disk.rename(&temporary, path).await
    }

    /// The record is on disk: moves durable end and recovery point, and removes the snapshots that no segment needs any more.
    ///
    /// Not already when the round's sync ends: until the record is on disk the next start does not know of that sync, and
    /// what lies behind the recovery point counts only as far as the journal holds it.
    pub(crate) async fn finish_checkpoint(&self, plan: &Plan) -> Result<(), StorageError> {
        let (dir, stale) = {
            let mut state = self.0.state.borrow_mut();
            (state.dir.clone(), state.finish_checkpoint(plan))
        };
        self.0.ring_durable();
        for offset in stale {
            let path = Kind::ProducerSnapshot.path(&dir, offset);
            match self.0.disk.remove_file(&path).await {
                // The log was deleted meanwhile.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                removed => removed.map_err(StorageError::io("remove", &path))?,
            }
        }
        Ok(())
    }

    /// Whether the journal has every entry of the log durably.
    pub(crate) fn is_journaled(&self) -> bool {
        let state = self.0.state.borrow();
        state.journaled_sequence == state.log_sequence
    }

    /// The number of the log's last entry.
    pub(crate) fn last_sequence(&self) -> u64 {
        self.0.state.borrow().log_sequence
    }

    /// Says that the clock of open files looks after the log from now on. Answers whether it did not before.
    pub(crate) fn watch_files(&self) -> bool {
        !std::mem::replace(&mut self.0.state.borrow_mut().files_watched, true)
    }

    /// Closes the log's files unless they were used since this was last asked. Answers whether none are open now.
    pub(crate) fn close_files_if_unused(&self) -> bool {
        let entries_wait = self.0.state.borrow().active().index_entries_wait();
        let closed = self.change(State::close_files_if_unused);
        if closed && entries_wait {
            // What the shard's checkpoint says of the log is true still, but a start would open the files for it.
            self.mark_dirty();
        }
        closed
    }
}

impl State {
    fn begin_checkpoint(&mut self, now_ms: i64) -> std::io::Result<Option<BegunPlan>> {
        if self.is_closed() {
            return Ok(None);
        }
        if self.is_half_cut {
            return Err(std::io::Error::other("a truncation did not end"));
        }
        self.flush_indexes()?;
        self.producers.expire(now_ms, self.config.producer_id_expiration_ms);
        let plan = Plan {
            record: Arc::new(self.record()),
            snapshots: Vec::new(),
            names_changed: self.names_changed,
            truncations: self.truncations,
            needs_groups_from: self.truncating.map(|(_, mark)| mark),
        };
        Ok(Some(BegunPlan { plan, snapshots: self.snapshots_waiting.clone() }))
    }

    /// Whether the files have what the plan tells of.
    fn has_written(&self, plan: &Plan) -> bool {
        let (active, record) = (self.active(), &plan.record);
        // A segment is complete when it has all.
        let is_there = active.base > record.segment_base
            || active.base == record.segment_base && active.file_len() >= record.position;
        is_there && !self.is_closed()
    }

    /// Writes the index entries of what is complete, and closes it. On a full device they go on waiting. Those of the active
    /// segment are in the record: a round that wrote them, too, would dirty two more files of every log.
    fn flush_indexes(&mut self) -> std::io::Result<()> {
        let (active, renaming) = (self.segments.len() - 1, self.cleaning.renaming);
        for segment in self.segments[..active].iter_mut().filter(|segment| segment.files.is_some())
        {
            segment.finish()?;
            if Some(segment.base) != renaming {
                segment.files = None;
            }
        }
        if self.closes {
            return self.active_mut().finish();
        }
        self.active_mut().index_max_timestamp();
        Ok(())
    }

    /// What is true of the log once all of it is written and synced.
    pub(super) fn record(&self) -> Record {
        let (active, offsets) = (self.active(), self.offsets());
        assert!(active.all_leaves(), "a record tells of what the file has, or is about to get");
        // A truncation that the journal has, and the files not yet.
        let log_sequence = self.truncating.map_or(self.log_sequence, |(entry, _)| entry - 1);
        Record {
            log_sequence,
            log_start: offsets.start,
            recovery_point: RecoveryPoint::at(offsets.end.offset()),
            segment_base: active.base,
            position: active.len,
            offset_entries: active.offset_index.flushed(),
            time_entries: active.time_index.flushed(),
            offset_tail: active.offset_index.tail().to_vec(),
            time_tail: active.time_index.tail().to_vec(),
            first_timestamp: active.first_timestamp(),
            max_timestamp: active.max_timestamp,
            epochs: self.epochs.clone(),
            producers: producer_state::encode(&self.producers),
        }
    }

    /// Moves the recovery point and names the snapshots that no segment needs any more.
    fn finish_checkpoint(&mut self, plan: &Plan) -> Vec<Offset> {
        if self.is_closed() || plan.truncations != self.truncations {
            return Vec::new();
        }
        let at = plan.record.recovery_point;
        self.names_synced = self.names_synced.max(plan.names_changed);
        self.synced_to(LogEndOffset::at(at.offset()));
        self.move_offsets(|offsets| offsets.recovery_point = offsets.recovery_point.max(at));
        self.recorded_segment = plan.record.segment_base;
        self.snapshots.extend(&plan.snapshots);
        self.snapshots_waiting.retain(|(offset, _)| !plan.snapshots.contains(offset));
        // Every segment keeps the snapshot at its base: truncation goes back to it.
        let bases: Vec<Offset> = self.segments.iter().map(|segment| segment.base).collect();
        let needed = |offset: &Offset| bases.binary_search(offset).is_ok();
        let stale = self.snapshots.iter().copied().filter(|offset| !needed(offset)).collect();
        self.snapshots.retain(needed);
        stale
    }

    fn close_files_if_unused(&mut self) -> bool {
        if std::mem::replace(&mut self.was_used, false) || self.rolling {
            return false;
        }
        self.read_files = None;
        // What finds no room keeps its files open.
        let flush = |segment: &mut Segment| segment.write_held().and_then(|()| segment.finish());
        let flushed = self.active().files.is_none() || flush(self.active_mut()).is_ok();
        if flushed {
            self.active_mut().files = None;
            self.journaling.shrink_to_fit();
            self.files_watched = false;
        }
        flushed
    }
}
