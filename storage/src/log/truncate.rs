//! Dropping the tail of a log. The files are cut first, durably and from the newest on, then the log is loaded from them
//! as after a restart: producers and epochs come out right by construction.

use std::path::Path;

use ringlane_batch::{DurableEndOffset, LogEndOffset, Offset, RecoveryPoint};

use super::Log;
use crate::compaction::lower_checkpoint;
use crate::error::StorageError;
use crate::names::Kind;
use crate::recovery;
use crate::segment::{Files, locate};

impl Log {
    /// Drops every batch that ends at `offset` or later, durably, and gives back the new end: `offset`, or the base of
    /// the batch that straddled it. Nothing happens when the log ends before.
    ///
    /// # Errors
    /// The disk's; the log is offline then.
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
        let outcome = self.truncate_in_turn(offset).await;
        if let Err(error) = &outcome {
            self.go_offline(&error.to_string());
        }
        outcome
    }

    async fn truncate_in_turn(&self, offset: Offset) -> Result<LogEndOffset, StorageError> {
        let (files, position, base, new_end) = self.find_cut(offset).await?;
        lower_checkpoint(&self.0.disk, &self.directory(), new_end).await?;
        let (dir, config, removed, snapshots) = {
            let mut state = self.0.state.borrow_mut();
            state.truncations += 1;
            let later = state.segments.iter().map(|segment| segment.base).filter(|b| *b > base);
            let snapshots = state.snapshots.iter().copied().filter(|at| *at > new_end);
            let (removed, snapshots): (Vec<_>, Vec<_>) = (later.collect(), snapshots.collect());
            state.segments.retain(|segment| segment.base <= base);
            state.active_mut().len = position;
            state.move_offsets(|offsets| {
                offsets.end = LogEndOffset::at(new_end);
                offsets.durable = offsets.durable.min(DurableEndOffset::at(new_end));
                offsets.recovery_point = offsets.recovery_point.min(RecoveryPoint::at(new_end));
            });
            (state.dir.clone(), state.config.clone(), removed, snapshots)
        };
        // The recovery point first: nothing behind the cut may count as synced once bytes differ.
        self.remove(&dir, Kind::ProducerSnapshot, &snapshots).await?;
        for kind in [Kind::Log, Kind::OffsetIndex, Kind::TimeIndex] {
            self.remove(&dir, kind, &removed).await?;
        }
        files.log.set_len(position).map_err(StorageError::io("truncate a segment in", &dir))?;
        files.log.sync_data().await.map_err(StorageError::io("sync a segment in", &dir))?;
        let now_ms = self.0.reactor.wall_clock_ms();
        let (loaded, report) = recovery::load(&self.0.disk, &dir, &config, now_ms).await?;
        // Below it where compaction left a gap before the cut.
        assert!(report.log_end.offset() <= new_end, "a truncated log ends where it was cut");
        {
            let mut state = self.0.state.borrow_mut();
            state.truncations += 1;
            state.replace_with(loaded);
        }
        self.register_if_wanted();
        Ok(report.log_end)
    }

    /// Where to cut: the segment's files and base, the position in it, and the offset there.
    async fn find_cut(&self, offset: Offset) -> Result<(Files, u64, Offset, Offset), StorageError> {
        let dir = self.directory();
        let base = {
            let state = self.0.state.borrow();
            state.segments[state.segment_index(offset)].base
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
        Ok(match batch {
            Some(batch) => (files, batch.position, base, batch.base.min(offset)),
            // Only a gap that compaction left is behind the last batch.
            None => (files, source.len, base, offset),
        })
    }

    async fn remove(&self, dir: &Path, kind: Kind, offsets: &[Offset]) -> Result<(), StorageError> {
        for offset in offsets.iter().rev() {
            let path = kind.path(dir, *offset);
            let removed = self.0.disk.remove_file(&path).await;
            removed.map_err(StorageError::io("remove", &path))?;
        }
        match offsets.is_empty() {
            true => Ok(()),
            false => self.0.disk.sync_dir(dir).await.map_err(StorageError::io("sync", dir)),
        }
    }
}
