//! Sets of CPUs as the kernel writes them: lists (`0-3,8`) and masks (`000000ff,00000000`); see cpuset(7), "FORMATS".

use std::collections::BTreeSet;
use std::fmt;

/// No machine has more: what claims to is not a list of CPUs.
const CPUS_MAX: usize = 16_384;

/// A set of CPUs, by number.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct CpuSet(BTreeSet<usize>);

impl CpuSet {
    /// What a list says; `None` for what is none.
    pub fn parse_list(text: &str) -> Option<Self> {
        let mut cpus = BTreeSet::new();
        for part in text.trim().split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last) = (number(first)?, number(last)?);
            if first > last || last >= CPUS_MAX {
                return None;
            }
            cpus.extend(first..=last);
        }
        Some(Self(cpus))
    }

    /// What a mask says: groups of 32 bits in hexadecimal, the highest first; `None` for what is none.
    pub fn parse_mask(text: &str) -> Option<Self> {
        let mut cpus = BTreeSet::new();
        let text = text.trim();
        if text.is_empty() || text.len() > CPUS_MAX {
            return None;
        }
        for (group, word) in text.split(',').rev().enumerate() {
            let word = u32::from_str_radix(word, 16).ok()?;
            cpus.extend((0..32).filter(|bit| word >> bit & 1 == 1).map(|bit| group * 32 + bit));
        }
        Some(Self(cpus))
    }

    /// The mask, in as many groups as `like` has: the kernel reads any number, and writes always the same.
    pub fn mask(&self, like: &str) -> String {
        let groups = like.trim().split(',').count().max(self.last().map_or(1, |cpu| cpu / 32 + 1));
        let word = |group: usize| {
            let bits = (0..32).filter(|bit| self.contains(group * 32 + bit));
            bits.fold(0_u32, |word, bit| word | 1 << bit)
        };
        // A mask of one group has as many digits as there are CPUs for.
        if groups == 1 {
            return format!("{:0width$x}", word(0), width = like.trim().len().min(8));
        }
        let words = (0..groups).rev().map(|group| format!("{:08x}", word(group)));
        words.collect::<Vec<_>>().join(",")
    }

    /// Whether `cpu` is in it.
    pub fn contains(&self, cpu: usize) -> bool {
        self.0.contains(&cpu)
    }

    /// The members in order.
    pub fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.iter().copied()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The lowest.
    pub fn first(&self) -> Option<usize> {
        self.0.first().copied()
    }

    fn last(&self) -> Option<usize> {
        self.0.last().copied()
    }

    /// Those in both.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        Self(self.0.intersection(&other.0).copied().collect())
    }
}

fn number(text: &str) -> Option<usize> {
    text.trim().parse().ok()
}

impl FromIterator<usize> for CpuSet {
    fn from_iter<I: IntoIterator<Item = usize>>(cpus: I) -> Self {
        Self(cpus.into_iter().collect())
    }
}

/// As a list.
impl fmt::Display for CpuSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut cpus = self.iter().peekable();
        let mut separator = "";
        while let Some(first) = cpus.next() {
            let mut last = first;
            while cpus.peek() == Some(&(last + 1)) {
                last += 1;
                cpus.next();
            }
            match last - first {
                0 => write!(f, "{separator}{first}")?,
                _ => write!(f, "{separator}{first}-{last}")?,
            }
            separator = ",";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lists_and_masks_are_read() {
        let list = |text| CpuSet::parse_list(text).map(|set| set.iter().collect::<Vec<_>>());
        assert_eq!(list("0-2,8\n"), Some(vec![0, 1, 2, 8]));
        assert_eq!(list("\n"), Some(vec![]));
        assert_eq!(list("3-1"), None);
        assert_eq!(list("0-99999999999"), None);
        assert_eq!(list("0-4000000"), None);
        assert_eq!(list("none"), None);
        let mask = |text| CpuSet::parse_mask(text).map(|set| set.iter().collect::<Vec<_>>());
        assert_eq!(mask("00000001,00000003\n"), Some(vec![0, 1, 32]));
        assert_eq!(mask(""), None);
        assert_eq!(mask("g"), None);
    }

    #[test]
    fn a_mask_is_as_long_as_the_kernels() {
        let set: CpuSet = [0, 5].into_iter().collect();
        assert_eq!(set.mask("ff"), "21");
        assert_eq!(set.mask("00000000,00000000"), "00000000,00000021");
        let high: CpuSet = [40].into_iter().collect();
        assert_eq!(high.mask("ff"), "00000100,00000000");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(cpus in proptest::collection::btree_set(0_usize..300, 0..40)) {
            let set: CpuSet = cpus.into_iter().collect();
            prop_assert_eq!(CpuSet::parse_list(&set.to_string()), Some(set.clone()));
            prop_assert_eq!(CpuSet::parse_mask(&set.mask("0")), Some(set));
        }

        #[test]
        fn no_text_panics(text in ".{0,40}") {
            let _ = (CpuSet::parse_list(&text), CpuSet::parse_mask(&text));
        }
    }
}
