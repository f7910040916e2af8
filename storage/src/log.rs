//! A partition's log: what its handle offers, and what is shared behind it.

mod append;
mod beginning;
mod checkpoint;
mod create;
mod damage;
mod distrust;
mod held;
mod lifecycle;
mod lookup;
mod prefetch;
mod read;
mod replace;
mod retention;
mod span;
mod start;
mod state;
mod sync;
mod tail;
mod truncate;
mod trusted;
mod waiting;

use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::rc::Rc;

use ringlane_batch::{
    DurableEndOffset, LeaderEpoch, LogEndOffset, LogStartOffset, Offset, RecoveryPoint, TopicId,
};
use ringlane_reactor::{Disk, Notified, Notify, Reactor};

pub use append::{Appended, Origin};
pub(crate) use checkpoint::{BegunPlan, Plan};
pub use create::NewLog;
pub use damage::DamagedRange;
pub use lookup::TimestampedOffset;
pub use read::Fetched;
pub use span::Span;
pub(crate) use span::SpansOut;
pub(crate) use state::{Loaded, Offsets, State};
pub(crate) use tail::OVERHEAD_BYTES as TAIL_OVERHEAD_BYTES;
use tail::Tail;
pub use waiting::Acknowledgeable;
use waiting::Waiting;

use crate::config::LogConfig;
use crate::journal::Seat;
use crate::manager::LogManager;
use crate::shard_checkpoint::LogKey;
use crate::turnstile::Turnstile;

/// The log of one partition, on the shard that owns it. Clones are handles of the same log.
///
/// Contract: **appended and durable are two events.** An append that returned is in the page cache, in the offsets and in
/// the producer state, and readers may see it; a crash may still take it. It is durable once [`Log::durable_end`] is
/// behind it, and [`Log::durable_changed`] rings whenever that moves or the log goes offline. An append whose log goes
/// offline first is never acknowledged.
///
/// Which calls may overlap: all. Appends, truncation, closing and deleting pass one at a time, in the order they were
/// called; reads and syncs run beside them. An append, read or checkpoint that is dropped half-way leaves the log as if it
/// had not been called or had been completed; truncation, closing and deleting must be awaited to their end.
#[derive(Clone)]
pub struct Log(pub(crate) Rc<Shared>);

pub(crate) struct Shared {
    pub(crate) reactor: Reactor,
    pub(crate) disk: Disk,
    manager: LogManager,
    durable_changed: Notify,
    waiting: RefCell<Waiting>,
    journal_seat: Cell<Seat>,
    /// When the log was opened or created.
    opened_ms: i64,
    /// Held by whoever replaces or removes files, outside of `append_turn`.
    file_turn: Turnstile,
    /// Held by whoever moves the log's end.
    append_turn: Turnstile,
    /// Held while the files do not yet have the shape that the log's memory has.
    shape_turn: Turnstile,
    /// Held by whoever looks how far damage goes that a read met.
    damage_turn: Turnstile,
    /// The newest batches, while there are consumers who keep up.
    tail: RefCell<Option<Box<Tail>>>,
    /// Never borrowed across an await.
    state: RefCell<State>,
}

impl Log {
    /// The first offset that can be read.
    pub fn log_start(&self) -> LogStartOffset {
        self.0.state.borrow().offsets().start
    }

    /// The offset that the next append gets.
    pub fn log_end(&self) -> LogEndOffset {
        self.0.state.borrow().offsets().end
    }

    /// Where the segment ends that holds `offset`. A read from there ends there at the latest, unless it passes over that segment.
    pub fn segment_end(&self, offset: Offset) -> Offset {
        let state = self.0.state.borrow();
        state.segment_end(state.segment_index(offset.max(state.segments[0].base)))
    }

    /// Everything before it survives a power cut. On a log that is not durable it lags behind until the next checkpoint.
    pub fn durable_end(&self) -> DurableEndOffset {
        self.0.state.borrow().offsets().durable
    }

    /// Where the scan after a crash would start.
    pub fn recovery_point(&self) -> RecoveryPoint {
        self.0.state.borrow().offsets().recovery_point
    }

    /// Everything before it lies in segments that are complete and on disk, and that no start writes to: compaction may
    /// replace them. At most the recovery point.
    pub fn settled_end(&self) -> Offset {
        let state = self.0.state.borrow();
        state.recorded_segment.min(state.offsets().recovery_point.offset())
    }

    /// Has a round of checkpoints begin soon, which settles what it has by then.
    pub(crate) fn want_checkpoint(&self) {
        self.0.manager.want_round();
    }

