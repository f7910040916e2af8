//! Whether a start could write what it writes first: the journals and the shards' checkpoints. Nothing is written here.

use std::path::{Path, PathBuf};

use ringlane_reactor::{Disk, OpenOptions};

use crate::error::StorageError;
use crate::journal::journal_files;
use crate::recovered::Recovered;
use crate::shard_checkpoint::{self, journal_directory};

/// Immutable, whoever asks. That this user may not write, or that a copy is mounted read-only, says nothing of the broker.
const EPERM: i32 = 1;

/// Why a start could not write in `directory`, if something is immutable there.
///
/// # Errors
/// The disk's.
pub(super) async fn refused(
    disk: &Disk,
    directory: &Path,
    recovered: &Recovered,
) -> Result<Option<String>, StorageError> {
    let dir = journal_directory(directory);
    for (shard, _) in recovered.journals() {
        let mut paths: Vec<PathBuf> = journal_files(disk, &dir, shard).await?;
        paths.push(shard_checkpoint::path(directory, shard));
        for path in paths {
            if let Err(error) = disk.open(&path, OpenOptions::WRITE).await
                && error.raw_os_error() == Some(EPERM)
            {
                return Ok(Some(format!(
                    "{} cannot be written ({error}; see lsattr): a start takes the whole log directory offline",
                    path.display()
                )));
            }
        }
    }
    Ok(None)
}
