//! Reading whole batches from an offset on, within one segment. Data below the high watermark never changes; a read that
//! overlapped a truncation or a replacement of segments is done again. What a disk made of a batch is never served (`trusted.rs`).

use std::io;

use bytes::Bytes;
use ringlane_batch::{LogEndOffset, Offset, batches};
use ringlane_reactor::OpenOptions;

use super::Log;
use super::trusted::{Trusted, read_trusted};
use crate::error::ReadError;
use crate::names::Kind;
use crate::segment::{Files, Source, Wanted, is_index_fault};

/// A read that met damage looks at its segment so often: what then is no batch, but lies in no damaged range either, was
/// not found because of something else, as an index that leads nowhere.
const LOOKS_MAX: usize = 1;

/// What a read gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// Whole batches, as slices that follow each other; none when there is nothing to read (yet).
    pub batches: Vec<Bytes>,
    /// The offset behind the last of them, where the next read goes on; the asked one without any.
    pub next_offset: Offset,
    /// Where the log ended when this was read.
    pub log_end: LogEndOffset,
}

impl Fetched {
    /// Bytes of all batches.
    pub fn len_bytes(&self) -> usize {
        self.batches.iter().map(Bytes::len).sum()
    }
}

/// Whether these batches have no records: what compaction left to say where a segment ends.
fn is_empty(bytes: &[u8]) -> bool {
    batches(bytes).all(|batch| batch.is_ok_and(|batch| batch.record_count() == 0))
}

impl Log {
    /// Whole batches from the one that holds `from`, ending before `until` (the reader's high watermark), at most
    /// `max_bytes` of them, except that the first may be larger when there shall be `at_least_one`. Ends at the end of a
    /// segment at the latest, and passes over segments of which compaction left no record. Ready at its first
    /// poll when all of it is in the page cache and its segment is open.
    ///
    /// # Errors
    /// `OffsetOutOfRange` outside `log_start..=log_end`, `Damaged` where the batch that holds `from` is, `Disk`, `Closed`.
    pub async fn read(
        &self,
        from: Offset,
        max_bytes: usize,
        until: Offset,
        at_least_one: bool,
    ) -> Result<Fetched, ReadError> {
        let max_bytes = max_bytes as u64;
        let mut at = from;
        let mut looks = 0;
        loop {
            let log_end = self.check_range(from)?;
            let until = until.min(log_end.offset());
            let nothing = Fetched { batches: Vec::new(), next_offset: from, log_end };
            if at >= until {
                return Ok(nothing);
            }
            if let Some(damage) = self.damage_at(at) {
                return Err(ReadError::Damaged(damage));
            }
            let wanted = Wanted { from: at, until, max_bytes, at_least_one };
            let damage = self.damage_around(at);
            let read = async |source: &Source| read_trusted(source, &damage, wanted).await;
            match self.with_source(at, read).await? {
                Some((Trusted::Batches(bytes, _), _)) if bytes.is_empty() => return Ok(nothing),
                // Nothing is in there for anyone, and more follows: librdkafka takes answers without records for too small ones.
                Some((Trusted::Batches(bytes, next_offset), segment_end))
                    if next_offset == segment_end && next_offset < until && is_empty(&bytes) =>
                {
                    at = next_offset;
                }
                Some((Trusted::Batches(bytes, next_offset), _)) => {
                    return Ok(Fetched { batches: vec![bytes], next_offset, log_end });
                }
                // A segment ends where the next one begins: something is missing.
                Some((Trusted::Nothing, _)) if looks < LOOKS_MAX => {
                    looks += 1;
                    let looked = self.look_for_damage(at).await;
                    looked.map_err(|error| self.disk_error(at, &error.to_string()))?;
                }
                Some((Trusted::Nothing, segment_end)) => at = segment_end,
                Some((Trusted::Damage(what), _)) if looks == LOOKS_MAX => {
                    let base = self.segment_base(at);
                    if !self.distrust_indexes(base, Kind::OffsetIndex, &what).await {
                        return Err(self.disk_error(at, &what));
                    }
                }
                Some((Trusted::Damage(what), _)) => {
                    looks += 1;
                    let looked = self.look_for_damage(at).await;
                    looked.map_err(|error| self.disk_error(at, &format!("{what}; {error}")))?;
                }
                None => at = from,
            }
        }
    }