    /// Ready when next the durable end moves, or the log goes offline or is closed. Look at those after calling this and
    /// before awaiting it.
    pub fn durable_changed(&self) -> Notified {
        self.0.durable_changed.notified()
    }

    /// The id of the topic, which its directory carries.
    pub fn topic_id(&self) -> TopicId {
        self.0.state.borrow().key.0
    }

    /// The log's directory.
    pub fn directory(&self) -> PathBuf {
        self.0.state.borrow().dir.clone()
    }

    /// Bytes of all batches in the log.
    pub fn size_bytes(&self) -> u64 {
        self.0.state.borrow().segments.iter().map(|segment| segment.len).sum()
    }

    /// How many segments the log has; at least one.
    pub fn segment_count(&self) -> usize {
        self.0.state.borrow().segments.len()
    }

    /// How many idempotent producers the log remembers.
    pub fn producer_count(&self) -> usize {
        self.0.state.borrow().producers.len()
    }

    /// The settings in force.
    pub fn config(&self) -> Rc<LogConfig> {
        self.0.state.borrow().config.clone()
    }

    /// Everything before it may be acknowledged: what is durable of a durable log, what was appended to another, except
    /// where `flush.messages` asks for a sync first. [`Log::acknowledgeable`] waits for it.
    pub fn acknowledgeable_end(&self) -> Offset {
        self.0.state.borrow().acknowledgeable_end()
    }

    /// Which log it is.
    pub fn key(&self) -> LogKey {
        self.0.state.borrow().key
    }

    /// Changes the settings: the next append obeys. Switching durability on syncs what was appended without it. Logs may
    /// share theirs.
    pub fn set_config(&self, config: impl Into<Rc<LogConfig>>) {
        self.0.state.borrow_mut().config = config.into();
        // A log that is not durable acknowledges what its file has.
        self.write_held_in_time();
        self.register_if_wanted();
        self.0.ring_durable();
    }

    /// The newest leader epoch that has a batch or was assigned; `NONE` in a log without any.
    pub fn latest_epoch(&self) -> LeaderEpoch {
        self.0.state.borrow().epochs.latest()
    }

    /// A leader starts its `epoch` at the log's end (KIP-101). Nothing happens if the log has it already.
    ///
    /// # Panics
    /// When the log has seen a newer epoch: the controller hands them out in order.
    pub fn assign_epoch(&self, epoch: LeaderEpoch) {
        let mut state = self.0.state.borrow_mut();
        let end = state.offsets().end.offset();
        state.assign_epoch(epoch, end);
    }

    /// OffsetForLeaderEpoch (KIP-101, KIP-279): the newest epoch not after `epoch` and the offset behind its last record;
    /// `None` (UNDEFINED_EPOCH) where the log cannot know.
    pub fn end_offset_for_epoch(&self, epoch: LeaderEpoch) -> Option<(LeaderEpoch, Offset)> {
        let state = self.0.state.borrow();
        state.epochs.end_offset_for(epoch, state.offsets().end)
    }

    /// The epoch of the record at `offset`, `NONE` before the first known one.
    pub fn epoch_at(&self, offset: Offset) -> LeaderEpoch {
        self.0.state.borrow().epochs.epoch_at(offset)
    }

    /// Whether the log takes no more work, and why. A closed log counts.
    pub fn is_offline(&self) -> Option<String> {
        self.0.state.borrow().offline_reason().map(str::to_string)
    }

    /// Takes the log offline for good: appends are refused, nothing more becomes durable.
    pub fn go_offline(&self, reason: &str) {
        self.0.go_offline(reason);
    }
}

impl Shared {
    pub(crate) fn is_closed(&self) -> bool {
        self.state.borrow().is_closed()
    }

    fn go_offline(&self, reason: &str) {
        let name = self.state.borrow().dir.clone();
        if self.state.borrow_mut().go_offline(reason) {
            tracing::error!(log = %name.display(), reason, "log taken offline");
            self.manager.suspect_device();
        }
        self.ring_durable();
    }

    /// The same, where one line for the whole directory says so.
    pub(crate) fn go_offline_with_directory(&self, reason: &str) {
        self.state.borrow_mut().go_offline(reason);
        self.ring_durable();
    }
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = self.0.state.borrow();
        f.debug_struct("Log").field("dir", &state.dir).field("offsets", state.offsets()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segment::Segment;

    /// An idle partition may cost 4 KiB, with all that the heap adds to this and the broker keeps of it.
    #[test]
    fn a_log_is_small() {
        let bytes = size_of::<Shared>() + size_of::<Segment>();
        assert!(bytes <= 1024, "a log of one segment takes {bytes} bytes");
    }
}
