//! Whether every acknowledged record was consumed, whole, once and in order. Pure: one [`Check`] a stream and reader takes
//! the sequences as they come; at the end it is held against what was sent.

use std::collections::BTreeMap;

/// What was found wrong. Counts records.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Faults {
    /// Acknowledged and never consumed.
    pub lost: u64,
    /// Consumed again.
    pub duplicated: u64,
    /// Consumed after a later one of its stream.
    pub reordered: u64,
}

impl std::ops::AddAssign for Faults {
    fn add_assign(&mut self, other: Self) {
        self.lost += other.lost;
        self.duplicated += other.duplicated;
        self.reordered += other.reordered;
    }
}

/// What a reader has seen of a stream.
///
/// Invariant: every sequence below `next` was either seen or is in `missing`; none at or above it was seen.
#[derive(Clone, Debug, Default)]
pub struct Check {
    next: u64,
    /// Ranges that were passed over: the end by the start, half-open, apart from each other.
    missing: BTreeMap<u64, u64>,
    duplicated: u64,
    reordered: u64,
}

/// What was sent on a stream.
#[derive(Clone, Debug, Default)]
pub struct Sent {
    /// Sequences used: 0 to here.
    pub count: u64,
    /// Those that were not acknowledged: the target may have them or not.
    pub unacknowledged: Vec<u64>,
}

impl Check {
    /// Takes the next record's sequence. Whether it is the first time.
    pub fn see(&mut self, sequence: u64) -> bool {
        if sequence >= self.next {
            if sequence > self.next {
                self.missing.insert(self.next, sequence);
            }
            self.next = sequence.saturating_add(1);
            return true;
        }
        let late = self.take_missing(sequence);
        if late {
            self.reordered += 1;
        } else {
            self.duplicated += 1;
        }
        late
    }

    /// Takes `sequence` out of the missing ones, if it is one.
    fn take_missing(&mut self, sequence: u64) -> bool {
        let Some((&start, &end)) = self.missing.range(..=sequence).next_back() else {
            return false;
        };
        assert!(start < end, "a range holds something");
        if sequence >= end {
            return false;
        }
        self.missing.remove(&start);
        if start < sequence {
            self.missing.insert(start, sequence);
        }
        if sequence + 1 < end {
            self.missing.insert(sequence + 1, end);
        }
        true
    }

    fn has_seen(&self, sequence: u64) -> bool {
        let range = self.missing.range(..=sequence).next_back();
        sequence < self.next && range.is_none_or(|(_, &end)| sequence >= end)
    }

    /// Takes in what another member of the same group saw of the stream: what both saw was consumed twice.
    pub fn merge(&mut self, other: &Self) {
        let (own, others) = (self.unseen(), other.unseen());
        let seen = |check: &Self, end: u64| {
            let missing: u64 = check.missing.iter().map(|(start, end)| end - start).sum();
            assert!(check.next <= end, "counted up to the later end");
            check.next - missing
        };
        let next = self.next.max(other.next);
        let both_seen = seen(self, next) + seen(other, next);
        let mut missing = BTreeMap::new();
        for (start, end) in &own {
            let overlaps = others.iter().map(|(from, to)| (*start.max(from), *end.min(to)));
            missing.extend(
                overlaps.map(|(from, to)| (from, to.min(next))).filter(|(from, to)| from < to),
            );
        }
        self.duplicated += other.duplicated;
        self.reordered += other.reordered;
        (self.next, self.missing) = (next, missing);
        self.duplicated += both_seen - seen(self, next);
    }

    /// The ranges that were not seen, the last without an end.
    fn unseen(&self) -> Vec<(u64, u64)> {
        let missing = self.missing.iter().map(|(start, end)| (*start, *end));
        missing.chain([(self.next, u64::MAX)]).collect()
    }

