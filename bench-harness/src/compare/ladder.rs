//! Which rates a comparison tries at one durability. Pure: it says which is next, and is told whether both brokers held it. It
//! climbs in large steps to the first rate that does not hold, then goes between, so that a rate near the highest is found in
//! few runs, wherever it lies.
//!
//! Invariant: what held is below what failed.

use crate::terminal::thousands;
use crate::units::Span;
use crate::validity::blames_the_generator;

/// The steps of the climb, in records a second.
const STEPS: [f64; 7] = [1e3, 3e3, 1e4, 3e4, 1e5, 3e5, 1e6];

/// A rate that held is near enough to one that did not when the latter is at most so many times the former.
const NEAR: f64 = 1.4;

/// See the file's head.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ladder {
    held: Option<f64>,
    failed: Option<f64>,
}

impl Ladder {
    /// The rate to try; none when there is nothing more to be found.
    pub(super) fn next_rate(&self) -> Option<f64> {
        match (self.held, self.failed) {
            (None, None) => STEPS.first().copied(),
            // Nothing below the first step is of interest.
            (None, Some(_)) => None,
            (Some(held), None) => STEPS.into_iter().find(|step| *step > held),
            (Some(held), Some(failed)) => (failed / held > NEAR).then(|| between(held, failed)),
        }
    }

    /// Takes in whether the rate of [`Self::next_rate`] held.
    pub(super) fn tried(&mut self, holds: bool) {
        let rate = self.next_rate();
        if holds {
            self.held = rate;
        } else {
            self.failed = rate;
        }
        if let (Some(held), Some(failed)) = (self.held, self.failed) {
            assert!(held < failed, "what held is below what failed");
        }
    }

    /// The highest rate that held.
    pub(super) fn highest(&self) -> Option<f64> {
        self.held
    }

    /// What the climb found. `problem` is why the lowest rate that did not hold did not; `time_up` is the time that was given,
    /// where it was up before the ladder's end.
    pub(super) fn sentence(&self, problem: Option<&str>, time_up: Option<Span>) -> String {
        let problem = problem.unwrap_or("it is not known why");
        let mut sentence = match (self.held, self.failed) {
            (Some(held), Some(failed)) => format!(
                "{} records/s held; {} did not: {problem}",
                thousands(held),
                thousands(failed)
            ),
            (Some(held), None) => format!("{} records/s held", thousands(held)),
            (None, Some(failed)) => {
                format!("{} records/s did not hold: {problem}", thousands(failed))
            }
            (None, None) => "no rate was tried".to_owned(),
        };
        if self.failed.is_some() && blames_the_generator(problem) {
            sentence.push_str(". There the load generator was at its limit: with more CPUs for it the brokers may do more");
        }
        match (time_up, self.failed) {
            (Some(time), Some(_)) => {
                sentence.push_str(&format!(
                    ". The time ({time}) was up before rates between were tried"
                ));
            }
            (Some(time), None) => {
                sentence.push_str(&format!(
                    "; higher rates were not tried, since the time ({time}) was up"
                ));
            }
            (None, None) => sentence.push_str(", the highest that is tried"),
            (None, Some(_)) => {}
        }
        sentence
    }
}

/// The geometric middle, since rates are compared by their ratio, with two digits, since people read it.
fn between(low: f64, high: f64) -> f64 {
    let middle = (low * high).sqrt();
    let unit = 10f64.powf(middle.log10().floor() - 1.0);
    (middle / unit).round() * unit
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Climbs where rates up to `limit` hold: what was tried, and the ladder in the end.
    fn climb(limit: f64) -> (Vec<f64>, Ladder) {
        let (mut ladder, mut tried) = (Ladder::default(), Vec::new());
        while let Some(rate) = ladder.next_rate() {
            tried.push(rate);
            ladder.tried(rate <= limit);
            assert!(tried.len() < 20, "the climb ends: {tried:?}");
        }
        (tried, ladder)
    }

    #[test]
    fn it_climbs_in_large_steps_and_goes_between() {
        let (tried, ladder) = climb(20_000.0);
        assert_eq!(tried, [1e3, 3e3, 1e4, 3e4, 17e3, 23e3]);
        assert_eq!((ladder.held, ladder.failed), (Some(17e3), Some(23e3)));
    }

    #[test]
    fn a_rate_near_the_limit_is_found_in_few_runs() {
        for limit in (10..10_000).map(|hundreds| f64::from(hundreds) * 100.0) {
            let (tried, ladder) = climb(limit);
            let found = ladder.highest().expect("the first step holds");
            assert!(found <= limit && found * NEAR >= limit, "{limit}: {found}");
            assert!(tried.len() <= 9, "{limit}: {tried:?}");
        }
    }

    #[test]
    fn it_ends_at_the_highest_step_and_where_the_first_fails() {
        let (tried, ladder) = climb(f64::INFINITY);
        assert_eq!(tried, STEPS);
        assert_eq!((ladder.held, ladder.failed), (Some(1e6), None));
        let (tried, ladder) = climb(500.0);
        assert_eq!(tried, [1e3]);
        assert_eq!((ladder.held, ladder.failed), (None, Some(1e3)));
    }
    #[test]
    fn it_says_what_it_found() {
        let minute = Some(Span(std::time::Duration::from_secs(60)));
        let (_, found) = climb(20_000.0);
        let slow = Some("kafka: the target does not sustain the rate");
        assert_eq!(
            found.sentence(slow, None),
            "17,000 records/s held; 23,000 did not: kafka: the target does not sustain the rate"
        );
        let busy = Some("kafka: a core of the generator was saturated");
        let sentence = found.sentence(busy, minute);
        assert!(sentence.contains("the load generator was at its limit"), "{sentence}");
        assert!(
            sentence.ends_with("The time (60s) was up before rates between were tried"),
            "{sentence}"
        );
        let (_, all) = climb(f64::INFINITY);
        assert_eq!(all.sentence(None, None), "1,000,000 records/s held, the highest that is tried");
        assert!(
            all.sentence(None, minute)
                .ends_with("higher rates were not tried, since the time (60s) was up")
        );
        let (_, none) = climb(1.0);
        assert!(none.sentence(slow, None).starts_with("1,000 records/s did not hold: kafka: "));
    }
}
