//! The command line: what it accepts, and which file carries it out.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod start;

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
}

/// Parses the arguments and carries them out. Errors are one sentence on standard error, and exit code 1.
pub(crate) fn run() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Start(start) => start.run(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            eprintln!("ringlane: {sentence}");
            ExitCode::FAILURE
        }
    }
}
