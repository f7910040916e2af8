//! What every knob is: a reading of one setting of the host, judged, with what is to be done about it.

use crate::change::Change;
use crate::machine::Machine;
use crate::root::Unread;

/// One setting of the host. Applying and reverting are the same for all (`apply.rs`, `revert.rs`): a knob names the files
/// and their values.
#[derive(Debug)]
pub struct Knob {
    /// Its name, as in `--only`.
    pub name: &'static str,
    /// What it is about.
    pub title: &'static str,
    /// What is recommended.
    pub wanted: &'static str,
    /// Why.
    pub why: &'static str,
    /// Who says so: kernel documentation, man page, vendor's guide.
    pub source: &'static str,
    /// Reads and judges it.
    pub(crate) read: fn(&Machine) -> Vec<Row>,
}

/// How a setting is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Verdict {
    /// As recommended, or as good.
    Well,
    /// This machine does not have it.
    NotHere,
    /// It cannot be read, or not be understood.
    Unknown,
    /// To be changed.
    Mend,
}

impl Verdict {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Well => "well",
            Self::NotHere => "not here",
            Self::Unknown => "unknown",
            Self::Mend => "mend",
        }
    }
}

/// What mends a setting.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Remedy {
    /// Nothing is to be done.
    None,
    /// Files to write: `tune apply` does.
    Apply(Vec<Change>),
    /// What a person does, in a sentence.
    Person(String),
}

/// One reading: of the whole host, or of one device or group of CPUs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// Of what: a file, a device, CPUs.
    pub of: String,
    /// What it is.
    pub is: String,
    /// What it should be; empty where that is the same, or nobody's business.
    pub wanted: String,
    /// How that is.
    pub verdict: Verdict,
    /// What mends it.
    pub remedy: Remedy,
}

impl Row {
    fn new(of: impl Into<String>, is: impl Into<String>, verdict: Verdict) -> Self {
        let (of, is) = (of.into(), shortened(&is.into()));
        Self { of, is, wanted: String::new(), verdict, remedy: Remedy::None }
    }

    pub(crate) fn well(of: impl Into<String>, is: impl Into<String>) -> Self {
        Self::new(of, is, Verdict::Well)
    }

    pub(crate) fn not_here(of: impl Into<String>) -> Self {
        Self::new(of, "", Verdict::NotHere)
    }

    /// Something that cannot be judged, and why.
    pub(crate) fn unknown(of: impl Into<String>, why: impl Into<String>) -> Self {
        Self::new(of, why, Verdict::Unknown)
    }

    /// A file that was not read.
    pub(crate) fn unread(of: impl Into<String>, unread: &Unread) -> Self {
        match unread {
            Unread::Missing => Self::not_here(of),
            Unread::Unreadable(why) => Self::unknown(of, why),
        }
    }

    /// To be mended by writing files.
    pub(crate) fn mend(
        of: impl Into<String>,
        is: impl Into<String>,
        wanted: impl Into<String>,
        changes: Vec<Change>,
    ) -> Self {
        let remedy = Remedy::Apply(changes);
        Self { wanted: wanted.into(), remedy, ..Self::new(of, is, Verdict::Mend) }
    }

    /// To be mended by a person.
    pub(crate) fn person(
        of: impl Into<String>,
        is: impl Into<String>,
        wanted: impl Into<String>,
        sentence: impl Into<String>,
    ) -> Self {
        let remedy = Remedy::Person(sentence.into());
        Self { wanted: wanted.into(), remedy, ..Self::new(of, is, Verdict::Mend) }
    }
}

/// No longer than a table can bear, and without what a terminal would obey.
fn shortened(text: &str) -> String {
    const CHARS_MAX: usize = 60;
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if clean.chars().count() <= CHARS_MAX {
        return clean;
    }
    clean.chars().take(CHARS_MAX - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_short_and_plain() {
        let row = Row::well("x", format!("a\x1b[31m\n{}", "b".repeat(100)));
        assert_eq!(row.is.chars().count(), 60);
        assert!(!row.is.contains(['\x1b', '\n']));
    }
}
