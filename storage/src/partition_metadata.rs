//! `partition.metadata`: the id of the topic a partition's directory belongs to (KIP-516), so that a topic created again
//! under the same name never inherits the old one's records.

use std::path::{Path, PathBuf};

use ringlane_batch::TopicId;
use ringlane_reactor::{Disk, OpenOptions};

use crate::error::StorageError;
use crate::names::Kind;

const FILE_BYTES_MAX: u64 = 4096;

/// The name of the file.
pub(crate) const NAME: &str = "partition.metadata";

pub(crate) fn path(dir: &Path) -> PathBuf {
    dir.join(NAME)
}

fn temporary_path(dir: &Path) -> PathBuf {
    dir.join("partition.metadata.tmp")
}

/// Writes the file, durably.
pub(crate) async fn write(disk: &Disk, dir: &Path, topic_id: TopicId) -> Result<(), StorageError> {
    let path = path(dir);
    disk.replace(&path, encode(topic_id).as_bytes()).await.map_err(StorageError::io("write", &path))
}

/// Writes the file under a name that does not count, not durably.
pub(crate) async fn prepare(
    disk: &Disk,
    dir: &Path,
    topic_id: TopicId,
) -> Result<(), StorageError> {
    let path = temporary_path(dir);
    let opened = disk.open(&path, OpenOptions::CREATE_EMPTY).await;
    let written = opened.and_then(|file| file.write_at(encode(topic_id).as_bytes(), 0));
    written.map_err(StorageError::io("write", &path))
}

/// Gives what was prepared, and is on disk by now, the name that counts, not durably.
pub(crate) async fn put_in_place(disk: &Disk, dir: &Path) -> Result<(), StorageError> {
    let path = path(dir);
    let renamed = disk.rename(&temporary_path(dir), &path).await;
    renamed.map_err(StorageError::io("write", &path))
}

/// Reads the file: `None` when there is none, because its partition was never completely created.
pub(crate) async fn read(disk: &Disk, dir: &Path) -> Result<Option<TopicId>, StorageError> {
    let path = path(dir);
    match disk.read(&path, FILE_BYTES_MAX).await {
        Ok(text) => decode(&text).map(Some).map_err(|reason| StorageError::corrupt(&path, reason)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StorageError::io("read", &path)(error)),
    }
}

/// The topic id in the directory; `None` where there is none, or its log was never completely created: the last step of that is the
/// file, and nothing is appended before.
///
/// # Errors
/// The disk's; `Corrupt` where the file is damaged, or missing beside records.
pub(crate) async fn topic_of(disk: &Disk, dir: &Path) -> Result<Option<TopicId>, StorageError> {
    if let Some(topic_id) = read(disk, dir).await? {
        return Ok(Some(topic_id));
    }
    let entries = match disk.list(dir).await {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        entries => entries.map_err(StorageError::io("list", dir))?,
    };
    let is_segment = |name: &str| matches!(Kind::parse(name), Some((Kind::Log, _)));
    match entries.iter().any(|entry| is_segment(&entry.name) && entry.len > 0) {
        true => Err(missing(dir)),
        false => Ok(None),
    }
}

/// The file is not there, and something else is.
pub(crate) fn missing(dir: &Path) -> StorageError {
    let reason = "is missing, and without it nobody knows whose records are beside it: put it back while the broker is stopped";
    StorageError::corrupt(&path(dir), reason)
}

fn encode(topic_id: TopicId) -> String {
    format!("version: 0\ntopic_id: {topic_id}")
}

fn decode(text: &[u8]) -> Result<TopicId, String> {
    let text = std::str::from_utf8(text).map_err(|_| "not text")?;
    let mut lines = text.lines();
    if lines.next() != Some("version: 0") {
        return Err("the first line is not \"version: 0\"".to_string());
    }
    let id = lines.next().and_then(|line| line.strip_prefix("topic_id: "));
    match id.and_then(|id| id.parse().ok()) {
        Some(TopicId::ZERO) | None => Err("the second line names no topic id".to_string()),
        Some(id) => Ok(id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_id_reads_back_and_damage_is_refused() {
        let id = TopicId([7; 16]);
        assert_eq!(decode(encode(id).as_bytes()), Ok(id));
        assert!(decode(encode(TopicId::ZERO).as_bytes()).is_err());
        for text in ["", "version: 1\ntopic_id: x", "version: 0\n", "version: 0\ntopic_id: x"] {
            assert!(decode(text.as_bytes()).is_err(), "{text:?}");
        }
    }
}
