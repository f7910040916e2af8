//! The command line: what it accepts, and which file carries it out.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod connect;
mod consume;
mod failure;
mod group;
mod log;
mod output;
mod produce;
mod progress;
mod start;
mod topic;
mod tune;

use failure::Failure;

/// An event log that any Kafka client uses unmodified: io_uring, one shard a core, durable by default.
#[derive(Parser)]
#[command(name = "ringlane", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Start(start::Start),
    Topic(topic::Topic),
    Produce(produce::Produce),
    Consume(consume::Consume),
    Group(group::Group),
    Log(log::Log),
    Tune(tune::Tune),
}

/// Parses the arguments and carries them out. Errors are one sentence on standard error; the exit code is 1, or 2 when the
/// command was asked wrongly.
pub(crate) fn run() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Start(start) => start.run().map_err(Failure::from),
        Command::Topic(topic) => topic.run(),
        Command::Produce(produce) => produce.run(),
        Command::Consume(consume) => consume.run(),
        Command::Group(group) => group.run(),
        Command::Log(log) => log.run(),
        Command::Tune(tune) => tune.run(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
