//! One segment: a run of batches in a `.log` file, found by a sparse offset index and a sparse time index. This is what
//! the log keeps in memory of it; `writer` adds to it, `reader` finds in it.

mod held;
mod index;
mod offset_index;
mod reader;
mod reserve;
mod time_index;
mod writer;

use std::io;
use std::path::Path;

use ringlane_batch::{Offset, TimestampMs};
use ringlane_reactor::{Disk, File, OpenOptions};

use crate::log::DamagedRange;
use crate::names::Kind;

pub(crate) use held::{Held, Spare};
pub(crate) use index::{Entry, Index, last as last_entry};
pub(crate) use offset_index::{OffsetEntry, can_hold, last_where};
pub(crate) use reader::{
    Located, Source, Wanted, batch_bytes, first_as_new_as, header_at, is_index_fault, largest_from,
    locate, read_batches,
};
pub(crate) use reserve::SHORTEST_STEP;
pub(crate) use time_index::{TimeEntry, below as timestamps_below, older_than};
pub(crate) use writer::{Leaving, RollLimits};

/// The open files of a segment. Clones share the descriptors.
#[derive(Clone)]
pub(crate) struct Files {
    pub(crate) log: File,
    pub(crate) offset_index: File,
    pub(crate) time_index: File,
}

impl Files {
    /// Opens the three files of the segment at `base`.
    pub(crate) async fn open(
        disk: &Disk,
        dir: &Path,
        base: Offset,
        options: OpenOptions,
    ) -> io::Result<Self> {
        Ok(Self {
            log: disk.open(&Kind::Log.path(dir, base), options).await?,
            offset_index: disk.open(&Kind::OffsetIndex.path(dir, base), options).await?,
            time_index: disk.open(&Kind::TimeIndex.path(dir, base), options).await?,
        })
    }
}

/// A segment as the log knows it.
///
/// Contract: `len` bytes are whole batches: those in the `.log` file and, behind them, those that are held. A reader that
/// copied `len`, the files and what is held may read them while more is appended. Only the last segment of a log is
/// appended to; what is held keeps its files open.
pub(crate) struct Segment {
    /// At most the offset of its first record; names its files.
    pub(crate) base: Offset,
    /// Bytes of whole batches.
    pub(crate) len: u64,
    /// The last of them, which the file does not have yet.
    held: Held,
    /// Memory for what is held next.
    spare: Option<Spare>,
    pub(crate) offset_index: Index<OffsetEntry>,
    pub(crate) time_index: Index<TimeEntry>,
    /// Its index files do not fit it: nothing is looked up in them.
    distrusts_indexes: bool,
    /// The largest timestamp, and the last offset of the first batch that has it. `None` while unknown or without one.
    pub(crate) max_timestamp: Option<TimeEntry>,
    /// The newest entry of the time index, wherever it is.
    time_index_end: Option<TimeEntry>,
    /// The largest timestamp of the first batch: what rolling by time counts from.
    first_timestamp: TimestampMs,
    /// When the segment was made or opened: what it counts from for batches without timestamps.
    created_ms: i64,
    /// Drawn at random: what part of `segment.jitter.ms` this segment is rolled earlier.
    pub(crate) roll_lot: u64,
    bytes_since_index_entry: u64,
    /// The write-back of everything before it was asked for.
    written_back: u64,
    /// Space before it was asked for: see `reserve.rs`.
    reserved: u64,
    /// Open while it is appended to, and while index entries wait to be written.
    pub(crate) files: Option<Files>,
    /// What is known to be damaged, in order of its position.
    pub(crate) damage: Vec<DamagedRange>,
}

