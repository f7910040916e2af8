//! The `ringlane` binary: the broker and its command line.

use std::process::ExitCode;

mod cli;

fn main() -> ExitCode {
    cli::run()
}
