//! One round over one log: maps the keys of its dirty part, then writes each group of segments anew and has it swapped in,
//! the oldest group first: whatever ends the round, a tombstone is never gone before what it deletes.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::rc::Rc;

use ringlane_batch::{BatchError, BatchView, Decompressor, Offset};
use ringlane_reactor::{Disk, OpenOptions};

use super::filter::{DECOMPRESSED_BYTES_MAX, Filter, Kept};
use super::offset_map::OffsetMap;
use super::pace::Pace;
use super::plan::{Dirty, GroupLimits, SegmentView, groups};
use super::source::Chunks;
use super::swap::{self, CLEANED};
use crate::config::{CleanerConfig, CompactionConfig, LogConfig, SEGMENT_BYTES_MAX};
use crate::error::{StorageError, is_shortage};
use crate::log::Log;
use crate::segment::{Files, Held, Located, Segment, Source, locate};

/// What was written is handed to the device so often, so that the last sync does not find all of it.
const WRITE_BACK_BYTES: u64 = 8 << 20;

/// Why a round ended early.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The log was truncated, trimmed, closed or deleted meanwhile, or is not to be compacted any more.
    Changed,
    /// There is no room for a new segment, or no descriptor: what the system says.
    Short(String),
    /// What is wrong with the log.
    Broken(String),
}

/// A log and the part of it to clean.
pub(crate) struct Job {
    pub(crate) log: Log,
    /// Those that may be cleaned, from the log's first on.
    pub(crate) segments: Vec<SegmentView>,
    /// How often the log had been truncated when they were looked at.
    pub(crate) truncations: u64,
    pub(crate) dirty: Dirty,
    pub(crate) config: Rc<LogConfig>,
    pub(crate) compaction: CompactionConfig,
}

/// What a round did.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Done {
    /// The first offset that is still dirty.
    pub(crate) end: Option<Offset>,
    pub(crate) bytes_before: u64,
    pub(crate) bytes_after: u64,
}

/// See the module.
pub(crate) struct Round<'a> {
    pub(crate) job: &'a Job,
    pub(crate) settings: CleanerConfig,
    pub(crate) pace: &'a Pace,
    pub(crate) disk: &'a Disk,
    pub(crate) dir: PathBuf,
    pub(crate) now_ms: i64,
    pub(crate) hash_key: (u64, u64),
    pub(crate) decompressor: Decompressor,
}

