//! Where in the log each leader epoch begins (KIP-101, KIP-320). Epochs and start offsets both only grow from entry to
//! entry. The shard's checkpoint keeps them; what it lacks is in the batches behind the recovery point, each of which
//! carries its epoch. An epoch without a batch need not survive.

use ringlane_batch::{LeaderEpoch, LogEndOffset, Offset};

/// The epochs of one log, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LeaderEpochs {
    entries: Vec<(LeaderEpoch, Offset)>,
}

impl LeaderEpochs {
    /// The newest epoch, `NONE` in a log without any.
    pub(crate) fn latest(&self) -> LeaderEpoch {
        self.entries.last().map_or(LeaderEpoch::NONE, |entry| entry.0)
    }

    /// Each epoch and where it begins, the oldest first.
    pub(crate) fn entries(&self) -> &[(LeaderEpoch, Offset)] {
        &self.entries
    }

    /// What was stored as `entries`; `None` when they are out of order.
    pub(crate) fn from_entries(entries: Vec<(LeaderEpoch, Offset)>) -> Option<Self> {
        let in_order =
            entries.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 < pair[1].1);
        in_order.then_some(Self { entries })
    }

    /// `epoch` begins at `start`. Entries that wrote nothing (they begin there too) give way to it; an epoch that is
    /// known already keeps its start. Answers whether anything changed.
    ///
    /// # Panics
    /// When `epoch` is older than the latest: its appender was fenced long before.
    pub(crate) fn assign(&mut self, epoch: LeaderEpoch, start: Offset) -> bool {
        assert!(epoch >= self.latest(), "epoch {epoch} is older than the log's {}", self.latest());
        assert!(epoch > LeaderEpoch::NONE && start >= Offset::ZERO, "only a real epoch begins");
        if epoch == self.latest() {
            return false;
        }
        self.truncate_from_end(start);
        // Seldom more than one: room for another is not kept.
        self.entries.reserve_exact(1);
        self.entries.push((epoch, start));
        self.assert_ordered();
        true
    }

    /// Forgets the epochs that begin at `end` or later.
    pub(crate) fn truncate_from_end(&mut self, end: Offset) {
        self.entries.retain(|&(_, start)| start < end);
    }

    /// Forgets what lies before `start`: the epoch of the first record that stays begins there. Answers whether anything
    /// changed.
    pub(crate) fn truncate_from_start(&mut self, start: Offset) -> bool {
        let before = self.entries.partition_point(|&(_, begins)| begins <= start);
        let Some(last) = before.checked_sub(1) else { return false };
        if last == 0 && self.entries[0].1 == start {
            return false;
        }
        self.entries.drain(..last);
        self.entries[0].1 = start;
        self.assert_ordered();
        true
    }

    /// The epoch of the record at `offset`, `NONE` before the first known.
    pub(crate) fn epoch_at(&self, offset: Offset) -> LeaderEpoch {
        let after = self.entries.partition_point(|&(_, start)| start <= offset);
        after.checked_sub(1).map_or(LeaderEpoch::NONE, |at| self.entries[at].0)
    }

    /// OffsetForLeaderEpoch (KIP-101, KIP-279): the newest epoch not after `epoch`, and where it ends: at the log's end
    /// for the latest, else where the next begins. Before the first known epoch it is the asked one and the first's
    /// start. `None` (UNDEFINED_EPOCH) for what is newer than the latest or no epoch at all.
    pub(crate) fn end_offset_for(
        &self,
        epoch: LeaderEpoch,
        log_end: LogEndOffset,
    ) -> Option<(LeaderEpoch, Offset)> {
        if epoch <= LeaderEpoch::NONE || epoch > self.latest() {
            return None;
        }
        let next = self.entries.partition_point(|&(known, _)| known <= epoch);
        let end = self.entries.get(next).map_or(log_end.offset(), |&(_, start)| start);
        let found = next.checked_sub(1).map_or(epoch, |at| self.entries[at].0);
        Some((found, end))
    }

    fn assert_ordered(&self) {
        let ordered =
            |pair: &[(LeaderEpoch, Offset)]| pair[0].0 < pair[1].0 && pair[0].1 < pair[1].1;
        assert!(self.entries.windows(2).all(ordered), "epochs out of order: {:?}", self.entries);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epochs(entries: &[(i32, i64)]) -> LeaderEpochs {
        let mut epochs = LeaderEpochs::default();
        for &(epoch, start) in entries {
            epochs.assign(LeaderEpoch(epoch), Offset(start));
        }
        epochs
    }

    fn end(epochs: &LeaderEpochs, epoch: i32) -> Option<(i32, i64)> {
        epochs.end_offset_for(LeaderEpoch(epoch), LogEndOffset(100)).map(|(e, o)| (e.0, o.0))
    }

    #[test]
    fn an_epoch_that_wrote_nothing_gives_way() {
        assert_eq!(epochs(&[(1, 0), (2, 10), (4, 10)]), epochs(&[(1, 0), (4, 10)]));
        assert_eq!(epochs(&[(1, 0), (1, 10)]), epochs(&[(1, 0)]));
    }

    #[test]
    fn an_epoch_ends_where_the_next_begins() {
        let epochs = epochs(&[(2, 10), (4, 20), (7, 30)]);
        assert_eq!(end(&epochs, 7), Some((7, 100)));
        assert_eq!(end(&epochs, 4), Some((4, 30)));
        assert_eq!(end(&epochs, 5), Some((4, 30)));
        assert_eq!(end(&epochs, 1), Some((1, 10)));
        assert_eq!(end(&epochs, 8), None);
        assert_eq!(end(&epochs, -1), None);
        assert_eq!(end(&LeaderEpochs::default(), 0), None);
    }

    #[test]
    fn a_record_belongs_to_the_epoch_before_it() {
        let epochs = epochs(&[(2, 10), (4, 20)]);
        assert_eq!([9, 10, 19, 20].map(|at| epochs.epoch_at(Offset(at)).0), [-1, 2, 2, 4]);
    }

    #[test]
    fn truncation_forgets_what_begins_later() {
        let mut truncated = epochs(&[(2, 10), (4, 20)]);
        truncated.truncate_from_end(Offset(20));
        assert_eq!(truncated, epochs(&[(2, 10)]));
    }

    #[test]
    fn what_was_stored_reads_back_and_disorder_is_refused() {
        let epochs = epochs(&[(2, 10), (4, 20)]);
        assert_eq!(LeaderEpochs::from_entries(epochs.entries().to_vec()), Some(epochs));
        for (first, second) in [((4, 10), (2, 20)), ((2, 20), (4, 20))] {
            let entry = |(epoch, start)| (LeaderEpoch(epoch), Offset(start));
            assert_eq!(LeaderEpochs::from_entries(vec![entry(first), entry(second)]), None);
        }
    }
}
