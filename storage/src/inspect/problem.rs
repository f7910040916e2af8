//! What an inspection found wrong, in which file and where, and what to do about it.

use std::fmt;
use std::path::{Path, PathBuf};

/// What to do about a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// A start of the broker mends it: the tail of the newest segment, a snapshot.
    Start,
    /// The index can be built from the batches.
    RebuildIndex,
    /// The bytes are lost here.
    Restore,
}

impl Remedy {
    /// A word for programs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::RebuildIndex => "rebuild-index",
            Self::Restore => "restore",
        }
    }
}

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Start => "a start of the broker mends it",
            Self::RebuildIndex => "`ringlane log index --rebuild` mends it while the broker is stopped",
            Self::Restore => {
                "what is lost must come from a backup or from where it was produced; the broker serves the rest"
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