impl Round<'_> {
    /// Cleans as much as the map holds.
    ///
    /// # Errors
    /// Why it ended early; groups that were swapped in stay so.
    pub(crate) async fn run(&mut self) -> Result<Done, Failure> {
        let job = self.job;
        let map = self.build_map().await?;
        let Some(end) = map.latest().map(|latest| latest.plus(1)) else {
            return Ok(Done::default());
        };
        assert!(
            job.dirty.first < end && end <= job.dirty.first_uncleanable,
            "a round cleans something, and nothing that it must not: {:?}, up to {end}",
            job.dirty
        );
        let mut filter = Filter {
            map: &map,
            first_dirty: job.dirty.first,
            now_ms: self.now_ms,
            delete_retention_ms: job.compaction.delete_retention_ms,
            producers: Default::default(),
            segment_end: end,
            in_transaction: BTreeSet::new(),
        };
        let until = job.segments.partition_point(|segment| segment.base < end);
        let limits = GroupLimits {
            segment_bytes: job.config.segment_bytes_bounded(),
            index_bytes: u64::from(job.config.segment_index_bytes),
        };
        let mut done = Done { end: Some(end), ..Done::default() };
        for group in groups(&job.segments[..until], limits) {
            self.check_policy()?;
            self.clean_group(&job.segments[group], &mut filter, &mut done).await?;
        }
        Ok(done)
    }

    /// Kafka aborts a cleaning when `cleanup.policy` loses `compact`; a segment whose copy is under way is not swapped in either.
    fn check_policy(&self) -> Result<(), Failure> {
        self.job.log.config().compaction.map(drop).ok_or(Failure::Changed)
    }

    /// The keys of the dirty part, up to where the map is full.
    async fn build_map(&mut self) -> Result<OffsetMap, Failure> {
        let Dirty { first, first_uncleanable, .. } = self.job.dirty;
        let keys_wanted = first_uncleanable.distance_from(first).max(1) as u64;
        let mut map = OffsetMap::new(
            self.settings.dedupe_buffer_bytes,
            self.settings.load_factor,
            keys_wanted,
            self.hash_key,
        );
        for segment in self.job.segments.iter().filter(|segment| segment.end > first) {
            self.check_policy()?;
            let mapped = self.map_segment(segment, &mut map).await;
            match mapped.map_err(|error| self.failure(&self.job.segments, segment.base, &error))? {
                true => map.cover(segment.end.plus(-1)),
                false => break,
            }
        }
        Ok(map)
    }

    /// Adds the keys of one segment. False when the map was full before its end.
    async fn map_segment(
        &mut self,
        segment: &SegmentView,
        map: &mut OffsetMap,
    ) -> io::Result<bool> {
        let first = self.job.dirty.first;
        let Some((files, position)) = self.open_at(segment, first).await? else { return Ok(true) };
        let chunk_bytes = self.settings.io_buffer_bytes;
        let mut chunks = Chunks::new(files.log, segment, position, chunk_bytes);
        while let Some(bytes) = chunks.next().await? {
            self.spend(bytes.len() as u64).await;
            for batch in ringlane_batch::batches(&bytes) {
                let batch = batch.map_err(damaged)?;
                if !map_batch(&batch, first, map, &mut self.decompressor).map_err(damaged)? {
                    return Ok(false);
                }
                self.pace.worked(batch.len() as u64).await;
            }
        }
        Ok(true)
    }

    /// The files of `segment` and where the first batch lies that ends at `from` or later; `None` without one.
    async fn open_at(
        &self,
        segment: &SegmentView,
        from: Offset,
    ) -> io::Result<Option<(Files, u64)>> {
        let opened = Files::open(self.disk, &self.dir, segment.base, OpenOptions::READ).await;
        let files = opened?;
        if from <= segment.base {
            return Ok(Some((files, 0)));
        }
        let source = Source {
            files: files.clone(),
            base: segment.base,
            end: segment.end,
            len: segment.len,
            held: Held::default(),
            held_from: segment.len,
            offset_entries: segment.offset_entries,
            start: None,
            floor: 0,
        };
        Ok(locate(&source, from).await?.map(|batch| (files, batch.position)))
    }

    /// Writes `group` anew as one segment, and puts that in its place if it is another.
    async fn clean_group(
        &mut self,
        group: &[SegmentView],
        filter: &mut Filter<'_>,
        done: &mut Done,
    ) -> Result<(), Failure> {
        let base = group[0].base;
        filter.segment_end = group[group.len() - 1].end;
        filter.producers = self.job.log.last_batches();
        let before: u64 = group.iter().map(|segment| segment.len).sum();
        let written = self.rewrite(group, filter).await;
        let written = written.map_err(|error| self.failure(group, base, &error));
        let replaced = match written {
            Ok((segment, true)) => {
                let after = segment.len;
                let replaced =
                    self.job.log.replace_segments(group, segment, self.job.truncations).await;
                replaced
                    .map_err(|error| self.refused(group, &error))
                    .and_then(|swapped| swapped.then_some(after).ok_or(Failure::Changed))
            }
            Ok((_, false)) => {
                self.discard(base).await;
                Ok(before)
            }
            Err(failure) => Err(failure),
        };
        match replaced {
            Ok(after) => {
                done.bytes_before += before;
                done.bytes_after += after;
                Ok(())
            }
            Err(failure) => {
                self.discard(base).await;
                Err(failure)
            }
        }
    }

    /// Writes what stays of `group` to `.cleaned` files, synced. Answers also whether that is anything else.
    async fn rewrite(
        &mut self,
        group: &[SegmentView],
        filter: &mut Filter<'_>,
    ) -> io::Result<(Segment, bool)> {
        let files = swap::create_cleaned(self.disk, &self.dir, group[0].base).await?;
        let mut output = Output {
            segment: Segment::new(group[0].base, files.clone(), self.now_ms),
            waiting: Vec::new(),
            unsynced_bytes: 0,
            index_interval_bytes: self.job.config.index_interval_bytes,
        };
        let mut changed = group.len() > 1;
        for segment in group {
            let path = crate::names::Kind::Log.path(&self.dir, segment.base);
            let log = self.disk.open(&path, OpenOptions::READ).await?;
            let mut chunks = Chunks::new(log, segment, 0, self.settings.io_buffer_bytes);
            while let Some(bytes) = chunks.next().await? {
                self.spend(bytes.len() as u64).await;
                changed |= self.rewrite_chunk(&bytes, filter, &mut output).await?;
            }
        }
        self.write_out(&mut output).await?;
        output.segment.flush_indexes()?;
        for file in [&files.log, &files.offset_index, &files.time_index] {
            file.sync_data().await?;
        }
        Ok((output.segment, changed))
    }

    /// Passes the batches in `bytes` on to `output`. Answers whether any was changed.
    async fn rewrite_chunk(
        &mut self,
        bytes: &[u8],
        filter: &mut Filter<'_>,
        output: &mut Output,
    ) -> io::Result<bool> {
        let mut changed = false;
        for batch in ringlane_batch::batches(bytes) {
            let batch = batch.map_err(damaged)?;
            match filter.apply(&batch, &mut self.decompressor).map_err(damaged)? {
                Kept::Whole => output.push(batch.as_bytes())?,
                Kept::Changed(bytes) => {
                    output.push(&bytes)?;
                    changed = true;
                }
                Kept::Nothing => changed = true,
            }
            if output.waiting.len() as u64 >= self.settings.io_buffer_bytes {
                self.write_out(output).await?;
            }
            self.pace.worked(batch.len() as u64).await;
        }
        Ok(changed)
    }

    async fn write_out(&self, output: &mut Output) -> io::Result<()> {
        self.spend(output.waiting.len() as u64).await;
        output.write()?;
        if output.unsynced_bytes >= WRITE_BACK_BYTES {
            output.unsynced_bytes = 0;
            output.segment.files.as_ref().expect("it is being written").log.sync_data().await?;
        }
        Ok(())
    }

    async fn spend(&self, bytes: u64) {
        self.pace.spend(bytes).await;
    }

    /// Removes what was written for a group. What stays is removed at the next start.
    async fn discard(&self, base: Offset) {
        let removed = swap::remove_all(self.disk, &self.dir, base, CLEANED).await;
        if let Err(error) = removed {
            tracing::debug!(log = %self.dir.display(), %error, "cannot remove a cleaned segment");
        }
    }

    /// What an error means that came up between `segments` of the log and their copy.
    fn failure(&self, segments: &[SegmentView], base: Offset, error: &io::Error) -> Failure {
        if !self.job.log.still_has(segments, self.job.truncations) {
            return Failure::Changed;
        }
        match is_shortage(error) {
            true => Failure::Short(error.to_string()),
            false => Failure::Broken(format!("segment {base}: {error}")),
        }
    }

    fn refused(&self, group: &[SegmentView], error: &StorageError) -> Failure {
        match error {
            StorageError::Io { source, .. } => self.failure(group, group[0].base, source),
            other => Failure::Broken(other.to_string()),
        }
    }
}

