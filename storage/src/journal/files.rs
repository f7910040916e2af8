//! The files of a shard's journal: which one is written to, which hold groups that are needed, which are free.
//!
//! A file is written from its start to where a group does not fit any more, is then full until all of its groups are
//! trimmed, and is free again.

use std::io;
use std::ops::Range;
use std::path::Path;

use ringlane_reactor::{DirectFile, Disk, OpenOptions};

use super::config::JournalConfig;
use super::format::{BLOCK_BYTES, GROUP_HEADER_BYTES, GroupHeader, Place};
use super::late_writes::lock_for_writing;
use super::names::{file_path, journals};
use super::scan::Extent;
use crate::error::{StorageError, is_storage_full};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Status {
    Free,
    /// Written up to here.
    Current {
        end: u64,
        last_sequence: u64,
    },
    Full {
        last_sequence: u64,
    },
}

struct JournalFile {
    number: u32,
    file: DirectFile,
    status: Status,
    /// What is before this was written once, be it with zeros: writing there again changes no metadata.
    written_once: u64,
    /// Zeros that are on their way.
    zeros: Option<Range<u64>>,
}

/// Where a group may go.
pub(super) enum Room {
    At(Place, DirectFile),
    /// Where zeros are on their way: the wait is short.
    AfterZeros,
    /// Nowhere, until a file is trimmed.
    None,
}

/// See the module. Knows nothing of groups but their lengths and sequences.
pub(super) struct Files {
    files: Vec<JournalFile>,
    file_bytes: u64,
    group_bytes_max: usize,
    trimmed_to: u64,
    /// The file that was filled last.
    newest: Option<u32>,
}

impl Files {
    /// Opens the files, making those that are missing and removing those that are too many.
    pub(super) async fn open(
        disk: &Disk,
        dir: &Path,
        (journal_id, shard): (u64, u16),
        config: &JournalConfig,
    ) -> Result<Self, StorageError> {
        disk.create_dir_all(dir).await.map_err(StorageError::io("create", dir))?;
        let mut files = Vec::new();
        for number in 0..config.files {
            let path = file_path(dir, shard, number);
            remove_foreign(disk, &path, journal_id, (shard, number)).await?;
            match open_file(disk, dir, (shard, number), config.file_bytes).await {
                Ok(file) => files.push(file),
                Err(StorageError::Io { source, path, .. })
                    if is_storage_full(&source) && number > 0 =>
                {
                    tracing::warn!(
                        "no space for the journal file {}: the journal has {number} of {} files, and produces wait \
                         for its checkpoints more often",
                        path.display(),
                        config.files
                    );
                    break;
                }
                Err(StorageError::Io { source, path, .. }) if is_storage_full(&source) => {
                    return Err(StorageError::NoSpaceForJournal { path, bytes: config.file_bytes });
                }
                Err(error) => return Err(error),
            }
        }
        remove_surplus(disk, dir, shard, files.len()).await?;
        disk.sync_dir(dir).await.map_err(StorageError::io("sync", dir))?;
        if let Some(parent) = dir.parent() {
            disk.sync_dir(parent).await.map_err(StorageError::io("sync", parent))?;
        }
        if files.iter().any(|file| !file.file.is_direct()) {
            tracing::warn!(
                "the file system of {} has no O_DIRECT: the journal is written through the page cache, and synced \
                 after each group",
                dir.display()
            );
        }
        let group_bytes_max = config.half_file_bytes();
        let file_bytes = config.file_bytes;
        Ok(Self { files, file_bytes, group_bytes_max, trimmed_to: 0, newest: None })
    }

    /// Closes the files: nothing is written any more.
    pub(super) fn let_go(&mut self) {
        self.files.clear();
    }

    /// The longest group that is sure to fit.
    pub(super) fn group_bytes_max(&self) -> usize {
        self.group_bytes_max
    }

    pub(super) fn file_bytes(&self) -> u64 {
        self.file_bytes
    }

    /// What there is, where the group `last_group` was the last to be acknowledged.
    pub(super) fn extent(&self, last_group: u64) -> Extent {
        let files = u32::try_from(self.files.len()).expect("files are few");
        // A write that is torn may take the place of all groups of the only file.
        let last_group = if files < 2 { 0 } else { last_group };
        Extent { files, file_bytes: self.file_bytes, last_group }
    }

    /// The files that are full and not trimmed.
    pub(super) fn full_count(&self) -> usize {
        let is_full = |file: &&JournalFile| matches!(file.status, Status::Full { .. });
        self.files.iter().filter(is_full).count()
    }

