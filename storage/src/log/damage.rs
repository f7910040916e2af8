//! Ranges of a log that are known to be damaged: found by a read or by the scrubber, refused from then on, while the rest is
//! served. They are kept with their segment, so that one that is replaced or truncated forgets them.

use std::ops::Range;
use std::path::PathBuf;

use ringlane_batch::Offset;
use ringlane_reactor::OpenOptions;

use super::Log;
use super::state::FilesVersion;
use crate::inspect::{Damage, Found, SegmentScan};
use crate::names::Kind;
use crate::segment::{Files, Segment, Source};

/// As many ranges of a segment are told apart; more are joined to the last.
const RANGES_MAX: usize = 256;

/// Offsets that cannot be read because the bytes of their batches are damaged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DamagedRange {
    /// The segment's `.log` file.
    pub file: PathBuf,
    /// The bytes of it that hold no batch that can be trusted.
    pub positions: Range<u64>,
    /// The offsets that they held.
    pub offsets: Range<Offset>,
    /// What is wrong with the first of these bytes.
    pub what: String,
}

/// How far a look at a segment came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Scrubbed {
    /// Bytes read.
    pub(crate) bytes: u64,
    /// Damaged ranges that were not known before.
    pub(crate) found: u64,
}

impl Segment {
    /// Takes note of a damaged range; whether it was unknown.
    fn note_damage(&mut self, range: DamagedRange) -> bool {
        let is_known = |known: &DamagedRange| {
            known.positions.start <= range.positions.start
                && range.positions.end <= known.positions.end
        };
        if self.damage.iter().any(is_known) {
            return false;
        }
        let at = self.damage.partition_point(|known| known.positions.start < range.positions.start);
        // A look that came further than an earlier one replaces what that knew.
        let end =
            self.damage[at..].partition_point(|known| known.positions.start < range.positions.end);
        self.damage.splice(at..at + end, [range]);
        if self.damage.len() > RANGES_MAX {
            let last = self.damage.pop().expect("there are many");
            let before = self.damage.last_mut().expect("there are many");
            before.positions.end = last.positions.end;
            before.offsets.end = last.offsets.end;
        }
        let apart = |pair: &[DamagedRange]| pair[0].positions.end <= pair[1].positions.start;
        assert!(self.damage.windows(2).all(apart), "damaged ranges lie apart: {:?}", self.damage);
        true
    }

    /// The damaged range that holds `offset`.
    fn damage_at(&self, offset: Offset) -> Option<&DamagedRange> {
        self.damage.iter().find(|damage| damage.offsets.contains(&offset))
    }
}

/// `source`, kept to the bytes between the damaged ranges around `from`.
pub(super) fn between(source: &Source, damage: &[DamagedRange], from: Offset) -> Source {
    let mut source = source.clone();
    for range in damage {
        if range.offsets.end <= from {
            source.floor = source.floor.max(range.positions.end);
        } else {
            source.len = source.len.min(range.positions.start);
        }
    }
    source.floor = source.floor.min(source.len);
    source
}

impl Log {
    /// The ranges that are known to be damaged, in order. What lies in them answers [`crate::ReadError::Damaged`].
    pub fn damaged_ranges(&self) -> Vec<DamagedRange> {
        let state = self.0.state.borrow();
        state.segments.iter().flat_map(|segment| segment.damage.iter().cloned()).collect()
    }

    /// The damaged range that holds `offset`, if one is known to.
    pub(super) fn damage_at(&self, offset: Offset) -> Option<DamagedRange> {
        let state = self.0.state.borrow();
        state.segments[state.segment_index(offset)].damage_at(offset).cloned()
    }

    /// What is known to be damaged in the segment that holds `offset`.
    pub(super) fn damage_around(&self, offset: Offset) -> Vec<DamagedRange> {
        let state = self.0.state.borrow();
        state.segments[state.segment_index(offset)].damage.clone()
    }

    /// A read met bytes at `offset` that are no batch: finds out how far the damage goes. Readers who meet it together
    /// wait for the one look at their segment.
    pub(super) async fn look_for_damage(&self, offset: Offset) -> std::io::Result<()> {
        let _turn = self.0.damage_turn.enter().await;
        let base = {
            let state = self.0.state.borrow();
            if state.is_closed() || offset < state.segments[0].base {
                return Ok(());
            }
            state.segments[state.segment_index(offset)].base
        };
        if self.damage_at(offset).is_none() {
            let version = self.0.state.borrow().files_version();
            let files = self.files_of(base).await?;
            self.scan_for_damage(base, files, version, async |_| ()).await?;
        }
        Ok(())
    }