/// A new segment while it is written.
struct Output {
    /// Counts also what waits.
    segment: Segment,
    /// Batches at the segment's end that are not in the file.
    waiting: Vec<u8>,
    unsynced_bytes: u64,
    index_interval_bytes: u32,
}

impl Output {
    fn push(&mut self, batch: &[u8]) -> io::Result<()> {
        if self.segment.len + batch.len() as u64 > SEGMENT_BYTES_MAX {
            return Err(io::Error::other("it would become larger than a segment may be"));
        }
        let view = BatchView::parse(batch).map_err(damaged)?;
        self.segment.note(&Located::of(&view, self.segment.len), self.index_interval_bytes);
        self.waiting.extend_from_slice(batch);
        Ok(())
    }

    fn write(&mut self) -> io::Result<()> {
        let files = self.segment.files.as_ref().expect("it is being written");
        files.log.write_at(&self.waiting, self.segment.len - self.waiting.len() as u64)?;
        self.unsynced_bytes += self.waiting.len() as u64;
        self.waiting.clear();
        self.segment.flush_indexes_if_long()
    }
}

/// Adds the keys of one batch. False when the map was full before its end.
fn map_batch(
    batch: &BatchView<'_>,
    first: Offset,
    map: &mut OffsetMap,
    decompressor: &mut Decompressor,
) -> Result<bool, BatchError> {
    if !batch.is_control() && batch.record_count() > 0 {
        let codec = batch.codec()?;
        let payload = decompressor.decompress(codec, batch.payload(), DECOMPRESSED_BYTES_MAX)?;
        for record in batch.records_in(payload) {
            let record = record?;
            if record.offset < first {
                continue;
            }
            if record.key.is_some_and(|key| !map.put(key, record.offset)) {
                return Ok(false);
            }
            // The map may be full at the next: then the round ends here, within the batch.
            map.cover(record.offset);
        }
    }
    map.cover(batch.last_offset());
    Ok(true)
}

fn damaged(error: BatchError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
