//! Whole batches that a reader gets straight from the file, as a range that no one copies. Only bytes that never change again: below the
//! reader's high watermark, of a segment that is only appended to. Nobody checks their checksums (the scrubber does, and the
//! client): so both ends are batches that the offset index names and whose headers agree with it, and what the disk has to be
//! asked for is read the other way, which does check (docs/decisions/0020-fetch.md).

use std::io;
use std::ops::RangeInclusive;
use std::sync::Arc;

use ringlane_batch::{Offset, TimestampMs};
use ringlane_reactor::FileRange;

use super::Log;
use crate::segment::{Located, OffsetEntry, Source, last_where, locate};

/// Spans of a shard's logs in one directory that are on their way to clients. Each keeps a file open that its log may have closed,
/// so there are no more than a quarter of the logs that may have open files.
const SPANS_MAX: usize = 64;

/// What [`Log::span`] gives.
#[derive(Clone, Debug)]
pub struct Span {
    /// Whole batches.
    pub range: FileRange,
    /// The offset behind the last of them, where the next read goes on.
    pub next_offset: Offset,
}

/// Counts spans: each has a clone until it is sent.
pub(crate) struct SpansOut {
    out: Arc<()>,
    max: usize,
}

impl SpansOut {
    /// For logs of which so many may have open files.
    pub(crate) fn new(open_logs_max: usize) -> Self {
        Self { out: Arc::default(), max: (open_logs_max / 4).min(SPANS_MAX) }
    }

    fn lend(&self) -> Option<Arc<()>> {
        (Arc::strong_count(&self.out) <= self.max).then(|| self.out.clone())
    }
}

/// How far clients were sent a log's files themselves since it was opened, and may be. A socket refers to their pages long after a span is
/// gone.
#[derive(Debug)]
pub(crate) struct SpanBounds {
    /// The offset behind all that was given.
    given_to: Offset,
    /// The log is being cut here.
    until: Offset,
}

impl Default for SpanBounds {
    fn default() -> Self {
        Self { given_to: Offset::ZERO, until: Offset(i64::MAX) }
    }
}

impl SpanBounds {
    /// Notes a span that ends before `end`, unless none may.
    fn give(&mut self, end: Offset) -> bool {
        let may = end <= self.until;
        if may {
            self.given_to = self.given_to.max(end);
        }
        may
    }

    /// No span ends behind `end` from now on. Answers whether one did.
    pub(crate) fn stop_at(&mut self, end: Offset) -> bool {
        self.until = end;
        self.given_to > end
    }

    /// Spans end anywhere again, of a log that ends at `log_end`. What was given behind that was of a file that is not the log's any more.
    pub(crate) fn resume(&mut self, log_end: Offset) {
        self.until = Offset(i64::MAX);
        self.given_to = self.given_to.min(log_end);
    }
}

/// Where a span ends.
struct End {
    position: u64,
    next_offset: Offset,
}

impl Log {
    /// The batches from the one that holds `from`, ending before `until` (the reader's high watermark), as many of them as have
    /// `bytes`, where these are all in the page cache. Otherwise, and where anything is wrong, [`Log::read`] says more.
    pub async fn span(
        &self,
        from: Offset,
        bytes: RangeInclusive<usize>,
        until: Offset,
    ) -> Option<Span> {
        if bytes.is_empty() || !self.may_have_span(from, *bytes.start()) {
            return None;
        }
        let out = self.0.manager.spans_out().lend()?;
        let until = until.min(self.log_end().offset());
        let found = self.with_source(from, async |source| {
            Ok(self.find_span(source, from, bytes.clone(), until).await.ok().flatten())
        });
        let (span, _) = found.await.ok().flatten()?;
        // What was found out meanwhile counts, too.
        let Span { range, next_offset } = span.filter(|_| self.may_have_span(from, 0))?;
        let is_noted = self.0.state.borrow_mut().spans.give(next_offset);
        is_noted.then(|| Span { range: range.keeping(out), next_offset })
    }

