//! Checks one log: every batch, both indexes of every segment, how the segments follow each other, and the small files.

use std::io;
use std::path::Path;

use ringlane_batch::{LeaderEpoch, Offset, TopicId};
use ringlane_reactor::{DirEntry, Disk, File, OpenOptions};

use super::index_check::IndexCheck;
use super::outlook::{Outlook, Stretch};
use super::problem::{Problem, Remedy};
use super::producers;
use super::recovery::LogRecovery;
use super::scan::{Damage, Found, SegmentScan};
use crate::error::StorageError;
use crate::names::Kind;
use crate::partition_metadata;

/// As many problems of a log are told one by one; the others are counted.
const PROBLEMS_MAX: usize = 1000;

/// What checking a log found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogReport {
    /// The id of its topic, where the file says it.
    pub topic_id: Option<TopicId>,
    /// Segments.
    pub segments: u64,
    /// Bytes of their `.log` files.
    pub bytes: u64,
    /// Batches that can be trusted.
    pub batches: u64,
    /// Records in them.
    pub records: u64,
    /// The first offset and the one behind the last, where there are segments.
    pub offsets: Option<(Offset, Offset)>,
    /// What is wrong, the first thousand.
    pub problems: Vec<Problem>,
    /// How much is wrong.
    pub problem_count: u64,
}

impl LogReport {
    fn add(&mut self, problem: Problem) {
        self.problem_count += 1;
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(problem);
        }
    }
}

/// What the segments so far say about those to come.
struct Sequence {
    /// Where the segment before ended, and the offset there.
    end: Option<Ended>,
    /// The leader epoch of the batch before.
    epoch: LeaderEpoch,
    /// Whether offsets are missing within segments, as compaction leaves it.
    has_gaps: bool,
    /// Whether a segment could not be read to its end: nothing tells then where the log ends.
    is_unread: bool,
    /// The first gap between two segments.
    between: Option<Problem>,
}

impl Sequence {
    fn new() -> Self {
        let (epoch, has_gaps, is_unread) = (LeaderEpoch::NONE, false, false);
        Self { end: None, epoch, has_gaps, is_unread, between: None }
    }
}

/// The end of a segment.
#[derive(Clone, Copy)]
struct Ended {
    base: Offset,
    len: u64,
    end: Offset,
}

/// A log that is being checked.
struct Check<'a> {
    disk: &'a Disk,
    dir: &'a Path,
    outlook: Outlook<'a>,
    progress: &'a dyn Fn(u64),
    report: LogReport,
    sequence: Sequence,
}

/// Checks the log in `dir`. `progress` is told of every so many bytes read. A file that cannot be read is a problem like
/// any other, and the rest is checked. What is to be done about a problem depends on what a start would do with the log,
/// as [`super::log_recoveries`] tells it; without `recovery` only a damaged tail is taken for what a start mends.
pub async fn verify_log(
    disk: &Disk,
    dir: &Path,
    recovery: Option<&LogRecovery>,
    progress: &dyn Fn(u64),
) -> LogReport {
    let (report, sequence) = (LogReport::default(), Sequence::new());
    let outlook = Outlook::new(recovery);
    let mut check = Check { disk, dir, outlook, progress, report, sequence };
    check.metadata().await;
    if let Some(problem) = check.outlook.problem().map(str::to_owned) {
        check.report.add(Problem::new(dir, problem, Remedy::Offline));
    }
    if let Some(problem) = check.outlook.start_problem() {
        check.report.add(Problem::new(dir, problem, Remedy::Restore));
    }
    match disk.list(dir).await {
        Ok(names) => check.files(&names).await,
        Err(error) => {
            let error = StorageError::io("list", dir)(error);
            check.report.add(Problem::unread(&error, dir));
        }
    }
    check.report
}

