//! The command line: what it accepts, and which file carries it out.

mod compare;
mod diff;
mod failure;
mod history;
mod paper;
mod run;
mod sweep;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Measures any Kafka-compatible broker as its users see it.
///
/// Every record has a moment at which it is meant to be sent, decided by the schedule alone, and latency counts from that
/// moment: a broker that stalls for a second delays every record meant for that second, and all of them are counted.
/// Tools that wait for the broker before they send on hide such a stall (coordinated omission).
///
/// Every record carries a sequence and a checksum, and everything acknowledged is consumed and verified. A run that lost,
/// doubled or reordered a record, or in which the generator or its host was at fault, says so in red and ends with code 3.
#[derive(Parser)]
#[command(name = "ringlane-bench", version, arg_required_else_help = true)]
#[command(
    after_help = "Exit codes: 0 valid results, 1 it could not be done, 2 it was asked wrongly, 3 a result is invalid.

A first try, against a broker on this host:
  ringlane-bench run --target 127.0.0.1:9092 --out first-try"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Run(Box<run::Run>),
    Compare(Box<compare::Compare>),
    Sweep(Box<sweep::Sweep>),
    Diff(diff::Diff),
    History(history::History),
    Paper(paper::Paper),
}

/// Parses the arguments and carries them out.
pub fn run() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Run(run) => run.run(),
        Command::Compare(compare) => compare.run(),
        Command::Sweep(sweep) => sweep.run(),
        Command::Diff(diff) => diff.run(),
        Command::History(history) => history.run(),
        Command::Paper(paper) => paper.run(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
