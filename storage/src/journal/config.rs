//! What can be set about a journal, what it tells of itself, and why it refuses an entry.

use std::fmt;

use super::format::BLOCK_BYTES;

/// The sizes of a shard's journal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct JournalConfig {
    /// The length of each file: a multiple of 4,096, at least 16 KiB, at most 4 GiB. An entry is at most half as long.
    pub file_bytes: u64,
    /// How many files there are; at least two, so that one fills while another waits for its checkpoint.
    pub files: u32,
    /// The length of an ordinary group. Two buffers of this length are kept. At most half of a file is used.
    pub group_bytes_max: usize,
}

impl Default for JournalConfig {
    fn default() -> Self {
        Self { file_bytes: 64 << 20, files: 4, group_bytes_max: (2 << 20) + (64 << 10) }
    }
}

impl JournalConfig {
    pub(super) fn check(&self) {
        assert!(self.files >= 2, "a journal has two files at least");
        assert!(self.file_bytes.is_multiple_of(BLOCK_BYTES as u64), "a file has whole blocks");
        assert!((16 << 10..=4 << 30).contains(&self.file_bytes), "a file has 16 KiB to 4 GiB");
        assert!(self.group_bytes_max >= 2 * BLOCK_BYTES, "a group has two blocks at least");
    }

    /// The longest group that a file is sure to hold, whatever the list of logs in front of it.
    pub(super) fn half_file_bytes(&self) -> usize {
        let half = usize::try_from(self.file_bytes / 2).unwrap_or(usize::MAX);
        half - half % BLOCK_BYTES
    }

    /// The length of the pooled buffers.
    pub(super) fn group_bytes(&self) -> usize {
        self.group_bytes_max.next_multiple_of(BLOCK_BYTES).min(self.half_file_bytes())
    }
}

/// Why an entry was not taken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum JournalError {
    /// A write failed, now or earlier. For good: what the disk holds there is unknown.
    Failed(String),
    /// The journal was closed.
    Closed,
    /// No group takes such an entry.
    TooLarge {
        /// The payload.
        bytes: usize,
        /// The longest group.
        max: usize,
    },
}

impl fmt::Display for JournalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(reason) => f.write_str(reason),
            Self::Closed => f.write_str("the journal is closed"),
            Self::TooLarge { bytes, max } => {
                write!(
                    f,
                    "an entry of {bytes} bytes is too large for a journal whose groups have {max} at most"
                )
            }
        }
    }
}

impl std::error::Error for JournalError {}

/// What a journal has done since it was opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct JournalStats {
    /// Groups whose write completed.
    pub groups: u64,
    /// Entries in them.
    pub entries: u64,
    /// Bytes of their writes, padding included.
    pub bytes: u64,
    /// How often a group found no free file and had to wait for a checkpoint.
    pub waits_full: u64,
}