    /// The complete segments below the recovery point: synced, and never written again.
    pub(crate) fn complete_segments(&self) -> Vec<Offset> {
        let state = self.0.state.borrow();
        if state.is_closed() {
            return Vec::new();
        }
        let point = state.offsets().recovery_point.offset();
        let complete =
            (0..state.segments.len() - 1).filter(|&index| state.segment_end(index) <= point);
        complete.map(|index| state.segments[index].base).collect()
    }

    /// Reads every batch of the segment at `base` and takes note of what cannot be trusted. `paced` is told of every so
    /// many bytes read, and awaited.
    pub(crate) async fn scrub_segment(
        &self,
        base: Offset,
        paced: impl AsyncFn(u64),
    ) -> std::io::Result<Scrubbed> {
        let version = self.0.state.borrow().files_version();
        let files = match self.known_files(base) {
            Some(files) => files,
            // Not kept for readers, who may be in the midst of another.
            None => Files::open(&self.0.disk, &self.directory(), base, OpenOptions::READ).await?,
        };
        self.scan_for_damage(base, files, version, paced).await
    }

    /// The same, with the segment's `files` as of `version`.
    async fn scan_for_damage(
        &self,
        base: Offset,
        files: Files,
        version: FilesVersion,
        paced: impl AsyncFn(u64),
    ) -> std::io::Result<Scrubbed> {
        let mut scrubbed = Scrubbed::default();
        // The file is what is read here.
        let is_active = self.0.state.borrow().active().base == base;
        if is_active {
            self.write_held()?;
        }
        let Some((len, end)) = self.extent(base, version) else { return Ok(scrubbed) };
        let mut scan = SegmentScan::over(files.log, Some(files.offset_index), base, len, end);
        loop {
            let found = scan.next().await?;
            let bytes = scan.take_read_bytes();
            scrubbed.bytes += bytes;
            if let Some(Found::Damage(damage)) = &found {
                scrubbed.found += u64::from(self.note_damage(base, version, damage, end));
            }
            if found.is_none() {
                let gap = Damage {
                    position: len,
                    len: 0,
                    first_offset: scan.next_offset(),
                    next_offset: Some(end),
                    what: "the segment ends before the next one begins".into(),
                };
                // Compaction leaves none: a segment ends where the next one begins.
                let is_short = gap.first_offset < end;
                let is_new = is_short && self.note_damage(base, version, &gap, end);
                scrubbed.found += u64::from(is_new);
                return Ok(scrubbed);
            }
            if bytes > 0 {
                paced(bytes).await;
            }
        }
    }

    /// The bytes and the end of the segment at `base`, if its files are still those of `version`.
    fn extent(&self, base: Offset, version: FilesVersion) -> Option<(u64, Offset)> {
        let state = self.0.state.borrow();
        let index = state.segments.binary_search_by_key(&base, |segment| segment.base).ok()?;
        let is_same = !state.is_closed() && state.files_version() == version;
        is_same.then(|| (state.segments[index].len, state.segment_end(index)))
    }

    /// Takes note of damage in the segment at `base`; whether it was unknown.
    fn note_damage(
        &self,
        base: Offset,
        version: FilesVersion,
        damage: &Damage,
        end: Offset,
    ) -> bool {
        let mut state = self.0.state.borrow_mut();
        let file = Kind::Log.path(&state.dir, base);
        let found = state.segments.binary_search_by_key(&base, |segment| segment.base);
        let Ok(index) = found else { return false };
        // What was read of files that were cut or replaced since says nothing about these.
        if state.files_version() != version || state.is_closed() {
            return false;
        }
        let range = DamagedRange {
            file,
            positions: damage.position..damage.end(),
            offsets: damage.first_offset..damage.next_offset.unwrap_or(end),
            what: damage.what.clone(),
        };
        let is_new = state.segments[index].note_damage(range.clone());
        if is_new {
            let (file, bytes) = (range.file.display(), damage.len);
            let (position, what) = (damage.position, &range.what);
            let (first, end) = (range.offsets.start.0, range.offsets.end.0);
            tracing::error!(%file, position, bytes, first, end, what, "damaged records are refused");
        }
        is_new
    }
}
