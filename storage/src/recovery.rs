//! Finding a log again, after the journals were replayed into its segments. All before the recovery point that the shard's
//! checkpoint names was synced; behind it each batch is checked; the first bad one is the torn tail of a crash, and the
//! log ends there. A log that no checkpoint names is checked from its beginning.
//!
//! What the scan accepts: within a segment, batches one behind the other with growing offsets; a segment that starts
//! exactly where the one before it ends, because that is where a roll opens it. Anything else behind the recovery point
//! was never durable.

mod complete;
pub(crate) mod missing;
pub(crate) mod refused;
mod start;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use ringlane_batch::{
    BatchError, BatchView, DurableEndOffset, LeaderEpoch, LogEndOffset, LogStartOffset, Offset,
    RecoveryPoint,
};
use ringlane_reactor::{DirEntry, Disk, OpenOptions};

use crate::compaction::swap::{self, SEGMENT_KINDS};
use crate::config::LogConfig;
use crate::error::StorageError;
use crate::leader_epochs::LeaderEpochs;
use crate::log::{Loaded, Offsets};
use crate::log_start;
use crate::names::{DELETED_FILE_SUFFIX, Kind};
use crate::producer_state::{self, ProducerState};
use crate::recovered::{Basis, FoundLog};
use crate::segment::{Files, Located, Segment, can_hold};
use start::Start;

/// The scan reads this much at once.
const CHUNK_BYTES: u64 = 1 << 20;

/// What opening a log found and did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoveryReport {
    /// Where the scan started.
    pub recovery_point: RecoveryPoint,
    /// Where the log ends now.
    pub log_end: LogEndOffset,
    /// Bytes of valid batches behind the recovery point.
    pub scanned_bytes: u64,
    /// Bytes that were cut off, of whole segments too.
    pub truncated_bytes: u64,
    /// What was wrong with them.
    pub fault: Option<String>,
    /// Where the log started before, and where it starts now, when the segments between are gone.
    pub start_lost: Option<(Offset, Offset)>,
}

impl RecoveryReport {
    pub(crate) fn log_if_notable(&self, dir: &Path) {
        let (log, end) = (dir.display(), self.log_end.0);
        if let Some((was, start)) = self.start_lost {
            tracing::warn!(
                %log, was = was.0, start = start.0,
                "the first segments of a log are gone, and nothing here deleted them: it starts later than before"
            );
        }
        if let Some(fault) = &self.fault {
            let bytes = self.truncated_bytes;
            tracing::warn!(%log, end, bytes, fault, "cut the tail of a log that is not valid");
        }
    }
}

/// The names in a log's directory.
#[derive(Default)]
struct Listing {
    logs: BTreeSet<Offset>,
    snapshots: BTreeSet<Offset>,
    /// How long each file was.
    lens: BTreeMap<(Kind, Offset), u64>,
}

/// Reads the log in `dir`, and leaves it there as it was read.
pub(crate) async fn load(
    disk: &Disk,
    dir: &Path,
    config: &LogConfig,
    now_ms: i64,
    found: &FoundLog,
) -> Result<(Loaded, RecoveryReport), StorageError> {
    let mut listing = list(disk, dir).await?;
    let (logs, snapshots) = (&mut listing.logs, &mut listing.snapshots);
    log_start::remove_before(disk, dir, found.log_start, logs, snapshots).await?;
    let deleted = missing::take_deleted(&mut listing.logs, found);
    for base in deleted.map_err(|reason| StorageError::corrupt(dir, reason))? {
        remove_segment(disk, dir, base).await?;
    }
    if listing.logs.is_empty() {
        create_first(disk, dir, &mut listing, found.log_start).await?;
    }
    let start = start::find(disk, dir, &mut listing, now_ms, &found.basis).await?;
    let mut epochs = match &found.basis {
        Basis::Nothing => LeaderEpochs::default(),
        Basis::Record(record) => record.epochs.clone(),
        Basis::Truncation(epochs) => epochs.clone(),
    };
    epochs.truncate_from_end(start.offset);
    let first = *listing.logs.first().expect("there is a segment");
    let log_start = first.max(found.log_start);
    let mut recovery = Recovery {
        disk,
        dir,
        config,
        now_ms,
        segments: Vec::new(),
        end: start.offset,
        producers: start.producers.clone(),
        snapshots_waiting: Vec::new(),
        epochs,
        report: RecoveryReport {
            recovery_point: RecoveryPoint::at(start.offset),
            log_end: LogEndOffset::at(start.offset),
            scanned_bytes: 0,
            truncated_bytes: 0,
            fault: None,
            start_lost: missing::start_lost(first, found).map(|was| (was, first)),
        },
    };
    recovery.run(start, &listing).await?;
    if recovery.end < log_start {
        recovery.begin_anew(log_start).await?;
    }
    let (mut loaded, report) = recovery.finish(log_start, listing).await?;
    loaded.log_sequence = found.log_sequence;
    Ok((loaded, report))
}

