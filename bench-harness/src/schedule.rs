//! When each record is meant to be sent. Pure: a schedule is a function of its arrival, rate and seed, so every shard of the
//! generator works out the same one, and latency can count from these moments whatever happens later.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use ringlane_reactor::Rng;
use serde::{Deserialize, Serialize};

use crate::units::{Scalar, as_text};

/// How records come.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(try_from = "Scalar", into = "String")]
pub enum Arrival {
    /// Evenly.
    Constant,
    /// At random, each independent of the others: exponential gaps.
    Poisson,
    /// So many at once, and then none until the mean rate is met.
    Bursts(u32),
    /// From this rate, in records a second, up or down to the scenario's, evenly over the measured time.
    Ramp(f64),
    /// The rates of consecutive seconds, repeated, scaled so that their mean is the scenario's rate.
    Recorded(Vec<f64>),
}

const BURST_MAX: u32 = 1_000_000;

impl FromStr for Arrival {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, parameter) = text.split_once(':').unwrap_or((text, ""));
        match kind {
            "constant" if parameter.is_empty() => Ok(Self::Constant),
            "poisson" if parameter.is_empty() => Ok(Self::Poisson),
            "bursts" => match parameter.parse() {
                Ok(records @ 1..=BURST_MAX) => Ok(Self::Bursts(records)),
                _ => Err(format!(
                    "{text:?}: bursts need a number of records, as in bursts:100 (at most {BURST_MAX})"
                )),
            },
            "ramp" => match parameter.parse::<f64>() {
                Ok(from) if (1.0..=1e8).contains(&from) => Ok(Self::Ramp(from)),
                _ => Err(format!(
                    "{text:?}: a ramp needs the rate that it starts from, as in ramp:100"
                )),
            },
            "recorded" => recorded(parameter).ok_or_else(|| {
                format!("{text:?}: recorded rates are those of consecutive seconds, as in recorded:100,900,250")
            }),
            _ => Err(format!(
                "{text:?} is no arrival: write constant, poisson, bursts:RECORDS, ramp:RATE or recorded:RATE,RATE,..."
            )),
        }
    }
}

fn recorded(text: &str) -> Option<Arrival> {
    let rates: Result<Vec<f64>, _> = text.split(',').map(|rate| rate.trim().parse()).collect();
    let rates = rates.ok()?;
    let sound = rates.iter().all(|rate| (0.0..=1e8).contains(rate));
    (sound && rates.iter().sum::<f64>() > 0.0).then_some(Arrival::Recorded(rates))
}

impl fmt::Display for Arrival {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant => f.write_str("constant"),
            Self::Poisson => f.write_str("poisson"),
            Self::Bursts(records) => write!(f, "bursts:{records}"),
            Self::Ramp(from) => write!(f, "ramp:{from}"),
            Self::Recorded(rates) => {
                let rates: Vec<String> = rates.iter().map(ToString::to_string).collect();
                write!(f, "recorded:{}", rates.join(","))
            }
        }
    }
}

as_text!(Arrival);

/// The intended send times, from the start of the warm-up on, without end. See the file's head.
pub struct Schedule {
    arrival: Arrival,
    rate: f64,
    /// Seconds: the warm-up, and how long is measured.
    warm_up: f64,
    duration: f64,
    number: u64,
    /// Of the last record, in seconds: of arrivals that are the sum of their gaps.
    at: f64,
    rng: Rng,
}

impl Schedule {
    /// `rate` in records a second. `seed` decides what is random.
    pub fn new(
        arrival: Arrival,
        rate: f64,
        warm_up: Duration,
        duration: Duration,
        seed: u64,
    ) -> Self {
        assert!(rate > 0.0, "a schedule has a rate");
        let (warm_up, duration) = (warm_up.as_secs_f64(), duration.as_secs_f64());
        Self { arrival, rate, warm_up, duration, number: 0, at: 0.0, rng: Rng::new(seed) }
    }

    fn next_seconds(&mut self) -> f64 {
        let number = self.number as f64;
        match &self.arrival {
            Arrival::Constant => number / self.rate,
            Arrival::Bursts(size) => {
                let size = f64::from(*size);
                (number / size).floor() * size / self.rate
            }
            Arrival::Poisson => {
                // 53 random bits: a number in (0, 1].
                let uniform = ((self.rng.next_u64() >> 11) + 1) as f64 / (1u64 << 53) as f64;
                self.at -= uniform.ln() / self.rate;
                self.at
            }
            Arrival::Ramp(from) => ramp(number, *from, self.rate, self.warm_up, self.duration),
            Arrival::Recorded(rates) => recorded_at(number, rates, self.rate),
        }
    }
}