impl Check<'_> {
    async fn metadata(&mut self) {
        match partition_metadata::topic_of(self.disk, self.dir).await {
            Ok(Some(id)) => self.report.topic_id = Some(id),
            Ok(None) => self.report.add(Problem::new(
                &partition_metadata::path(self.dir),
                "is missing, and no records are beside it: the log was never completely created",
                Remedy::Start,
            )),
            Err(StorageError::Corrupt { path, reason }) => {
                self.report.add(Problem::new(&path, reason, Remedy::Offline));
            }
            Err(error) => self.report.add(Problem::unread(&error, self.dir)),
        }
    }

    async fn files(&mut self, names: &[DirEntry]) {
        let bases = offsets_of(names, Kind::Log);
        self.outlook.take_names(names);
        for (index, &base) in bases.iter().enumerate() {
            let next = bases.get(index + 1).copied();
            if let Err(error) = self.segment(base, next).await {
                let path = Kind::Log.path(self.dir, base);
                let error = StorageError::io("read", &path)(error);
                self.report.add(Problem::unread(&error, &path));
                self.sequence.is_unread = true;
                self.sequence.end = None;
                self.reach(base, base);
            }
        }
        if let Some(problem) = self.sequence.between.take()
            && !self.sequence.has_gaps
        {
            self.report.add(problem);
        }
        for kind in [Kind::OffsetIndex, Kind::TimeIndex] {
            let indexes = offsets_of(names, kind).into_iter();
            for orphan in indexes.filter(|base| bases.binary_search(base).is_err()) {
                let (path, what) = (kind.path(self.dir, orphan), "belongs to no segment");
                self.report.add(Problem::new(&path, what, Remedy::Start));
            }
        }
        self.snapshots(&offsets_of(names, Kind::ProducerSnapshot), &bases).await;
    }

    /// The segment at `base` reaches to `end`.
    fn reach(&mut self, base: Offset, end: Offset) {
        let (first, _) = self.report.offsets.unwrap_or((base, base));
        self.report.offsets = Some((first, end));
    }

    /// Checks the segment at `base`, behind which the one at `next` comes.
    async fn segment(&mut self, base: Offset, next: Option<Offset>) -> io::Result<()> {
        let path = Kind::Log.path(self.dir, base);
        self.report.segments += 1;
        let files = open(self.disk, self.dir, base).await?;
        let len = files.log.len()?;
        self.report.bytes += len;
        self.follow(&path, base);
        if len == 0 && next.is_some() {
            let what = "is empty, and another segment follows".into();
            let stretch = Stretch { base, position: 0, first: base, next, is_tail: false };
            self.report.add(Problem::of_batches(&path, what, &self.outlook, &stretch));
        }
        let end = next.unwrap_or(Offset(i64::MAX));
        let entries = files.offset_index.as_ref().ok().cloned().flatten();
        let mut scan = SegmentScan::over(files.log, entries, base, len, end);
        let mut indexes = IndexCheck::open(files.offset_index, files.time_index, base).await;
        self.batches(&path, &mut scan, &mut indexes, next.is_none()).await?;
        let end = scan.next_offset();
        self.reach(base, end);
        self.sequence.end = Some(Ended { base, len, end });
        let (offset_fault, time_fault) = indexes.finish(next.is_some());
        for (kind, fault) in [(Kind::OffsetIndex, offset_fault), (Kind::TimeIndex, time_fault)] {
            if let Some(fault) = fault {
                let remedy = self.outlook.of_index(kind, base, &fault);
                let problem = Problem::new(&kind.path(self.dir, base), fault.what, remedy);
                self.report.add(problem.at(fault.position));
            }
        }
        Ok(())
    }

    /// Follows the batches of a segment.
    async fn batches(
        &mut self,
        path: &Path,
        scan: &mut SegmentScan,
        indexes: &mut IndexCheck,
        is_last: bool,
    ) -> io::Result<()> {
        loop {
            let expected = scan.next_offset();
            let found = scan.next().await?;
            (self.progress)(scan.take_read_bytes());
            match found {
                None => return Ok(()),
                Some(Found::Batch(batch)) => {
                    self.report.batches += 1;
                    self.report.records += u64::try_from(batch.record_count).unwrap_or(0);
                    self.sequence.has_gaps |= batch.base_offset > expected || is_thinned(&batch);
                    if let Some(what) = count_problem(&batch) {
                        let problem = Problem::new(path, what, Remedy::Restore);
                        self.report.add(problem.at(Some(batch.position)));
                    }
                    self.epoch(path, scan.base(), &batch);
                    indexes.batch(&batch).await;
                }
                Some(Found::Damage(damage)) => {
                    let is_tail = is_last && damage.end() == scan.len_bytes();
                    self.damage(path, scan.base(), &damage, is_tail);
                    indexes.damage(&damage).await;
                }
            }
        }
    }

    /// Checks the leader epoch, which the checksum does not cover.
    fn epoch(&mut self, path: &Path, base: Offset, batch: &super::Batch) {
        let (position, first, epoch) = (batch.position, batch.base_offset, batch.leader_epoch);
        let before = std::mem::replace(&mut self.sequence.epoch, epoch);
        let Some(what) = self.outlook.epoch_problem(first, epoch, before) else { return };
        let what = format!("{what}; the records are served all the same");
        let next = Some(batch.next_offset());
        let stretch = Stretch { base, position, first, next, is_tail: false };
        let problem = Problem::of_batches(path, what, &self.outlook, &stretch);
        self.report.add(problem.at(Some(position)));
    }

    fn damage(&mut self, path: &Path, base: Offset, damage: &Damage, is_tail: bool) {
        let (len, position, first) = (damage.len, damage.position, damage.first_offset);
        let next = damage.next_offset.map(|next| format!("..{next}")).unwrap_or_default();
        let what = format!("{}; {len} bytes, offsets from {first}{next}", damage.what);
        let stretch = Stretch { base, position, first, next: damage.next_offset, is_tail };
        let problem = Problem::of_batches(path, what, &self.outlook, &stretch);
        self.report.add(problem.at(Some(position)));
    }

    /// Whether the segment at `base` follows the one before.
    fn follow(&mut self, path: &Path, base: Offset) {
        let Some(before) = self.sequence.end else { return };
        let end = before.end;
        if base < end {
            let what = format!("begins at {base}, but the segment before it reaches {end}");
            let stretch = Stretch { base, position: 0, first: end, next: None, is_tail: false };
            self.report.add(Problem::of_batches(path, what, &self.outlook, &stretch));
        } else if base > end && self.sequence.between.is_none() {
            let what = format!(
                "the offsets {end}..{base} before it are in no segment, and the log does not look compacted"
            );
            let (position, next) = (before.len, Some(base));
            let stretch = Stretch { base: before.base, position, first: end, next, is_tail: false };
            let problem = Problem::of_batches(path, what, &self.outlook, &stretch);
            self.sequence.between = Some(problem);
        }
    }

    /// Checks the producer snapshots against the log's end, and `bases`, where its segments begin.
    async fn snapshots(&mut self, snapshots: &[Offset], bases: &[Offset]) {
        let end = self.report.offsets.map_or(Offset::ZERO, |(_, end)| end);
        // A start takes a snapshot anew where the journal brings the records before it.
        let end = self.outlook.end(end);
        for &offset in snapshots {
            let path = Kind::ProducerSnapshot.path(self.dir, offset);
            match producers(self.disk, &path).await {
                Ok(Ok(_)) => {}
                Ok(Err(problem)) => {
                    let begins_segment = bases.binary_search(&offset).is_ok();
                    let remedy = self.outlook.of_snapshot(offset, begins_segment);
                    self.report.add(Problem { remedy, ..problem });
                }
                Err(error) => self.report.add(Problem::unread(&error, &path)),
            }
            if offset > end && !self.sequence.is_unread {
                let what = format!("was taken at {offset}, but the log ends at {end}");
                self.report.add(Problem::new(&path, what, Remedy::Start));
            }
        }
    }
}