impl Segment {
    /// An empty segment, to append to.
    pub(crate) fn new(base: Offset, files: Files, now_ms: i64) -> Self {
        Self {
            base,
            len: 0,
            held: Held::default(),
            spare: None,
            offset_index: Index::new(0, Vec::new()),
            time_index: Index::new(0, Vec::new()),
            distrusts_indexes: false,
            max_timestamp: None,
            time_index_end: None,
            first_timestamp: TimestampMs::NONE,
            created_ms: now_ms,
            roll_lot: 0,
            bytes_since_index_entry: 0,
            written_back: 0,
            reserved: 0,
            files: Some(files),
            damage: Vec::new(),
        }
    }

    /// An empty segment whose files nobody needs yet.
    pub(crate) fn closed(base: Offset, now_ms: i64) -> Self {
        Self { created_ms: now_ms, ..Self::complete(base, 0, 0, 0) }
    }

    /// A segment that is complete and synced, with so many entries in its index files. Its files stay closed.
    pub(crate) fn complete(base: Offset, len: u64, offset_entries: u32, time_entries: u32) -> Self {
        Self {
            base,
            len,
            held: Held::default(),
            spare: None,
            offset_index: Index::new(offset_entries, Vec::new()),
            time_index: Index::new(time_entries, Vec::new()),
            distrusts_indexes: false,
            max_timestamp: None,
            time_index_end: None,
            first_timestamp: TimestampMs::NONE,
            created_ms: 0,
            roll_lot: 0,
            bytes_since_index_entry: 0,
            written_back: 0,
            reserved: 0,
            files: None,
            damage: Vec::new(),
        }
    }

    /// Takes up what an earlier run left before the recovery point: bytes and index entries that are known good.
    pub(crate) fn resume(
        &mut self,
        len: u64,
        indexes: (Index<OffsetEntry>, Index<TimeEntry>),
        first_timestamp: TimestampMs,
        max_timestamp: Option<TimeEntry>,
    ) {
        assert!(self.len == 0 && self.offset_index.len() == 0, "only a fresh segment resumes");
        self.len = len;
        self.written_back = len;
        (self.offset_index, self.time_index) = indexes;
        self.first_timestamp = first_timestamp;
        self.max_timestamp = max_timestamp;
        self.time_index_end = max_timestamp;
    }

    /// Whether the index files count.
    pub(crate) fn trusts_indexes(&self) -> bool {
        !self.distrusts_indexes
    }

    /// Entries in the time index file that may be asked.
    pub(crate) fn time_entries(&self) -> u32 {
        if self.trusts_indexes() { self.time_index.flushed() } else { 0 }
    }

    /// Looks nothing more up in the index files. Of a complete segment the entries are those of `anew`, in memory.
    pub(crate) fn distrust_indexes(&mut self, anew: Option<Segment>) {
        self.distrusts_indexes = true;
        if let Some(anew) = anew {
            self.offset_index = anew.offset_index;
            self.time_index = anew.time_index;
            self.max_timestamp = anew.max_timestamp;
        }
    }

    /// Whether `batch` can be the next one, behind what ends before `next_offset`.
    pub(crate) fn can_note(&self, batch: &Located, next_offset: Offset) -> bool {
        batch.base >= next_offset && can_hold(batch.last, self.base)
    }

    /// What rolling by time counts from.
    pub(crate) fn first_timestamp(&self) -> TimestampMs {
        self.first_timestamp
    }

    /// When it was made or scanned; 0 for one that was found complete.
    pub(crate) fn created_ms(&self) -> i64 {
        self.created_ms
    }

    /// This segment as a reader of `files` sees it who looks for `offset`.
    pub(crate) fn source(&self, files: Files, offset: Offset) -> Source {
        let before = |entry: &OffsetEntry| entry.offset < offset;
        Source {
            files,
            base: self.base,
            end: Offset(i64::MAX),
            len: self.len,
            held: self.held.clone(),
            held_from: self.file_len(),
            floor: 0,
            offset_entries: if self.trusts_indexes() { self.offset_index.flushed() } else { 0 },
            start: self.offset_index.find_in_tail(before).map(|entry| entry.position),
        }
    }
}
