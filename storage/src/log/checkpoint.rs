//! A checkpoint moves the recovery point: segments and indexes synced, then the leader epochs written, then the producer
//! snapshot, whose name is the recovery point. In this order: a snapshot on disk proves that all before it is.

use std::path::Path;

use ringlane_batch::{Offset, RecoveryPoint};
use ringlane_reactor::File;

use super::sync::Sync;
use super::{Log, State};
use crate::error::{StorageError, is_storage_full};
use crate::names::Kind;
use crate::{leader_epochs, producer_state};

/// What one checkpoint writes.
struct Checkpoint {
    at: Offset,
    sync: Sync,
    indexes: Vec<File>,
    epochs: Option<String>,
    /// The oldest first; the last is at `at`.
    snapshots: Vec<(Offset, Vec<u8>)>,
}

impl Log {
    /// Makes everything appended so far durable and moves the recovery point behind it.
    ///
    /// # Errors
    /// The disk's; the log is offline then, unless the device is just full.
    pub async fn checkpoint(&self) -> Result<(), StorageError> {
        let _turn = self.0.file_turn.enter().await;
        self.checkpoint_in_turn().await
    }

    pub(crate) async fn checkpoint_in_background(&self) {
        self.0.state.borrow_mut().checkpoint_enqueued = false;
        if let Err(error) = self.checkpoint().await {
            tracing::warn!(log = %self.directory().display(), %error, "checkpoint failed");
        }
    }

    /// A checkpoint, by whoever holds the file turn.
    pub(super) async fn checkpoint_in_turn(&self) -> Result<(), StorageError> {
        if let Some(reason) = self.is_offline() {
            return Err(StorageError::Offline(reason));
        }
        let dir = self.directory();
        let planned = self.0.state.borrow_mut().plan_checkpoint(self.0.reactor.wall_clock_ms());
        let done = match planned {
            Ok(None) => return Ok(()),
            Ok(Some(checkpoint)) => self.write_checkpoint(&dir, checkpoint).await,
            Err(source) => Err(StorageError::Io { tried: "write an index in", path: dir, source }),
        };
        if let Err(error) = &done {
            let full = matches!(error, StorageError::Io { source, .. } if is_storage_full(source));
            if !full {
                self.go_offline(&error.to_string());
            }
        }
        done
    }

    async fn write_checkpoint(
        &self,
        dir: &Path,
        checkpoint: Checkpoint,
    ) -> Result<(), StorageError> {
        self.execute(&checkpoint.sync).await.map_err(StorageError::io("sync", dir))?;
        for index in &checkpoint.indexes {
            index.sync_data().await.map_err(StorageError::io("sync an index in", dir))?;
        }
        self.0.state.borrow_mut().finish_sync(&checkpoint.sync);
        self.0.durable_changed.notify_all();
        if let Some(epochs) = &checkpoint.epochs {
            let path = leader_epochs::path(dir);
            let written = self.0.disk.replace(&path, epochs.as_bytes()).await;
            written.map_err(StorageError::io("write", &path))?;
        }
        for (offset, snapshot) in &checkpoint.snapshots {
            let path = Kind::ProducerSnapshot.path(dir, *offset);
            let written = self.0.disk.replace(&path, snapshot).await;
            written.map_err(StorageError::io("write", &path))?;
        }
        let stale = self.0.state.borrow_mut().finish_checkpoint(&checkpoint);
        for offset in stale {
            let path = Kind::ProducerSnapshot.path(dir, offset);
            let removed = self.0.disk.remove_file(&path).await;
            removed.map_err(StorageError::io("remove", &path))?;
        }
        Ok(())
    }
}

impl State {
    /// `None` when the recovery point is already at the log's end, with its snapshot on disk.
    fn plan_checkpoint(&mut self, now_ms: i64) -> std::io::Result<Option<Checkpoint>> {
        let at = self.offsets().end.offset();
        if self.snapshots.contains(&at) && !self.epochs_changed && self.snapshots_waiting.is_empty()
        {
            return Ok(None);
        }
        let mut indexes = Vec::new();
        for segment in self.segments.iter_mut().filter(|segment| segment.files.is_some()) {
            segment.flush_indexes()?;
            let files = segment.files.as_ref().expect("filtered");
            indexes.extend([files.offset_index.clone(), files.time_index.clone()]);
        }
        self.producers.expire(now_ms, self.config.producer_id_expiration_ms);
        // Waiting snapshots and changed epochs go on waiting until they are written: this may fail, or be dropped.
        let mut snapshots = self.snapshots_waiting.clone();
        snapshots.retain(|(offset, _)| *offset != at);
        snapshots.push((at, producer_state::encode(&self.producers)));
        self.bytes_since_checkpoint = 0;
        Ok(Some(Checkpoint {
            at,
            sync: self.begin_sync(),
            indexes,
            epochs: self.epochs_changed.then(|| self.epochs.encode()),
            snapshots,
        }))
    }

    /// Moves the recovery point, closes the files that are complete and synced, and names the snapshots that no segment
    /// needs any more.
    fn finish_checkpoint(&mut self, checkpoint: &Checkpoint) -> Vec<Offset> {
        let at = checkpoint.at;
        self.move_offsets(|offsets| offsets.recovery_point = RecoveryPoint::at(at));
        self.snapshots.extend(checkpoint.snapshots.iter().map(|(offset, _)| *offset));
        self.snapshots_waiting.retain(|(offset, _)| *offset > at);
        self.epochs_changed &= checkpoint.epochs.as_ref() != Some(&self.epochs.encode());
        for index in 0..self.segments.len() - 1 {
            if self.segment_end(index) <= at {
                self.segments[index].files = None;
            }
        }
        // Every segment keeps the snapshot at its base: truncation goes back to it.
        let bases: Vec<Offset> = self.segments.iter().map(|segment| segment.base).collect();
        let needed = |offset: &Offset| *offset >= at || bases.binary_search(offset).is_ok();
        let stale = self.snapshots.iter().copied().filter(|offset| !needed(offset)).collect();
        self.snapshots.retain(needed);
        stale
    }
}
