//! What can go wrong with a log, and whose fault it is: the client's ([`AppendError`]), the reader's ([`ReadError`]),
//! the disk's or the operator's ([`StorageError`]).

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use ringlane_batch::{
    LeaderEpoch, LogEndOffset, LogStartOffset, Offset, ProducerEpoch, ProducerId, Sequence,
};
use ringlane_reactor::{is_out_of_descriptors, is_out_of_threads};

use crate::log::{Appended, DamagedRange};

/// The disk, or the directory an operator gave us. Each is one sentence that says what to do.
#[derive(Debug)]
pub enum StorageError {
    /// A system call failed.
    Io {
        /// What was tried, as in "cannot {tried} {path}".
        tried: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// Another process holds the data directory.
    InUse(PathBuf),
    /// The data directory does not take writes.
    NotWritable {
        /// The directory.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The data directory is another's: a newer version's, another node's, another cluster's, another product's.
    Foreign {
        /// The file that says so.
        path: PathBuf,
        /// What it says, and what to do.
        reason: String,
    },
    /// A file that must be whole is not.
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The journal's file system writes blocks elsewhere than where they lie.
    CopyOnWrite(PathBuf),
    /// The log to be created is already there: open it.
    Exists(PathBuf),
    /// The log to be created was there, and this file keeps records of it: put back, these would get among new ones.
    Kept(PathBuf),
    /// There is not even space for the first file of a shard's journal.
    NoSpaceForJournal {
        /// The file.
        path: PathBuf,
        /// Its length.
        bytes: u64,
    },
    /// Something lies in the log's directory that must not; says what to do.
    Refused(String),
    /// A round of checkpoints failed: what it was to make durable may not be.
    NotCheckpointed(String),
    /// The log takes no more work: it was closed or deleted, or a write or sync failed earlier.
    Offline(String),
}

impl StorageError {
    pub(crate) fn io(tried: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { tried, path, source }
    }

    pub(crate) fn corrupt(path: &Path, reason: impl Into<String>) -> Self {
        Self::Corrupt { path: path.to_path_buf(), reason: reason.into() }
    }
}

impl fmt::Display for StorageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { tried, path, source } => {
                write!(f, "cannot {tried} {}: {source}", path.display())
            }
            Self::InUse(path) => write!(
                f,
                "the data directory {} is in use by another process: stop that one, or set log.dirs to another directory",
                path.display()
            ),
            Self::NotWritable { path, source } => write!(
                f,
                "the data directory {} is not writable ({source}): give this user write access, or set log.dirs to another directory",
                path.display()
            ),
            Self::Foreign { path, reason } | Self::Corrupt { path, reason } => {
                write!(f, "{}: {reason}", path.display())
            }
            Self::NoSpaceForJournal { path, bytes } => write!(
                f,
                "no space for {bytes} bytes of journal in {}: make room there, or set ringlane.journal.file.bytes lower (each shard has ringlane.journal.files of these)",
                path.display()
            ),
            Self::NotCheckpointed(reason) | Self::Refused(reason) => f.write_str(reason),
            Self::CopyOnWrite(path) => write!(
                f,
                "{} lies on a file system that copies on write: each write of the journal would move its blocks, and the space reserved for them could run out; put the log directory on ext4 or XFS",
                path.display()
            ),
            Self::Kept(path) => write!(
                f,
                "{} keeps records of the log, whose directory is gone: put that back, or remove the file to begin the log empty",
                path.display()
            ),
            Self::Exists(path) => write!(f, "{} is already there", path.display()),
            Self::Offline(reason) => write!(f, "the log is offline: {reason}"),
        }
    }
}

impl std::error::Error for StorageError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } | Self::NotWritable { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// Why a batch was not appended. The log is unchanged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AppendError {
    /// The producer's retry of a batch that the log has: where the original is. It may not be durable yet
    /// (DUPLICATE_SEQUENCE_NUMBER, answered as success once the original is acknowledged).
    Duplicate(Appended),
    /// The batch does not follow the producer's last one (OUT_OF_ORDER_SEQUENCE_NUMBER).
    OutOfOrderSequence {
        /// Who sent it.
        producer_id: ProducerId,
        /// The first sequence of the batch.
        found: Sequence,
        /// The producer's last sequence in this log.
        last: Sequence,
    },
    /// The producer was fenced by one with a newer epoch (INVALID_PRODUCER_EPOCH).
    InvalidProducerEpoch {
        /// Who sent it.
        producer_id: ProducerId,
        /// The epoch of the batch.
        found: ProducerEpoch,
        /// The newest epoch in this log.
        current: ProducerEpoch,
    },
    /// Larger than a whole segment may be (RECORD_LIST_TOO_LARGE).
    LargerThanSegment {
        /// Bytes of the batch.
        len: usize,
        /// `segment.bytes`.
        segment_bytes: u64,
    },
    /// The log has seen a newer leader: whoever appends was fenced (NOT_LEADER_OR_FOLLOWER; KIP-101).
    FencedLeaderEpoch {
        /// The epoch of the append.
        found: LeaderEpoch,
        /// The newest epoch in this log.
        current: LeaderEpoch,
    },
    /// A replicated batch does not start at or behind the log's end.
    UnexpectedOffset {
        /// Where the batch starts.
        found: Offset,
        /// The log's end.
        log_end: LogEndOffset,
    },
    /// Not exactly one batch: the caller must validate first (CORRUPT_MESSAGE).
    Malformed(String),
    /// The disk is full; the log is as before and stays online (KAFKA_STORAGE_ERROR, retriable).
    StorageFull,
    /// A write or sync failed, now or earlier; nothing more is taken or acknowledged (KAFKA_STORAGE_ERROR).
    Offline(String),
}