/// When record `number` of a ramp comes: at the rate `from` through the warm-up, then changing evenly to `to`.
fn ramp(number: f64, from: f64, to: f64, warm_up: f64, duration: f64) -> f64 {
    let beyond = number - from * warm_up;
    if beyond <= 0.0 {
        return number / from;
    }
    // from t + (to - from) t^2 / (2 duration) = beyond, solved for t in the form that survives to = from.
    let slope = (to - from) / duration;
    let root = (from * from + 2.0 * slope * beyond).max(0.0).sqrt();
    warm_up + 2.0 * beyond / (from + root)
}

fn recorded_at(number: f64, rates: &[f64], mean: f64) -> f64 {
    let sum: f64 = rates.iter().sum();
    let scale = mean * rates.len() as f64 / sum;
    let in_round = sum * scale;
    let (round, mut left) = ((number / in_round).floor(), number % in_round);
    for (second, rate) in rates.iter().enumerate() {
        let records = rate * scale;
        if left < records {
            return round * rates.len() as f64 + second as f64 + left / records;
        }
        left -= records;
    }
    (round + 1.0) * rates.len() as f64
}

impl Iterator for Schedule {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let seconds = self.next_seconds();
        self.number += 1;
        Some(Duration::from_nanos((seconds * 1e9) as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn times(arrival: &str, rate: f64, count: usize) -> Vec<Duration> {
        let arrival = arrival.parse().expect("an arrival");
        Schedule::new(arrival, rate, SECOND, 4 * SECOND, 7).take(count).collect()
    }

    fn within(times: &[Duration], from: u32, to: u32) -> usize {
        times.iter().filter(|at| (from * SECOND..to * SECOND).contains(*at)).count()
    }

    #[test]
    fn constant_arrivals_are_even() {
        let times = times("constant", 1000.0, 3000);
        assert_eq!(times[..3], [0, 1, 2].map(Duration::from_millis));
        assert_eq!(within(&times, 1, 2), 1000);
    }

    #[test]
    fn poisson_arrivals_have_the_mean_and_the_spread_of_their_kind() {
        let times = times("poisson", 1000.0, 200_000);
        let gaps: Vec<f64> =
            times.windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64()).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
        assert!((mean * 1000.0 - 1.0).abs() < 0.01, "{mean}");
        assert!(
            (variance.sqrt() / mean - 1.0).abs() < 0.02,
            "an exponential's deviation is its mean"
        );
        assert_eq!(times, self::times("poisson", 1000.0, 200_000), "the seed decides all");
    }

    #[test]
    fn bursts_keep_the_mean_rate() {
        let times = times("bursts:100", 1000.0, 1000);
        assert!(times[..100].iter().all(|at| at.is_zero()));
        assert_eq!(
            (times[100], times[199], times[999]),
            (SECOND / 10, SECOND / 10, SECOND * 9 / 10)
        );
    }

    #[test]
    fn a_ramp_ends_at_the_rate() {
        let times = times("ramp:100", 900.0, 2100);
        assert_eq!(within(&times, 0, 1), 100, "the warm-up has the first rate");
        // The mean of each second: 200, 400, 600, 800.
        let counts = [1, 2, 3, 4].map(|second| within(&times, second, second + 1));
        assert_eq!(counts, [200, 400, 600, 800]);
        assert_eq!(self::times("ramp:500", 500.0, 6)[5], Duration::from_millis(10));
    }

    #[test]
    fn recorded_rates_are_repeated_and_scaled() {
        let times = times("recorded:1,0,3", 1000.0, 6000);
        let counts = [0, 1, 2, 3, 4, 5].map(|second| within(&times, second, second + 1));
        assert_eq!(counts, [750, 0, 2250, 750, 0, 2250]);
    }

    #[test]
    fn every_arrival_is_ordered_and_reads_what_it_writes() {
        for text in ["constant", "poisson", "bursts:7", "ramp:100", "recorded:1,0,3"] {
            let arrival: Arrival = text.parse().expect(text);
            assert_eq!(arrival.to_string(), text);
            let times = times(text, 333.0, 5000);
            assert!(times.is_sorted(), "{text}");
        }
        for bad in
            ["", "even", "bursts", "bursts:0", "ramp:x", "recorded:", "recorded:0", "poisson:1"]
        {
            assert!(bad.parse::<Arrival>().is_err(), "{bad}");
        }
    }
}
