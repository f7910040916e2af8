//! `ringlane log verify`: checks every file of every log.

use std::path::PathBuf;

use clap::Args;
use ringlane_reactor::Reactor;
use ringlane_storage::inspect::{FileKind, LogReport, PartitionPath, Problem, verify_log};
use serde_json::{Value, json};

use super::progress::Progress;
use super::{on_shard, partitions, warn_if_in_use};
use crate::cli::failure::Failure;
use crate::cli::output::{Table, print};

/// Check the logs of a data directory, or of one partition: batches, segments, indexes, snapshots, epochs.
///
/// Nothing is changed. Ends with 1 when something is wrong.
#[derive(Args, Clone)]
pub(crate) struct Verify {
    /// A broker's data directory, or the directory of one partition in it.
    dir: PathBuf,
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
        warn_if_in_use(&reactor, &self.dir).await;
        let total = total_bytes(&reactor, &partitions).await;
        let progress = Progress::new(&reactor, Some(total));
        let mut table =
            Table::new(&["LOG", "SEGMENTS", "BYTES", "BATCHES", "RECORDS", "OFFSETS", "PROBLEMS"]);
        let (mut problems, mut count) = (Vec::new(), 0);
        for partition in &partitions {
            let add = |bytes| progress.add(bytes);
            let report = verify_log(&reactor.disk(), &partition.path, &add).await;
            count += report.problem_count;
            if self.json {
                print(format!("{}\n", log_json(partition, &report)))?;
                continue;
            }
            table.row(row(partition, &report));
            problems.extend(report.problems.into_iter().map(|problem| sentence(&problem)));
            let told = problems.len() as u64;
            if told < count {
                problems.push(format!("and {} more in {}", count - told, partition.path.display()));
            }
        }
        drop(progress);
        if !self.json {
            print(table.text())?;
            problems.iter().try_for_each(|problem| print(format!("{problem}\n")))?;
        }
        match count {
            0 => Ok(()),
            1 => Err(Failure::Failed(format!("{}: 1 problem", self.dir.display()))),
            _ => Err(Failure::Failed(format!("{}: {count} problems", self.dir.display()))),
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
    format!("{}-{}", partition.topic, partition.partition.0)
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

fn log_json(partition: &PartitionPath, report: &LogReport) -> Value {
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
        "problems": report.problems.iter().map(problem).collect::<Vec<_>>(),
    })
}
