//! What a log knows: its segments, its offsets and the one place that moves them, producers, epochs, and which of all
//! this is not on disk yet. No I/O here.

use std::collections::{BTreeSet, VecDeque};
use std::path::PathBuf;
use std::rc::Rc;

use ringlane_batch::{
    DurableEndOffset, LeaderEpoch, LogEndOffset, LogStartOffset, Offset, RecoveryPoint,
};

use super::span::SpanBounds;
use crate::compaction::Cleaning;
use crate::config::LogConfig;
use crate::error::StorageError;
use crate::journal::Mark;
use crate::leader_epochs::LeaderEpochs;
use crate::producer_state::ProducerState;
use crate::segment::{Files, Segment};
use crate::shard_checkpoint::LogKey;

/// The boundaries of a log. At any moment `start <= recovery_point <= durable <= end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Offsets {
    pub(crate) start: LogStartOffset,
    pub(crate) recovery_point: RecoveryPoint,
    pub(crate) durable: DurableEndOffset,
    pub(crate) end: LogEndOffset,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Status {
    Open,
    Offline(String),
    /// Closed, or deleted.
    Closed,
}

/// A sync that `flush.messages` or `flush.ms` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FlushDue {
    /// Nothing from here on is acknowledged before; the largest offset where nobody waits.
    pub(crate) from: Offset,
    /// What it must cover.
    pub(crate) end: Offset,
}

impl FlushDue {
    /// Synced as far as `durable`, which is not all that it must cover: under load there is always more, and what is synced
    /// need not wait for that.
    pub(crate) fn synced_to(self, durable: Offset) -> Self {
        Self { from: self.from.max(durable), ..self }
    }

    /// What is left of it when the log is cut at `end`.
    pub(crate) fn cut(self, end: Offset) -> Option<Self> {
        (self.from < end).then(|| Self { from: self.from, end: self.end.min(end) })
    }
}

/// How often the log was cut, had segments replaced, and had index files that turned out to be wrong: while it is the same, files are
/// what they were under their names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct FilesVersion {
    truncations: u64,
    replacements: u64,
    indexes_distrusted: u64,
}

/// What recovery finds in a directory.
pub(crate) struct Loaded {
    pub(crate) segments: Vec<Segment>,
    pub(crate) offsets: Offsets,
    pub(crate) producers: ProducerState,
    pub(crate) epochs: LeaderEpochs,
    /// The offsets of the producer snapshots on disk.
    pub(crate) snapshots: BTreeSet<Offset>,
    /// The ones it took, at the bases of segments, and did not write.
    pub(crate) snapshots_waiting: Vec<(Offset, Vec<u8>)>,
    /// The number of the log's last journal entry.
    pub(crate) log_sequence: u64,
}

