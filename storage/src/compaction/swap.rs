//! The names under which a new segment comes into place, and what a start makes of those that a crash left. They are
//! Kafka's (`LocalLog.replaceSegments`):
//!
//! 1. `<base>.log.cleaned` and its indexes are written and synced. A start removes them: nothing has happened.
//! 2. The indexes become `.swap`, the directory is synced, then the `.log`, and it is synced again. **`<base>.log.swap`
//!    decides**: where it is, the new segment is whole, its indexes are under `.swap` or their last names, and the old
//!    segments are superfluous; a start completes what is left to do.
//! 3. The files of the old segments behind the first become `.deleted`; the new indexes take the place of the first one's.
//!    The directory is synced.
//! 4. The new `.log` takes the place of the first one's, and the directory is synced. `.deleted` files are removed.
//!
//! Kafka gives a `.swap` up when it finds a `.cleaned` at or below its base. Here it does not: a leftover of an earlier
//! round could then take back a swap whose old segments are gone.

use std::io;
use std::path::{Path, PathBuf};

use ringlane_batch::Offset;
use ringlane_reactor::{DirEntry, Disk, OpenOptions};

use crate::names::Kind;
use crate::segment::{Files, header_at};

pub(crate) const CLEANED: &str = ".cleaned";
pub(crate) const SWAP: &str = ".swap";
pub(crate) const DELETED: &str = ".deleted";

/// The files of a segment; the log last: it decides.
pub(crate) const SEGMENT_KINDS: [Kind; 3] = [Kind::OffsetIndex, Kind::TimeIndex, Kind::Log];

/// The file of `kind` at `base` with `suffix` added.
pub(crate) fn path(dir: &Path, kind: Kind, base: Offset, suffix: &str) -> PathBuf {
    let mut path = kind.path(dir, base).into_os_string();
    path.push(suffix);
    path.into()
}

/// Opens empty `.cleaned` files for a segment at `base`.
pub(crate) async fn create_cleaned(disk: &Disk, dir: &Path, base: Offset) -> io::Result<Files> {
    let open =
        async |kind| disk.open(&path(dir, kind, base, CLEANED), OpenOptions::CREATE_EMPTY).await;
    Ok(Files {
        log: open(Kind::Log).await?,
        offset_index: open(Kind::OffsetIndex).await?,
        time_index: open(Kind::TimeIndex).await?,
    })
}

/// Removes the files of `kinds` at `base` that end in `suffix`, where they are.
pub(crate) async fn remove_all(
    disk: &Disk,
    dir: &Path,
    base: Offset,
    suffix: &str,
) -> io::Result<()> {
    // The log first: without it the others mean nothing.
    for kind in SEGMENT_KINDS.into_iter().rev() {
        remove(disk, &path(dir, kind, base, suffix)).await?;
    }
    Ok(())
}

async fn remove(disk: &Disk, path: &Path) -> io::Result<()> {
    match disk.remove_file(path).await {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Gives the segment at `base` other names, durably by `sync` of them: the log once its indexes have theirs.
pub(crate) async fn rename_all(
    disk: &Disk,
    dir: &Path,
    base: Offset,
    (from, to): (&str, &str),
    sync: impl AsyncFn() -> io::Result<()>,
) -> io::Result<()> {
    for kind in SEGMENT_KINDS {
        if kind == Kind::Log {
            sync().await?;
        }
        disk.rename(&path(dir, kind, base, from), &path(dir, kind, base, to)).await?;
    }
    sync().await
}

/// The names in a log's directory, after completing or undoing what a crash interrupted.
///
/// # Errors
/// The disk's; `InvalidData` where a new segment is damaged whose old ones may be gone.
pub(crate) async fn list_settled(disk: &Disk, dir: &Path) -> io::Result<Vec<DirEntry>> {
    let names = disk.list(dir).await?;
    let is_left = |name: &str| [CLEANED, SWAP, DELETED].iter().any(|end| name.ends_with(end));
    if !names.iter().any(|entry| is_left(&entry.name)) {
        return Ok(names);
    }
    for base in names.iter().filter_map(|entry| swapped_log(&entry.name)) {
        complete(disk, dir, base, &names).await?;
    }
    for entry in disk.list(dir).await?.iter().filter(|entry| !entry.is_dir && is_left(&entry.name))
    {
        remove(disk, &dir.join(&entry.name)).await?;
    }
    disk.sync_dir(dir).await?;
    disk.list(dir).await
}

/// Why a start could not complete what a compaction left among `names`, if it could not.
pub(crate) async fn refused(disk: &Disk, dir: &Path, names: &[DirEntry]) -> Option<String> {
    for base in names.iter().filter_map(|entry| swapped_log(&entry.name)) {
        if let Err(error) = end_of(disk, dir, base).await {
            return Some(error.to_string());
        }
    }
    None
}

/// The base of the segment whose log is called `name`, if that decides a swap.
fn swapped_log(name: &str) -> Option<Offset> {
    let parsed = name.strip_suffix(SWAP).and_then(Kind::parse);
    parsed.filter(|(kind, _)| *kind == Kind::Log).map(|(_, base)| base)
}

/// Steps 3 and 4 for the segment at `base`, however far they had come.
async fn complete(disk: &Disk, dir: &Path, base: Offset, names: &[DirEntry]) -> io::Result<()> {
    let end = end_of(disk, dir, base).await?;
    tracing::info!(log = %dir.display(), %base, %end, "completing an interrupted compaction");
    let is_old =
        |name: &str| Kind::parse(name).is_some_and(|(_, offset)| base < offset && offset < end);
    for entry in names.iter().filter(|entry| is_old(&entry.name)) {
        remove(disk, &dir.join(&entry.name)).await?;
    }
    for kind in SEGMENT_KINDS {
        if kind == Kind::Log {
            disk.sync_dir(dir).await?;
        }
        let renamed = disk.rename(&path(dir, kind, base, SWAP), &kind.path(dir, base)).await;
        match renamed {
            // It has its last name already.
            Err(error) if error.kind() == io::ErrorKind::NotFound && kind != Kind::Log => {}
            renamed => renamed?,
        }
    }
    disk.sync_dir(dir).await
}

/// Where the new segment at `base` ends: its last batch is always there. An empty file, or one without whole batches, is not what a
/// compaction left, and takes no segment's place.
async fn end_of(disk: &Disk, dir: &Path, base: Offset) -> io::Result<Offset> {
    let path = path(dir, Kind::Log, base, SWAP);
    let file = disk.open(&path, OpenOptions::READ).await?;
    let len = file.len()?;
    if len == 0 {
        return Err(no_segment(&path, "it is empty"));
    }
    let (mut position, mut end) = (0, base);
    loop {
        match header_at(&file, position, len).await {
            Ok(None) => return Ok(end),
            Ok(Some(batch)) => {
                position += batch.len;
                end = batch.last.plus(1);
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return Err(no_segment(&path, &error.to_string()));
            }
            Err(error) => return Err(error),
        }
    }
}

fn no_segment(path: &Path, what: &str) -> io::Error {
    let path = path.display();
    let sentence = format!(
        "{path} is no segment that a compaction left: {what}; if the segments that it would replace are there, move it away"
    );
    io::Error::new(io::ErrorKind::InvalidData, sentence)
}
