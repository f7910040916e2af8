//! Kafka's checkpoint files: a line with the version, a line with the number of entries, then a line for each
//! (`CheckpointFile`). Replaced whole, so that a crash leaves the old or the new one.

use std::collections::BTreeMap;
use std::path::Path;

use ringlane_batch::Offset;
use ringlane_reactor::Disk;

use crate::error::StorageError;

const VERSION: &str = "0";
/// No checkpoint of ours is larger: 64 MiB name a million partitions.
pub(crate) const FILE_BYTES_MAX: u64 = 64 << 20;

/// The file's text for `entries`, one line each.
pub(crate) fn encode(entries: impl ExactSizeIterator<Item = String>) -> String {
    let mut text = format!("{VERSION}\n{}\n", entries.len());
    for entry in entries {
        assert!(!entry.contains('\n'), "an entry is one line");
        text.push_str(&entry);
        text.push('\n');
    }
    text
}

/// The entries of a file's text, each split at white space into exactly `N` words.
///
/// # Errors
/// What is wrong with the text.
pub(crate) fn decode<const N: usize>(text: &[u8]) -> Result<Vec<[&str; N]>, String> {
    let text = std::str::from_utf8(text).map_err(|_| "the checkpoint is not text".to_string())?;
    let mut lines = text.lines();
    match lines.next() {
        Some(VERSION) => {}
        Some(other) => return Err(format!("the checkpoint has version {other:?}, not {VERSION}")),
        None => return Err("the checkpoint is empty".to_string()),
    }
    let count: usize = lines
        .next()
        .and_then(|count| count.parse().ok())
        .ok_or("the second line of the checkpoint is not a count")?;
    let entries: Vec<[&str; N]> = lines
        .map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            words.try_into().map_err(|_| format!("malformed checkpoint line {line:?}"))
        })
        .collect::<Result<_, _>>()?;
    if entries.len() != count {
        return Err(format!("the checkpoint promises {count} entries and has {}", entries.len()));
    }
    Ok(entries)
}

/// Writes a file of offsets: `topic partition offset` lines (`OffsetCheckpointFile`), by partition directory name.
///
/// # Errors
/// The disk's.
pub(crate) async fn write_offsets(
    disk: &Disk,
    path: &Path,
    offsets: &BTreeMap<String, Offset>,
) -> Result<(), StorageError> {
    let text = encode(offsets.iter().map(|(directory, offset)| {
        let (topic, partition) = directory.rsplit_once('-').unwrap_or((directory, "0"));
        format!("{topic} {partition} {offset}")
    }));
    disk.replace(path, text.as_bytes()).await.map_err(StorageError::io("write", path))
}

/// Reads a file that [`write_offsets`] wrote.
///
/// # Errors
/// The disk's, or `Corrupt`.
pub(crate) async fn read_offsets(
    disk: &Disk,
    path: &Path,
) -> Result<BTreeMap<String, Offset>, StorageError> {
    let text = disk.read(path, FILE_BYTES_MAX).await.map_err(StorageError::io("read", path))?;
    let entries = decode::<3>(&text).map_err(|reason| StorageError::corrupt(path, reason))?;
    entries
        .into_iter()
        .map(|[topic, partition, offset]| {
            let offset = offset
                .parse()
                .map_err(|_| StorageError::corrupt(path, format!("{offset:?} is not an offset")))?;
            Ok((format!("{topic}-{partition}"), Offset(offset)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_reads_back() {
        let text = encode(["a 0 5".to_string(), "b 1 6".to_string()].into_iter());
        assert_eq!(text, "0\n2\na 0 5\nb 1 6\n");
        assert_eq!(decode::<3>(text.as_bytes()), Ok(vec![["a", "0", "5"], ["b", "1", "6"]]));
    }

    #[test]
    fn a_damaged_checkpoint_is_refused() {
        for text in ["", "1\n0\n", "0\n", "0\nx\n", "0\n2\na 0 5\n", "0\n1\na 0\n", "0\n0\na 0 5\n"]
        {
            assert!(decode::<3>(text.as_bytes()).is_err(), "{text:?}");
        }
        assert!(decode::<3>(&[0xff]).is_err());
    }
}
