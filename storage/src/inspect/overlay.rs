//! A log's segments as they would be after the replay of its journal, which stays in memory: which batches it would write
//! where, what it would cut off, and how far the log would then be whole.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::sync::Arc;

use ringlane_batch::{BatchView, Offset};
use ringlane_reactor::{Disk, OpenOptions};

use super::walk::{Step, Walk};
use crate::error::StorageError;
use crate::journal::{Entry, EntryHead, EntryKind};
use crate::names::Kind;
use crate::replay::short::{Short, shortness};
use crate::shard_checkpoint::Record;

/// Where the check of a log's batches begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Start {
    pub(super) base: Offset,
    /// The byte in the segment at `base`.
    pub(super) position: u64,
    /// What the batch there begins with.
    pub(super) offset: Offset,
}

impl Start {
    pub(super) fn of_segment(base: Offset) -> Self {
        Self { base, position: 0, offset: base }
    }
}

/// A batch that the journal would write.
#[derive(Clone, Copy)]
struct Pending {
    len: u64,
    next_offset: Offset,
}

/// See the module. Without entries: the segments as they are.
#[derive(Default)]
pub(super) struct Overlay {
    pub(super) log_sequence: u64,
    pub(super) log_start: Option<Offset>,
    /// The lowest truncation.
    pub(super) lowest_cut: Option<Start>,
    /// Of all batches that would be written.
    pub(super) bytes: u64,
    pub(super) damage: Option<String>,
    /// Batches belong into it, and a start would not write them there.
    short: Option<Short>,
    /// By segment and position in it.
    batches: BTreeMap<(Offset, u64), Pending>,
    /// The segments end there, and later ones go, before the batches are written.
    cuts: Vec<(Offset, u64)>,
}

/// How far a log would be whole.
pub(super) struct Walked {
    pub(super) end: Offset,
    /// What is missing that was on disk.
    pub(super) problem: Option<String>,
}

impl Overlay {
    /// Of a log of which a checkpoint has `record`.
    pub(super) fn behind(record: Option<&Arc<Record>>) -> Self {
        let log_sequence = record.map_or(0, |record| record.log_sequence);
        Self { log_sequence, ..Self::default() }
    }

    /// The next entry of the log in `dir` that its `record` does not cover.
    pub(super) async fn take(
        &mut self,
        disk: &Disk,
        dir: &Path,
        record: Option<&Arc<Record>>,
        entry: &Entry<'_>,
    ) {
        let (head, before) = (&entry.head, self.log_sequence);
        if self.damage.is_some() {
            return;
        }
        if head.log_sequence != before + 1 {
            let sequence = head.log_sequence;
            self.damage = Some(format!("entry {sequence} of the log follows entry {before}"));
            return;
        }
        self.log_sequence = head.log_sequence;
        let place = (head.segment_base, u64::from(head.position));
        match head.kind {
            EntryKind::LogStart => {
                self.log_start = self.log_start.max(Some(head.base_offset));
                self.short.take_if(|short| short.is_deleted_before(head.base_offset));
            }
            EntryKind::Truncate => {
                self.short.take_if(|short| short.is_cut_at(head.segment_base, head.position));
                self.batches.split_off(&place);
                self.cuts.push(place);
                let cut = Start { base: place.0, position: place.1, offset: head.base_offset };
                let lowest = self.lowest_cut.filter(|lowest| lowest.offset <= cut.offset);
                self.lowest_cut = lowest.or(Some(cut));
            }
            EntryKind::Batch => {
                self.bytes += entry.payload.len() as u64;
                match self.is_skipped(disk, dir, record, head).await {
                    Ok(true) => {}
                    Ok(false) => self.take_batch(place, entry.payload),
                    Err(error) => {
                        self.damage = Some(format!("cannot tell how long its segment is: {error}"));
                    }
                }
            }
        }
    }

    /// Whether the batch of `head` belongs into a segment that is shorter than it was when it was synced.
    async fn is_skipped(
        &mut self,
        disk: &Disk,
        dir: &Path,
        record: Option<&Arc<Record>>,
        head: &EntryHead,
    ) -> io::Result<bool> {
        if self.short.as_mut().is_some_and(|short| short.takes(head)) {
            return Ok(true);
        }
        let base = head.segment_base;
        let is_written = self.batches.range((base, 0)..=(base, u64::MAX)).next().is_some();
        if is_written || self.lowest_cut.is_some() {
            return Ok(false);
        }
        let short = Short::find(disk, dir, record, head).await?;
        let is_short = short.is_some();
        self.short = self.short.take().or(short);
        Ok(is_short)
    }

    fn take_batch(&mut self, place: (Offset, u64), payload: &[u8]) {
        match BatchView::parse(payload) {
            Ok(batch) => {
                let (len, next_offset) = (payload.len() as u64, batch.next_offset());
                self.batches.insert(place, Pending { len, next_offset });
            }
            Err(error) => self.damage = Some(format!("the journal holds no batch: {error}")),
        }
    }

