//! How many bytes of a partition consumers may see, without looking at the log: a fetch that waits for many learns so whether
//! to read again. While batches are appended and not yet visible the count is between two bounds, and otherwise exact.

use ringlane_batch::Offset;

/// Bytes of a partition's log: those that were there when it was taken up, and those that were appended since. It only rises.
///
/// Invariant: `least` ≤ what is visible ≤ `most`.
#[derive(Clone, Copy, Debug)]
pub(super) struct VisibleBytes {
    appended: u64,
    least: u64,
    mark: Option<Mark>,
}

/// The first batch that was appended since `least` was last known.
#[derive(Clone, Copy, Debug)]
struct Mark {
    end: Offset,
    bytes_before: u64,
    bytes_with: u64,
}

impl VisibleBytes {
    /// Of a log with this many bytes, all of them visible or perhaps none.
    pub(super) fn new(bytes: u64, are_visible: bool) -> Self {
        Self { appended: bytes, least: if are_visible { bytes } else { 0 }, mark: None }
    }

    /// A batch of `bytes` was appended, which ends at `end`.
    pub(super) fn append(&mut self, bytes: usize, end: Offset) {
        let bytes_before = self.appended;
        self.appended += bytes as u64;
        self.mark.get_or_insert(Mark { end, bytes_before, bytes_with: self.appended });
    }

    /// Everything below `visible` is visible, in a log that ends at `log_end`.
    pub(super) fn show(&mut self, visible: Offset, log_end: Offset) {
        if visible >= log_end {
            (self.least, self.mark) = (self.appended, None);
        } else if let Some(mark) = self.mark.filter(|mark| visible >= mark.end) {
            (self.least, self.mark) = (mark.bytes_with, None);
        }
        assert!(self.least <= self.most(), "the bounds of what is visible");
    }

    /// At least so many are visible.
    pub(super) fn least(self) -> u64 {
        self.least
    }

    /// At most so many are visible: what begins with the mark is not, as long as there is one.
    pub(super) fn most(self) -> u64 {
        self.mark.map_or(self.appended, |mark| mark.bytes_before)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_visible_is_between_the_bounds(
            steps in prop::collection::vec((1usize..1000, 0usize..3), 1..200),
        ) {
            let mut bytes = VisibleBytes::new(70, true);
            let (mut end, mut visible, mut visible_bytes) = (Offset(7), Offset(7), 70);
            let mut waiting = VecDeque::new();
            for (batch_bytes, shown) in steps {
                end = end.plus(1);
                waiting.push_back(batch_bytes);
                bytes.append(batch_bytes, end);
                for batch_bytes in waiting.drain(..shown.min(waiting.len())) {
                    visible = visible.plus(1);
                    visible_bytes += batch_bytes as u64;
                }
                bytes.show(visible, end);
                prop_assert!(bytes.least() <= visible_bytes && visible_bytes <= bytes.most());
                prop_assert!(!waiting.is_empty() || bytes.least() == bytes.most());
            }
        }
    }
}
