//! Where the controller's data is. A start does not begin it anew where something tells that there was some: without it the
//! cluster has no topics, and every log would be set aside as a stray. The order of `log.dirs` was changed, a disk is not mounted,
//! or files were removed; nothing is written before this is known.

use std::io;
use std::path::{Path, PathBuf};

use ringlane_controller::DIRECTORY_NAME;
use ringlane_reactor::Disk;
use ringlane_storage::LogDirectory;

use crate::server::{StartError, failed};
use crate::shard::Shard;

/// Refuses to begin the controller's data in `metadata` beside the log directories `paths` of a broker that has run before.
///
/// # Errors
/// One sentence: what is there, and what to do.
pub(crate) async fn refuse_a_new_place(
    shard: &Shard,
    paths: &[PathBuf],
    metadata: &Path,
) -> Result<(), StartError> {
    let disk = shard.reactor.disk();
    let place = metadata.display();
    let is_new = is_missing(&disk, &metadata.join("meta.properties")).await;
    if !is_empty(&disk, &metadata.join(DIRECTORY_NAME)).await {
        return match is_new {
            true => Err(failed(format!(
                "{place} has {DIRECTORY_NAME}, but no meta.properties, which says whose it is: put that back from a copy"
            ))),
            false => Ok(()),
        };
    }
    for path in paths.iter().filter(|path| *path != metadata) {
        // One that cannot be read goes offline, which is told later.
        let there = disk.list(&path.join(DIRECTORY_NAME)).await;
        if there.is_ok_and(|entries| !entries.is_empty()) {
            let path = path.display();
            return Err(failed(format!(
                "the controller's data is in {path}, and not in {place}: put {path} first in log.dirs, or set metadata.log.dir to it"
            )));
        }
        if let Some(meta) = LogDirectory::identity(&shard.reactor, path).await
            && is_new
        {
            return Err(failed(format!(
                "{place} is new, but {} belongs to the cluster {}: set metadata.log.dir to the directory that has {DIRECTORY_NAME}, or put that first in log.dirs (is its disk mounted?)",
                path.display(),
                meta.cluster_id
            )));
        }
    }
    for path in paths {
        if let Some(log) = first_log(&disk, path).await {
            return Err(failed(format!(
                "{place} has no {DIRECTORY_NAME}, the controller's data, without which nobody knows what topics there are, but {} is a log: put the data back from a copy, set metadata.log.dir to where it is, or move all logs away to begin a new cluster",
                log.display()
            )));
        }
    }
    Ok(())
}

/// What cannot be looked at is no reason to take it for missing.
async fn is_missing(disk: &Disk, path: &Path) -> bool {
    disk.metadata(path).await.is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

/// Whether nothing is in the directory: a first start that was interrupted leaves it so.
async fn is_empty(disk: &Disk, path: &Path) -> bool {
    match disk.list(path).await {
        Ok(entries) => entries.is_empty(),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

/// The directory of a log that a start would look at.
async fn first_log(disk: &Disk, path: &Path) -> Option<PathBuf> {
    let entries = disk.list(path).await.ok()?;
    let is_aside = |name: &str| name.ends_with("-stray") || name.ends_with("-delete");
    for entry in entries.into_iter().filter(|entry| entry.is_dir && !is_aside(&entry.name)) {
        let log = path.join(&entry.name);
        if disk.metadata(&log.join("partition.metadata")).await.is_ok() {
            return Some(log);
        }
    }
    None
}