impl Listing {
    fn len_of(&self, kind: Kind, base: Offset) -> Option<u64> {
        self.lens.get(&(kind, base)).copied()
    }

    /// Whether the segment ends where the scan would start, its indexes with it: then no file need be opened.
    fn has_nothing_behind(&self, start: &Start) -> bool {
        let (offsets, timestamps) = start.entries_bytes();
        let lens = [
            (Kind::Log, start.position),
            (Kind::OffsetIndex, offsets),
            (Kind::TimeIndex, timestamps),
        ];
        lens.into_iter().all(|(kind, len)| self.len_of(kind, start.base) == Some(len))
    }

    /// Whether the index files hold what was in them there: somebody may have removed them.
    fn has_entries_of(&self, start: &Start) -> bool {
        let (offsets, timestamps) = start.entries_bytes();
        let lens = [(Kind::OffsetIndex, offsets), (Kind::TimeIndex, timestamps)];
        lens.into_iter().all(|(kind, len)| self.len_of(kind, start.base).unwrap_or(0) >= len)
    }
}

/// Lists what is there. Removes what an interrupted replacement or deletion left, and indexes without a segment.
async fn list(disk: &Disk, dir: &Path) -> Result<Listing, StorageError> {
    let names = swap::list_settled(disk, dir)
        .await
        .map_err(StorageError::io("complete what a compaction left in", dir))?;
    if let Some(reason) = refused::refused_name(dir, &names) {
        return Err(StorageError::Refused(reason));
    }
    let mut listing = Listing::default();
    let mut indexes = Vec::new();
    for DirEntry { name, len, .. } in names.into_iter().filter(|entry| !entry.is_dir) {
        let kind = Kind::parse(&name);
        listing.lens.extend(kind.map(|kind| (kind, len)));
        match kind {
            Some((Kind::Log, offset)) => _ = listing.logs.insert(offset),
            Some((Kind::ProducerSnapshot, offset)) => _ = listing.snapshots.insert(offset),
            Some((kind, offset)) => indexes.push((kind, offset)),
            None if name.ends_with(".tmp") || name.ends_with(DELETED_FILE_SUFFIX) => {
                remove(disk, &dir.join(name)).await?
            }
            None => {}
        }
    }
    for (kind, offset) in indexes {
        if !listing.logs.contains(&offset) {
            remove(disk, &kind.path(dir, offset)).await?;
        }
    }
    Ok(listing)
}

/// A directory whose segments are gone starts anew behind what it knows to have held.
async fn create_first(
    disk: &Disk,
    dir: &Path,
    listing: &mut Listing,
    log_start: Offset,
) -> Result<(), StorageError> {
    let base = listing.snapshots.last().copied().unwrap_or(Offset::ZERO).max(log_start);
    let created = Files::open(disk, dir, base, OpenOptions::CREATE_EMPTY).await;
    created.map_err(StorageError::io("create a segment in", dir))?;
    listing.logs.insert(base);
    listing.lens.extend(SEGMENT_KINDS.map(|kind| ((kind, base), 0)));
    Ok(())
}

async fn remove_segment(disk: &Disk, dir: &Path, base: Offset) -> Result<(), StorageError> {
    for kind in SEGMENT_KINDS {
        remove(disk, &kind.path(dir, base)).await?;
    }
    Ok(())
}

async fn remove(disk: &Disk, path: &Path) -> Result<(), StorageError> {
    match disk.remove_file(path).await {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(StorageError::io("remove", path)(error))
        }
        _ => Ok(()),
    }
}

/// Why the scan stopped.
enum Fault {
    /// The bytes are no batch, or not a whole one.
    Batch(BatchError),
    /// The batch does not belong here.
    Log(&'static str),
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Batch(error) => error.fmt(f),
            Self::Log(reason) => f.write_str(reason),
        }
    }
}

