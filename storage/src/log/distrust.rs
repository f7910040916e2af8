//! Index files that do not fit their segment. Offsets and times are looked up in them without looking at the rest, so what a look-up
//! finds is held against the batch that it names: no entry of a file that is not the segment's own is right by chance.
//!
//! A file that is found wrong is not looked at again in this run. Of a complete segment the entries are made anew, in memory, from the
//! batches; the active one is searched from what waits in memory, or from its start. The file stays as it is: `ringlane log index --rebuild`.

use std::io;

use ringlane_batch::Offset;

use super::Log;
use crate::names::Kind;
use crate::segment::{Files, Located, Segment, Source, TimeEntry, header_at, locate};

/// So many headers are read at a stretch.
const HEADERS_PER_TURN: u64 = 512;

impl Log {
    /// Whether an entry of the time index of the segment at `base` is what its batches say: one of them ends there and has that
    /// timestamp. What cannot be looked at, as the batch is damaged, counts as right.
    pub(super) async fn is_of_segment(&self, base: Offset, entry: &TimeEntry) -> bool {
        if entry.offset < base || entry.offset >= self.segment_end(base) {
            return false;
        }
        let says_so = |found: Option<Located>| {
            found.is_some_and(|batch| {
                batch.last == entry.offset && batch.max_timestamp == entry.timestamp
            })
        };
        let found =
            self.with_source(entry.offset, async |source| locate(source, entry.offset).await);
        match found.await {
            Ok(Some((found, _))) => says_so(found),
            // Whoever asks looks again: something has changed meanwhile.
            Ok(None) => true,
            // The batch is damaged, or the offset index leads astray.
            Err(_) => match self.find_without_index(base, entry.offset).await {
                Some(found) => says_so(found),
                None => true,
            },
        }
    }

    /// A look-up of `offset` in the segment at `base` met what is no batch: finds it from the segment's start on. Where that goes well the
    /// offset index is wrong, and not used again; where it does not, as the segment itself is damaged, the answer is `None`.
    pub(super) async fn find_without_index(
        &self,
        base: Offset,
        offset: Offset,
    ) -> Option<Option<Located>> {
        let walk = async |source: &Source| {
            let from_start = Source { offset_entries: 0, start: None, ..source.clone() };
            locate(&from_start, offset).await
        };
        let (found, _) = self.with_source(offset, walk).await.ok()??;
        let what = "an entry points at a byte of the log where no batch begins";
        self.distrust_indexes(base, Kind::OffsetIndex, what).await.then_some(found)
    }

    /// An index file of the segment at `base` is wrong, as `what` says. Answers whether that is news: what was found by it may be wrong, too.
    pub(super) async fn distrust_indexes(&self, base: Offset, kind: Kind, what: &str) -> bool {
        let _turn = self.0.damage_turn.enter().await;
        let version = self.0.state.borrow().files_version();
        let Some((path, len, is_active)) = self.trusted_index(base, kind) else { return false };
        tracing::warn!(
            index = %path.display(), what,
            "an index is wrong: it is not used until the broker is started again, and `ringlane log index --rebuild` mends it while that is stopped"
        );
        let anew = if is_active { None } else { self.index_anew(base, len).await.ok() };
        let mut state = self.0.state.borrow_mut();
        let found = state.segments.binary_search_by_key(&base, |segment| segment.base);
        if let Ok(index) = found
            && state.files_version() == version
            && !state.is_closed()
        {
            state.segments[index].distrust_indexes(anew);
            state.indexes_distrusted += 1;
        }
        true
    }

    /// The index file of the segment at `base`, the segment's bytes, and whether it is the active one; `None` when it is distrusted already.
    fn trusted_index(&self, base: Offset, kind: Kind) -> Option<(std::path::PathBuf, u64, bool)> {
        let state = self.0.state.borrow();
        let index = state.segments.binary_search_by_key(&base, |segment| segment.base).ok()?;
        let segment = &state.segments[index];
        let is_active = index + 1 == state.segments.len();
        let is_trusted = segment.trusts_indexes() && !state.is_closed();
        is_trusted.then(|| (kind.path(&state.dir, base), segment.len, is_active))
    }

    /// The complete segment at `base` with the entries that its first `len` bytes call for, as far as their headers go.
    async fn index_anew(&self, base: Offset, len: u64) -> io::Result<Segment> {
        let files: Files = self.files_of(base).await?;
        let log = files.log.clone();
        let interval = self.config().index_interval_bytes;
        let mut segment = Segment::new(base, files, 0);
        let (mut next_offset, mut headers) = (base, 0_u64);
        while let Ok(Some(batch)) = header_at(&log, segment.len, len).await {
            if !segment.can_note(&batch, next_offset) {
                break;
            }
            segment.note(&batch, interval);
            next_offset = batch.last.plus(1);
            headers += 1;
            if headers.is_multiple_of(HEADERS_PER_TURN) {
                self.0.reactor.yield_now().await;
            }
        }
        Ok(segment)
    }
}
