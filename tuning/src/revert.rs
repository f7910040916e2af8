//! Putting back what `apply` found: every file byte for byte, what it made removed, the last change first.

use std::io;

use crate::change::chosen;
use crate::root::Root;
use crate::saved::{Entry, FILE, Saved, SavedError};

/// A file and whether it is as it was.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reverted {
    /// The file.
    pub path: String,
    /// Why not, where it is not.
    pub failed: Option<String>,
}

/// Puts everything back. What cannot be put back is told, stays saved, and the rest goes on.
///
/// # Errors
/// When what was saved cannot be read, or what is left of it not be written.
pub fn revert(root: &Root) -> Result<Vec<Reverted>, SavedError> {
    let mut saved = Saved::load(root)?;
    let mut reverted = Vec::new();
    let mut left = Vec::new();
    for entry in saved.entries.drain(..).rev() {
        let failed = put_back(root, &entry).err().map(|error| error.to_string());
        reverted.push(Reverted { path: entry.path.clone(), failed: failed.clone() });
        if failed.is_some() {
            left.push(entry);
        }
    }
    left.reverse();
    saved.entries = left;
    saved.store(root)?;
    if saved.is_empty() {
        for directory in &saved.directories {
            root.remove_if_empty(directory);
        }
    }
    Ok(reverted)
}

fn put_back(root: &Root, entry: &Entry) -> io::Result<()> {
    assert!(entry.path != FILE, "what is saved is not itself changed");
    let Some(was) = &entry.was else { return root.remove(&entry.path) };
    if root.bytes(&entry.path).is_ok_and(|is| is == *was) {
        return Ok(());
    }
    // One of the kernel's choices takes the chosen word, and reads as before then; anything else takes what it held.
    let text = String::from_utf8_lossy(was);
    let word = chosen(&text);
    if text.contains('[')
        && root.overwrite(&entry.path, format!("{word}\n").as_bytes()).is_ok()
        && root.bytes(&entry.path).is_ok_and(|is| is == *was)
    {
        return Ok(());
    }
    root.overwrite(&entry.path, was)?;
    match root.bytes(&entry.path) {
        Ok(is) if is == *was => Ok(()),
        Ok(is) => Err(io::Error::other(format!(
            "it reads {:?} now, and read {text:?}",
            String::from_utf8_lossy(&is)
        ))),
        Err(_) => Err(io::Error::other("it cannot be read any more")),
    }
}