    /// Whether the file of the segment that holds `from` has enough behind it, and nothing in it is known to be wrong.
    fn may_have_span(&self, from: Offset, least_bytes: usize) -> bool {
        let state = self.0.state.borrow();
        // Of an offline log the kernel may have dropped what it could not write: only a copy is looked at.
        let is_well = !state.is_closed() && state.offline_reason().is_none();
        if !is_well || from < state.offsets().start.offset() {
            return false;
        }
        let segment = &state.segments[state.segment_index(from)];
        let before = segment.offset_index.find_in_tail(|entry| entry.offset < from);
        let position = before.map_or(0, |entry| u64::from(entry.position));
        segment.file_len().saturating_sub(position) >= least_bytes as u64
            && segment.damage.is_empty()
            && segment.trusts_indexes()
    }

    async fn find_span(
        &self,
        source: &Source,
        from: Offset,
        bytes: RangeInclusive<usize>,
        until: Offset,
    ) -> io::Result<Option<Span>> {
        let first = locate(source, from).await?;
        // A batch without a record, which compaction leaves where a segment ends, is for `Log::read` to pass over.
        let first = first.filter(|first| first.max_timestamp > TimestampMs::NONE);
        let Some(first) = first else { return Ok(None) };
        let max_bytes = *bytes.end() as u64;
        let Some(end) = self.span_end(source, &first, max_bytes, until).await? else {
            return Ok(None);
        };
        let len = end.position.saturating_sub(first.position) as usize;
        if !bytes.contains(&len) {
            return Ok(None);
        }
        let range = source.files.log.range(first.position, len)?;
        Ok(range.map(|range| Span { range, next_offset: end.next_offset }))
    }

    /// The last boundary of batches that is known without walking through them, within `max_bytes` of `first` and below `until`.
    async fn span_end(
        &self,
        source: &Source,
        first: &Located,
        max_bytes: u64,
        until: Offset,
    ) -> io::Result<Option<End>> {
        let limit = first.position.saturating_add(max_bytes);
        if source.held_from <= limit {
            let next_offset = next_offset_at(source, source.held_from).await?;
            if next_offset <= until {
                return Ok(Some(End { position: source.held_from, next_offset }));
            }
        }
        let limit = limit.min(source.held_from);
        let is_within =
            |entry: &OffsetEntry| u64::from(entry.position) <= limit && entry.offset < until;
        let entry = match self.waiting_index_entry(source.base, is_within) {
            Some(entry) => Some(entry),
            None => {
                let (file, count) = (&source.files.offset_index, source.offset_entries);
                last_where(file, source.base, count, is_within).await?
            }
        };
        let Some(entry) = entry.filter(|entry| u64::from(entry.position) > first.position) else {
            return Ok(None);
        };
        let position = u64::from(entry.position);
        // Wrong in the index or in the file: `Log::read` finds out which.
        let next = source.header_at(position).await.ok().flatten();
        let next = next.filter(|next| next.last == entry.offset && next.base > first.last);
        Ok(next.map(|next| End { position, next_offset: next.base }))
    }

    /// The last entry of an offset index that fits, if it is one of those that wait to be written.
    fn waiting_index_entry(
        &self,
        base: Offset,
        is_within: impl Fn(&OffsetEntry) -> bool,
    ) -> Option<OffsetEntry> {
        let state = self.0.state.borrow();
        let index = state.segments.binary_search_by_key(&base, |segment| segment.base).ok()?;
        state.segments[index].offset_index.find_in_tail(is_within)
    }
}

/// The offset of the batch at `position`; at the segment's end the one that the next segment begins with.
async fn next_offset_at(source: &Source, position: u64) -> io::Result<Offset> {
    Ok(source.header_at(position).await?.map_or(source.end, |next| next.base))
}