pub(crate) struct State {
    pub(crate) dir: PathBuf,
    pub(crate) key: LogKey,
    /// Shared by the logs of a topic.
    pub(crate) config: Rc<LogConfig>,
    /// In order of their base offsets; the last is the active one. Never empty.
    pub(crate) segments: Vec<Segment>,
    offsets: Offsets,
    pub(crate) producers: ProducerState,
    pub(crate) epochs: LeaderEpochs,
    pub(crate) snapshots: BTreeSet<Offset>,
    /// Snapshots taken when segments rolled, for the next checkpoint to write.
    pub(crate) snapshots_waiting: Vec<(Offset, Vec<u8>)>,
    /// Counts the changes of names in the directory, and how many of them are durable.
    pub(crate) names_changed: u64,
    pub(crate) names_synced: u64,
    /// The segment that the shard's file names: the ones before it are complete, on disk, and never written again.
    pub(crate) recorded_segment: Offset,
    /// Counts truncations: what began before one says nothing about the log after it.
    pub(crate) truncations: u64,
    /// The journal entry of the truncation that is under way, until the files are cut, and the group that has it.
    pub(crate) truncating: Option<(u64, Mark)>,
    /// Its files are being cut, or could not be: memory says something else than they do.
    pub(crate) is_half_cut: bool,
    /// A roll was begun: the next append completes it, whatever its size.
    pub(crate) rolling: bool,
    /// Waits in the group of syncs that fills now.
    pub(crate) sync_registered: bool,
    /// Waits for the next round of checkpoints.
    pub(crate) is_dirty: bool,
    /// The log is about to be closed: the next round of checkpoints writes all index entries.
    pub(crate) closes: bool,
    /// Is among those that hold something back.
    pub(crate) waits_to_be_written: bool,
    /// A kernel worker writes what was held.
    pub(crate) is_leaving: bool,
    /// Its files were used since the clock of open files came by.
    pub(crate) was_used: bool,
    /// The clock of open files knows of it.
    pub(crate) files_watched: bool,
    /// The number of the log's last journal entry, whichever shard's journal it is in.
    pub(crate) log_sequence: u64,
    /// Entries that the journal has taken and not yet made durable: number, and the log's end behind it.
    pub(crate) journaling: VecDeque<(u64, Offset)>,
    /// The last entry that is durable.
    pub(crate) journaled_sequence: u64,
    /// Every batch from here on is in the journal.
    pub(crate) journal_from: Offset,
    /// As far as the journal is durable.
    pub(crate) journaled_to: Offset,
    /// Records since the last sync, of a log that is not durable.
    pub(crate) unflushed_records: u64,
    /// `flush.messages` has come due.
    pub(crate) flush_due: Option<FlushDue>,
    pub(crate) flush_timer_armed: bool,
    /// The files of the complete segment that was read last.
    pub(crate) read_files: Option<Box<(Offset, Files)>>,
    pub(crate) spans: SpanBounds,
    pub(crate) cleaning: Cleaning,
    /// Counts the segments whose index files were found to be wrong.
    pub(crate) indexes_distrusted: u64,
    status: Status,
}

impl State {
    pub(crate) fn new(dir: PathBuf, key: LogKey, config: Rc<LogConfig>, loaded: Loaded) -> Self {
        let mut state = Self {
            dir,
            key,
            config,
            segments: Vec::new(),
            offsets: loaded.offsets,
            producers: ProducerState::default(),
            epochs: LeaderEpochs::default(),
            snapshots: BTreeSet::new(),
            snapshots_waiting: Vec::new(),
            names_changed: 0,
            names_synced: 0,
            recorded_segment: Offset::ZERO,
            truncations: 0,
            truncating: None,
            is_half_cut: false,
            rolling: false,
            sync_registered: false,
            is_dirty: false,
            closes: false,
            waits_to_be_written: false,
            is_leaving: false,
            was_used: false,
            files_watched: false,
            log_sequence: 0,
            journaling: VecDeque::new(),
            journaled_sequence: 0,
            journal_from: Offset::ZERO,
            journaled_to: Offset::ZERO,
            unflushed_records: 0,
            flush_due: None,
            flush_timer_armed: false,
            read_files: None,
            spans: SpanBounds::default(),
            cleaning: Cleaning::default(),
            indexes_distrusted: 0,
            status: Status::Open,
        };
        state.replace_with(loaded);
        state
    }

    /// Takes over what recovery found: at the start, and after a truncation.
    pub(crate) fn replace_with(&mut self, loaded: Loaded) {
        assert!(!loaded.segments.is_empty(), "a log has an active segment");
        assert!(
            self.segments.iter().all(|segment| segment.held_bytes() == 0),
            "nothing held is lost"
        );
        self.segments = loaded.segments;
        self.segments.shrink_to_fit();
        self.producers = loaded.producers;
        self.epochs = loaded.epochs;
        self.snapshots = loaded.snapshots;
        self.snapshots_waiting = loaded.snapshots_waiting;
        self.read_files = None;
        self.is_half_cut = false;
        self.rolling = false;
        // Recovery may have removed names.
        self.names_changed += 1;
        assert!(loaded.log_sequence >= self.log_sequence, "a log's sequence only grows");
        self.log_sequence = loaded.log_sequence;
        self.journaled_sequence = loaded.log_sequence;
        self.journaling.clear();
        self.flush_due = self.flush_due.and_then(|due| due.cut(loaded.offsets.end.offset()));
        self.cleaning.log_ends(loaded.offsets.end.offset());
        self.recorded_segment = self.segments[0].base;
        self.move_offsets(|offsets| *offsets = loaded.offsets);
        // What was recovered and not synced is in no journal, or soon in none.
        self.journal_from = loaded.offsets.end.offset();
        self.journaled_to = Offset::ZERO;
    }

