//! Finding batches in a segment: the indexes say where to start, then headers are walked. What is in the page cache is
//! read inline, the rest through the ring.

use std::fmt;
use std::io;

use bytes::Bytes;
use ringlane_batch::{BatchHeader, BatchView, LeaderEpoch, Offset, TimestampMs, peek_len};
use ringlane_reactor::File;

use super::held::Held;
use super::{Files, TimeEntry, offset_index};

/// A first read takes this much more than was asked for: the bytes between an index entry and the wanted batch.
const SLACK_BYTES: u64 = 8 << 10;

/// Where a batch lies in its segment, and the header fields that finding needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Located {
    pub(crate) position: u64,
    /// Bytes of the batch.
    pub(crate) len: u64,
    pub(crate) base: Offset,
    pub(crate) last: Offset,
    pub(crate) epoch: LeaderEpoch,
    /// Of its records: `NONE` in a batch that compaction emptied, whatever its header says.
    pub(crate) max_timestamp: TimestampMs,
}

impl Located {
    /// The batch at `position`.
    pub(crate) fn of(batch: &BatchView<'_>, position: u64) -> Self {
        Self {
            position,
            len: batch.len() as u64,
            base: batch.base_offset(),
            last: batch.last_offset(),
            epoch: batch.leader_epoch(),
            max_timestamp: match batch.record_count() {
                0 => TimestampMs::NONE,
                _ => batch.max_timestamp(),
            },
        }
    }

    /// Moves `next_offset` behind it, before which it must not begin: passed over because its offset is wrong, which no checksum
    /// covers, it would be missed by nobody.
    fn follows(&self, next_offset: &mut Offset) -> io::Result<()> {
        if self.base < *next_offset {
            return Err(damaged(self.position, "does not follow the batch before"));
        }
        *next_offset = self.last.plus(1);
        Ok(())
    }

    /// The header at the start of `bytes`, read from `position`; `None` when it is cut short there.
    fn parse(bytes: &[u8], position: u64, limit: u64) -> io::Result<Option<Self>> {
        let Some(header) = bytes.get(..BatchHeader::LEN) else { return Ok(None) };
        let i64_at =
            |at: usize| i64::from_be_bytes(*header[at..].first_chunk().expect("in header"));
        let i32_at =
            |at: usize| i32::from_be_bytes(*header[at..].first_chunk().expect("in header"));
        let len = peek_len(header).filter(|len| position + *len as u64 <= limit);
        let (base, delta) =
            (i64_at(BatchHeader::BASE_OFFSET), i32_at(BatchHeader::LAST_OFFSET_DELTA));
        let (Some(len), true, true, BatchHeader::MAGIC_V2) =
            (len, base >= 0, delta >= 0, header[BatchHeader::MAGIC] as i8)
        else {
            return Err(damaged(position, "is no batch header"));
        };
        Ok(Some(Self {
            position,
            len: len as u64,
            base: Offset(base),
            last: Offset(base).plus(i64::from(delta)),
            epoch: LeaderEpoch(i32_at(BatchHeader::LEADER_EPOCH)),
            max_timestamp: match i32_at(BatchHeader::RECORD_COUNT) {
                0 => TimestampMs::NONE,
                _ => TimestampMs(i64_at(BatchHeader::MAX_TIMESTAMP)),
            },
        }))
    }
}

fn damaged(position: u64, what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("what lies at byte {position} {what}"))
}

/// The index names another batch than lies there: it is not this segment's.
#[derive(Debug)]
struct IndexFault(String);

impl fmt::Display for IndexFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for IndexFault {}

fn index_fault(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, IndexFault(what))
}

/// Whether the offset index is wrong, rather than what it is asked for.
pub(crate) fn is_index_fault(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<IndexFault>())
}

/// Where a search begins, at or before the first batch that ends at the wanted offset or later.
#[derive(Clone, Copy)]
struct Begin {
    position: u64,
    /// What the index file says of the batch there: it ends with this offset.
    ends_with: Option<Offset>,
}

impl Begin {
    /// Holds the first batch that was found against what led there.
    fn check(&mut self, first: &Located) -> io::Result<()> {
        match self.ends_with.take() {
            Some(said) if said != first.last => Err(index_fault(format!(
                "the entry for byte {} says offset {said}, the batch there ends with {}",
                self.position, first.last
            ))),
            _ => Ok(()),
        }
    }
}

