//! The search for the highest rate that keeps a bound. Pure: it says which rate to try next, and is told whether it held.
//!
//! Invariant: what held is below what failed.

/// See the file's head.
#[derive(Clone, Copy, Debug)]
pub struct Search {
    next: f64,
    held: Option<f64>,
    failed: Option<f64>,
    precision: f64,
}

impl Search {
    /// From `start` on, in records a second, until the highest rate that holds and the lowest that does not are closer than
    /// `precision`, as a share of the former.
    pub fn new(start: f64, precision: f64) -> Self {
        assert!(start > 0.0 && precision > 0.0, "a search has a start and an end");
        Self { next: start, held: None, failed: None, precision }
    }

    /// The rate to try; none when the search is over.
    pub fn next_rate(&self) -> Option<f64> {
        let is_over = match (self.held, self.failed) {
            (Some(held), Some(failed)) => failed / held <= 1.0 + self.precision,
            // Nothing holds at one record a second: nothing ever will.
            (None, Some(failed)) => failed <= 1.0,
            _ => false,
        };
        (!is_over).then_some(self.next)
    }

    /// Takes in whether the rate of [`Self::next_rate`] held: doubles or halves, then goes between.
    pub fn tried(&mut self, holds: bool) {
        if holds {
            self.held = Some(self.next);
        } else {
            self.failed = Some(self.next);
        }
        self.next = match (self.held, self.failed) {
            (Some(held), Some(failed)) => {
                assert!(held < failed, "what held is below what failed");
                // The geometric middle: rates are compared by their ratio.
                (held * failed).sqrt().round()
            }
            (Some(held), None) => held * 2.0,
            (None, Some(failed)) => (failed / 2.0).max(1.0).floor(),
            (None, None) => unreachable!("one of them was just set"),
        };
    }

    /// The highest rate that held.
    pub fn highest(&self) -> Option<f64> {
        self.held
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Searches where rates up to `limit` hold; how many were tried, and what was found.
    fn search(start: f64, limit: f64) -> (usize, Option<f64>) {
        let mut search = Search::new(start, 0.05);
        let mut tried = 0;
        while let Some(rate) = search.next_rate() {
            search.tried(rate <= limit);
            tried += 1;
            assert!(tried < 50, "the search ends");
        }
        (tried, search.highest())
    }

    #[test]
    fn the_limit_is_found_from_below_and_from_above() {
        for start in [100.0, 1_000.0, 1_000_000.0] {
            for limit in [137.0, 5_000.0, 76_543.0] {
                let (tried, found) = search(start, limit);
                let found = found.expect("some rate holds");
                assert!(found <= limit && found * 1.06 >= limit, "{start} {limit}: {found}");
                assert!(tried <= 22, "{start} {limit}: {tried} runs");
            }
        }
        assert_eq!(search(1_000.0, 0.5).1, None, "where nothing holds the search ends");
    }
}