    /// Whether it is time to trim: half of the files are full. A round of checkpoints costs each log a write and the file
    /// system a commit, however little was appended, so it should not come more often than it must.
    pub(super) fn want_trimming(&self) -> bool {
        // A full disk may leave a journal of one file.
        self.full_count() >= (self.files.len() / 2).max(1)
    }

    /// A place for the group `sequence` of `bytes`: behind the group before it, else at the start of a free file, best of
    /// one that was written before or is being filled. The newest group is not written over, even where it is trimmed: its
    /// sequence tells a start that the journal is whole.
    pub(super) fn place(&mut self, bytes: u64, sequence: u64) -> Room {
        assert!(bytes <= self.file_bytes && bytes > 0, "a group fits a file");
        if let Some(file) = self.files.iter_mut().find(|file| file.is_current()) {
            let Status::Current { end, last_sequence } = file.status else { unreachable!() };
            assert_eq!(last_sequence + 1, sequence, "groups are written in order");
            if end + bytes <= self.file_bytes {
                return file.place(end, bytes, sequence);
            }
            file.status = Status::Full { last_sequence };
            self.newest = Some(file.number);
            // Trimmed already, where a checkpoint was quicker than the journal.
            self.trim(self.trimmed_to);
        }
        let (newest, is_only) = (self.newest, self.files.len() == 1);
        let is_free = |file: &&mut JournalFile| file.status == Status::Free;
        let rank = |file: &&mut JournalFile| {
            let is_raw = file.written_once < bytes && file.zeros.is_none();
            (Some(file.number) == newest, is_raw)
        };
        let Some(file) = self.files.iter_mut().filter(is_free).min_by_key(rank) else {
            return Room::None;
        };
        assert!(is_only || Some(file.number) != newest, "older files are free before the newest");
        file.place(0, bytes, sequence)
    }

    /// The groups before `to` are not needed any more.
    pub(super) fn trim(&mut self, to: u64) {
        assert!(to >= self.trimmed_to, "what is trimmed stays trimmed");
        self.trimmed_to = to;
        for file in &mut self.files {
            if matches!(file.status, Status::Full { last_sequence } if last_sequence < to) {
                file.status = Status::Free;
            }
        }
    }

    /// The file to fill with zeros now, by its place among the files: the one that is written to, and then the next, unless
    /// another is ready to be that. One ahead is enough, and all that a start finds only zeros in is read in vain.
    pub(super) fn wants_zeros(&self) -> Option<usize> {
        let is_whole = |file: &JournalFile| file.written_once == self.file_bytes;
        let raw = |is_next: fn(&JournalFile) -> bool| {
            self.files.iter().position(|file| is_next(file) && !is_whole(file))
        };
        let is_ready = |file: &JournalFile| file.status == Status::Free && is_whole(file);
        raw(JournalFile::is_current).or_else(|| match self.files.iter().any(is_ready) {
            true => None,
            false => raw(|file| file.status == Status::Free),
        })
    }

    pub(super) fn is_filling_with_zeros(&self) -> bool {
        self.files.iter().any(|file| file.zeros.is_some())
    }

    /// Where to write zeros in the file that [`Files::wants_zeros`] told, at most `bytes_max`: groups keep away until
    /// [`Files::end_zeros`].
    pub(super) fn begin_zeros(&mut self, index: usize, bytes_max: u64) -> (DirectFile, Range<u64>) {
        let file = &mut self.files[index];
        assert_eq!(file.zeros, None, "zeros are written piece by piece");
        let is_full = matches!(file.status, Status::Full { .. });
        assert!(!is_full && file.written_once < self.file_bytes, "there is something to fill");
        let zeros = file.written_once..self.file_bytes.min(file.written_once + bytes_max);
        file.zeros = Some(zeros.clone());
        (file.file.clone(), zeros)
    }

    /// The zeros are written, and where they end the file, synced.
    pub(super) fn end_zeros(&mut self, index: usize) {
        let file = &mut self.files[index];
        let zeros = file.zeros.take().expect("zeros that were begun");
        assert_eq!(file.written_once, zeros.start, "groups keep away from zeros");
        file.written_once = zeros.end;
    }

    /// Zeros could not be written: the file is used as it is.
    pub(super) fn give_up_zeros(&mut self, index: usize) {
        let file = &mut self.files[index];
        (file.zeros, file.written_once) = (None, self.file_bytes);
    }
}

