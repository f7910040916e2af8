//! `ringlane log verify`: checks every file of every log.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use ringlane_reactor::Reactor;
use ringlane_storage::inspect::{FileKind, LogReport, PartitionPath, Problem, Target, verify_log};
use ringlane_storage::{StorageError, partition_directory_name};
use serde_json::{Value, json};

use super::progress::Progress;
use super::told::{Told, foretell, image};
use super::{on_shard, partitions, resolved, tell_unserved, warn_if_in_use};
use crate::cli::failure::Failure;
use crate::cli::output::{Table, print, tell};

/// Check the logs of a data directory, or of one partition: batches, segments, indexes, snapshots, epochs.
///
/// Nothing is changed. What is to be done about a problem depends on what a start would do with the log, by the checkpoints
/// and journals of the data directory. Ends with 1 when something is wrong.
#[derive(Args, Clone)]
pub(crate) struct Verify {
    /// A broker's data directory, or the directory of one partition in it.
    dir: PathBuf,
    /// The log directory with the controller's data, which says what topics there are, if that is another one.
    #[arg(long, value_name = "DIR")]
    metadata: Option<PathBuf>,
    /// As JSON, one object a log.
    #[arg(long)]
    json: bool,
}

impl Verify {
    pub(crate) fn run(self) -> Result<(), Failure> {
        on_shard(move |reactor| self.clone().verify(reactor))
    }

    async fn verify(self, reactor: Reactor) -> Result<(), Failure> {
        let partitions = partitions(&reactor, &self.dir).await?;
        let is_in_use = warn_if_in_use(&reactor, &self.dir).await;
        let total = total_bytes(&reactor, &partitions).await;
        let progress = Progress::new(&reactor, Some(total));
        let mut output = Output::new(self.json);
        let told = match is_in_use {
            // Its files and journals change meanwhile.
            true => BTreeMap::new(),
            false => self.told(&reactor, &partitions, &mut output).await?,
        };
        for partition in &partitions {
            let add = |bytes| progress.add(bytes);
            let told = told.get(&name(partition));
            // What a start sets aside it does not look at.
            let recovery = told.filter(|told| told.is_stray() != Some(true)).map(|told| &told.log);
            let report = verify_log(&reactor.disk(), &partition.path, recovery, &add).await;
            output.log(partition, &report, told)?;
        }
        drop(progress);
        if partitions.iter().all(|partition| partition.path != self.dir) {
            tell_unserved(&reactor, &self.dir).await?;
        }
        output.end(&self.dir)
    }

    /// What a start would do with the logs, by name; nothing where that cannot be known.
    async fn told(
        &self,
        reactor: &Reactor,
        partitions: &[PartitionPath],
        output: &mut Output,
    ) -> Result<BTreeMap<String, Told>, Failure> {
        let disk = reactor.disk();
        let Some((dir, all)) = data_directory(reactor, &self.dir).await? else {
            let dir = self.dir.display();
            tell(format!(
                "ringlane: {dir} lies in no data directory: without its checkpoint and journal nothing tells what was synced, and a damaged end of the last segment is taken for what a crash leaves"
            ));
            return Ok(BTreeMap::new());
        };
        let image = image(&disk, &dir, self.metadata.as_deref()).await?;
        let wanted = |path: &PartitionPath| partitions.iter().any(|own| name(own) == name(path));
        let told = foretell(&disk, &dir, &all, &wanted, image.as_ref(), &|_| ()).await;
        match told {
            Ok(told) => Ok(told
                .into_iter()
                .map(|told| (partition_directory_name(&told.log.topic, told.log.partition), told))
                .collect()),
            Err(error) => {
                // Another product's logs can be looked at all the same.
                output.count += u64::from(!matches!(error, StorageError::Foreign { .. }));
                tell(format!("ringlane: {error}"));
                Ok(BTreeMap::new())
            }
        }
    }
}

