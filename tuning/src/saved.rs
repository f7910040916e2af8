//! What `apply` found before it changed anything, kept in a file until `revert` has put it back. Saved durably before the
//! first change, so that a crash in between loses nothing.

use std::fmt;
use std::io;

use serde_json::{Value, json};

use crate::root::{Root, Unread};

/// Where it is kept on the machine.
pub const FILE: &str = "/var/lib/ringlane/tune.json";

const VERSION: u64 = 1;

/// One file that was, or was about to be, changed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Entry {
    pub(crate) path: String,
    /// Its bytes; `None` where there was no such file.
    pub(crate) was: Option<Vec<u8>>,
    /// What it was to hold.
    pub(crate) value: Vec<u8>,
    /// What it read as after that; `None` where it was not written (yet).
    pub(crate) reads: Option<Vec<u8>>,
}

/// Everything that is to be put back, in the order in which it was changed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Saved {
    pub(crate) entries: Vec<Entry>,
    /// Directories that were made, each before the one above it.
    pub(crate) directories: Vec<String>,
}

/// Why what was saved cannot be used.
#[derive(Debug)]
pub enum SavedError {
    /// It cannot be read or written.
    Io(io::Error),
    /// It is there and cannot be understood; why.
    Broken(String),
}

impl fmt::Display for SavedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                write!(f, "{FILE}: permission denied: run it as root")
            }
            Self::Io(error) => write!(f, "{FILE}: {error}"),
            Self::Broken(why) => write!(
                f,
                "{FILE}, which keeps what was there before, cannot be understood: {why}; put it right, or move it away if nothing is to be reverted"
            ),
        }
    }
}

impl std::error::Error for SavedError {}

fn broken(why: impl Into<String>) -> SavedError {
    SavedError::Broken(why.into())
}

/// Bytes as text where they are, else as a list of numbers.
fn bytes_json(bytes: &[u8]) -> Value {
    std::str::from_utf8(bytes).map_or_else(|_| bytes.into(), Value::from)
}

fn bytes_of(value: &Value) -> Option<Vec<u8>> {
    match value {
        Value::String(text) => Some(text.clone().into_bytes()),
        Value::Array(numbers) => numbers.iter().map(|n| u8::try_from(n.as_u64()?).ok()).collect(),
        _ => None,
    }
}

impl Entry {
    fn json(&self) -> Value {
        json!({
            "path": self.path, "was": self.was.as_deref().map(bytes_json),
            "value": bytes_json(&self.value), "reads": self.reads.as_deref().map(bytes_json),
        })
    }

    fn parse(value: &Value) -> Option<Self> {
        // Present and null, or bytes; absent is neither.
        let maybe = |key: &str| match value.get(key)? {
            Value::Null => Some(None),
            bytes => bytes_of(bytes).map(Some),
        };
        let path = value.get("path")?.as_str()?.to_owned();
        Some(Self {
            path,
            was: maybe("was")?,
            value: bytes_of(value.get("value")?)?,
            reads: maybe("reads")?,
        })
    }
}

impl Saved {
    /// What is saved; nothing where there is no file.
    pub(crate) fn load(root: &Root) -> Result<Self, SavedError> {
        let bytes = match root.bytes(FILE) {
            Ok(bytes) => bytes,
            Err(Unread::Missing) => return Ok(Self::default()),
            Err(Unread::Unreadable(why)) => return Err(broken(why)),
        };
        let value: Value =
            serde_json::from_slice(&bytes).map_err(|error| broken(error.to_string()))?;
        Self::parse(&value)
    }

    fn parse(value: &Value) -> Result<Self, SavedError> {
        let version = value.get("version").and_then(Value::as_u64);
        if version != Some(VERSION) {
            return Err(broken(format!("its version is not {VERSION}")));
        }
        let list = |key: &str| {
            let list = value.get(key).and_then(Value::as_array);
            list.ok_or_else(|| broken(format!("it has no list {key:?}")))
        };
        let entries = list("files")?.iter().map(Entry::parse).collect::<Option<Vec<_>>>();
        let directories = list("directories")?.iter();
        let directories = directories.map(|d| Some(d.as_str()?.to_owned())).collect::<Option<_>>();
        match (entries, directories) {
            (Some(entries), Some(directories)) => Ok(Self { entries, directories }),
            _ => Err(broken("an entry is not of its form")),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Makes it durable; removes the file where there is nothing left to put back.
    pub(crate) fn store(&self, root: &Root) -> Result<(), SavedError> {
        if self.is_empty() {
            return root.remove(FILE).map_err(SavedError::Io);
        }
        let value = json!({
            "version": VERSION,
            "files": self.entries.iter().map(Entry::json).collect::<Vec<_>>(),
            "directories": self.directories,
        });
        root.replace(FILE, format!("{value:#}\n").as_bytes()).map_err(SavedError::Io)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        proptest::collection::vec(any::<u8>(), 0..20)
    }

    proptest! {
        #[test]
        fn what_is_saved_is_loaded(
            was in proptest::option::of(bytes()),
            value in bytes(),
            reads in proptest::option::of(bytes()),
        ) {
            let entry = Entry { path: "/sys/x".into(), was, value, reads };
            prop_assert_eq!(Entry::parse(&entry.json()), Some(entry));
        }
    }

    #[test]
    fn what_is_not_of_the_form_is_refused() {
        let refused = |text: &str| {
            let value = serde_json::from_str(text).expect("JSON");
            Saved::parse(&value).is_err()
        };
        assert!(!refused(r#"{"version":1,"files":[],"directories":[]}"#));
        assert!(refused(r#"{"version":2,"files":[],"directories":[]}"#));
        assert!(refused(r#"{"version":1,"files":[]}"#));
        assert!(refused(r#"{"version":1,"files":[{"path":"/x"}],"directories":[]}"#));
        assert!(refused(
            r#"{"version":1,"files":[{"path":"/x","was":[256],"value":"","reads":null}],"directories":[]}"#
        ));
        assert!(refused("[]"));
    }
}