impl JournalFile {
    fn is_current(&self) -> bool {
        matches!(self.status, Status::Current { .. })
    }

    /// Whether no zeros are on their way to there.
    fn is_clear(&self, at: u64, bytes: u64) -> bool {
        self.zeros.as_ref().is_none_or(|zeros| at + bytes <= zeros.start)
    }

    fn place(&mut self, at: u64, bytes: u64, sequence: u64) -> Room {
        assert!(
            !matches!(self.status, Status::Full { .. }),
            "what is not trimmed is not overwritten"
        );
        if !self.is_clear(at, bytes) {
            return Room::AfterZeros;
        }
        // A group that is quicker than the zeros takes their place, and they go on behind it.
        if self.zeros.is_none() {
            self.written_once = self.written_once.max(at + bytes);
        }
        assert!(at + bytes <= self.written_once, "a group does not pass zeros on their way");
        self.status = Status::Current { end: at + bytes, last_sequence: sequence };
        let block = u32::try_from(at / BLOCK_BYTES as u64).expect("a file has fewer blocks");
        Room::At(Place { file: self.number, block }, self.file.clone())
    }
}

/// A file of the right length, its blocks reserved.
async fn open_file(
    disk: &Disk,
    dir: &Path,
    (shard, number): (u16, u32),
    file_bytes: u64,
) -> Result<JournalFile, StorageError> {
    let path = file_path(dir, shard, number);
    let open = async |options| {
        let opened = disk.open_direct(&path, options).await;
        opened.map_err(StorageError::io("open the journal file", &path))
    };
    let mut file = open(OpenOptions::CREATE).await?;
    let mut len = file.len().map_err(StorageError::io("read the length of", &path))?;
    if len > file_bytes {
        file = open(OpenOptions::CREATE_EMPTY).await?;
        len = 0;
    }
    let writes_in_place = |file: &DirectFile| {
        file.writes_in_place().map_err(StorageError::io("look at the file system of", &path))
    };
    if !writes_in_place(&file)? {
        // What the file held is not needed; a new one may be exempted.
        file = open(OpenOptions::CREATE_EMPTY).await?;
        len = 0;
        if !writes_in_place(&file)? {
            drop(file);
            remove(disk, &path).await?;
            return Err(StorageError::CopyOnWrite(path));
        }
    }
    if len < file_bytes {
        let tried = "reserve the space of the journal file";
        if let Err(error) = file.allocate(file_bytes).await {
            if len == 0 {
                drop(file);
                remove(disk, &path).await?;
            }
            return Err(StorageError::io(tried, &path)(error));
        }
        file.sync_data().await.map_err(StorageError::io("sync", &path))?;
    }
    lock_for_writing(&file).map_err(StorageError::io("lock", &path))?;
    // A crash may leave any length.
    let written = file.written_len().map_err(StorageError::io("look for the holes of", &path))?;
    let written_once = (written - written % BLOCK_BYTES as u64).min(file_bytes);
    Ok(JournalFile { number, file, status: Status::Free, written_once, zeros: None })
}

/// Removes a file that begins with a group of another journal or file. Nothing in it is needed, and a later start would take what is
/// left of it for a sign that files were exchanged.
async fn remove_foreign(
    disk: &Disk,
    path: &Path,
    journal_id: u64,
    (shard, number): (u16, u32),
) -> Result<(), StorageError> {
    let file = match disk.open(path, OpenOptions::READ).await {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => opened.map_err(StorageError::io("open", path))?,
    };
    let head = file.read_at(vec![0; GROUP_HEADER_BYTES], 0).await;
    let is_own = |head: &GroupHeader| {
        (head.journal_id, head.shard, head.place.file) == (journal_id, shard, number)
    };
    match GroupHeader::parse(&head.map_err(StorageError::io("read", path))?) {
        Ok(head) if is_own(&head) => Ok(()),
        Ok(_) => remove(disk, path).await,
        Err(_) => Ok(()),
    }
}

/// Removes files with numbers that a smaller configuration does not have.
async fn remove_surplus(
    disk: &Disk,
    dir: &Path,
    shard: u16,
    count: usize,
) -> Result<(), StorageError> {
    let found = journals(disk, dir).await?.into_iter().find(|journal| journal.shard == shard);
    let numbers = found.map(|journal| journal.files).unwrap_or_default();
    for number in numbers.into_iter().filter(|number| *number as usize >= count) {
        remove(disk, &file_path(dir, shard, number)).await?;
    }
    Ok(())
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
mod tests;