/// The log as far as it has been read.
struct Recovery<'a> {
    disk: &'a Disk,
    dir: &'a Path,
    config: &'a LogConfig,
    now_ms: i64,
    segments: Vec<Segment>,
    end: Offset,
    producers: ProducerState,
    /// The snapshots that rolling took and the crash: the next checkpoint writes them.
    snapshots_waiting: Vec<(Offset, Vec<u8>)>,
    epochs: LeaderEpochs,
    report: RecoveryReport,
}

impl Recovery<'_> {
    async fn run(&mut self, start: Start, listing: &Listing) -> Result<(), StorageError> {
        let bases = &listing.logs;
        for &base in bases.range(..start.base) {
            let segment = self.load_complete(listing, base).await?;
            self.segments.push(segment);
        }
        let scanned = bases.range(start.base..);
        let mut start = Some(start);
        for &base in scanned {
            let first = start.take();
            // A segment is opened where the log ends: one that begins there follows, whatever a write that failed left behind
            // the end of the one before.
            if first.is_none() && base != self.end {
                self.drop_segment(base).await?;
                continue;
            }
            if first.as_ref().is_none_or(|start| start.snapshot_is_due) {
                self.snapshots_waiting.push((base, producer_state::encode(&self.producers)));
            }
            let segment = self.scan_segment(listing, base, first).await?;
            self.segments.push(segment);
        }
        Ok(())
    }

    /// Reads the segment at `base` from `start`, or from its beginning, and cuts it at the first bad batch.
    async fn scan_segment(
        &mut self,
        listing: &Listing,
        base: Offset,
        start: Option<Start>,
    ) -> Result<Segment, StorageError> {
        let failed = || StorageError::io("recover a segment in", self.dir);
        if let Some(start) = &start
            && !start.has_tail()
            && listing.has_nothing_behind(start)
        {
            let mut segment = Segment::closed(base, self.now_ms);
            start.resume(&mut segment);
            return Ok(segment);
        }
        let opened = Files::open(self.disk, self.dir, base, OpenOptions::CREATE).await;
        let files = opened.map_err(failed())?;
        let mut segment = Segment::new(base, files.clone(), self.now_ms);
        match start {
            Some(start)
                if listing.has_entries_of(&start)
                    && start.tail_follows(&files).await.map_err(failed())? =>
            {
                let (offsets, timestamps) = start.entries_bytes();
                files.offset_index.set_len(offsets).map_err(failed())?;
                files.time_index.set_len(timestamps).map_err(failed())?;
                start.resume(&mut segment);
            }
            start => {
                files.offset_index.set_len(0).map_err(failed())?;
                files.time_index.set_len(0).map_err(failed())?;
                let position = start.map_or(0, |start| start.position);
                self.note_headers(&mut segment, position).await.map_err(failed())?;
                // What is damaged there was on disk, and is a reader's to find: it is no torn tail.
                segment.len = position;
            }
        }
        let file_len = files.log.len().map_err(failed())?;
        let before = segment.len;
        let fault = self.scan(&mut segment, &files, file_len).await.map_err(failed())?;
        self.report.scanned_bytes += segment.len - before;
        if let Some(fault) = fault {
            let name = Kind::Log.path(Path::new(""), base);
            let place = format!("{} at byte {}: {fault}", name.display(), segment.len);
            self.report.truncated_bytes += file_len - segment.len;
            self.report.fault = Some(place);
            files.log.set_len(segment.len).map_err(failed())?;
        }
        Ok(segment)
    }

    /// Takes in the batches of `segment` behind its `len`, up to the first bad one: what is wrong with that.
    async fn scan(
        &mut self,
        segment: &mut Segment,
        files: &Files,
        file_len: u64,
    ) -> std::io::Result<Option<String>> {
        let mut want = CHUNK_BYTES;
        while segment.len < file_len {
            let len = want.min(file_len - segment.len);
            let chunk = files.log.read_at(vec![0; len as usize], segment.len).await?;
            let before = segment.len;
            let fault = self.take_chunk(segment, &chunk);
            let progress = segment.len - before;
            want = match fault {
                Some(Fault::Batch(BatchError::Truncated { needed, .. }))
                    if needed as u64 <= file_len - segment.len && chunk.len() as u64 == len =>
                {
                    // The batch goes on behind the chunk: read it whole, as the file is that long.
                    assert!(progress > 0 || needed > chunk.len(), "the scan makes progress");
                    CHUNK_BYTES.max(needed as u64)
                }
                Some(fault) => return Ok(Some(fault.to_string())),
                None if progress == 0 => {
                    return Ok(Some("the file is shorter than it says".into()));
                }
                None => CHUNK_BYTES,
            };
        }
        Ok(None)
    }

    /// Takes in the batches in `chunk`, which lies at the segment's `len`.
    fn take_chunk(&mut self, segment: &mut Segment, chunk: &[u8]) -> Option<Fault> {
        let mut rest = chunk;
        while !rest.is_empty() {
            let batch = match BatchView::parse(rest) {
                Ok(batch) => batch,
                Err(error) => return Some(Fault::Batch(error)),
            };
            if let Err(reason) = self.take_batch(segment, &batch) {
                return Some(Fault::Log(reason));
            }
            rest = &rest[batch.len()..];
        }
        None
    }

    fn take_batch(
        &mut self,
        segment: &mut Segment,
        batch: &BatchView<'_>,
    ) -> Result<(), &'static str> {
        if !batch.crc_is_valid() {
            return Err("the checksum does not match");
        }
        if batch.base_offset() < self.end || batch.last_offset_delta() < 0 {
            return Err("the offsets do not follow");
        }
        if !can_hold(batch.last_offset(), segment.base) {
            return Err("the offsets are out of the segment's range");
        }
        segment.note(&Located::of(batch, segment.len), self.config.index_interval_bytes);
        self.producers.observe(batch, self.now_ms);
        let epoch = batch.leader_epoch();
        if epoch > self.epochs.latest() && epoch > LeaderEpoch::NONE {
            self.epochs.assign(epoch, batch.base_offset());
        }
        self.end = batch.next_offset();
        Ok(())
    }

    /// Removes a segment that does not follow what was found valid.
    async fn drop_segment(&mut self, base: Offset) -> Result<(), StorageError> {
        let len = self.len_of(Kind::Log, base).await?.unwrap_or(0);
        if len > 0 {
            self.report.truncated_bytes += len;
            let fault = format!("segment {base} does not follow offset {}", self.end);
            self.report.fault.get_or_insert(fault);
        }
        remove_segment(self.disk, self.dir, base).await
    }

    /// A log that lost what lay behind its start goes on from there: its offsets were handed out before.
    async fn begin_anew(&mut self, log_start: Offset) -> Result<(), StorageError> {
        for segment in std::mem::take(&mut self.segments) {
            self.drop_segment(segment.base).await?;
        }
        let fault = format!("the log ended at offset {}, before its start {log_start}", self.end);
        self.report.fault.get_or_insert(fault);
        let created = Files::open(self.disk, self.dir, log_start, OpenOptions::CREATE_EMPTY).await;
        let files = created.map_err(StorageError::io("create a segment in", self.dir))?;
        self.segments.push(Segment::new(log_start, files, self.now_ms));
        // Nobody knows what producers have sent between the end and the start: to be forgotten is better than to be refused
        // the next sequence.
        self.producers = ProducerState::default();
        self.snapshots_waiting.clear();
        self.end = log_start;
        Ok(())
    }

    async fn finish(
        mut self,
        log_start: Offset,
        listing: Listing,
    ) -> Result<(Loaded, RecoveryReport), StorageError> {
        let (kept, beyond): (BTreeSet<_>, BTreeSet<_>) =
            listing.snapshots.into_iter().partition(|at| *at <= self.end);
        for offset in beyond {
            remove(self.disk, &Kind::ProducerSnapshot.path(self.dir, offset)).await?;
        }
        self.report.log_end = LogEndOffset::at(self.end);
        self.epochs.truncate_from_start(log_start);
        self.epochs.truncate_from_end(self.end);
        // What lies before the start need not be synced.
        let recovery_point = self.report.recovery_point.max(RecoveryPoint::at(log_start));
        let loaded = Loaded {
            segments: self.segments,
            offsets: Offsets {
                start: LogStartOffset::at(log_start),
                recovery_point,
                durable: DurableEndOffset::at(recovery_point.offset()),
                end: self.report.log_end,
            },
            producers: self.producers,
            epochs: self.epochs,
            snapshots: kept,
            snapshots_waiting: self.snapshots_waiting,
            log_sequence: 0,
        };
        Ok((loaded, self.report))
    }
}
