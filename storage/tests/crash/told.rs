//! What a process told the world of one log before it died, kept on the world's side of the crash.

use std::collections::{BTreeMap, BTreeSet};

use crate::found::Found;

/// A record. No two of a run have the same timestamp: it says which one it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Row {
    pub(crate) timestamp: i64,
    pub(crate) key: Vec<u8>,
    pub(crate) value: Option<Vec<u8>>,
}

/// A batch as it was appended, or found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Sent {
    pub(crate) base: i64,
    pub(crate) end: i64,
    pub(crate) epoch: i32,
    /// Producer and first sequence.
    pub(crate) producer: Option<(i64, i32)>,
}

/// Of one log.
#[derive(Default, Debug)]
pub(crate) struct Told {
    /// Its creation was reported.
    pub(crate) created: bool,
    /// Every record that was appended, or is about to be, at its offset.
    pub(crate) rows: Vec<Row>,
    /// Their batches.
    pub(crate) batches: Vec<Sent>,
    /// Everything before it was acknowledged for good: durable, or synced as `flush.messages=1` asks for.
    pub(crate) acknowledged_end: i64,
    /// Everything before it is there after a killed process, whose page cache stays: what is durable, and what was appended
    /// to a log that is not, and the call returned.
    pub(crate) kept_end: i64,
    /// As far as a consumer has read what no crash may take.
    pub(crate) seen_end: i64,
    /// As far as a consumer has read what only a power cut may take.
    pub(crate) seen_cached_end: i64,
    /// A truncation to here has begun and did not return.
    pub(crate) cutting: Option<i64>,
    /// Where the log was told to start.
    pub(crate) start: i64,
    /// As far as somebody asked for a deletion.
    pub(crate) may_start: i64,
    /// Everything before it may have been compacted away where a newer value exists.
    pub(crate) cleanable_end: i64,
    /// Records that were cut off, or that a start did not find: they never return.
    pub(crate) gone: BTreeSet<i64>,
    /// The page cache was lost since the log was checked.
    pub(crate) power_cut: bool,
}

impl Told {
    pub(crate) fn end(&self) -> i64 {
        self.rows.len() as i64
    }

    /// The last batch of each producer that lies before `end`.
    pub(crate) fn producers(&self, end: i64) -> BTreeMap<i64, Sent> {
        let whole = self.batches.iter().take_while(|batch| batch.end <= end);
        whole.filter_map(|batch| batch.producer.map(|(id, _)| (id, *batch))).collect()
    }

    /// The sequence that the producer `id` goes on with.
    pub(crate) fn next_sequence(&self, id: i64) -> i32 {
        let last = self.producers(self.end()).remove(&id);
        let next =
            |batch: Sent| batch.producer.map(|(_, first)| first + (batch.end - batch.base) as i32);
        last.and_then(next).unwrap_or(0)
    }

    /// A batch is about to be appended.
    pub(crate) fn appending(&mut self, rows: Vec<Row>, epoch: i32, producer: Option<(i64, i32)>) {
        let base = self.end();
        self.rows.extend(rows);
        self.batches.push(Sent { base, end: self.end(), epoch, producer });
    }

    /// The batch at `base`, the last one, was refused.
    pub(crate) fn refused(&mut self, base: i64) {
        self.forget_behind(base);
    }

    /// Where a truncation to `target` cuts: the base of the batch that holds it.
    pub(crate) fn cut_of(&self, target: i64) -> i64 {
        let holds = |batch: &&Sent| batch.base <= target && target < batch.end;
        self.batches.iter().find(holds).map_or(target, |batch| batch.base)
    }

    /// A truncation begins: from now on it may have happened.
    pub(crate) fn cutting(&mut self, cut: i64) {
        self.cutting = Some(cut);
        for end in [&mut self.acknowledged_end, &mut self.kept_end] {
            *end = cut.min(*end);
        }
        for end in [&mut self.seen_end, &mut self.seen_cached_end] {
            *end = cut.min(*end);
        }
    }

    /// It returned: what was cut never comes back.
    pub(crate) fn cut(&mut self, end: i64) {
        assert_eq!(self.cutting.take(), Some(end), "the log ends where it was cut");
        self.forget_behind(end);
    }

    fn forget_behind(&mut self, end: i64) {
        let gone = self.rows.drain(end as usize..);
        self.gone.extend(gone.map(|row| row.timestamp));
        self.batches.retain(|batch| batch.end <= end);
    }

    /// A start found this, made it durable, and said so.
    pub(crate) fn goes_on_from(&mut self, found: &Found) {
        self.forget_behind(found.end);
        self.cutting = None;
        self.acknowledged_end = found.end;
        self.kept_end = found.end;
        self.seen_end = self.seen_end.min(found.end);
        self.seen_cached_end = self.seen_cached_end.min(found.end);
        self.cleanable_end = self.cleanable_end.min(found.end);
        self.start = found.start;
        self.may_start = found.start;
        self.power_cut = false;
    }
}
