//! A new segment in the place of old ones, which hold the same offsets: memory first, so that readers use the new files
//! under whatever name, then the names (`compaction/swap.rs` has the steps and what a crash leaves of them).

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use ringlane_batch::{Offset, ProducerId};

use super::sync::DESCRIPTORS_INTERVAL;
use super::{Log, State};
use crate::compaction::swap::{self, CLEANED, DELETED, SEGMENT_KINDS, SWAP};
use crate::compaction::{LastBatch, SegmentView};
use crate::error::{StorageError, is_not_begun};
use crate::names::Kind;
use crate::segment::{Entry, OffsetEntry, Segment, TimeEntry};

impl Log {
    /// The log's segments and how often it was truncated, as of now.
    pub(crate) fn segment_views(&self) -> (Vec<SegmentView>, u64) {
        let state = self.0.state.borrow();
        let view = |(index, segment): (usize, &Segment)| SegmentView {
            base: segment.base,
            end: state.segment_end(index),
            len: segment.len,
            offset_entries: segment.offset_index.flushed(),
            offset_index_bytes: u64::from(segment.offset_index.len()) * OffsetEntry::LEN as u64,
            time_index_bytes: u64::from(segment.time_index.len()) * TimeEntry::LEN as u64,
        };
        (state.segments.iter().enumerate().map(view).collect(), state.truncations)
    }

    /// Whether `old` segments, seen when the log had been truncated so often, are still there as they were, and the log is
    /// still to be compacted.
    pub(crate) fn still_has(&self, old: &[SegmentView], truncations: u64) -> bool {
        let state = self.0.state.borrow();
        state.offline_reason().is_none()
            && state.config.compaction.is_some()
            && state.truncations == truncations
            && state.position_of(old).is_some()
    }

    /// Whether the cleaner may look at the log.
    pub(crate) fn is_cleanable(&self) -> bool {
        let state = self.0.state.borrow();
        state.offline_reason().is_none() && !state.cleaning.is_uncleanable
    }

    /// Its cleaning failed: it is left alone until the next start (KIP-346).
    pub(crate) fn mark_uncleanable(&self) {
        self.0.state.borrow_mut().cleaning.is_uncleanable = true;
    }

    /// Everything before it was cleaned; `None` until [`Self::take_over_cleaned`].
    pub(crate) fn cleaned_to(&self) -> Option<Offset> {
        self.0.state.borrow().cleaning.cleaned_to()
    }

    /// Takes over what the log's checkpoint file says of that.
    pub(crate) fn take_over_cleaned(&self, file: Option<Offset>) {
        self.0.state.borrow_mut().cleaning.take_over(file);
    }

    /// Everything before `end` was cleaned. False when the log was truncated meanwhile, or is closed.
    pub(crate) fn advance_cleaned(&self, end: Offset, truncations: u64) -> bool {
        let mut state = self.0.state.borrow_mut();
        let same = state.offline_reason().is_none() && state.truncations == truncations;
        if same {
            assert!(
                end <= state.recorded_segment,
                "only segments that no start writes to are cleaned"
            );
            state.cleaning.advance(end);
        }
        same
    }

    /// The last batch of each producer that the log remembers: it must stay in the log.
    pub(crate) fn last_batches(&self) -> BTreeMap<ProducerId, LastBatch> {
        let state = self.0.state.borrow();
        let all = state.producers.last_batches();
        all.map(|(id, epoch, offset)| (id, LastBatch { epoch, offset })).collect()
    }

    /// Puts `new`, whose `.cleaned` files are synced and which ends where the last of `old` does, in the place of `old`.
    /// Answers false, and has done nothing, when the log has changed since those were looked at. Must be awaited to its end
    /// unless the log is not used afterwards.
    ///
    /// # Errors
    /// The disk's. The log is offline then, unless nothing was changed yet.
    pub(crate) async fn replace_segments(
        &self,
        old: &[SegmentView],
        new: Segment,
        truncations: u64,
    ) -> Result<bool, StorageError> {
        let _files = self.0.file_turn.enter().await;
        if !self.still_has(old, truncations) {
            return Ok(false);
        }
        let (dir, base) = (self.directory(), new.base);
        if let Err(error) = self.decide(&dir, base).await {
            self.undecide(&dir, base).await?;
            return Err(error);
        }
        let snapshots = self.0.state.borrow_mut().install_cleaned(old, new);
        let moved = self.move_names(&dir, old, &snapshots).await;
        if let Err(error) = &moved {
            self.go_offline(&error.to_string());
        }
        moved.map(|()| true)
    }