/// The offsets that name the files of `kind`, in order.
fn offsets_of(names: &[DirEntry], kind: Kind) -> Vec<Offset> {
    let offsets = names.iter().filter_map(|entry| match Kind::parse(&entry.name) {
        Some((found, offset)) if found == kind && !entry.is_dir => Some(offset),
        _ => None,
    });
    let mut offsets: Vec<Offset> = offsets.collect();
    offsets.sort();
    offsets
}

/// Whether compaction took records out of the batch.
fn is_thinned(batch: &super::Batch) -> bool {
    i64::from(batch.record_count) <= batch.last_offset.distance_from(batch.base_offset)
}

/// What is wrong with the number of records that the header gives.
fn count_problem(batch: &super::Batch) -> Option<String> {
    let offsets = batch.last_offset.distance_from(batch.base_offset) + 1;
    let count = i64::from(batch.record_count);
    (count < 0 || count > offsets)
        .then(|| format!("the batch counts {count} records for {offsets} offsets"))
}

/// The files of a segment; the indexes may be missing, or such as cannot be opened.
pub(super) struct Files {
    pub(super) log: File,
    pub(super) offset_index: io::Result<Option<File>>,
    pub(super) time_index: io::Result<Option<File>>,
}

pub(super) async fn open(disk: &Disk, dir: &Path, base: Offset) -> io::Result<Files> {
    Ok(Files {
        log: disk.open(&Kind::Log.path(dir, base), OpenOptions::READ).await?,
        offset_index: open_if_there(disk, &Kind::OffsetIndex.path(dir, base)).await,
        time_index: open_if_there(disk, &Kind::TimeIndex.path(dir, base)).await,
    })
}

async fn open_if_there(disk: &Disk, path: &Path) -> io::Result<Option<File>> {
    match disk.open(path, OpenOptions::READ).await {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