/// A segment as a reader sees it: what was in it when this was taken.
#[derive(Clone)]
pub(crate) struct Source {
    pub(crate) files: Files,
    pub(crate) base: Offset,
    /// No offset of the segment reaches this.
    pub(crate) end: Offset,
    /// Bytes of whole batches.
    pub(crate) len: u64,
    /// The last of them, which were not in the file when this was taken.
    pub(crate) held: Held,
    /// Where they begin: what lies before is in the file.
    pub(crate) held_from: u64,
    /// The first byte that may be read: what lies before it is damaged.
    pub(crate) floor: u64,
    /// Entries in the offset index file.
    pub(crate) offset_entries: u32,
    /// Where to start looking, if memory already told.
    pub(crate) start: Option<u32>,
}

/// `len` bytes from `at`, fewer only at the end of the file.
pub(crate) async fn read_fully(file: &File, at: u64, len: usize) -> io::Result<Vec<u8>> {
    let mut buffer = vec![0; len];
    if let Some(read) = file.read_resident(&mut buffer, at)? {
        buffer.truncate(read);
        return Ok(buffer);
    }
    file.read_at(buffer, at).await
}

impl Source {
    async fn begin_before(&self, offset: Offset) -> io::Result<Begin> {
        if let Some(position) = self.start {
            return Ok(Begin { position: u64::from(position).max(self.floor), ends_with: None });
        }
        let count = self.offset_entries;
        let (_, entry) =
            offset_index::below(&self.files.offset_index, self.base, count, offset).await?;
        let position = entry.map_or(0, |entry| u64::from(entry.position));
        if position > self.len {
            return Err(index_fault(format!("an entry points to byte {position}, behind the log")));
        }
        let said = entry.filter(|_| position >= self.floor).map(|entry| entry.offset);
        Ok(Begin { position: position.max(self.floor), ends_with: said })
    }

    pub(crate) async fn header_at(&self, position: u64) -> io::Result<Option<Located>> {
        if position >= self.len {
            return Ok(None);
        }
        let bytes = self.read(position, BatchHeader::LEN).await?;
        header_in(&bytes, position, self.len).map(Some)
    }

    /// `len` bytes from `at`, fewer only at the end.
    async fn read(&self, at: u64, len: usize) -> io::Result<Vec<u8>> {
        let in_file =
            usize::try_from(self.held_from.saturating_sub(at)).unwrap_or(usize::MAX).min(len);
        let mut bytes = match in_file {
            0 => Vec::with_capacity(len),
            _ => read_fully(&self.files.log, at, in_file).await?,
        };
        if bytes.len() == in_file {
            let from = at.max(self.held_from) - self.held_from;
            self.held.read(from as usize, len - in_file, &mut bytes);
        }
        Ok(bytes)
    }
}

/// The header of the batch at `position` of a file with `limit` bytes of batches; `None` at its end.
pub(crate) async fn header_at(
    file: &File,
    position: u64,
    limit: u64,
) -> io::Result<Option<Located>> {
    if position >= limit {
        return Ok(None);
    }
    let bytes = read_fully(file, position, BatchHeader::LEN).await?;
    header_in(&bytes, position, limit).map(Some)
}

/// The header that `bytes` begin with, which were read at `position`.
fn header_in(bytes: &[u8], position: u64, limit: u64) -> io::Result<Located> {
    let header = Located::parse(bytes, position, limit)?;
    header.ok_or_else(|| damaged(position, "ends within a batch header"))
}

/// The first batch that ends at `offset` or later; `None` when the segment ends before.
pub(crate) async fn locate(source: &Source, offset: Offset) -> io::Result<Option<Located>> {
    let mut begin = source.begin_before(offset).await?;
    let mut position = begin.position;
    let mut next_offset = source.base;
    while let Some(batch) = source.header_at(position).await? {
        begin.check(&batch)?;
        batch.follows(&mut next_offset)?;
        if batch.last >= offset {
            return Ok(Some(batch));
        }
        position += batch.len;
    }
    Ok(None)
}

/// The first batch that ends at `from` or later and has a record as new as `timestamp`.
pub(crate) async fn first_as_new_as(
    source: &Source,
    timestamp: TimestampMs,
    from: Offset,
) -> io::Result<Option<Located>> {
    let mut next = locate(source, from).await?;
    while let Some(batch) = next {
        if batch.max_timestamp >= timestamp {
            return Ok(next);
        }
        next = source.header_at(batch.position + batch.len).await?;
    }
    Ok(None)
}

