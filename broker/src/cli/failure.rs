//! How a command ends that does not do what it was asked: a sentence and an exit code.

use std::fmt;
use std::io;
use std::process::ExitCode;

use ringlane_client::Error;
use ringlane_wire::ErrorCode;

use super::output::tell;

/// Why a command ended early.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It could not be done: exit code 1.
    Failed(String),
    /// It was asked wrongly: exit code 2.
    Usage(String),
    /// Nobody reads the output any more: a quiet end.
    Unread,
}

impl Failure {
    /// Tells the reason on standard error; the code to exit with.
    pub(crate) fn report(&self) -> ExitCode {
        match self {
            Self::Unread => ExitCode::SUCCESS,
            Self::Failed(_) => {
                tell(format!("ringlane: {self}"));
                ExitCode::FAILURE
            }
            Self::Usage(_) => {
                tell(format!("ringlane: {self} (see --help)"));
                ExitCode::from(2)
            }
        }
    }

    /// A failure to write the output.
    pub(crate) fn output(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::Unread,
            _ => Self::Failed(format!("cannot write the output: {error}")),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(sentence) | Self::Usage(sentence) => f.write_str(sentence),
            Self::Unread => f.write_str("nobody reads the output"),
        }
    }
}

impl std::error::Error for Failure {}

impl From<String> for Failure {
    fn from(sentence: String) -> Self {
        Self::Failed(sentence)
    }
}

/// The sentence of an error of the client, with what to do about it where that is known.
impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let advice = match &error {
            Error::Invalid(_) => return Self::Usage(error.to_string()),
            Error::Connect { .. } | Error::Resolve { .. } => {
                "; start a broker there with `ringlane start`, or name another with --bootstrap HOST:PORT"
            }
            Error::Protocol { .. } => "; --bootstrap must name a broker's plaintext listener",
            _ => error.code().map_or("", advice),
        };
        Self::Failed(format!("{error}{advice}"))
    }
}

fn advice(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION => {
            "; `ringlane topic list` shows the topics, `ringlane topic create NAME` makes one"
        }
        ErrorCode::MESSAGE_TOO_LARGE => {
            "; raise the topic's limit with `ringlane topic alter NAME --set max.message.bytes=BYTES`"
        }
        ErrorCode::GROUP_ID_NOT_FOUND => "; `ringlane group list` shows the groups",
        ErrorCode::NON_EMPTY_GROUP => "; end its members first",
        ErrorCode::TOPIC_ALREADY_EXISTS => "; choose another name, or delete it first",
        _ => "",
    }
}
