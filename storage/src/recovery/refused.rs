//! What lies in a log's directory under a name of its files and is none of them: a start refuses the log, and who only says what it
//! would do (`inspect/`) asks here, too.

use std::path::Path;

use ringlane_batch::Offset;
use ringlane_reactor::{DirEntry, Disk};

use crate::compaction::swap;
use crate::names::Kind;

/// Why the log in `dir` with these names must not be opened, if there is a reason.
pub(crate) fn refused_name(dir: &Path, names: &[DirEntry]) -> Option<String> {
    let is_file = |entry: &DirEntry| !entry.is_dir && !entry.is_link;
    let has_segment = |base: Offset| {
        let is_log = |entry: &&DirEntry| Kind::parse(&entry.name) == Some((Kind::Log, base));
        names.iter().find(is_log).is_some_and(is_file)
    };
    names.iter().find_map(|entry| {
        let (kind, base) = Kind::parse(&entry.name)?;
        let path = dir.join(&entry.name);
        let path = path.display();
        match kind {
            Kind::ProducerSnapshot => None,
            // Its length is not the file's, and no round would sync a file of another file system.
            _ if entry.is_link => Some(format!(
                "{path} is a symbolic link: what is written to the log must lie in the log directory itself; put the file there, in the place of the link"
            )),
            Kind::OffsetIndex | Kind::TimeIndex if entry.is_dir && has_segment(base) => Some(format!(
                "{path} is a directory, where an index belongs: move it away, and a start builds the index"
            )),
            _ => None,
        }
    })
}

/// The same, with what a compaction was putting in its place and cannot be.
pub(crate) async fn refused(disk: &Disk, dir: &Path, names: &[DirEntry]) -> Option<String> {
    match refused_name(dir, names) {
        Some(reason) => Some(reason),
        None => swap::refused(disk, dir, names).await,
    }
}
