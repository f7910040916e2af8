//! What is to be done about something that is wrong, where it is known what a start would do with the log: behind the recovery
//! point a start writes back what the journal holds and cuts what it does not, before it nothing is looked at.

use std::collections::BTreeSet;
use std::path::Path;

use ringlane_batch::{LeaderEpoch, Offset};
use ringlane_reactor::DirEntry;

use super::index_check::{Fault, Sort};
use super::problem::{Problem, Remedy};
use super::recovery::{LogRecovery, Reach};
use crate::compaction::swap::SWAP;
use crate::names::Kind;

/// What a start would do with a log.
pub(super) struct Outlook<'a> {
    /// Nothing where nobody knows.
    recovery: Option<&'a LogRecovery>,
    /// The segments in whose place a compaction that was interrupted puts another: a start completes it, whatever is there.
    replaced: BTreeSet<Offset>,
}

/// Bytes of a segment that are damaged or not there.
#[derive(Clone, Copy)]
pub(super) struct Stretch {
    /// The segment.
    pub(super) base: Offset,
    /// The byte where they begin.
    pub(super) position: u64,
    /// The first offset in them.
    pub(super) first: Offset,
    /// The one behind them, where it is known.
    pub(super) next: Option<Offset>,
    /// Whether no other batch of the log comes behind them.
    pub(super) is_tail: bool,
}

impl<'a> Outlook<'a> {
    pub(super) fn new(recovery: Option<&'a LogRecovery>) -> Self {
        Self { recovery, replaced: BTreeSet::new() }
    }

    /// Looks for interrupted compactions among the names in the log's directory.
    pub(super) fn take_names(&mut self, names: &[DirEntry]) {
        self.replaced.extend(names.iter().filter_map(|entry| {
            match Kind::parse(entry.name.strip_suffix(SWAP)?)? {
                (Kind::Log, base) => Some(base),
                _ => None,
            }
        }));
    }

    fn reach(&self) -> Option<&Reach> {
        self.recovery?.reach.as_ref()
    }

    fn is_offline(&self) -> bool {
        self.recovery.is_some_and(|log| log.problem.is_some())
    }

    /// Why the log would stay offline, unless it cannot be read: then the file that cannot be is a problem.
    pub(super) fn problem(&self) -> Option<&str> {
        self.reach()?;
        self.recovery?.problem.as_deref()
    }

    /// What is wrong with where the log starts: what was recorded, and what there is.
    pub(super) fn start_problem(&self) -> Option<String> {
        let reach = self.reach().filter(|_| !self.is_offline())?;
        let (was, first) = (reach.start_lost?, reach.first);
        Some(format!(
            "the log started at {was}, and its first segment begins at {first}: the records between are gone, and nothing here deleted them"
        ))
    }

    /// What to do about `stretch`.
    pub(super) fn of_batches(&self, stretch: &Stretch) -> Remedy {
        let Stretch { base, position, first, next, is_tail } = *stretch;
        if self.replaced.contains(&base) {
            return Remedy::Start;
        }
        if next.is_some_and(|next| next <= first) {
            // Left by a write that failed, behind the end of the segment.
            return Remedy::Nothing;
        }
        let Some(reach) = self.reach() else {
            // What a crash leaves, as far as the files tell.
            return if is_tail { Remedy::Start } else { Remedy::Restore };
        };
        if base < reach.first || next.is_some_and(|next| next <= reach.log_start) {
            return Remedy::Nothing;
        }
        if self.is_offline() && base >= reach.base {
            return Remedy::Offline;
        }
        if (base, position) < (reach.base, reach.position) {
            return Remedy::Restore;
        }
        match is_tail || first < reach.log_end_offset {
            true => Remedy::Start,
            false => Remedy::Cut,
        }
    }

    /// What to do about the `fault` of an index of the segment at `base`.
    pub(super) fn of_index(&self, kind: Kind, base: Offset, fault: &Fault) -> Remedy {
        if self.replaced.contains(&base) {
            return Remedy::Start;
        }
        let Some(reach) = self.reach().filter(|_| !self.is_offline()) else {
            return Remedy::RebuildIndex;
        };
        if base < reach.first {
            return Remedy::Nothing;
        }
        let (offsets, times) = reach.index_bytes;
        let synced = if kind == Kind::OffsetIndex { offsets } else { times };
        // Entries behind the synced ones are built from the batches.
        let is_behind = base > reach.base
            || base == reach.base && fault.position.is_none_or(|position| position >= synced);
        let is_built_anew = match fault.sort {
            Sort::Length => true,
            Sort::Entries => is_behind,
            Sort::Unread => false,
        };
        if is_built_anew { Remedy::Start } else { Remedy::RebuildIndex }
    }

    /// What to do about a damaged snapshot that was taken at `offset`, where a segment begins or none does.
    pub(super) fn of_snapshot(&self, offset: Offset, begins_segment: bool) -> Remedy {
        let reach = self.reach().filter(|_| !self.is_offline());
        // The first round removes those that no segment needs.
        match reach.is_some_and(|reach| offset >= reach.snapshots_from || !begins_segment) {
            true => Remedy::Start,
            false => Remedy::Remove,
        }
    }

    /// What is wrong with the leader epoch `epoch` of the batch at `offset`, which comes after one of `before`. Behind the
    /// recovery point nothing is said: a start writes the journal's batches over those.
    pub(super) fn epoch_problem(
        &self,
        offset: Offset,
        epoch: LeaderEpoch,
        before: LeaderEpoch,
    ) -> Option<String> {
        let reach = self.reach();
        if reach.is_some_and(|reach| offset >= reach.recovery_point) {
            return None;
        }
        let recorded = reach.map(|reach| reach.epochs.epoch_at(offset));
        match recorded.filter(|recorded| *recorded > LeaderEpoch::NONE) {
            Some(recorded) => (recorded != epoch)
                .then(|| format!("the leader epoch is {epoch}, and {recorded} in the checkpoint")),
            None => (epoch < before).then(|| format!("the leader epoch {epoch} follows {before}")),
        }
    }

    /// Where the log would end whose files reach to `end`.
    pub(super) fn end(&self, end: Offset) -> Offset {
        self.reach().map_or(end, |reach| reach.log_end_offset.max(end))
    }
}

impl Problem {
    /// That bytes of `stretch` in the segment's file are `what`.
    pub(super) fn of_batches(
        path: &Path,
        what: String,
        outlook: &Outlook<'_>,
        stretch: &Stretch,
    ) -> Self {
        Self::new(path, what, outlook.of_batches(stretch))
    }
}
