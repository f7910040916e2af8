//! Checks one log: every batch, both indexes of every segment, how the segments follow each other, and the small files.

use std::io;
use std::path::Path;

use ringlane_batch::{Offset, TopicId};
use ringlane_reactor::{Disk, File, OpenOptions};

use super::index_check::{Fault, IndexCheck};
use super::problem::{Problem, Remedy};
use super::producers;
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
#[derive(Default)]
struct Sequence {
    /// Where the segment before ended.
    end: Option<Offset>,
    /// Whether offsets are missing within segments, as compaction leaves it.
    has_gaps: bool,
    /// The first gap between two segments.
    between: Option<Problem>,
}

/// Checks the log in `dir`. `progress` is told of every so many bytes read.
///
/// # Errors
/// The disk's, where a file cannot be read at all; what is wrong in the files is in the report.
pub async fn verify_log(
    disk: &Disk,
    dir: &Path,
    progress: &dyn Fn(u64),
) -> Result<LogReport, StorageError> {
    let mut report = LogReport::default();
    match partition_metadata::read(disk, dir).await {
        Ok(Some(id)) => report.topic_id = Some(id),
        Ok(None) => report.add(Problem::new(
            &partition_metadata::path(dir),
            "is missing: the log was never completely created, or lost it",
            Remedy::Restore,
        )),
        Err(StorageError::Corrupt { path, reason }) => {
            report.add(Problem::new(&path, reason, Remedy::Restore));
        }
        Err(error) => return Err(error),
    }
    let names = disk.list(dir).await.map_err(StorageError::io("list", dir))?;
    let of = |kind: Kind| {
        let offsets = names.iter().filter_map(move |entry| match Kind::parse(&entry.name) {
            Some((found, offset)) if found == kind && !entry.is_dir => Some(offset),
            _ => None,
        });
        let mut offsets: Vec<Offset> = offsets.collect();
        offsets.sort();
        offsets
    };
    let bases = of(Kind::Log);
    let mut sequence = Sequence::default();
    for (index, &base) in bases.iter().enumerate() {
        let next = bases.get(index + 1).copied();
        verify_segment(disk, dir, (base, next), &mut report, &mut sequence, progress).await?;
    }
    if let Some(problem) = sequence.between.filter(|_| !sequence.has_gaps) {
        report.add(problem);
    }
    for kind in [Kind::OffsetIndex, Kind::TimeIndex] {
        for orphan in of(kind).into_iter().filter(|base| bases.binary_search(base).is_err()) {
            let what = "belongs to no segment";
            report.add(Problem::new(&kind.path(dir, orphan), what, Remedy::Start));
        }
    }
    verify_tables(disk, dir, &of(Kind::ProducerSnapshot), &mut report).await?;
    Ok(report)
}

