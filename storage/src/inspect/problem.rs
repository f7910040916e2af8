//! What an inspection found wrong, in which file and where, and what to do about it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::StorageError;

/// What to do about a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// A start of the broker mends it: the tail of the newest segment, say.
    Start,
    /// The index can be built from the batches.
    RebuildIndex,
    /// Nothing needs the file, and no start removes it.
    Remove,
    /// The bytes are lost here.
    Restore,
    /// A start ends the log there: what comes behind was never known to be synced, and nothing else has it.
    Cut,
    /// A start leaves the log offline, and its files as they are.
    Offline,
    /// No record of the log lies there, or none that was not deleted.
    Nothing,
    /// It could not be read, for a reason of this kind: nothing of it is known.
    LookAgain(io::ErrorKind),
}

impl Remedy {
    /// A word for programs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::RebuildIndex => "rebuild-index",
            Self::Remove => "remove",
            Self::Restore => "restore",
            Self::Cut => "cut",
            Self::Offline => "offline",
            Self::Nothing => "none",
            Self::LookAgain(_) => "look-again",
        }
    }
}

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Start => "a start of the broker mends it",
            Self::RebuildIndex => "`ringlane log index --rebuild` mends it while the broker is stopped",
            Self::Remove => {
                "remove it while the broker is stopped: only a truncation would read it, and does with an earlier one"
            }
            Self::Restore => {
                "what is lost must come from a backup or from where it was produced; the broker serves the rest"
            }
            Self::Cut => {
                "a start of the broker ends the log there and drops what comes behind it, none of which was synced for certain: copy it away before, if it is needed"
            }
            Self::Offline => "a start of the broker leaves the log offline, and its files as they are",
            Self::Nothing => "nothing is to be done: no record of the log lies there any more",
            Self::LookAgain(io::ErrorKind::NotFound) => {
                "it was there and is gone: look again when nobody changes the directory"
            }
            Self::LookAgain(io::ErrorKind::PermissionDenied) => {
                "let this user read it, and look again"
            }
            Self::LookAgain(_) => {
                "what it holds is not known: see that the disk can read it, or put it back from a copy, and look again"
            }
        })
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file or directory.
    pub path: PathBuf,
    /// The byte, where there is one.
    pub position: Option<u64>,
    /// What is wrong, as a clause.
    pub what: String,
    /// What to do.
    pub remedy: Remedy,
}

impl Problem {
    pub(super) fn new(path: &Path, what: impl Into<String>, remedy: Remedy) -> Self {
        Self { path: path.to_path_buf(), position: None, what: what.into(), remedy }
    }

    /// Of a file or directory that a look could not read.
    pub(super) fn unread(error: &StorageError, looked_at: &Path) -> Self {
        match error {
            StorageError::Io { tried, path, source } => {
                let what = format!("cannot {tried} it: {source}");
                Self::new(path, what, Remedy::LookAgain(source.kind()))
            }
            other => {
                let remedy = Remedy::LookAgain(io::ErrorKind::Other);
                Self::new(looked_at, other.to_string(), remedy)
            }
        }
    }

    pub(super) fn at(self, position: Option<u64>) -> Self {
        Self { position, ..self }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.display().fmt(f)?;
        if let Some(position) = self.position {
            write!(f, " at byte {position}")?;
        }
        write!(f, ": {}", self.what)
    }
}

/// The sentence about a log of which a look ended with `error`, with what to do.
pub fn unread_sentence(error: &StorageError) -> String {
    match error {
        StorageError::Io { source, .. } => format!("{error}; {}", Remedy::LookAgain(source.kind())),
        other => other.to_string(),
    }
}