    /// The base of the segment that holds `offset`.
    fn segment_base(&self, offset: Offset) -> Offset {
        let state = self.0.state.borrow();
        state.segments[state.segment_index(offset.max(state.segments[0].base))].base
    }

    /// What is wrong at `offset`, with the file that should hold it.
    fn disk_error(&self, offset: Offset, what: &str) -> ReadError {
        let state = self.0.state.borrow();
        if state.is_closed() {
            return ReadError::Closed;
        }
        let base = state.segments[state.segment_index(offset.max(state.segments[0].base))].base;
        let file = Kind::Log.path(&state.dir, base);
        ReadError::Disk(format!("cannot read offset {offset} in {}: {what}", file.display()))
    }

    fn check_range(&self, from: Offset) -> Result<LogEndOffset, ReadError> {
        let state = self.0.state.borrow();
        let offsets = state.offsets();
        if state.is_closed() {
            return Err(ReadError::Closed);
        }
        if from < offsets.start.offset() || from > offsets.end.offset() {
            return Err(ReadError::OffsetOutOfRange { start: offsets.start, end: offsets.end });
        }
        Ok(offsets.end)
    }

    /// What `read` makes of the segment that holds `offset`, and where that segment ends; `None` when a truncation or a
    /// compaction came between, after which the answer may be anything, or retention took the segment.
    pub(super) async fn with_source<T>(
        &self,
        offset: Offset,
        read: impl AsyncFnOnce(&Source) -> io::Result<T>,
    ) -> Result<Option<(T, Offset)>, ReadError> {
        let (base, segment_end, version) = {
            let state = self.0.state.borrow();
            if offset < state.segments[0].base {
                return Ok(None);
            }
            let index = state.segment_index(offset);
            (state.segments[index].base, state.segment_end(index), state.files_version())
        };
        let outcome = match self.files_of(base).await {
            // The source is taken once the files are there: what was appended meanwhile is in it.
            Ok(files) => match self.source_of(base, files, offset) {
                Some(source) => read(&source).await,
                None => return Ok(None),
            },
            Err(error) => Err(error),
        };
        if let Err(error) = &outcome
            && is_index_fault(error)
        {
            // From here on the version is another one.
            self.distrust_indexes(base, Kind::OffsetIndex, &error.to_string()).await;
        }
        let state = self.0.state.borrow();
        if state.is_closed() {
            return Err(ReadError::Closed);
        }
        let is_gone =
            || state.segments.binary_search_by_key(&base, |segment| segment.base).is_err();
        if state.files_version() != version || outcome.is_err() && is_gone() {
            return Ok(None);
        }
        let segment = || state.dir.join(format!("{:020}.log", base.0)).display().to_string();
        match outcome {
            Ok(value) => Ok(Some((value, segment_end))),
            Err(error) => Err(ReadError::Disk(format!("cannot read {}: {error}", segment()))),
        }
    }

    fn source_of(&self, base: Offset, files: Files, offset: Offset) -> Option<Source> {
        let state = self.0.state.borrow();
        let index = state.segments.binary_search_by_key(&base, |segment| segment.base).ok()?;
        let end = state.segment_end(index);
        Some(Source { end, ..state.segments[index].source(files, offset) })
    }

    /// The files of the segment at `base`, where they are open.
    pub(super) fn known_files(&self, base: Offset) -> Option<Files> {
        let state = self.0.state.borrow();
        let open = state.segments.iter().rev().find(|segment| segment.base == base);
        let last_read = state.read_files.as_ref().filter(|last| last.0 == base);
        let known = open.and_then(|segment| segment.files.clone());
        known.or_else(|| last_read.map(|last| last.1.clone()))
    }

    /// The files of the segment at `base`: open ones, or those of the last read, or opened now.
    pub(super) async fn files_of(&self, base: Offset) -> io::Result<Files> {
        let (dir, version) = {
            let mut state = self.0.state.borrow_mut();
            state.was_used = true;
            (state.dir.clone(), state.files_version())
        };
        if let Some(files) = self.known_files(base) {
            return Ok(files);
        }
        let files = Files::open(&self.0.disk, &dir, base, OpenOptions::READ).await?;
        {
            let mut state = self.0.state.borrow_mut();
            let has_segment = state.segments.iter().any(|segment| segment.base == base);
            if state.is_closed() || !has_segment || state.files_version() != version {
                return Ok(files);
            }
            state.read_files = Some(Box::new((base, files.clone())));
        }
        self.0.manager.opened_files(self);
        Ok(files)
    }
}
