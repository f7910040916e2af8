//! `ringlane-bench sweep`: the highest rate at which a target keeps its latency below a bound.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::failure::Failure;
use super::run::{PICTURE, Target};
use crate::generator::{Measured, measure};
use crate::host::HostFacts;
use crate::output;
use crate::page::{sweep_page, sweep_png};
use crate::result::RunResult;
use crate::search::Search;
use crate::terminal::{micros, thousands};
use crate::units::{Rate, Span};

/// Find the highest rate at which a target keeps its latency below a bound.
///
/// Rates are doubled from --rate on until one does not hold, then the search goes between. A rate holds when the 99th
/// percentile of the produce latency is below --p99 and the run is valid. The result is a directory: `index.html` with
/// the latency by rate, `sweep.json`, and what `run` writes for each rate that was tried.
#[derive(Args)]
#[command(after_help = "Example:
  ringlane-bench sweep --target 127.0.0.1:9092 --rate 1000 --p99 10ms --duration 15s --out sweep")]
pub(super) struct Sweep {
    /// The bound of the 99th percentile of the produce latency.
    #[arg(long, value_name = "TIME", default_value = "10ms")]
    p99: Span,
    /// How close to the limit the search goes, in percent of the rate.
    #[arg(long, value_name = "PERCENT", default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..=100))]
    precision: u8,
    #[command(flatten)]
    target: Target,
}

/// What came of a sweep.
#[derive(Serialize)]
struct Swept {
    target: String,
    durability: String,
    p99_bound_us: f64,
    /// Null when no rate held.
    highest_rate_per_s: Option<f64>,
    /// In the order in which they were tried.
    steps: Vec<Step>,
}

#[derive(Serialize)]
struct Step {
    rate_per_s: f64,
    holds: bool,
    valid: bool,
    acknowledged_per_s: f64,
    p50_us: f64,
    p99_us: f64,
}

impl Sweep {
    pub(super) fn run(self) -> Result<(), Failure> {
        let (mut job, out) = self.target.job()?;
        let Rate::PerSecond(start) = job.scenario.rate else {
            return Err(Failure::Usage("a sweep needs a rate to start from, not max".into()));
        };
        let bound_us = self.p99.0.as_secs_f64() * 1e6;
        let mut search = Search::new(start, f64::from(self.precision) / 100.0);
        let mut results: Vec<RunResult> = Vec::new();
        let mut steps = Vec::new();
        while let Some(rate) = search.next_rate() {
            job.scenario.rate = Rate::PerSecond(rate);
            let measured = measure(&job).map_err(Failure::Failed)?;
            let result = RunResult::new(&job.target, &job, &measured, HostFacts::read(&out));
            let step = self.step(rate, bound_us, &result);
            write_step(&out, rate, &result, &measured)?;
            search.tried(step.holds);
            steps.push(step);
            results.push(result);
            if let Some(stopped) = measured.stopped {
                return Err(Failure::Failed(stopped));
            }
        }
        let first = &results[0];
        let swept = Swept {
            target: first.target.clone(),
            durability: first.durability.clone(),
            p99_bound_us: bound_us,
            highest_rate_per_s: search.highest(),
            steps,
        };
        let json = serde_json::to_vec_pretty(&swept).expect("plain values");
        let html = sweep_page(&results, bound_us, search.highest()).into_bytes();
        let files = vec![("sweep.json".into(), json), ("index.html".into(), html)];
        output::write(&out, files).map_err(Failure::Failed)?;
        if self.target.png {
            let png = sweep_png(&results).map_err(Failure::Failed)?;
            output::write(&out, vec![(PICTURE.into(), png)]).map_err(Failure::Failed)?;
        }
        match search.highest() {
            Some(rate) => {
                println!(
                    "{} keeps p99 below {} up to {} records/s",
                    swept.target,
                    self.p99,
                    thousands(rate)
                );
                Ok(())
            }
            None => Err(Failure::Invalid(format!("no rate keeps p99 below {}", self.p99))),
        }
    }

    /// Judges a run, and tells of it.
    fn step(&self, rate: f64, bound_us: f64, result: &RunResult) -> Step {
        let latency = &result.produce_latency_us;
        let holds = result.valid && latency.p99 <= bound_us;
        let verdict = match (holds, result.invalid.first()) {
            (true, _) => "holds".to_owned(),
            (false, Some(reason)) => format!("does not hold: {reason}"),
            (false, None) => "does not hold".to_owned(),
        };
        println!(
            "{:>12} records/s  p50 {}  p99 {}  {verdict}",
            thousands(rate),
            micros(latency.p50),
            micros(latency.p99),
        );
        Step {
            rate_per_s: rate,
            holds,
            valid: result.valid,
            acknowledged_per_s: result.rates.acknowledged_per_s,
            p50_us: latency.p50,
            p99_us: latency.p99,
        }
    }
}

fn write_step(
    out: &std::path::Path,
    rate: f64,
    result: &RunResult,
    measured: &Measured,
) -> Result<(), Failure> {
    let directory: PathBuf = out.join(format!("rate-{rate}"));
    output::write(&directory, output::files(result, measured)).map_err(Failure::Failed)
}