    /// Whether everything before the cut was deleted after it, and nothing is to be written where it was: a start finds a log that ends
    /// before its start, and begins it anew there.
    pub(super) fn is_all_deleted(&self, log_start: Offset) -> bool {
        self.lowest_cut.is_some_and(|cut| {
            let written = (cut.base, 0)..=(cut.base, u64::MAX);
            cut.offset <= log_start
                && cut.base < log_start
                && self.batches.range(written).next().is_none()
        })
    }

    /// Why the log would stay offline, by its journal.
    pub(super) fn problem(&self) -> Option<String> {
        self.damage.clone().or_else(|| Some(self.short.as_ref()?.sentence()))
    }

    /// How much of a segment's file stays: `None` when it goes.
    fn kept(&self, base: Offset, len: u64) -> Option<u64> {
        let goes = self.cuts.iter().any(|(cut, _)| *cut < base);
        let ends = self.cuts.iter().filter(|(cut, _)| *cut == base).map(|(_, position)| *position);
        (!goes).then(|| ends.fold(len, u64::min))
    }

    /// The segments that there would be in `dir`.
    ///
    /// # Errors
    /// The disk's.
    pub(super) async fn bases(
        &self,
        disk: &Disk,
        dir: &Path,
    ) -> Result<BTreeSet<Offset>, StorageError> {
        let names = disk.list(dir).await.map_err(StorageError::io("list", dir))?;
        let on_disk = names.iter().filter_map(|entry| match Kind::parse(&entry.name) {
            Some((Kind::Log, base)) if !entry.is_dir => self.kept(base, 0).map(|_| base),
            _ => None,
        });
        // A truncation makes the one that it cuts, where it is missing.
        let cut = self.cuts.iter().map(|(base, _)| *base);
        let cut = cut.filter(|base| self.kept(*base, 0).is_some());
        let written = self.batches.keys().map(|(base, _)| *base);
        Ok(on_disk.chain(cut).chain(written).collect())
    }

    /// Follows the batches of the segments `bases` from `start` on.
    ///
    /// # Errors
    /// The disk's.
    pub(super) async fn end(
        &self,
        disk: &Disk,
        dir: &Path,
        bases: &BTreeSet<Offset>,
        start: Start,
        progress: &dyn Fn(u64),
    ) -> Result<Walked, StorageError> {
        let mut walked = Walked { end: start.offset, problem: None };
        if start.position > 0 && !bases.contains(&start.base) {
            let path = Kind::Log.path(dir, start.base);
            walked.problem = Some(format!("{}: {}", path.display(), shortness(0, start.position)));
        }
        for &base in bases.range(start.base..) {
            let position = match base {
                base if base == start.base => start.position,
                // A segment is opened where the log ends: another one would be dropped.
                base if base == walked.end => 0,
                _ => continue,
            };
            self.follow(disk, dir, base, position, &mut walked, progress).await?;
        }
        Ok(walked)
    }

    async fn follow(
        &self,
        disk: &Disk,
        dir: &Path,
        base: Offset,
        mut position: u64,
        walked: &mut Walked,
        progress: &dyn Fn(u64),
    ) -> Result<(), StorageError> {
        let path = Kind::Log.path(dir, base);
        let failed = || StorageError::io("read", &path);
        let (file, len) = match disk.open(&path, OpenOptions::READ).await {
            Ok(file) => {
                let len = file.len().map_err(failed())?;
                (Some(file), self.kept(base, len).unwrap_or(0))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => (None, 0),
            Err(error) => return Err(failed()(error)),
        };
        let ends = self.batches.range((base, 0)..=(base, u64::MAX)).map(|((_, at), b)| at + b.len);
        let would_be = ends.fold(len, u64::max);
        if would_be < position {
            let problem = format!("{}: {}", path.display(), shortness(would_be, position));
            walked.problem.get_or_insert(problem);
            return Ok(());
        }
        let mut walk = file.map(|file| Walk::new(file, len));
        loop {
            if let Some(pending) = self.batches.get(&(base, position)) {
                (position, walked.end) = (position + pending.len, pending.next_offset);
                continue;
            }
            let Some(walk) = walk.as_mut().filter(|walk| position < walk.limit()) else { break };
            let step = walk.at(position).await.map_err(failed())?;
            progress(walk.take_read_bytes());
            let mut written_over = self.batches.range((base, position)..=(base, u64::MAX));
            let next = written_over.next().map_or(u64::MAX, |((_, at), _)| *at);
            match step {
                Step::Batch(batch)
                    if batch.crc_is_valid
                        && walked.end <= batch.base_offset
                        && batch.base_offset <= batch.last_offset
                        && batch.end() <= next =>
                {
                    (position, walked.end) = (batch.end(), batch.next_offset());
                }
                _ => break,
            }
        }
        Ok(())
    }
}
