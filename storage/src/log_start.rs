//! The file that says where a log starts, where that is not the base of its first segment, and what it means when the
//! log is opened: segments before it are what an interrupted deletion left.
//!
//! ```text
//! 0                the version of this file
//! 1234             the first offset that can be read
//! 8d2f61c0         CRC-32C of the line before, in eight hex digits
//! ```

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use ringlane_batch::Offset;
use ringlane_reactor::Disk;

use crate::error::StorageError;
use crate::names::Kind;

const VERSION: &str = "0";
const FILE_BYTES_MAX: u64 = 4096;

pub(crate) fn path(dir: &Path) -> PathBuf {
    dir.join("log-start-offset")
}

/// The file's text.
pub(crate) fn encode(start: Offset) -> String {
    assert!(start >= Offset::ZERO, "no log starts before offset 0");
    let line = start.to_string();
    format!("{VERSION}\n{line}\n{:08x}\n", crc32c::crc32c(line.as_bytes()))
}

fn decode(text: &[u8]) -> Result<Offset, &'static str> {
    let text = std::str::from_utf8(text).map_err(|_| "is not text")?;
    let mut lines = text.lines();
    if lines.next() != Some(VERSION) {
        return Err("has an unknown version");
    }
    let (line, crc) = (lines.next().ok_or("is cut short")?, lines.next().ok_or("is cut short")?);
    if u32::from_str_radix(crc, 16) != Ok(crc32c::crc32c(line.as_bytes())) {
        return Err("does not match its checksum");
    }
    let start = line.parse().map(Offset).map_err(|_| "names no offset")?;
    if start < Offset::ZERO { Err("names a negative offset") } else { Ok(start) }
}

/// Where the log in `dir` starts at the earliest; 0 without a file.
///
/// # Errors
/// The disk's; `Corrupt`: a wrong offset would have segments removed.
pub(crate) async fn read(disk: &Disk, dir: &Path) -> Result<Offset, StorageError> {
    let path = path(dir);
    match disk.read(&path, FILE_BYTES_MAX).await {
        Ok(text) => decode(&text).map_err(|reason| StorageError::corrupt(&path, reason)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Offset::ZERO),
        Err(error) => Err(StorageError::io("read", &path)(error)),
    }
}

/// Removes the segments that end at `start` or before, and the producer snapshots before the first that stays.
///
/// # Errors
/// The disk's.
pub(crate) async fn remove_before(
    disk: &Disk,
    dir: &Path,
    start: Offset,
    segments: &mut BTreeSet<Offset>,
    snapshots: &mut BTreeSet<Offset>,
) -> Result<(), StorageError> {
    let Some(&first) = segments.range(..=start).next_back() else { return Ok(()) };
    for base in take_before(segments, first) {
        for kind in [Kind::Log, Kind::OffsetIndex, Kind::TimeIndex] {
            remove(disk, &kind.path(dir, base)).await?;
        }
    }
    for offset in take_before(snapshots, first) {
        remove(disk, &Kind::ProducerSnapshot.path(dir, offset)).await?;
    }
    assert_eq!(segments.first(), Some(&first), "the segment that holds the start stays");
    Ok(())
}

/// Takes what lies before `first` out of `offsets`.
fn take_before(offsets: &mut BTreeSet<Offset>, first: Offset) -> BTreeSet<Offset> {
    let kept = offsets.split_off(&first);
    std::mem::replace(offsets, kept)
}

async fn remove(disk: &Disk, path: &Path) -> Result<(), StorageError> {
    match disk.remove_file(path).await {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(StorageError::io("remove", path)(error))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_reads_back() {
        for start in [0, 7, i64::MAX] {
            assert_eq!(decode(encode(Offset(start)).as_bytes()), Ok(Offset(start)));
        }
    }

    #[test]
    fn a_changed_byte_is_noticed() {
        let text = encode(Offset(1234)).into_bytes();
        for at in 0..text.len() {
            let mut changed = text.clone();
            changed[at] ^= 1;
            assert_ne!(decode(&changed), Ok(Offset(1235)), "byte {at}");
            assert!(decode(&changed).is_err() || changed.ends_with(b"\x0b"), "byte {at}");
        }
        for cut in 0..text.len() - 1 {
            assert!(decode(&text[..cut]).is_err(), "{cut} bytes");
        }
    }
}
