//! Where in the log each leader epoch begins (KIP-101, KIP-320): `leader-epoch-checkpoint` in memory. Epochs and start
//! offsets both only grow from entry to entry.
//!
//! The file is written with each checkpoint of the log, before the recovery point moves: what it lacks is in the batches
//! behind that point, each of which carries its epoch. An epoch without a batch need not survive.

use std::path::{Path, PathBuf};

use ringlane_batch::{LeaderEpoch, LogEndOffset, Offset};
use ringlane_reactor::Disk;

use crate::checkpoint;
use crate::error::StorageError;

pub(crate) fn path(dir: &Path) -> PathBuf {
    dir.join("leader-epoch-checkpoint")
}

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

    /// The text of the checkpoint file: `epoch start` lines.
    pub(crate) fn encode(&self) -> String {
        checkpoint::encode(self.entries.iter().map(|(epoch, start)| format!("{epoch} {start}")))
    }

    fn decode(text: &[u8]) -> Result<Self, String> {
        let mut entries: Vec<(LeaderEpoch, Offset)> = Vec::new();
        for [epoch, start] in checkpoint::decode::<2>(text)? {
            let (Ok(epoch), Ok(start)) = (epoch.parse(), start.parse()) else {
                return Err(format!("{epoch:?} {start:?} is no epoch and offset"));
            };
            let (epoch, start) = (LeaderEpoch(epoch), Offset(start));
            let last = entries.last().copied().unwrap_or((LeaderEpoch::NONE, Offset(-1)));
            if epoch <= last.0 || start <= last.1 {
                return Err(format!("epoch {epoch} at {start} does not follow {last:?}"));
            }
            entries.push((epoch, start));
        }
        Ok(Self { entries })
    }

    /// Reads the file of a log; no file is no epochs.
    pub(crate) async fn read(disk: &Disk, dir: &Path) -> Result<Self, StorageError> {
        let path = path(dir);
        match disk.read(&path, checkpoint::FILE_BYTES_MAX).await {
            Ok(text) => Self::decode(&text).map_err(|reason| StorageError::corrupt(&path, reason)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(StorageError::io("read", &path)(error)),
        }
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
    fn truncation_from_the_start_keeps_the_epoch_of_the_first_record() {
        for (start, expected, changed) in [
            (9, &[(2, 10), (4, 20)][..], false),
            (10, &[(2, 10), (4, 20)], false),
            (11, &[(2, 11), (4, 20)], true),
            (20, &[(4, 20)], true),
            (25, &[(4, 25)], true),
        ] {
            let mut truncated = epochs(&[(2, 10), (4, 20)]);
            assert_eq!(truncated.truncate_from_start(Offset(start)), changed, "{start}");
            assert_eq!(truncated, epochs(expected), "{start}");
        }
    }

    #[test]
    fn the_file_reads_back_and_disorder_is_refused() {
        let epochs = epochs(&[(2, 10), (4, 20)]);
        assert_eq!(epochs.encode(), "0\n2\n2 10\n4 20\n");
        assert_eq!(LeaderEpochs::decode(epochs.encode().as_bytes()), Ok(epochs));
        for text in ["0\n2\n4 10\n2 20\n", "0\n2\n2 20\n4 20\n", "0\n1\n-1 0\n", "0\n1\nx 0\n"] {
            assert!(LeaderEpochs::decode(text.as_bytes()).is_err(), "{text:?}");
        }
    }
}
