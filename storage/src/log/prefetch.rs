//! Has the CPU fetch what is about to be used of many logs. With thousands of them the memory of each has left the core's
//! caches by its next turn, and an append alone waits for it piece by piece, as each says where the next is. Asked for in the
//! names of some logs before the first is used, the pieces of all are under way at the same time.
//!
//! What is asked for is read, and not used: so it is safe code. A field that is missing here costs time and nothing else.

use std::hint::black_box;

use super::{Log, Shared};
use crate::segment::Segment;

impl Log {
    /// Has the CPU fetch what an append to this log touches. Worth it for [`crate::LOGS_PREFETCHED`] logs in a row, each of which is
    /// appended to next.
    pub fn prefetch(&self) {
        black_box(self.0.read_for_append());
    }
}

impl Shared {
    fn read_for_append(&self) -> u64 {
        let state = self.state.borrow();
        let seat = self.journal_seat.get().read();
        let offsets = state.offsets().end.0 as u64 ^ state.journaled_to.0 as u64;
        let counts = state.log_sequence ^ state.names_changed ^ u64::from(state.rolling);
        let epoch = state.epochs.latest().0 as u64;
        let entry = state.journaling.front().map_or(0, |entry| entry.0);
        let segment = state.active().read_for_append();
        self.append_turn.read() ^ seat ^ offsets ^ counts ^ epoch ^ entry ^ segment
    }

    /// Has the CPU fetch what the news touches that the journal has the log's entries.
    pub(super) fn prefetch_for_durable(&self) {
        let state = self.state.borrow();
        let offsets = state.offsets().end.0 as u64 ^ state.journaled_to.0 as u64;
        let counts = state.journaled_sequence ^ u64::from(state.is_closed());
        let entry = state.journaling.front().map_or(0, |entry| entry.0);
        let waiting = self.waiting.borrow().read();
        black_box(offsets ^ counts ^ entry ^ waiting ^ state.active().held_bytes());
    }
}

impl Segment {
    fn read_for_append(&self) -> u64 {
        let index = self.offset_index.len() ^ self.time_index.len();
        let timestamp = self.max_timestamp.map_or(0, |entry| entry.offset.0 as u64);
        let place = self.len ^ self.base.0 as u64 ^ self.roll_lot ^ self.held_bytes();
        let rest = u64::from(self.files.is_some()) ^ self.damage.len() as u64;
        u64::from(index) ^ timestamp ^ place ^ rest
    }
}
