//! Whether the two indexes of a segment say what its batches say. Fed with the batches in order, so that neither index nor
//! log is ever in memory as a whole. Of each index the first fault is kept: what mends it is to build it anew.

use std::io;

use ringlane_batch::{Offset, TimestampMs};
use ringlane_reactor::File;

use super::entries::Entries;
use super::{Batch, Damage};
use crate::segment::{Entry, OffsetEntry, TimeEntry};

/// A stretch without an entry that is this many times as long as the longest before it tells of a cut index.
const STRETCH_FACTOR: u64 = 4;
/// Shorter stretches tell nothing.
const STRETCH_BYTES_MIN: u64 = 64 << 10;

/// How a start comes upon a fault of an index whose entries it takes as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    /// By the length of the file alone: it is missing, or holds a part of an entry.
    Length,
    /// Not at all: it is in the entries.
    Entries,
    /// It cannot read the file either.
    Unread,
}

/// What is wrong with an index, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// The byte of the index file.
    pub(super) position: Option<u64>,
    pub(super) what: String,
    pub(super) sort: Sort,
}

/// An index file beside the batches it indexes.
struct Against<E> {
    entries: Option<Entries<E>>,
    pending: Option<(u64, E)>,
    fault: Option<Fault>,
}

impl<E: Entry> Against<E> {
    async fn open(file: io::Result<Option<File>>, base: Offset) -> Self {
        let mut against = Self { entries: None, pending: None, fault: None };
        match file.and_then(|file| file.map(|file| Entries::new(file, base)).transpose()) {
            Err(error) => against.unread(&error),
            Ok(None) => against.blame_length("the file is missing".into()),
            Ok(Some(entries)) => {
                let partial = entries.partial_bytes();
                if partial > 0 {
                    against
                        .blame_length(format!("the last {partial} bytes are a part of an entry"));
                }
                against.entries = Some(entries);
                against.pending = against.next().await;
            }
        }
        against
    }

    /// What cannot be read is a fault as any other: a new file takes its place.
    fn unread(&mut self, error: &io::Error) {
        self.entries = None;
        self.fault.get_or_insert_with(|| Fault {
            position: None,
            what: format!("cannot be read: {error}"),
            sort: Sort::Unread,
        });
    }

    fn blame_length(&mut self, what: String) {
        self.fault.get_or_insert(Fault { position: None, what, sort: Sort::Length });
    }

    async fn next(&mut self) -> Option<(u64, E)> {
        match self.entries.as_mut()?.next().await {
            Ok(next) => next,
            Err(error) => {
                self.unread(&error);
                None
            }
        }
    }

    fn blame(&mut self, position: Option<u64>, what: impl FnOnce() -> String) {
        if self.fault.is_none() {
            self.fault = Some(Fault { position, what: what(), sort: Sort::Entries });
        }
    }

    /// Goes to the next entry; `ordered` says whether that may follow this one.
    async fn advance(&mut self, ordered: impl Fn(&E, &E) -> bool) {
        let before = self.pending.take();
        self.pending = self.next().await;
        if let (Some((_, before)), Some((at, next))) = (before, self.pending)
            && !ordered(&before, &next)
        {
            self.blame(Some(at), || "the entries are out of order".into());
        }
    }
}

fn offsets_ordered(before: &OffsetEntry, next: &OffsetEntry) -> bool {
    before.offset < next.offset && before.position < next.position
}

fn times_ordered(before: &TimeEntry, next: &TimeEntry) -> bool {
    before.offset < next.offset && before.timestamp < next.timestamp
}

/// Both indexes of one segment.
pub(super) struct IndexCheck {
    offsets: Against<OffsetEntry>,
    times: Against<TimeEntry>,
    max_timestamp: Option<TimeEntry>,
    time_index_end: Option<TimeEntry>,
    /// Where the last offset entry points, and the longest way from one to the next.
    stretch_start: u64,
    stretch_max: u64,
    last_batch: u64,
}

