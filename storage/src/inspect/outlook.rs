//! What is to be done about something that is wrong, where it is known what a start would do with the log: behind the recovery
//! point a start writes back what the journal holds and cuts what it does not, before it nothing is looked at.

use ringlane_batch::Offset;

use super::problem::{Problem, Remedy};
use super::recovery::{LogRecovery, Reach};
use crate::names::Kind;

/// What a start would do with a log, or that nobody knows.
#[derive(Clone, Copy)]
pub(super) struct Outlook<'a>(pub(super) Option<&'a LogRecovery>);

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

impl Outlook<'_> {
    fn reach(&self) -> Option<&Reach> {
        self.0?.reach.as_ref()
    }

    fn is_offline(&self) -> bool {
        self.0.is_some_and(|log| log.problem.is_some())
    }

    /// Why the log would stay offline, unless it cannot be read: then the file that cannot be is a problem.
    pub(super) fn problem(&self) -> Option<&str> {
        self.reach()?;
        self.0?.problem.as_deref()
    }

    /// What to do about `stretch`.
    pub(super) fn of_batches(&self, stretch: &Stretch) -> Remedy {
        let Stretch { base, position, first, next, is_tail } = *stretch;
        if next.is_some_and(|next| next <= first) {
            // Left by a write that failed, behind the end of the segment.
            return Remedy::Nothing;
        }
        let Some(reach) = self.reach() else {
            // What a crash leaves, as far as the files tell.
            return if is_tail { Remedy::Start } else { Remedy::Restore };
        };
        if next.is_some_and(|next| next <= reach.log_start) {
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

    /// What to do about a fault at `position` of an index of the segment at `base`; without one the file is missing, or the fault is
    /// what it lacks.
    pub(super) fn of_index(&self, kind: Kind, base: Offset, position: Option<u64>) -> Remedy {
        let Some(reach) = self.reach().filter(|_| !self.is_offline()) else {
            return Remedy::RebuildIndex;
        };
        let (offsets, times) = reach.index_bytes;
        let synced = if kind == Kind::OffsetIndex { offsets } else { times };
        // Entries behind the synced ones are built from the batches, all where a synced one is missing.
        let is_rebuilt = base > reach.base
            || base == reach.base && position.is_none_or(|position| position >= synced);
        if is_rebuilt { Remedy::Start } else { Remedy::RebuildIndex }
    }

    /// Where the log would end whose files reach to `end`.
    pub(super) fn end(&self, end: Offset) -> Offset {
        self.reach().map_or(end, |reach| reach.log_end_offset.max(end))
    }
}

impl Problem {
    /// That bytes of `stretch` in the segment's file are `what`.
    pub(super) fn of_batches(
        path: &std::path::Path,
        what: String,
        outlook: Outlook<'_>,
        stretch: &Stretch,
    ) -> Self {
        Self::new(path, what, outlook.of_batches(stretch))
    }
}
