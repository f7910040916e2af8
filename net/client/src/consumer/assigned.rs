//! Where a consumer stands in one partition. Pure.
//!
//! Invariant: handed out <= fetched; a partition is buffered from the arrival of a piece until it is handed out.

use std::time::Duration;

use ringlane_reactor::Instant;

use crate::offsets::Position;

pub(super) struct Assigned {
    at: At,
    buffered: bool,
    /// It is part of a request on its way: in one at a time, also when its leader changes meanwhile.
    asked: bool,
    /// Not asked before.
    not_before: Instant,
    failures: u32,
    failing_since: Option<Instant>,
}

#[derive(Clone, Copy)]
enum At {
    Unresolved(Position),
    Known { fetched: i64, handed_out: i64 },
}

impl Assigned {
    pub(super) fn new(position: Position) -> Self {
        let at = match position {
            Position::Offset(offset) => At::Known { fetched: offset, handed_out: offset },
            other => At::Unresolved(other),
        };
        let not_before = Instant::default();
        Self { at, buffered: false, asked: false, not_before, failures: 0, failing_since: None }
    }

    pub(super) fn unresolved(&self) -> Option<Position> {
        match self.at {
            At::Unresolved(position) => Some(position),
            At::Known { .. } => None,
        }
    }

    pub(super) fn resolve(&mut self, offset: i64) {
        assert!(self.unresolved().is_some(), "a known position stays");
        self.at = At::Known { fetched: offset, handed_out: offset };
    }

    /// Its offset is gone: another position is looked up.
    pub(super) fn reset(&mut self, position: Position) {
        assert!(!self.buffered, "what was fetched is handed out first");
        self.at = At::Unresolved(position);
    }

    /// The offset to fetch from.
    pub(super) fn fetch_offset(&self) -> Option<i64> {
        match self.at {
            At::Known { fetched, .. } => Some(fetched),
            At::Unresolved(_) => None,
        }
    }

    /// A piece that ends before `next_offset` came.
    pub(super) fn arrived(&mut self, next_offset: i64) {
        let At::Known { fetched, .. } = &mut self.at else {
            unreachable!("only a known position is fetched")
        };
        assert!(next_offset > *fetched, "a piece moves the position");
        assert!(!self.buffered, "one piece at a time");
        *fetched = next_offset;
        self.buffered = true;
    }

    /// The piece that ends before `next_offset` is handed out.
    pub(super) fn hand_out(&mut self, next_offset: i64) {
        assert!(self.buffered, "only what came is handed out");
        self.buffered = false;
        let At::Known { fetched, handed_out } = &mut self.at else {
            unreachable!("it was fetched")
        };
        assert_eq!(next_offset, *fetched, "the piece is the last that came");
        *handed_out = next_offset;
    }

    /// It becomes part of a request.
    pub(super) fn ask(&mut self) {
        assert!(!self.asked && !self.buffered, "one piece at a time");
        self.asked = true;
    }

    /// The request is over.
    pub(super) fn asked(&mut self) {
        assert!(self.asked, "only what was asked is answered");
        self.asked = false;
    }

    pub(super) fn is_asked(&self) -> bool {
        self.asked
    }

    pub(super) fn is_buffered(&self) -> bool {
        self.buffered
    }

    /// Behind the last record that was handed out.
    pub(super) fn position(&self) -> Option<i64> {
        match self.at {
            At::Known { handed_out, .. } => Some(handed_out),
            At::Unresolved(_) => None,
        }
    }

    /// When it may be asked again, if not now.
    pub(super) fn retry_at(&self, now: Instant) -> Option<Instant> {
        Some(self.not_before).filter(|&not_before| now < not_before)
    }

    pub(super) fn wait_until(&mut self, when: Instant) {
        self.not_before = when;
    }

    /// How often it has failed since it last answered.
    pub(super) fn failures(&self) -> u32 {
        self.failures
    }

    pub(super) fn answered(&mut self) {
        self.failures = 0;
        self.failing_since = None;
    }

    /// It failed. Whether it has for longer than `patience`: then the count starts anew.
    pub(super) fn failing(&mut self, now: Instant, patience: Duration) -> bool {
        self.failures += 1;
        let since = *self.failing_since.get_or_insert(now);
        let gives_up = now - since >= patience;
        if gives_up {
            self.failing_since = None;
        }
        gives_up
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_counts_when_it_is_handed_out() {
        let mut assigned = Assigned::new(Position::Earliest);
        assert_eq!((assigned.unresolved(), assigned.position()), (Some(Position::Earliest), None));
        assigned.resolve(7);
        assert_eq!((assigned.fetch_offset(), assigned.position()), (Some(7), Some(7)));
        assigned.arrived(9);
        assert_eq!((assigned.fetch_offset(), assigned.position()), (Some(9), Some(7)));
        assigned.hand_out(9);
        assert_eq!((assigned.is_buffered(), assigned.position()), (false, Some(9)));
    }

    #[test]
    fn what_keeps_failing_is_told_once_in_a_while() {
        let mut assigned = Assigned::new(Position::Offset(0));
        let at = |s: u64| Instant::default() + Duration::from_secs(s);
        let mut fails = |s| assigned.failing(at(s), Duration::from_secs(60));
        assert_eq!(
            [fails(0), fails(59), fails(60), fails(61), fails(121)],
            [false, false, true, false, true]
        );
    }
}