/// The largest timestamp of the batches that end at `from` or later, and the last offset of the first that has it.
pub(crate) async fn largest_from(source: &Source, from: Offset) -> io::Result<Option<TimeEntry>> {
    let mut largest: Option<TimeEntry> = None;
    let mut next = locate(source, from).await?;
    while let Some(batch) = next {
        let known = largest.map_or(TimestampMs::NONE, |largest| largest.timestamp);
        if batch.max_timestamp > known {
            largest = Some(TimeEntry { timestamp: batch.max_timestamp, offset: batch.last });
        }
        next = source.header_at(batch.position + batch.len).await?;
    }
    Ok(largest)
}

/// All bytes of `batch`.
pub(crate) async fn batch_bytes(source: &Source, batch: &Located) -> io::Result<Bytes> {
    let bytes = source.read(batch.position, batch.len as usize).await?;
    if bytes.len() as u64 != batch.len {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(bytes.into())
}

/// What a reader asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    /// The first batch is the one that holds this, or the first behind it.
    pub(crate) from: Offset,
    /// The last batch ends before this.
    pub(crate) until: Offset,
    /// Bytes, in whole batches.
    pub(crate) max_bytes: u64,
    /// The first batch may be larger.
    pub(crate) at_least_one: bool,
}

/// Whole batches as `wanted`, and the offset behind them; `None` when the segment has nothing from there on.
pub(crate) async fn read_batches(
    source: &Source,
    wanted: Wanted,
) -> io::Result<Option<(Bytes, Offset)>> {
    let mut begin = source.begin_before(wanted.from).await?;
    let mut position = begin.position;
    let mut next_offset = source.base;
    while position < source.len {
        let len = (source.len - position).min(wanted.max_bytes.saturating_add(SLACK_BYTES));
        let bytes = source.read(position, len as usize).await?;
        if (bytes.len() as u64) < len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if begin.ends_with.is_some()
            && let Some(first) = Located::parse(&bytes, position, source.len)?
        {
            begin.check(&first)?;
        }
        let (skipped, first) =
            skip_before(&bytes, position, source.len, wanted.from, &mut next_offset)?;
        match first {
            Some(first) => return take(source, bytes, skipped, &first, wanted).await.map(Some),
            None if skipped == 0 => return Err(damaged(position, "ends within a batch header")),
            None => position += skipped,
        }
    }
    Ok(None)
}

/// How many of `bytes` belong to batches that end before `from`, and the batch behind them if its header is there. No batch
/// begins before `next_offset`.
fn skip_before(
    bytes: &[u8],
    position: u64,
    limit: u64,
    from: Offset,
    next_offset: &mut Offset,
) -> io::Result<(u64, Option<Located>)> {
    let mut skipped = 0;
    while let Some(rest) = bytes.get(skipped as usize..) {
        let Some(batch) = Located::parse(rest, position + skipped, limit)? else { break };
        batch.follows(next_offset)?;
        if batch.last >= from {
            return Ok((skipped, Some(batch)));
        }
        skipped += batch.len;
    }
    Ok((skipped, None))
}

/// The batches from `first` on, which lies at `start` of `bytes`, as far as they go.
async fn take(
    source: &Source,
    bytes: Vec<u8>,
    start: u64,
    first: &Located,
    wanted: Wanted,
) -> io::Result<(Bytes, Offset)> {
    let nothing = (Bytes::new(), wanted.from);
    if first.last >= wanted.until || (first.len > wanted.max_bytes && !wanted.at_least_one) {
        return Ok(nothing);
    }
    let (mut end, mut next) = (start, wanted.from);
    while let Some(batch) =
        Located::parse(&bytes[end as usize..], first.position + (end - start), source.len)?
    {
        let fits = end + batch.len <= bytes.len() as u64
            && end + batch.len - start <= wanted.max_bytes.max(first.len);
        if !fits || batch.last >= wanted.until {
            break;
        }
        end += batch.len;
        next = batch.last.plus(1);
    }
    if end == start {
        // Only the first batch's beginning was read.
        return Ok((batch_bytes(source, first).await?, first.last.plus(1)));
    }
    Ok((Bytes::from(bytes).slice(start as usize..end as usize), next))
}
