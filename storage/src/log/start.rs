//! Moving the log's start: for DeleteRecords (KIP-107) to any offset, for retention to the base of a segment. The new start
//! is an entry of the journal; once that is durable the segments before it go, the oldest first: a crash leaves a log
//! without holes, and nothing whose deletion was answered comes back.

use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use ringlane_batch::{HighWatermark, LogStartOffset, Offset};
use ringlane_reactor::Queue;

use super::{Log, State};
use crate::error::StorageError;
use crate::journal::{Client, EntryHead, EntryKind};
use crate::names::{Kind, deleted_file};

/// The files of a segment, in the order in which they go.
const SEGMENT_FILES: [Kind; 3] = [Kind::Log, Kind::OffsetIndex, Kind::TimeIndex];
/// No file waits longer for its removal than ten years: clocks have an end.
const DELETE_DELAY_MAX: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// What a log no longer has, and its directory still does.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Removed {
    /// The bases of the segments, in order.
    pub(super) segments: Vec<Offset>,
    /// The offsets of the producer snapshots before the first segment that stays.
    snapshots: Vec<Offset>,
}

impl Log {
    /// Moves the log's start to `offset`: reads before it are out of range, and segments that lie wholly before it go. A
    /// log that starts there or later stays as it is. Gives back where it starts now, durably.
    ///
    /// # Errors
    /// The disk's, or `Offline`; the start has then not moved.
    ///
    /// # Panics
    /// When `offset` is above `high_watermark`: what is not yet decided is not deleted.
    pub async fn delete_records_before(
        &self,
        offset: Offset,
        high_watermark: HighWatermark,
    ) -> Result<LogStartOffset, StorageError> {
        assert!(
            offset <= high_watermark.offset(),
            "records before {offset} are to go, the high watermark is {high_watermark}"
        );
        let _files = self.0.file_turn.enter().await;
        // A truncation that had its turn first may have left less.
        let offset = offset.min(self.log_end().offset());
        self.move_start_in_turn(offset).await?;
        Ok(self.log_start())
    }

    /// Moves the start forward to `offset`, by whoever holds the file turn, and lets go of the segments before it; how many
    /// those were.
    pub(super) async fn move_start_in_turn(&self, offset: Offset) -> Result<usize, StorageError> {
        if let Some(reason) = self.is_offline() {
            return Err(StorageError::Offline(reason));
        }
        let start = self.log_start().offset();
        let offset = offset.max(start);
        if offset == start && self.0.state.borrow().segment_index(start) == 0 {
            return Ok(0);
        }
        if offset > self.recovery_point().offset() {
            // The log must not end before its start after a crash.
            self.checkpoint().await?;
        }
        let removed = self.journal_start(offset).await?;
        let dir = self.directory();
        self.set_aside(&dir, &removed.segments).await;
        self.remove_snapshots(&dir, &removed.snapshots).await;
        Ok(removed.segments.len())
    }

    /// Moves the start in memory, and waits until the journal says so durably.
    async fn journal_start(&self, start: Offset) -> Result<Removed, StorageError> {
        let journal = self.0.manager.journal().await.map_err(StorageError::Offline)?;
        let room = journal.reserve(0).await;
        let room = room.map_err(|error| StorageError::Offline(error.to_string()))?;
        let client: Rc<dyn Client> = self.0.clone();
        // At once: a round of checkpoints finds both or neither.
        let (sequence, removed) = {
            let mut state = self.0.state.borrow_mut();
            state.takes_entries()?;
            let head = state.start_head(start);
            let added = journal.add(room, &head, &[], &client);
            added.map_err(|error| StorageError::Offline(error.to_string()))?;
            (head.log_sequence, state.move_start(start))
        };
        self.mark_dirty();
        self.journaled(sequence).await?;
        Ok(removed)
    }

    /// Gives the files of segments the name of files that wait for their removal, and has them removed later. Readers
    /// that hold them go on. What fails here, the next start does.
    async fn set_aside(&self, dir: &Path, bases: &[Offset]) {
        let mut waiting = Vec::with_capacity(bases.len() * SEGMENT_FILES.len());
        for base in bases {
            for path in SEGMENT_FILES.map(|kind| kind.path(dir, *base)) {
                let deleted = deleted_file(&path);
                match self.0.disk.rename(&path, &deleted).await {
                    Ok(()) => waiting.push(deleted),
                    Err(error) => warn_unless_missing("rename", &path, &error),
                }
            }
        }
        if !waiting.is_empty() {
            self.remove_later(waiting);
        }
    }

    fn remove_later(&self, files: Vec<PathBuf>) {
        let reactor = self.0.reactor.clone();
        let delay_ms = u64::try_from(self.config().file_delete_delay_ms).unwrap_or(0);
        let delay = Duration::from_millis(delay_ms).min(DELETE_DELAY_MAX);
        let log = Rc::downgrade(&self.0);
        let remove = async move {
            reactor.sleep(delay).await;
            for path in &files {
                // The directory of a log that was closed or deleted meanwhile is not ours any more.
                let Some(log) = log.upgrade().filter(|log| !log.state.borrow().is_closed()) else {
                    return;
                };
                let removed = log.disk.remove_file(path).await;
                removed.unwrap_or_else(|error| warn_unless_missing("remove", path, &error));
            }
        };
        self.0.reactor.spawn(Queue::Background, remove).detach();
    }

    async fn remove_snapshots(&self, dir: &Path, offsets: &[Offset]) {
        for offset in offsets {
            let path = Kind::ProducerSnapshot.path(dir, *offset);
            let removed = self.0.disk.remove_file(&path).await;
            removed.unwrap_or_else(|error| warn_unless_missing("remove", &path, &error));
        }
    }
}

fn warn_unless_missing(tried: &str, path: &Path, error: &io::Error) {
    if error.kind() != io::ErrorKind::NotFound {
        tracing::warn!(path = %path.display(), %error, "cannot {tried} a deleted file; the next start will");
    }
}

impl State {
    /// The journal's entry for a start at `start`.
    fn start_head(&mut self, start: Offset) -> EntryHead {
        let log_sequence = self.next_sequence();
        let ((topic_id, partition), segment_base) = (self.key, self.active().base);
        EntryHead {
            kind: EntryKind::LogStart,
            topic_id,
            partition,
            log_sequence,
            base_offset: start,
            segment_base,
            position: 0,
        }
    }

    /// The log starts at `start`: forgets the segments that lie wholly before it, and what belongs to them.
    fn move_start(&mut self, start: Offset) -> Removed {
        assert!(start >= self.offsets().start.offset(), "the log's start never goes back");
        assert!(start <= self.offsets().end.offset(), "the log starts within itself");
        let first = self.segment_index(start);
        let segments: Vec<Offset> = self.segments.drain(..first).map(|gone| gone.base).collect();
        let base = self.segments[0].base;
        self.read_files.take_if(|last| last.0 < base);
        self.snapshots_waiting.retain(|(offset, _)| *offset >= base);
        let kept = self.snapshots.split_off(&base);
        let snapshots = std::mem::replace(&mut self.snapshots, kept);
        self.epochs.truncate_from_start(start);
        self.move_offsets(|offsets| offsets.start = LogStartOffset::at(start));
        Removed { segments, snapshots: snapshots.into_iter().collect() }
    }
}