impl fmt::Display for AppendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Duplicate(original) => {
                write!(f, "the batch is already in the log at offset {}", original.base_offset)
            }
            Self::OutOfOrderSequence { producer_id, found, last } => write!(
                f,
                "out of order sequence number for producer {producer_id}: {found} (incoming seq. number), {last} (current end sequence number)"
            ),
            Self::InvalidProducerEpoch { producer_id, found, current } => write!(
                f,
                "epoch {found} of producer {producer_id} is smaller than the last seen epoch {current}"
            ),
            Self::LargerThanSegment { len, segment_bytes } => write!(
                f,
                "the batch of {len} bytes exceeds the maximum configured segment size of {segment_bytes}"
            ),
            Self::FencedLeaderEpoch { found, current } => {
                write!(f, "leader epoch {found} is not the current one, {current}")
            }
            Self::UnexpectedOffset { found, log_end } => {
                write!(f, "the batch starts at offset {found}, the log ends at {log_end}")
            }
            Self::Malformed(fault) => f.write_str(fault),
            Self::StorageFull => {
                f.write_str("no space left on the log's device, or no descriptor for its files")
            }
            Self::Offline(reason) => write!(f, "the log is offline: {reason}"),
        }
    }
}

impl std::error::Error for AppendError {}

/// Why a read gave nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// The offset lies outside `start..=end` (OFFSET_OUT_OF_RANGE).
    OffsetOutOfRange {
        /// The first readable offset.
        start: LogStartOffset,
        /// The offset of the next append.
        end: LogEndOffset,
    },
    /// Reading failed (KAFKA_STORAGE_ERROR). Which file and where.
    Disk(String),
    /// The batch there is damaged (KAFKA_STORAGE_ERROR). What lies behind its offsets can be read.
    Damaged(DamagedRange),
    /// The log was closed or deleted (NOT_LEADER_OR_FOLLOWER).
    Closed,
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OffsetOutOfRange { start, end } => {
                write!(f, "the log holds the offsets {start}..{end}")
            }
            Self::Disk(reason) => f.write_str(reason),
            Self::Damaged(DamagedRange { file, positions, offsets, what }) => write!(
                f,
                "{} at byte {}: {what}; the offsets {}..{} are lost",
                file.display(),
                positions.start,
                offsets.start,
                offsets.end
            ),
            Self::Closed => f.write_str("the log is closed"),
        }
    }
}

impl std::error::Error for ReadError {}

impl StorageError {
    /// The error of one of several for which the same was tried.
    pub(crate) fn of_another(&self) -> Self {
        match self {
            Self::Io { tried, path, source } if self.is_shortage() => {
                let code = source.raw_os_error().map(io::Error::from_raw_os_error);
                let source = code.unwrap_or_else(|| source.kind().into());
                Self::Io { tried, path: path.clone(), source }
            }
            other => Self::Offline(other.to_string()),
        }
    }

    /// Whether it concerns a file of one log alone, and says nothing of the device.
    pub(crate) fn is_of_one_log(&self) -> bool {
        matches!(self, Self::Io { source, .. } if is_of_one_file(source))
    }

    /// Whether space, a descriptor or a thread was missing: what failed can be done once there is some.
    pub fn is_shortage(&self) -> bool {
        matches!(self, Self::Io { source, .. } if is_shortage(source))
    }
}

/// Whether the device is full: the one failed write after which the file is known and the log goes on.
pub(crate) fn is_storage_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Whether something could not be opened for want of space or of a descriptor, or not begun for want of a thread: nothing has
/// happened, and the log goes on.
pub(crate) fn is_shortage(error: &io::Error) -> bool {
    is_storage_full(error) || is_not_begun(error)
}

/// Whether not even the device was asked.
pub(crate) fn is_not_begun(error: &io::Error) -> bool {
    is_out_of_descriptors(error) || is_out_of_threads(error)
}

/// Whether somebody has made the file, or its directory, one that cannot be written. A device that fails says otherwise: EIO, or
/// EROFS where the file system gives up.
pub(crate) fn is_of_one_file(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    let kinds = [Kind::PermissionDenied, Kind::IsADirectory, Kind::NotADirectory];
    kinds.contains(&error.kind())
}