impl IndexCheck {
    /// Of the segment at `base`; a file that is `None` is missing.
    pub(super) async fn open(
        offset_index: io::Result<Option<File>>,
        time_index: io::Result<Option<File>>,
        base: Offset,
    ) -> Self {
        Self {
            offsets: Against::open(offset_index, base).await,
            times: Against::open(time_index, base).await,
            max_timestamp: None,
            time_index_end: None,
            stretch_start: 0,
            stretch_max: 0,
            last_batch: 0,
        }
    }

    /// Takes in the next batch.
    pub(super) async fn batch(&mut self, batch: &Batch) {
        let largest = self.max_timestamp.map_or(TimestampMs::NONE, |max| max.timestamp);
        // A batch that compaction emptied keeps the timestamp of records that are no more.
        if batch.record_count > 0 && batch.max_timestamp > largest {
            self.max_timestamp =
                Some(TimeEntry { timestamp: batch.max_timestamp, offset: batch.last_offset });
        }
        self.last_batch = batch.position;
        self.offset_entries(batch).await;
        self.time_entries(batch).await;
    }

    async fn offset_entries(&mut self, batch: &Batch) {
        while let Some((at, entry)) = self.offsets.pending {
            let position = u64::from(entry.position);
            if position > batch.position {
                break;
            }
            let (offset, last) = (entry.offset, batch.last_offset);
            if position < batch.position {
                self.offsets.blame(Some(at), || {
                    format!("the entry points at byte {position} of the log, where no batch begins")
                });
            } else if offset != last {
                self.offsets.blame(Some(at), || {
                    format!("the entry for byte {position} says offset {offset}, the batch there ends with {last}")
                });
            }
            self.stretch_max = self.stretch_max.max(position.saturating_sub(self.stretch_start));
            self.stretch_start = position;
            self.offsets.advance(offsets_ordered).await;
        }
    }

    async fn time_entries(&mut self, batch: &Batch) {
        while let Some((at, entry)) = self.times.pending {
            if entry.offset > batch.last_offset {
                break;
            }
            if entry.offset < batch.last_offset {
                let offset = entry.offset;
                self.times
                    .blame(Some(at), || format!("no batch ends with the entry's offset {offset}"));
            } else if self.max_timestamp != Some(entry) {
                let (said, offset) = (entry.timestamp, entry.offset);
                self.times.blame(Some(at), || {
                    format!("{said} is not the largest timestamp up to offset {offset}")
                });
            }
            self.time_index_end = Some(entry);
            self.times.advance(times_ordered).await;
        }
    }

    /// Takes in bytes that cannot be trusted: entries that point into them cannot be judged.
    pub(super) async fn damage(&mut self, damage: &Damage) {
        while let Some((_, entry)) = self.offsets.pending
            && u64::from(entry.position) < damage.end()
        {
            self.stretch_start = u64::from(entry.position);
            self.offsets.advance(offsets_ordered).await;
        }
        while let Some((_, entry)) = self.times.pending
            && damage.next_offset.is_none_or(|next| entry.offset < next)
        {
            if self.max_timestamp.is_none_or(|max| max.timestamp < entry.timestamp) {
                self.max_timestamp = Some(entry);
            }
            self.time_index_end = Some(entry);
            self.times.advance(times_ordered).await;
        }
    }

    /// The faults of the offset index and of the time index, when all batches were taken in. A segment that `is_complete`
    /// has all its entries in the files.
    pub(super) fn finish(mut self, is_complete: bool) -> (Option<Fault>, Option<Fault>) {
        if let Some((at, _)) = self.offsets.pending {
            self.offsets.blame(Some(at), || "the entry points behind the last batch".into());
        }
        if let Some((at, _)) = self.times.pending {
            self.times.blame(Some(at), || "the entry's offset lies behind the last batch".into());
        }
        let stretch = self.last_batch.saturating_sub(self.stretch_start);
        if is_complete && stretch > STRETCH_BYTES_MIN.max(STRETCH_FACTOR * self.stretch_max) {
            self.offsets
                .blame(None, || format!("the last {stretch} bytes of batches have no entry"));
        }
        let said = self.time_index_end.map(|entry| entry.timestamp);
        let largest = self.max_timestamp.map(|max| max.timestamp);
        if is_complete && said < largest {
            self.times.blame(None, || "the segment's largest timestamp has no entry".into());
        }
        (self.offsets.fault, self.times.fault)
    }
}
