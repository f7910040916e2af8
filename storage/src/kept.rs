//! Files for what the journals hold of a log that stays offline: the journals are written over, and nothing that was
//! acknowledged may go with that. One for each such log, in the folder of the journals; drawn in `docs/formats.md`.
//!
//! A log with such a file stays offline while the file says that entries of it are lost; removing the file accepts the
//! loss. Otherwise each start replays the file as if it were a journal, and removes it once the log is open.

mod format;
mod writer;

use std::path::{Path, PathBuf};

use ringlane_batch::PartitionIndex;
use ringlane_reactor::{Disk, File, OpenOptions};

use crate::error::StorageError;
use crate::journal::{BLOCK_BYTES, Entry, GROUP_HEADER_BYTES, GroupHeader, parse_group};
use crate::shard_checkpoint::{LogKey, journal_directory};
use format::Head;
pub use writer::{KeptLog, keep};
pub(crate) use writer::{Wanted, keep_running};

/// A file that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) path: PathBuf,
    /// What is wrong with the log, where entries of it are lost.
    pub(crate) lost: Option<String>,
}

/// The file of the log `key`.
pub(crate) fn path(directory: &Path, (topic_id, partition): LogKey) -> PathBuf {
    journal_directory(directory).join(format!("{topic_id}-{partition}.kept"))
}

/// The log whose file is called `name`.
pub(crate) fn parse_name(name: &str) -> Option<LogKey> {
    let (topic_id, partition) = name.strip_suffix(".kept")?.rsplit_once('-')?;
    let partition: i32 = partition.parse().ok().filter(|partition| *partition >= 0)?;
    Some((topic_id.parse().ok()?, PartitionIndex(partition)))
}

impl Kept {
    /// Looks at the file at `path`.
    ///
    /// # Errors
    /// The disk's. A file that is damaged says that entries are lost.
    pub(crate) async fn find(disk: &Disk, path: &Path) -> Result<Self, StorageError> {
        let file = disk.open(path, OpenOptions::READ).await;
        let file = file.map_err(StorageError::io("open", path))?;
        let lost = match Head::read(&file, path).await? {
            Ok(head) => head.is_lossy.then_some(head.reason),
            Err(fault) => Some(format!("the file of its kept records is damaged ({fault})")),
        };
        Ok(Self { path: path.to_path_buf(), lost })
    }

    /// What a log line says of a log that stays offline for the losses that the file tells.
    pub(crate) fn sentence(&self, reason: &str) -> String {
        format!(
            "{reason}; what the journal held of it is kept in {}: remove that file to serve the log without what is lost",
            self.path.display()
        )
    }

    /// Gives every entry of the file to `take`, in order.
    ///
    /// # Errors
    /// The disk's; `Corrupt` where the file is not whole.
    pub(crate) async fn entries(
        &self,
        disk: &Disk,
        mut take: impl AsyncFnMut(&Entry<'_>),
    ) -> Result<(), StorageError> {
        let file = disk.open(&self.path, OpenOptions::READ).await;
        let file = file.map_err(StorageError::io("open", &self.path))?;
        let corrupt = |reason: String| StorageError::corrupt(&self.path, reason);
        let head = Head::read(&file, &self.path).await?.map_err(|fault| corrupt(fault.into()))?;
        let mut at = BLOCK_BYTES as u64;
        for _ in 0..head.groups {
            let bytes = self.read(&file, at, GROUP_HEADER_BYTES as u64).await?;
            let header = GroupHeader::parse(&bytes).map_err(|fault| corrupt(fault.to_string()))?;
            let len = header.padded_bytes();
            let left = file.len().map_err(StorageError::io("look at", &self.path))?;
            if u64::from(header.place.block) * BLOCK_BYTES as u64 != at || at + len > left {
                return Err(corrupt(format!("a group at byte {at} does not belong there")));
            }
            let bytes = self.read(&file, at, len).await?;
            let view = parse_group(&bytes).map_err(|fault| corrupt(fault.to_string()))?;
            let readable = view.entries();
            if let Some(fault) = readable.fault {
                return Err(corrupt(fault.to_string()));
            }
            for entry in &readable.entries {
                take(entry).await;
            }
            at += len;
        }
        Ok(())
    }

    async fn read(&self, file: &File, at: u64, len: u64) -> Result<Vec<u8>, StorageError> {
        let read = file.read_at(vec![0; len as usize], at).await;
        read.map_err(StorageError::io("read", &self.path))
    }

    /// Removes the file, durably: what it held is in the log.
    ///
    /// # Errors
    /// The disk's.
    pub(crate) async fn remove(&self, disk: &Disk) -> Result<(), StorageError> {
        let removed = disk.remove_file(&self.path).await;
        removed.map_err(StorageError::io("remove", &self.path))?;
        let dir = self.path.parent().unwrap_or(Path::new("."));
        disk.sync_dir(dir).await.map_err(StorageError::io("sync", dir))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ringlane_batch::TopicId;

    #[test]
    fn a_name_tells_the_log() {
        let key = (TopicId([0xfb; 16]), PartitionIndex(12));
        let path = path(Path::new("d"), key);
        let name = path.file_name().and_then(|name| name.to_str()).expect("text");
        assert_eq!(parse_name(name), Some(key), "{name}");
        for other in ["x-1.kept", "CQkJCQkJCQkJCQkJCQkJCQ-x.kept", "shard-0-0.journal"] {
            assert_eq!(parse_name(other), None, "{other}");
        }
    }
}
