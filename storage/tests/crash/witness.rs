//! What a process told the world of one log before it died, and what must therefore be there.

use std::collections::BTreeMap;

use ringlane_batch::{BatchView, LeaderEpoch, Offset, batches};
use ringlane_reactor::Rng;
use ringlane_storage::{AppendError, Log, Origin};

use crate::common::{batch_of, read_all};

/// Of one log.
#[derive(Default)]
pub(crate) struct Witness {
    /// Its creation was reported, or something in it durable.
    pub(crate) created: bool,
    /// What was appended, as stamped: the log's bytes are a prefix of it.
    pub(crate) appended: Vec<u8>,
    /// Everything before it was reported durable.
    pub(crate) durable_end: i64,
    /// Everything before it was appended and not truncated since.
    pub(crate) kept_end: i64,
    /// What a truncation that did not return was going to cut, and where to. Until something behind that is durable, a
    /// power cut may bring it back: the truncation has then not happened.
    pub(crate) uncut: Option<(Vec<u8>, i64)>,
    /// The page cache was lost since the log was checked.
    pub(crate) power_cut: bool,
}

pub(crate) fn views(log: &[u8]) -> impl Iterator<Item = BatchView<'_>> {
    batches(log).map(|batch| batch.expect("the witness holds batches"))
}

/// How many bytes the batches take that end at `end` or before.
pub(crate) fn bytes_before(log: &[u8], end: i64) -> usize {
    let whole = views(log).take_while(|batch| batch.next_offset().0 <= end);
    whole.map(|batch| batch.len()).sum()
}

/// The sequence that follows each producer's last, and where its last batch lies.
pub(crate) fn producers(log: &[u8]) -> BTreeMap<i64, (i32, std::ops::Range<usize>)> {
    let (mut at, mut found) = (0, BTreeMap::new());
    for batch in views(log) {
        let place = at..at + batch.len();
        at = place.end;
        if batch.producer_id().is_some() {
            let next = batch.base_sequence().0 + batch.record_count();
            found.insert(batch.producer_id().0, (next, place));
        }
    }
    found
}

impl Witness {
    /// Takes note of what the log says of itself.
    pub(crate) fn look(&mut self, log: &Log) {
        assert!(log.durable_end().offset() <= log.log_end().offset());
        self.durable_end = self.durable_end.max(log.durable_end().0);
        self.created |= self.durable_end > 0;
        if self.uncut.as_ref().is_some_and(|(_, cut)| self.durable_end > *cut) {
            self.uncut = None;
        }
    }

    /// Compares what is there with what was told, and goes on from what is there.
    pub(crate) fn check(&mut self, log: &Log, found: Vec<u8>) {
        let uncut = self.uncut.as_ref().is_some_and(|(uncut, _)| uncut.starts_with(&found));
        let expected = self.appended.starts_with(&found) || uncut;
        assert!(expected, "not what was appended, or not in its order");
        let (end, durable, kept) = (log.log_end().0, self.durable_end, self.kept_end);
        assert!(end >= durable, "lost {end}..{durable}, which was durable");
        assert!(self.power_cut || end >= kept, "lost {end}..{kept}, though the cache stayed");
        let mut expected = 0;
        for batch in views(&found) {
            assert!(batch.crc_is_valid());
            assert_eq!(batch.base_offset().0, expected, "dense offsets");
            assert_eq!(batch.leader_epoch(), log.epoch_at(batch.base_offset()));
            expected = batch.next_offset().0;
        }
        assert_eq!(expected, end);
        self.appended = found;
        self.kept_end = end;
        self.power_cut = false;
    }
}

/// A read from any offset begins with the batch that holds it: the indexes agree with the log.
pub(crate) async fn indexes_agree(log: &Log, found: &[u8]) {
    let mut at = 0;
    for batch in views(found) {
        for offset in [batch.base_offset(), batch.last_offset()] {
            let read = log.read(offset, 1, Offset(i64::MAX), true).await.expect("a good disk");
            let bytes: Vec<u8> = read.batches.iter().flatten().copied().collect();
            assert_eq!(bytes, found[at..at + batch.len()], "the batch of {offset}");
        }
        at += batch.len();
    }
}

/// A batch sent again is recognised, and one that leaves out others is refused: the sequences are those of the log.
pub(crate) async fn producers_are_remembered(log: &Log, found: &[u8], epoch: LeaderEpoch) {
    for (id, (next, last)) in producers(found) {
        let mut again = found[last].to_vec();
        let base = views(&again).next().expect("a batch").base_offset();
        let refused = log.append(&mut again, epoch, Origin::Client, 0).await;
        let original =
            matches!(refused, Err(AppendError::Duplicate(seen)) if seen.base_offset == base);
        assert!(original, "the last batch of producer {id}, sent again: {refused:?}");
        let mut gap = batch_of(&[0], 10, Some((id, 0, next + 7)));
        let refused = log.append(&mut gap, epoch, Origin::Client, 0).await;
        let refused = matches!(refused, Err(AppendError::OutOfOrderSequence { .. }));
        assert!(refused, "producer {id} left out sequences");
    }
    assert_eq!(read_all(log).await.len(), found.len(), "what was refused is not there");
}

/// A new batch, of a producer with sequences or of none.
pub(crate) fn draw_batch(witness: &Witness, rng: &mut Rng) -> Vec<u8> {
    let timestamps = vec![rng.below(1000) as i64; 1 + rng.below(3) as usize];
    let producer = rng.one_in(2).then(|| {
        let id = 1 + rng.below(3) as i64;
        let known = producers(&witness.appended);
        (id, 0, known.get(&id).map_or(0, |(next, _)| *next))
    });
    batch_of(&timestamps, rng.below(500) as usize, producer)
}
