//! Runs seeds of the simulated broker: `--seeds 0..10000` for many, `--seed N` to replay one, with its log.

use std::process::ExitCode;

use clap::Parser;
use ringlane_sim::seeds::{self, Total};
use tracing_subscriber::EnvFilter;

/// The whole broker in the deterministic simulation.
#[derive(Parser)]
struct Arguments {
    /// The seeds to run, as in 0..10000.
    #[arg(long, value_parser = range, default_value = "0..1000", conflicts_with = "seed")]
    seeds: (u64, u64),
    /// The one seed to replay, with the broker's log on standard error.
    #[arg(long)]
    seed: Option<u64>,
}

fn range(text: &str) -> Result<(u64, u64), String> {
    let parsed = text.split_once("..").and_then(|(from, to)| {
        let (from, to) = (from.parse().ok()?, to.parse().ok()?);
        (from < to).then_some((from, to))
    });
    parsed.ok_or_else(|| "must be FROM..TO, as in 0..10000".into())
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(seed) = arguments.seed {
        let filter = EnvFilter::try_from_env("RINGLANE_LOG");
        let filter = filter.unwrap_or_else(|_| EnvFilter::new("info,openraft=error"));
        let log = tracing_subscriber::fmt().with_env_filter(filter).without_time();
        log.with_writer(std::io::stderr).init();
        println!("{}", seeds::run(seed));
        return ExitCode::SUCCESS;
    }
    let mut total = Total::default();
    for seed in arguments.seeds.0..arguments.seeds.1 {
        total.add(seed, seeds::try_run(seed));
    }
    println!("{total}");
    if total.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