    /// What is wrong, once nothing more will come.
    pub fn faults(&self, sent: &Sent) -> Faults {
        assert!(self.next <= sent.count, "only what was sent carries the run's id");
        let missing: u64 = self.missing.iter().map(|(start, end)| end - start).sum();
        let unseen = missing + (sent.count - self.next);
        let excused = sent.unacknowledged.iter().filter(|&&sequence| !self.has_seen(sequence));
        let lost = unseen - excused.count() as u64;
        Faults { lost, duplicated: self.duplicated, reordered: self.reordered }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn faults(seen: &[u64], count: u64, unacknowledged: &[u64]) -> (u64, u64, u64) {
        let mut check = Check::default();
        for &sequence in seen {
            check.see(sequence);
        }
        let sent = Sent { count, unacknowledged: unacknowledged.to_vec() };
        let Faults { lost, duplicated, reordered } = check.faults(&sent);
        (lost, duplicated, reordered)
    }

    #[test]
    fn each_kind_of_fault_is_told_from_the_others() {
        assert_eq!(faults(&[0, 1, 2, 3], 4, &[]), (0, 0, 0));
        assert_eq!(faults(&[0, 1, 3], 4, &[]), (1, 0, 0), "lost in the middle");
        assert_eq!(faults(&[0, 1], 4, &[]), (2, 0, 0), "lost at the end");
        assert_eq!(faults(&[], 3, &[]), (3, 0, 0), "lost as a whole");
        assert_eq!(faults(&[0, 1, 1, 2, 0], 3, &[]), (0, 2, 0), "consumed again");
        assert_eq!(faults(&[0, 2, 1, 3], 4, &[]), (0, 0, 1), "one late");
        assert_eq!(faults(&[3, 2, 1, 0], 4, &[]), (0, 0, 3), "backwards");
        assert_eq!(faults(&[0, 2, 1, 1], 3, &[]), (0, 1, 1), "late, and again");
    }

    #[test]
    fn what_was_not_acknowledged_may_be_there_or_not() {
        assert_eq!(faults(&[0, 2], 4, &[1, 3]), (0, 0, 0));
        assert_eq!(faults(&[0, 1, 2, 3], 4, &[1, 3]), (0, 0, 0));
        assert_eq!(faults(&[0, 3], 4, &[1, 3]), (1, 0, 0));
    }

    #[test]
    fn what_two_members_saw_is_merged() {
        let check = |seen: &[u64]| {
            let mut check = Check::default();
            for &sequence in seen {
                check.see(sequence);
            }
            check
        };
        let merged = |one: &[u64], other: &[u64]| {
            let mut merged = check(one);
            merged.merge(&check(other));
            let faults = merged.faults(&Sent { count: 8, unacknowledged: Vec::new() });
            (faults.lost, faults.duplicated, faults.reordered)
        };
        assert_eq!(merged(&[0, 1, 2], &[3, 4, 5, 6, 7]), (0, 0, 0), "handed over in the middle");
        assert_eq!(merged(&[0, 1, 2, 3], &[3, 4, 5, 6, 7]), (0, 1, 0), "read again by the next");
        assert_eq!(merged(&[0, 1, 6, 7], &[2, 4, 5]), (1, 0, 0), "and back again, with a gap");
        assert_eq!(merged(&[], &[0, 1, 2, 3, 4, 5, 6, 7]), (0, 0, 0));
        assert_eq!(merged(&[0, 2, 1], &[3]), (4, 0, 1));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        /// The ranges agree with a plain set, whatever comes.
        #[test]
        fn any_order_is_counted_as_by_hand(seen in prop::collection::vec(0u64..30, 0..60)) {
            let (mut set, mut highest) = (BTreeSet::new(), None);
            let (mut duplicated, mut reordered) = (0, 0);
            for &sequence in &seen {
                match set.insert(sequence) {
                    false => duplicated += 1,
                    true if Some(sequence) < highest => reordered += 1,
                    true => {}
                }
                highest = highest.max(Some(sequence));
            }
            let lost = 30 - set.len() as u64;
            prop_assert_eq!(faults(&seen, 30, &[]), (lost, duplicated, reordered));
        }
    }
}