/// Checks the segment at `base`, behind which the one at `next` comes.
async fn verify_segment(
    disk: &Disk,
    dir: &Path,
    (base, next): (Offset, Option<Offset>),
    report: &mut LogReport,
    sequence: &mut Sequence,
    progress: &dyn Fn(u64),
) -> Result<(), StorageError> {
    let path = Kind::Log.path(dir, base);
    let failed = || StorageError::io("read", &path);
    let files = open(disk, dir, base).await.map_err(failed())?;
    let len = files.log.len().map_err(failed())?;
    follow(&path, base, sequence, report);
    report.segments += 1;
    report.bytes += len;
    if len == 0 && next.is_some() {
        let what = "is empty, and another segment follows";
        report.add(Problem::new(&path, what, Remedy::Restore));
    }
    let end = next.unwrap_or(Offset(i64::MAX));
    let mut scan = SegmentScan::over(files.log, files.offset_index.clone(), base, len, end);
    let opened = IndexCheck::open(files.offset_index, files.time_index, base).await;
    let mut indexes = opened.map_err(failed())?;
    loop {
        let expected = scan.next_offset();
        let found = scan.next().await.map_err(failed())?;
        progress(scan.take_read_bytes());
        match found {
            None => break,
            Some(Found::Batch(batch)) => {
                report.batches += 1;
                report.records += u64::try_from(batch.record_count).unwrap_or(0);
                sequence.has_gaps |= batch.base_offset > expected || is_thinned(&batch);
                if let Some(what) = count_problem(&batch) {
                    let problem = Problem::new(&path, what, Remedy::Restore);
                    report.add(problem.at(Some(batch.position)));
                }
                indexes.batch(&batch).await.map_err(failed())?;
            }
            Some(Found::Damage(damage)) => {
                let is_tail = next.is_none() && damage.end() == len;
                report.add(damage_problem(&path, &damage, is_tail));
                indexes.damage(&damage).await.map_err(failed())?;
            }
        }
    }
    let (first, _) = report.offsets.unwrap_or((base, base));
    report.offsets = Some((first, scan.next_offset()));
    sequence.end = Some(scan.next_offset());
    let (offset_fault, time_fault) = indexes.finish(next.is_some());
    for (kind, fault) in [(Kind::OffsetIndex, offset_fault), (Kind::TimeIndex, time_fault)] {
        if let Some(Fault { position, what }) = fault {
            let problem = Problem::new(&kind.path(dir, base), what, Remedy::RebuildIndex);
            report.add(problem.at(position));
        }
    }
    Ok(())
}

/// Whether the segment at `base` follows the one before.
fn follow(path: &Path, base: Offset, sequence: &mut Sequence, report: &mut LogReport) {
    let Some(end) = sequence.end else { return };
    if base < end {
        let what = format!("begins at {base}, but the segment before it reaches {end}");
        report.add(Problem::new(path, what, Remedy::Restore));
    } else if base > end && sequence.between.is_none() {
        let what = format!(
            "the offsets {end}..{base} before it are in no segment, and the log does not look compacted"
        );
        sequence.between = Some(Problem::new(path, what, Remedy::Restore));
    }
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

fn damage_problem(path: &Path, damage: &Damage, is_tail: bool) -> Problem {
    let (len, first) = (damage.len, damage.first_offset);
    let next = damage.next_offset.map(|next| format!("..{next}")).unwrap_or_default();
    let what = format!("{}; {len} bytes, offsets from {first}{next}", damage.what);
    let remedy = if is_tail { Remedy::Start } else { Remedy::Restore };
    Problem::new(path, what, remedy).at(Some(damage.position))
}

/// Checks the producer snapshots against the log's end.
async fn verify_tables(
    disk: &Disk,
    dir: &Path,
    snapshots: &[Offset],
    report: &mut LogReport,
) -> Result<(), StorageError> {
    let end = report.offsets.map_or(Offset::ZERO, |(_, end)| end);
    for &offset in snapshots {
        let path = Kind::ProducerSnapshot.path(dir, offset);
        if let Err(problem) = producers(disk, &path).await? {
            report.add(problem);
        }
        if offset > end {
            let what = format!("was taken at {offset}, but the log ends at {end}");
            report.add(Problem::new(&path, what, Remedy::Start));
        }
    }
    Ok(())
}

/// The files of a segment; the indexes may be missing.
pub(super) struct Files {
    pub(super) log: File,
    pub(super) offset_index: Option<File>,
    pub(super) time_index: Option<File>,
}

pub(super) async fn open(disk: &Disk, dir: &Path, base: Offset) -> io::Result<Files> {
    Ok(Files {
        log: disk.open(&Kind::Log.path(dir, base), OpenOptions::READ).await?,
        offset_index: open_if_there(disk, &Kind::OffsetIndex.path(dir, base)).await?,
        time_index: open_if_there(disk, &Kind::TimeIndex.path(dir, base)).await?,
    })
}

async fn open_if_there(disk: &Disk, path: &Path) -> io::Result<Option<File>> {
    match disk.open(path, OpenOptions::READ).await {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
