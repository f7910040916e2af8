//! What a log's start means when the log is opened: segments before it are what an interrupted deletion left. The start itself
//! is in the journal and in the shard's checkpoint.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use ringlane_batch::Offset;
use ringlane_reactor::Disk;

use crate::error::StorageError;
use crate::names::Kind;

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