    /// The number of the next journal entry.
    pub(crate) fn next_sequence(&mut self) -> u64 {
        self.log_sequence += 1;
        self.log_sequence
    }

    /// What may be acknowledged: of a durable log what is durable; of another all that was appended, except where
    /// `flush.messages` has come due.
    pub(crate) fn acknowledgeable_end(&self) -> Offset {
        if self.config.durable || self.active().held_bytes() > 0 {
            return self.offsets.durable.offset();
        }
        let end = self.offsets.end.offset();
        self.flush_due.map_or(end, |due| end.min(due.from))
    }

    /// What was opened by name before it changed says nothing then.
    pub(crate) fn files_version(&self) -> FilesVersion {
        FilesVersion {
            truncations: self.truncations,
            replacements: self.cleaning.replacements,
            indexes_distrusted: self.indexes_distrusted,
        }
    }

    pub(crate) fn offsets(&self) -> &Offsets {
        &self.offsets
    }

    /// The one place that moves the log's boundaries.
    pub(crate) fn move_offsets(&mut self, change: impl FnOnce(&mut Offsets)) {
        let before = self.offsets;
        change(&mut self.offsets);
        let Offsets { start, recovery_point, durable, end } = self.offsets;
        assert!(
            start.offset() <= recovery_point.offset()
                && recovery_point.offset() <= durable.offset()
                && durable.offset() <= end.offset(),
            "log start <= recovery point <= durable end <= log end: {before:?} became {:?}",
            self.offsets
        );
        let (first, last) = (&self.segments[0], self.active());
        assert!(
            first.base <= start.offset(),
            "the log starts at {start}, before its first segment"
        );
        assert!(last.base <= end.offset(), "the log ends at {end}, before its active segment");
    }

    pub(crate) fn active(&self) -> &Segment {
        self.segments.last().expect("a log has an active segment")
    }

    pub(crate) fn active_mut(&mut self) -> &mut Segment {
        self.segments.last_mut().expect("a log has an active segment")
    }

    /// The index of the segment whose range holds `offset`.
    pub(crate) fn segment_index(&self, offset: Offset) -> usize {
        let after = self.segments.partition_point(|segment| segment.base <= offset);
        after.checked_sub(1).expect("no offset before the log's start is asked for")
    }

    /// Where the segment at `index` ends: where the next begins.
    pub(crate) fn segment_end(&self, index: usize) -> Offset {
        let next = self.segments.get(index + 1);
        next.map_or(self.offsets.end.offset(), |segment| segment.base)
    }

    pub(crate) fn assign_epoch(&mut self, epoch: LeaderEpoch, start: Offset) {
        self.epochs.assign(epoch, start);
    }

    pub(crate) fn offline_reason(&self) -> Option<&str> {
        match &self.status {
            Status::Open => None,
            Status::Offline(reason) => Some(reason),
            Status::Closed => Some("it is closed"),
        }
    }

    /// Whether the journal may get an entry of the log: what was copied out of it for a log that is offline has all.
    pub(crate) fn takes_entries(&self) -> Result<(), StorageError> {
        let reason = self.offline_reason();
        reason.map_or(Ok(()), |reason| Err(StorageError::Offline(reason.to_string())))
    }

    /// Whether the shard's file says all there is to say of the log.
    pub(crate) fn is_settled(&self) -> bool {
        let Offsets { recovery_point, end, .. } = self.offsets;
        let is_waiting = self.is_dirty || self.truncating.is_some() || self.rolling;
        self.status == Status::Open
            && !is_waiting
            && recovery_point.offset() == end.offset()
            && self.snapshots_waiting.is_empty()
            && self.active().held_bytes() == 0
            && !self.active().index_entries_wait()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.status == Status::Closed
    }

    /// Answers whether it was online until now.
    pub(crate) fn go_offline(&mut self, reason: &str) -> bool {
        let was_open = self.status == Status::Open;
        if was_open {
            self.status = Status::Offline(reason.to_string());
        }
        was_open
    }

    /// Ends the log's work and closes its files.
    pub(crate) fn close(&mut self) {
        self.status = Status::Closed;
        self.read_files = None;
        self.segments.iter_mut().for_each(Segment::close);
    }
}