/// The data directory that `dir` is, or lies in as a partition's, and the partitions in it.
async fn data_directory(
    reactor: &Reactor,
    dir: &Path,
) -> Result<Option<(PathBuf, Vec<PartitionPath>)>, Failure> {
    let disk = reactor.disk();
    if let Target::DataDirectory(partitions) = Target::of(&disk, dir).await? {
        return Ok(Some((dir.to_path_buf(), partitions)));
    }
    let Some(around) = resolved(dir).parent().map(Path::to_path_buf) else { return Ok(None) };
    let is_data = disk.metadata(&around.join("meta.properties")).await.is_ok();
    match Target::of(&disk, &around).await {
        Ok(Target::DataDirectory(partitions)) if is_data => Ok(Some((around, partitions))),
        _ => Ok(None),
    }
}

/// What is printed, and how much is wrong.
struct Output {
    json: bool,
    table: Table,
    sentences: Vec<String>,
    count: u64,
}

impl Output {
    fn new(json: bool) -> Self {
        let head = ["LOG", "SEGMENTS", "BYTES", "BATCHES", "RECORDS", "OFFSETS", "PROBLEMS"];
        Self { json, table: Table::new(&head), sentences: Vec::new(), count: 0 }
    }

    /// A log was checked.
    fn log(
        &mut self,
        partition: &PartitionPath,
        report: &LogReport,
        told: Option<&Told>,
    ) -> Result<(), Failure> {
        self.count += report.problem_count;
        if self.json {
            return print(format!("{}\n", log_json(partition, report, told)));
        }
        self.table.row(row(partition, report));
        self.sentences.extend(report.problems.iter().map(sentence));
        let more = report.problem_count - report.problems.len() as u64;
        if more > 0 {
            self.sentences.push(format!("and {more} more in {}", partition.path.display()));
        }
        if let Some(stray) = told.and_then(Told::stray_sentence) {
            self.sentences.push(format!("{}: {stray}", partition.path.display()));
        }
        Ok(())
    }

    fn end(self, dir: &Path) -> Result<(), Failure> {
        if !self.json {
            print(self.table.text())?;
            self.sentences.iter().try_for_each(|sentence| print(format!("{sentence}\n")))?;
        }
        match self.count {
            0 => Ok(()),
            1 => Err(Failure::Failed(format!("{}: 1 problem", dir.display()))),
            count => Err(Failure::Failed(format!("{}: {count} problems", dir.display()))),
        }
    }
}

/// Bytes of all segments, as far as they can be listed.
pub(super) async fn total_bytes(reactor: &Reactor, partitions: &[PartitionPath]) -> u64 {
    let disk = reactor.disk();
    let mut total = 0;
    for partition in partitions {
        for (path, kind) in partition.files(&disk).await.unwrap_or_default() {
            if kind == FileKind::Segment {
                total += disk.metadata(&path).await.map_or(0, |metadata| metadata.len);
            }
        }
    }
    total
}

fn name(partition: &PartitionPath) -> String {
    partition_directory_name(&partition.topic, partition.partition)
}

fn row(partition: &PartitionPath, report: &LogReport) -> Vec<String> {
    let offsets = report.offsets.map(|(first, end)| format!("{first}..{end}"));
    vec![
        name(partition),
        report.segments.to_string(),
        report.bytes.to_string(),
        report.batches.to_string(),
        report.records.to_string(),
        offsets.unwrap_or_else(|| "none".into()),
        report.problem_count.to_string(),
    ]
}

fn sentence(problem: &Problem) -> String {
    format!("{problem}; {}", problem.remedy)
}

fn log_json(partition: &PartitionPath, report: &LogReport, told: Option<&Told>) -> Value {
    let problem = |problem: &Problem| {
        json!({
            "file": problem.path.display().to_string(),
            "position": problem.position,
            "what": problem.what,
            "remedy": problem.remedy.name(),
        })
    };
    json!({
        "topic": partition.topic,
        "partition": partition.partition.0,
        "topic_id": report.topic_id.map(|id| id.to_string()),
        "segments": report.segments,
        "bytes": report.bytes,
        "batches": report.batches,
        "records": report.records,
        "first_offset": report.offsets.map(|(first, _)| first.0),
        "end_offset": report.offsets.map(|(_, end)| end.0),
        "problem_count": report.problem_count,
        "stray": told.and_then(Told::is_stray),
        "problems": report.problems.iter().map(problem).collect::<Vec<_>>(),
    })
}
