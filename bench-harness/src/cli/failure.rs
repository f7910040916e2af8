//! How a command ends that does not do what it was asked: a sentence and an exit code.

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use crate::report::Colors;

/// Why a command ended without a valid result.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// It could not be done.
    Failed(String),
    /// It was asked wrongly.
    Usage(String),
    /// It was measured, and must not be used.
    Invalid(String),
}

impl Failure {
    /// Tells the reason on standard error; the code to exit with.
    pub(super) fn report(&self) -> ExitCode {
        let (sentence, code) = match self {
            Self::Failed(sentence) => (sentence.clone(), 1),
            Self::Usage(sentence) => (format!("{sentence} (see --help)"), 2),
            Self::Invalid(sentence) => (sentence.clone(), 3),
        };
        let colors = Colors(io::stderr().is_terminal());
        eprintln!("{}", colors.red(&format!("ringlane-bench: {sentence}")));
        ExitCode::from(code)
    }
}
