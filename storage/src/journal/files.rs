//! The files of a shard's journal: which one is written to, which hold groups that are needed, which are free.
//!
//! A file is written from its start to where a group does not fit any more, is then full until all of its groups are
//! trimmed, and is free again.

use std::io;
use std::path::Path;

use ringlane_reactor::{DirectFile, Disk, OpenOptions};

use super::config::JournalConfig;
use super::format::{BLOCK_BYTES, Place};
use super::late_writes::lock_for_writing;
use super::names::{file_path, journals};
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
    /// New, and not yet filled with zeros.
    blank: bool,
    /// Zeros are on their way into it.
    filling: bool,
}

/// See the module. Knows nothing of groups but their lengths and sequences.
pub(super) struct Files {
    files: Vec<JournalFile>,
    file_bytes: u64,
    group_bytes_max: usize,
    trimmed_to: u64,
    /// A group waits for a file: filling with zeros ends.
    hurry: bool,
}

impl Files {
    /// Opens the files, making those that are missing and removing those that are too many.
    pub(super) async fn open(
        disk: &Disk,
        dir: &Path,
        shard: u16,
        config: &JournalConfig,
    ) -> Result<Self, StorageError> {
        disk.create_dir_all(dir).await.map_err(StorageError::io("create", dir))?;
        let mut files = Vec::new();
        for number in 0..config.files {
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
        // Used at once: whoever starts a broker does not wait for zeros.
        files[0].blank = false;
        let group_bytes_max = config.half_file_bytes();
        let file_bytes = config.file_bytes;
        Ok(Self { files, file_bytes, group_bytes_max, trimmed_to: 0, hurry: false })
    }

    /// Closes the files: nothing is written any more.
    pub(super) fn let_go(&mut self) {
        self.files.clear();
    }

    /// The longest group that is sure to fit.
    pub(super) fn group_bytes_max(&self) -> usize {
        self.group_bytes_max
    }

    pub(super) fn count(&self) -> usize {
        self.files.len()
    }

    /// The files that are full and not trimmed.
    pub(super) fn full_count(&self) -> usize {
        let is_full = |file: &&JournalFile| matches!(file.status, Status::Full { .. });
        self.files.iter().filter(is_full).count()
    }

    /// A place for the group `sequence` of `bytes`: behind the group before it, else at the start of a free file; `None`
    /// when there is none.
    pub(super) fn place(&mut self, bytes: u64, sequence: u64) -> Option<(Place, DirectFile)> {
        assert!(bytes <= self.file_bytes && bytes > 0, "a group fits a file");
        if let Some(file) = self.files.iter_mut().find(|file| file.is_current()) {
            let Status::Current { end, last_sequence } = file.status else { unreachable!() };
            assert_eq!(last_sequence + 1, sequence, "groups are written in order");
            if end + bytes <= self.file_bytes {
                return Some(file.take(end, bytes, sequence));
            }
            file.status = Status::Full { last_sequence };
            // Trimmed already, where a checkpoint was quicker than the journal.
            self.trim(self.trimmed_to);
        }
        let is_free = |file: &&mut JournalFile| file.status == Status::Free && !file.filling;
        let free = self.files.iter_mut().filter(is_free).min_by_key(|file| file.blank);
        self.hurry = free.is_none();
        let file = free?;
        file.blank = false;
        Some(file.take(0, bytes, sequence))
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

    pub(super) fn has_blank(&self) -> bool {
        self.files.iter().any(|file| file.blank)
    }

    pub(super) fn is_filling_with_zeros(&self) -> bool {
        self.files.iter().any(|file| file.filling)
    }

    /// The file to write zeros to from `at` on, for one piece: it is nobody's until [`Files::end_zeros`]. `None` when file
    /// number `index` has all it needs, or has been taken, or is needed.
    pub(super) fn begin_zeros(&mut self, index: usize, at: u64) -> Option<(DirectFile, u64)> {
        let hurry = self.hurry;
        let file = &mut self.files[index];
        assert!(!file.filling, "zeros are written piece by piece");
        if !file.blank || hurry {
            file.blank = false;
            return None;
        }
        assert_eq!(file.status, Status::Free, "a file that was used is not blank");
        file.filling = true;
        Some((file.file.clone(), self.file_bytes - at))
    }

    pub(super) fn end_zeros(&mut self, index: usize, last: bool) {
        let file = &mut self.files[index];
        assert!(file.filling && file.status == Status::Free, "nobody takes a file that is filled");
        file.filling = false;
        file.blank = !last;
    }
}

impl JournalFile {
    fn is_current(&self) -> bool {
        matches!(self.status, Status::Current { .. })
    }

    fn take(&mut self, at: u64, bytes: u64, sequence: u64) -> (Place, DirectFile) {
        assert!(
            !matches!(self.status, Status::Full { .. }),
            "what is not trimmed is not overwritten"
        );
        assert!(!self.filling, "zeros do not meet groups");
        self.status = Status::Current { end: at + bytes, last_sequence: sequence };
        let block = u32::try_from(at / BLOCK_BYTES as u64).expect("a file has fewer blocks");
        (Place { file: self.number, block }, self.file.clone())
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
    let blank = len == 0;
    Ok(JournalFile { number, file, status: Status::Free, blank, filling: false })
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
