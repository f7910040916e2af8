//! The names of the journal's files in its directory, and which shards' journals a directory holds.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ringlane_reactor::Disk;

use crate::error::StorageError;

/// The journal of one shard as a directory shows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ShardJournal {
    /// The shard that wrote it.
    pub shard: u16,
    /// The numbers of its files, rising. There may be holes.
    pub files: Vec<u32>,
}

/// The journals in `dir`, whatever the number of shards is now, by shard. None where the directory is missing.
///
/// # Errors
/// The disk's.
pub async fn journals(disk: &Disk, dir: &Path) -> Result<Vec<ShardJournal>, StorageError> {
    let entries = match disk.list(dir).await {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(StorageError::io("list", dir)(error)),
    };
    let mut found: BTreeMap<u16, Vec<u32>> = BTreeMap::new();
    for (shard, file) in entries.iter().filter_map(|entry| parse_file_name(&entry.name)) {
        found.entry(shard).or_default().push(file);
    }
    let sorted = |mut files: Vec<u32>| {
        files.sort_unstable();
        files
    };
    let journal = |(shard, files)| ShardJournal { shard, files: sorted(files) };
    Ok(found.into_iter().map(journal).collect())
}

/// The files of the journal of `shard` in `dir`, in the order of their numbers.
///
/// # Errors
/// The disk's.
pub(crate) async fn journal_files(
    disk: &Disk,
    dir: &Path,
    shard: u16,
) -> Result<Vec<PathBuf>, StorageError> {
    let journal = journals(disk, dir).await?.into_iter().find(|journal| journal.shard == shard);
    let files = journal.map(|journal| journal.files).unwrap_or_default();
    Ok(files.into_iter().map(|file| file_path(dir, shard, file)).collect())
}

/// Removes the journal of `shard`, durably: one whose shard is no more, after what it holds was recovered.
///
/// # Errors
/// The disk's.
pub async fn remove_journal(disk: &Disk, dir: &Path, shard: u16) -> Result<(), StorageError> {
    for path in journal_files(disk, dir, shard).await? {
        disk.remove_file(&path).await.map_err(StorageError::io("remove", &path))?;
    }
    disk.sync_dir(dir).await.map_err(StorageError::io("sync", dir))
}

/// `shard-<shard>-<file>.journal` in `dir`.
pub(super) fn file_path(dir: &Path, shard: u16, file: u32) -> PathBuf {
    dir.join(format!("shard-{shard}-{file}.journal"))
}

/// The shard and number of the file called `name`; `None` when it is none of the journal's.
fn parse_file_name(name: &str) -> Option<(u16, u32)> {
    let (shard, file) = name.strip_prefix("shard-")?.strip_suffix(".journal")?.split_once('-')?;
    let parsed = (shard.parse().ok()?, file.parse().ok()?);
    // One spelling each, so that no two files have one number.
    (format!("{}-{}", parsed.0, parsed.1) == format!("{shard}-{file}")).then_some(parsed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_whose_file_it_is() {
        let path = file_path(Path::new("d"), 12, 3);
        assert_eq!(path, Path::new("d/shard-12-3.journal"));
        assert_eq!(parse_file_name("shard-12-3.journal"), Some((12, 3)));
        for other in [
            "shard-12.checkpoint",
            "shard-01-3.journal",
            "shard-1-+3.journal",
            "shard-70000-0.journal",
        ] {
            assert_eq!(parse_file_name(other), None, "{other}");
        }
    }
}
