//! What a log knows: its segments, its offsets and the one place that moves them, producers, epochs, and which of all
//! this is not on disk yet. No I/O here.

use std::collections::BTreeSet;
use std::path::PathBuf;

use ringlane_batch::{
    DurableEndOffset, LeaderEpoch, LogEndOffset, LogStartOffset, Offset, RecoveryPoint, TopicId,
};

use crate::compaction::Cleaning;
use crate::config::LogConfig;
use crate::leader_epochs::LeaderEpochs;
use crate::producer_state::ProducerState;
use crate::segment::{Files, Segment};

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
}

pub(crate) struct State {
    pub(crate) dir: PathBuf,
    pub(crate) topic_id: TopicId,
    pub(crate) config: LogConfig,
    /// In order of their base offsets; the last is the active one. Never empty.
    pub(crate) segments: Vec<Segment>,
    offsets: Offsets,
    pub(crate) producers: ProducerState,
    pub(crate) epochs: LeaderEpochs,
    /// Whether the checkpoint file of the epochs is behind.
    pub(crate) epochs_changed: bool,
    pub(crate) snapshots: BTreeSet<Offset>,
    /// Snapshots taken when segments rolled, for the next checkpoint to write.
    pub(crate) snapshots_waiting: Vec<(Offset, Vec<u8>)>,
    /// Counts the changes of names in the directory, and how many of them are durable.
    pub(crate) names_changed: u64,
    pub(crate) names_synced: u64,
    /// Counts truncations: what began before one says nothing about the log after it.
    pub(crate) truncations: u64,
    /// A roll was begun: the next append completes it, whatever its size.
    pub(crate) rolling: bool,
    /// Waits in the group that fills now.
    pub(crate) sync_registered: bool,
    pub(crate) checkpoint_enqueued: bool,
    pub(crate) bytes_since_checkpoint: u64,
    /// The files of the complete segment that was read last.
    pub(crate) read_files: Option<(Offset, Files)>,
    pub(crate) cleaning: Cleaning,
    status: Status,
}

impl State {
    pub(crate) fn new(dir: PathBuf, topic_id: TopicId, config: LogConfig, loaded: Loaded) -> Self {
        let mut state = Self {
            dir,
            topic_id,
            config,
            segments: Vec::new(),
            offsets: loaded.offsets,
            producers: ProducerState::default(),
            epochs: LeaderEpochs::default(),
            epochs_changed: false,
            snapshots: BTreeSet::new(),
            snapshots_waiting: Vec::new(),
            names_changed: 0,
            names_synced: 0,
            truncations: 0,
            rolling: false,
            sync_registered: false,
            checkpoint_enqueued: false,
            bytes_since_checkpoint: 0,
            read_files: None,
            cleaning: Cleaning::default(),
            status: Status::Open,
        };
        state.replace_with(loaded);
        state
    }

    /// Takes over what recovery found: at the start, and after a truncation.
    pub(crate) fn replace_with(&mut self, loaded: Loaded) {
        assert!(!loaded.segments.is_empty(), "a log has an active segment");
        self.segments = loaded.segments;
        self.producers = loaded.producers;
        self.epochs = loaded.epochs;
        self.snapshots = loaded.snapshots;
        self.snapshots_waiting = loaded.snapshots_waiting;
        self.read_files = None;
        self.rolling = false;
        // Recovery may have removed names, and the checkpoint of the epochs may hold more than the log.
        self.names_changed += 1;
        self.epochs_changed = true;
        self.cleaning.log_ends(loaded.offsets.end.offset());
        self.move_offsets(|offsets| *offsets = loaded.offsets);
        let scanned = self.segments.iter().filter(|segment| segment.files.is_some());
        self.bytes_since_checkpoint = scanned.map(|segment| segment.len).sum();
    }

    /// Another one after a truncation and after segments were replaced: what was opened by name before says nothing then.
    pub(crate) fn files_version(&self) -> (u64, u64) {
        (self.truncations, self.cleaning.replacements)
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
        self.epochs_changed |= self.epochs.assign(epoch, start);
    }

    pub(crate) fn offline_reason(&self) -> Option<&str> {
        match &self.status {
            Status::Open => None,
            Status::Offline(reason) => Some(reason),
            Status::Closed => Some("it is closed"),
        }
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
        self.segments.iter_mut().for_each(|segment| segment.files = None);
    }
}
