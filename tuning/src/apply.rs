//! Changing what is to be mended: the changes are gathered, what the files hold is saved, and only then are they written,
//! one after the other. One that cannot be written is told and the rest goes on.

use std::collections::BTreeSet;

use crate::change::{Change, chosen};
use crate::check::Report;
use crate::knob::Remedy;
use crate::root::{Root, Unread};
use crate::saved::{Entry, FILE, Saved, SavedError};

/// A change that is to be made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Planned {
    /// The knob that wants it.
    pub knob: &'static str,
    /// What is written where.
    pub change: Change,
    /// What is there; `None` where there is no such file.
    pub was: Option<Vec<u8>>,
    /// Why it cannot be made: what is there cannot be read, and so not be put back.
    pub blocked: Option<String>,
}

/// What became of a change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It is there.
    Done,
    /// It was not taken; why.
    Failed(String),
}

/// A change and what became of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Applied {
    /// The change.
    pub planned: Planned,
    /// What became of it.
    pub outcome: Outcome,
}

/// The changes that mend what a report found, in its order; each file once.
pub fn plan(root: &Root, report: &Report) -> Vec<Planned> {
    let mut seen = BTreeSet::new();
    let mut planned = Vec::new();
    for (knob, row) in report.to_mend() {
        let Remedy::Apply(changes) = &row.remedy else { continue };
        for change in changes {
            let (was, blocked) = match root.bytes(&change.path) {
                Ok(was) => (Some(was), None),
                Err(Unread::Missing) => (None, None),
                Err(Unread::Unreadable(why)) => (None, Some(why)),
            };
            if seen.insert(change.path.clone()) {
                planned.push(Planned { knob: knob.name, change: change.clone(), was, blocked });
            }
        }
    }
    planned
}

/// Makes the changes, after what they replace has been saved.
///
/// # Errors
/// When that cannot be saved, and nothing was changed; or when what was saved before cannot be understood.
pub fn apply(root: &Root, planned: Vec<Planned>) -> Result<Vec<Applied>, SavedError> {
    let mut saved = Saved::load(root)?;
    if planned.is_empty() {
        return Ok(Vec::new());
    }
    let made = planned.iter().filter(|planned| planned.change.makes_file);
    let made = made.map(|planned| planned.change.path.as_str()).chain([FILE]);
    for directory in made.flat_map(|path| root.missing_directories(path)) {
        if !saved.directories.contains(&directory) {
            saved.directories.push(directory);
        }
    }
    // The lowest first, whoever wanted them.
    saved.directories.sort_by_key(|directory| std::cmp::Reverse(directory.matches('/').count()));
    for planned in planned.iter().filter(|planned| planned.blocked.is_none()) {
        saved.remember(planned);
    }
    saved.store(root)?;
    let mut applied = Vec::new();
    for planned in planned {
        let outcome = match &planned.blocked {
            None => write(root, &planned.change),
            Some(why) => Outcome::Failed(format!("what is there cannot be saved: {why}")),
        };
        saved.written(&planned.change.path, root.bytes(&planned.change.path).ok());
        applied.push(Applied { planned, outcome });
    }
    // What the files read as now helps a second apply only: it is no reason to call this one failed.
    let _ = saved.store(root);
    Ok(applied)
}

fn write(root: &Root, change: &Change) -> Outcome {
    let written = match change.makes_file {
        true => root.replace(&change.path, &change.bytes()),
        false => root.overwrite(&change.path, &change.bytes()),
    };
    match written {
        Ok(()) => Outcome::Done,
        Err(error) => Outcome::Failed(error.to_string()),
    }
}

impl Saved {
    /// Takes note of what a file holds before it is changed. What an earlier apply found there counts, as long as nobody
    /// else has written the file since.
    fn remember(&mut self, planned: &Planned) {
        let value = planned.change.bytes();
        let entry = Entry {
            path: planned.change.path.clone(),
            was: planned.was.clone(),
            value,
            reads: None,
        };
        let Some(before) = self.entries.iter_mut().find(|before| before.path == entry.path) else {
            return self.entries.push(entry);
        };
        let shows = |bytes: &[u8]| chosen(&String::from_utf8_lossy(bytes)).to_owned();
        let is_ours = planned.was == before.reads
            || planned.was.as_deref().map(shows) == Some(shows(&before.value));
        let was = if is_ours { before.was.take() } else { entry.was };
        *before = Entry { was, ..entry };
    }

    fn written(&mut self, path: &str, reads: Option<Vec<u8>>) {
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.path == path) {
            entry.reads = reads;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(value: &str, was: &str) -> Planned {
        let change = Change::write("/sys/x", value);
        let was = Some(was.as_bytes().to_vec());
        Planned { knob: "x", change, was, blocked: None }
    }

    fn was(saved: &Saved) -> String {
        assert_eq!(saved.entries.len(), 1);
        String::from_utf8(saved.entries[0].was.clone().expect("it was there")).expect("text")
    }

    #[test]
    fn the_first_finding_counts_until_somebody_else_writes() {
        let mut saved = Saved::default();
        saved.remember(&planned("b", "a [c]\n"));
        assert_eq!(was(&saved), "a [c]\n");
        saved.remember(&planned("d", "b\n"));
        assert_eq!(was(&saved), "a [c]\n", "what we wrote ourselves was not found there");
        saved.written("/sys/x", Some(b"a [d]\n".to_vec()));
        saved.remember(&planned("e", "a [d]\n"));
        assert_eq!(was(&saved), "a [c]\n", "nor what it reads as then");
        saved.remember(&planned("e", "z\n"));
        assert_eq!(was(&saved), "z\n", "this is somebody else's");
    }
}
