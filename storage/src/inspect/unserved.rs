//! Logs in a data directory that no start looks at, because their directories are not called as a partition's: a copy that
//! somebody made, or what an earlier start set aside. Nothing else would tell that they are not served.

use std::path::{Path, PathBuf};

use ringlane_reactor::Disk;

use super::target::is_partition;
use crate::error::StorageError;
use crate::names::{is_deleted_directory, is_stray_directory, parse_partition_directory};

/// The directories in the data directory `dir` that hold a log and are no partition's for a start, each with why.
///
/// # Errors
/// The disk's, where `dir` cannot be listed.
pub async fn unserved(
    disk: &Disk,
    dir: &Path,
) -> Result<Vec<(PathBuf, &'static str)>, StorageError> {
    let names = disk.list(dir).await.map_err(StorageError::io("list", dir))?;
    let mut unserved = Vec::new();
    for entry in names.into_iter().filter(|entry| entry.is_dir) {
        // A start removes what is left of a deleted log.
        if parse_partition_directory(&entry.name).is_some() || is_deleted_directory(&entry.name) {
            continue;
        }
        let path = dir.join(&entry.name);
        // What cannot be listed here, such as a file system's own, is nobody's log.
        if !disk.list(&path).await.is_ok_and(|names| is_partition(&names)) {
            continue;
        }
        let why = match is_stray_directory(&entry.name) {
            true => "was set aside by an earlier start, and is not served",
            false => {
                "holds a log and is not called as a partition's directory: a start leaves it as it is, and serves nothing of it"
            }
        };
        unserved.push((path, why));
    }
    Ok(unserved)
}
