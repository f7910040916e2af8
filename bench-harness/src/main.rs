//! The `ringlane-bench` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    ringlane_bench::cli::run()
}