    /// Step 2: from its end on the new segment counts.
    async fn decide(&self, dir: &Path, base: Offset) -> Result<(), StorageError> {
        let disk = &self.0.disk;
        let sync = async || self.sync_names(dir).await;
        let renamed = swap::rename_all(disk, dir, base, (CLEANED, SWAP), sync).await;
        renamed.map_err(StorageError::io("rename a cleaned segment in", dir))
    }

    /// Takes a failed step 2 back. Where that fails too nobody knows what a start would find.
    async fn undecide(&self, dir: &Path, base: Offset) -> Result<(), StorageError> {
        let disk = &self.0.disk;
        let undone = match swap::remove_all(disk, dir, base, SWAP).await {
            Ok(()) => self.sync_names(dir).await,
            Err(error) => Err(error),
        };
        undone.map_err(|source| {
            let error = StorageError::Io { tried: "take back a swap in", path: dir.into(), source };
            self.go_offline(&error.to_string());
            error
        })
    }

    /// Syncs names, for which the directory is opened: waits where there is no descriptor for it. Half of a swap is no place to
    /// stay at, and to take it back needs a descriptor as well.
    async fn sync_names(&self, dir: &Path) -> io::Result<()> {
        loop {
            match self.0.disk.sync_dir(dir).await {
                Err(error) if is_not_begun(&error) && self.is_offline().is_none() => {
                    self.0.reactor.sleep(DESCRIPTORS_INTERVAL).await;
                }
                synced => return synced,
            }
        }
    }

    /// Steps 3 and 4.
    async fn move_names(
        &self,
        dir: &Path,
        old: &[SegmentView],
        snapshots: &[Offset],
    ) -> Result<(), StorageError> {
        let disk = &self.0.disk;
        let base = old[0].base;
        let mut deleted = Vec::new();
        for segment in &old[1..] {
            for kind in SEGMENT_KINDS {
                let from = kind.path(dir, segment.base);
                let to = swap::path(dir, kind, segment.base, DELETED);
                disk.rename(&from, &to).await.map_err(StorageError::io("rename", &from))?;
                deleted.push(to);
            }
        }
        for snapshot in snapshots {
            let path = Kind::ProducerSnapshot.path(dir, *snapshot);
            disk.remove_file(&path).await.map_err(StorageError::io("remove", &path))?;
        }
        let sync = async || self.sync_names(dir).await;
        let renamed = swap::rename_all(disk, dir, base, (SWAP, ""), sync).await;
        renamed.map_err(StorageError::io("rename a swapped segment in", dir))?;
        self.0.state.borrow_mut().settle_cleaned(base);
        for path in deleted {
            disk.remove_file(&path).await.map_err(StorageError::io("remove", &path))?;
        }
        Ok(())
    }
}

impl State {
    /// Where `old` lie among the segments, if they are there as they were and follow each other.
    fn position_of(&self, old: &[SegmentView]) -> Option<usize> {
        let first = self.segments.binary_search_by_key(&old.first()?.base, |s| s.base).ok()?;
        let here = self.segments.get(first..first + old.len())?;
        let same = here.iter().zip(old).all(|(s, view)| s.base == view.base && s.len == view.len);
        let ends = self.segment_end(first + old.len() - 1) == old.last()?.end;
        (same && ends).then_some(first)
    }

    /// Readers use `new` from here on, by its open files. Gives back the producer snapshots that lie within it now.
    fn install_cleaned(&mut self, old: &[SegmentView], new: Segment) -> Vec<Offset> {
        let first = self.position_of(old).expect("the file turn keeps the segments as they are");
        let (base, end) = (new.base, self.segment_end(first + old.len() - 1));
        assert_eq!(base, old[0].base, "a new segment begins where the old ones do");
        assert!(end <= self.recorded_segment, "only what is below the recovery point is replaced");
        assert!(new.files.is_some(), "its files are open while their names change");
        self.segments.splice(first..first + old.len(), [new]);
        self.cleaning.replacements += 1;
        self.cleaning.renaming = Some(base);
        self.read_files = None;
        let within: Vec<_> = self.snapshots.range(base.plus(1)..end).copied().collect();
        self.snapshots.retain(|at| !within.contains(at));
        within
    }

    /// The new segment has its final names: it is opened by them from here on.
    fn settle_cleaned(&mut self, base: Offset) {
        assert_eq!(self.cleaning.renaming.take(), Some(base), "one replacement at a time");
        if let Ok(index) = self.segments.binary_search_by_key(&base, |segment| segment.base) {
            self.segments[index].files = None;
        }
    }
}
