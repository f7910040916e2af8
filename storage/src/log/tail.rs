//! The newest batches of a log in memory, as they were appended, for consumers who keep up: these take them without asking a file, without
//! a copy and without a second look at checksums. Kept only while somebody reads them, and bounded for all logs of a shard
//! together (`manager/tails.rs`).

use std::cell::Cell;
use std::collections::VecDeque;
use std::rc::Rc;

use bytes::Bytes;
use ringlane_batch::{LeaderEpoch, Offset};

use super::read::Fetched;
use super::{Appended, Log, Origin};
use crate::error::AppendError;

/// A batch in memory, and what else it takes: the memory of many small ones is mostly that.
pub(crate) const OVERHEAD_BYTES: u64 = 128;

/// Memory that counts until this is dropped.
struct Counted {
    total: Rc<Cell<u64>>,
    bytes: u64,
}

impl Counted {
    fn new(total: &Rc<Cell<u64>>, bytes: u64) -> Self {
        total.set(total.get() + bytes);
        Self { total: total.clone(), bytes }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.total.set(self.total.get() - self.bytes);
    }
}

struct Kept {
    base: Offset,
    next: Offset,
    batch: Bytes,
    _counted: Counted,
}

/// See the module. The batches follow each other without a gap.
pub(crate) struct Tail {
    batches: VecDeque<Kept>,
    /// Somebody has had everything before this from here.
    read_to: Offset,
    /// The truncations of the log before the first of them was appended.
    truncations: u64,
}

impl Tail {
    fn new(truncations: u64) -> Box<Self> {
        Box::new(Self { batches: VecDeque::new(), read_to: Offset(0), truncations })
    }

    fn push(&mut self, kept: Kept) {
        if self.batches.back().is_some_and(|last| last.next != kept.base) {
            self.batches.clear();
        }
        self.batches.push_back(kept);
    }

    /// Whole batches from the one that holds `from`, as [`Log::read`] gives them; `None` where that is not here.
    fn read(
        &mut self,
        from: Offset,
        max_bytes: usize,
        until: Offset,
        at_least_one: bool,
    ) -> Option<(Vec<Bytes>, Offset)> {
        let is_here = self.batches.front().is_some_and(|first| first.base <= from);
        let first = self.batches.partition_point(|kept| kept.next <= from);
        if !is_here || first == self.batches.len() {
            return None;
        }
        let (mut batches, mut next_offset, mut bytes) = (Vec::new(), from, 0);
        for kept in self.batches.range(first..) {
            bytes += kept.batch.len();
            let fits = bytes <= max_bytes || (batches.is_empty() && at_least_one);
            if !fits || kept.next > until {
                break;
            }
            next_offset = kept.next;
            batches.push(kept.batch.clone());
        }
        self.read_to = self.read_to.max(next_offset);
        Some((batches, next_offset))
    }
}

impl Log {
    /// As [`Log::append`], of a batch that consumers who keep up are to have from memory.
    ///
    /// # Errors
    /// As [`Log::append`].
    pub async fn append_kept(
        &self,
        mut batch: Vec<u8>,
        epoch: LeaderEpoch,
        origin: Origin,
        now_ms: i64,
    ) -> Result<Appended, AppendError> {
        let appended = self.append(&mut batch, epoch, origin, now_ms).await?;
        self.keep(batch, &appended);
        Ok(appended)
    }

    /// Adds the batch that was appended last, if anyone wants it.
    fn keep(&self, batch: Vec<u8>, appended: &Appended) {
        let Some(mut tail) = self.0.tail.take() else { return };
        if tail.truncations != self.0.state.borrow().truncations {
            return;
        }
        let cost = batch.capacity() as u64 + OVERHEAD_BYTES;
        let counted = Counted::new(self.0.manager.tail_bytes(), cost);
        let (base, next) = (appended.base_offset, appended.last_offset.plus(1));
        tail.push(Kept { base, next, batch: batch.into(), _counted: counted });
        self.0.tail.replace(Some(tail));
        self.0.manager.kept_in_tail(self, base);
    }

    /// A reader has all there is and waits for more: what is appended from now on is kept for it.
    pub fn expect_reader(&self) {
        let truncations = self.0.state.borrow().truncations;
        let mut tail = self.0.tail.borrow_mut();
        if self.0.manager.keeps_tails() && tail.is_none() {
            *tail = Some(Tail::new(truncations));
        }
    }

    /// What [`Log::read`] would give, if it is in memory.
    pub fn read_tail(
        &self,
        from: Offset,
        max_bytes: usize,
        until: Offset,
        at_least_one: bool,
    ) -> Option<Fetched> {
        let mut tail = self.0.tail.borrow_mut();
        let tail = tail.as_mut()?;
        let log_end = {
            let state = self.0.state.borrow();
            let offsets = state.offsets();
            let is_same = tail.truncations == state.truncations && !state.is_closed();
            if !is_same || from < offsets.start.offset() {
                return None;
            }
            offsets.end
        };
        let until = until.min(log_end.offset());
        let (batches, next_offset) = tail.read(from, max_bytes, until, at_least_one)?;
        Some(Fetched { batches, next_offset, log_end })
    }

    /// Lets go of the batch at `base`, if that is the oldest in memory; of all, if nobody has had it from there: whoever
    /// waited for it has gone, or falls behind.
    pub(crate) fn forget_oldest(&self, base: Offset) {
        let mut tail = self.0.tail.borrow_mut();
        let Some(kept) = tail.as_mut() else { return };
        let Some(oldest) = kept.batches.front().filter(|oldest| oldest.base == base) else {
            return;
        };
        // The last one takes the memory of the others along, which a burst left behind; whoever waits is expected anew.
        if kept.read_to < oldest.next || kept.batches.len() == 1 {
            *tail = None;
        } else {
            kept.batches.pop_front();
        }
    }
}
