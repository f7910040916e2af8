//! `ringlane log dump`: shows what files hold, a batch or an entry a line.

use std::path::{Path, PathBuf};

use clap::Args;
use ringlane_batch::{BatchView, Offset};
use ringlane_reactor::{Disk, Reactor};
use ringlane_storage::inspect::{
    self, Batch, FileKind, Found, IndexEntries, OffsetIndexEntry, PartitionPath, SegmentScan,
    Target, TimeIndexEntry,
};
use serde_json::{Value, json};

use super::marker::Marker;
use super::progress::Progress;
use super::{on_shard, row, warn_if_in_use};
use crate::cli::failure::Failure;
use crate::cli::output::print;

/// No batch is decompressed to more: 256 MiB.
const DECOMPRESSED_BYTES_MAX: usize = 256 << 20;
/// As much is gathered before it is printed.
const OUTPUT_BYTES: usize = 64 << 10;

/// Show what a file holds, or the logs of a directory: batches, records, index entries, producers, leader epochs.
///
/// Damaged bytes are named with file, position and what is wrong, and the rest is shown. Ends with 1 when there are any.
#[derive(Args, Clone)]
pub(crate) struct Dump {
    /// A .log, .index, .timeindex or .snapshot file, a partition's directory, or a broker's data
    /// directory.
    path: PathBuf,
    /// In a data directory, only this topic.
    #[arg(long)]
    topic: Option<String>,
    /// In a data directory, only this partition.
    #[arg(long, value_name = "NUMBER")]
    partition: Option<i32>,
    /// Also keys, values and headers.
    #[arg(long)]
    records: bool,
    /// Also decompress every batch and check every record in it.
    #[arg(long)]
    deep: bool,
    /// Of a directory, all files, not the batches alone.
    #[arg(long)]
    all: bool,
    /// As JSON, one object a line.
    #[arg(long)]
    json: bool,
}

impl Dump {
    pub(crate) fn run(self) -> Result<(), Failure> {
        on_shard(move |reactor| self.clone().dump(reactor))
    }

    async fn dump(self, reactor: Reactor) -> Result<(), Failure> {
        let disk = reactor.disk();
        let target = Target::of(&disk, &self.path).await?;
        if (self.topic.is_some() || self.partition.is_some())
            && !matches!(target, Target::DataDirectory(_))
        {
            let path = self.path.display();
            return Err(Failure::Usage(format!(
                "--topic and --partition choose in a data directory, and {path} is none"
            )));
        }
        let dir = if let Target::File(..) = target { self.path.parent() } else { None };
        warn_if_in_use(&reactor, dir.unwrap_or(&self.path)).await;
        let mut output = Output {
            progress: Progress::new(&reactor, None),
            json: self.json,
            buffer: String::new(),
            damage_count: 0,
        };
        match target {
            Target::File(path, kind) => self.file(&disk, &path, kind, &mut output).await?,
            Target::Partition(partition) => self.directory(&disk, &partition, &mut output).await?,
            Target::DataDirectory(partitions) => {
                let chosen: Vec<_> =
                    partitions.into_iter().filter(|found| self.wants(found)).collect();
                if chosen.is_empty() {
                    let path = self.path.display();
                    return Err(Failure::Failed(format!("no such partition is in {path}")));
                }
                for partition in chosen {
                    self.directory(&disk, &partition, &mut output).await?;
                }
            }
        }
        output.end()
    }

    fn wants(&self, found: &PartitionPath) -> bool {
        self.topic.as_ref().is_none_or(|topic| *topic == found.topic)
            && self.partition.is_none_or(|partition| partition == found.partition.0)
    }

    async fn directory(
        &self,
        disk: &Disk,
        partition: &PartitionPath,
        output: &mut Output,
    ) -> Result<(), Failure> {
        let files = match partition.files(disk).await {
            Ok(files) => files,
            Err(error) => {
                let name = partition.path.display().to_string();
                return output.damage_of(&name, &error.to_string());
            }
        };
        for (path, kind) in files {
            if !self.all && kind != FileKind::Segment {
                continue;
            }
            match self.file(disk, &path, kind, output).await {
                // What cannot be read keeps nothing else from being shown.
                Err(Failure::Failed(sentence)) => {
                    output.damage_of(&path.display().to_string(), &sentence)?;
                }
                shown => shown?,
            }
        }
        Ok(())
    }

    async fn file(
        &self,
        disk: &Disk,
        path: &Path,
        kind: FileKind,
        output: &mut Output,
    ) -> Result<(), Failure> {
        let name = path.display().to_string();
        if !self.json {
            output.line(&name)?;
        }
        match kind {
            FileKind::Segment => self.segment(disk, path, &name, output).await,
            FileKind::OffsetIndex => offset_index(disk, path, &name, output).await,
            FileKind::TimeIndex => time_index(disk, path, &name, output).await,
            FileKind::ProducerSnapshot => snapshot(disk, path, &name, output).await,
        }
    }

    async fn segment(
        &self,
        disk: &Disk,
        path: &Path,
        name: &str,
        output: &mut Output,
    ) -> Result<(), Failure> {
        let mut scan = SegmentScan::open(disk, path).await?;
        if !self.json {
            output.line(row::BATCH_HEAD)?;
        }
        loop {
            let found = scan.next().await.map_err(|error| unreadable(name, &error))?;
            output.progress.add(scan.take_read_bytes());
            match found {
                None => return Ok(()),
                Some(Found::Batch(batch)) => {
                    let marker = marker(&scan, &batch, name).await?;
                    match self.json {
                        true => output.object(&row::batch_json(name, &batch, marker))?,
                        false => output.line(&row::batch(&batch, marker))?,
                    }
                    if self.records || self.deep {
                        self.batch_records(&scan, &batch, name, output).await?;
                    }
                }
                Some(Found::Damage(damage)) => {
                    let (first, next) = (damage.first_offset, damage.next_offset);
                    output.damage(
                        name,
                        Some(damage.position),
                        damage.len,
                        (first, next),
                        &damage.what,
                    )?;
                }
            }
        }
    }

    async fn batch_records(
        &self,
        scan: &SegmentScan,
        batch: &Batch,
        name: &str,
        output: &mut Output,
    ) -> Result<(), Failure> {
        let offsets = (batch.base_offset, Some(batch.next_offset()));
        let bytes = scan.bytes(batch).await.map_err(|error| unreadable(name, &error))?;
        let Some(bytes) = bytes else {
            let what = "the batch is too large to be read whole";
            return output.damage(name, Some(batch.position), batch.len, offsets, what);
        };
        let records =
            BatchView::parse(&bytes).and_then(|view| view.records(DECOMPRESSED_BYTES_MAX));
        let records = match records {
            Ok(records) => records,
            Err(error) => {
                let what = error.to_string();
                return output.damage(name, Some(batch.position), batch.len, offsets, &what);
            }
        };
        let mut next = batch.base_offset;
        for record in records.iter() {
            let fault = match &record {
                Err(error) => Some(error.to_string()),
                Ok(record) if record.offset < next || record.offset > batch.last_offset => {
                    Some(format!("the record's offset {} does not follow", record.offset))
                }
                Ok(_) => None,
            };
            if let Some(what) = fault {
                return output.damage(name, Some(batch.position), batch.len, offsets, &what);
            }
            let Ok(record) = record else { unreachable!("an error is a fault") };
            next = record.offset.plus(1);
            match (self.records, self.json) {
                (false, _) => {}
                (true, true) => output.object(&row::record_json(name, batch, &record))?,
                (true, false) => output.line(&row::record(&record))?,
            }
        }
        Ok(())
    }
}

/// What a control batch marks. One that cannot be decoded is told as damage where batches are looked into.
async fn marker(scan: &SegmentScan, batch: &Batch, name: &str) -> Result<Option<Marker>, Failure> {
    if !batch.is_control {
        return Ok(None);
    }
    let bytes = scan.bytes(batch).await.map_err(|error| unreadable(name, &error))?;
    Ok(bytes.and_then(|bytes| Marker::of(&bytes).ok().flatten()))
}

async fn offset_index(
    disk: &Disk,
    path: &Path,
    name: &str,
    output: &mut Output,
) -> Result<(), Failure> {
    let mut entries = IndexEntries::<OffsetIndexEntry>::open(disk, path).await?;
    let mut before: Option<OffsetIndexEntry> = None;
    while let Some((at, entry)) = entries.next().await.map_err(|error| unreadable(name, &error))? {
        let OffsetIndexEntry { offset, position } = entry;
        let json = json!({"type": "offset-index-entry", "file": name, "offset": offset.0, "position": position});
        output.either(&json, || format!("  offset {offset} at byte {position}"))?;
        if before.is_some_and(|before| before.offset >= offset || before.position >= position) {
            output.damage(name, Some(at), 8, (offset, None), "the entry is out of order")?;
        }
        before = Some(entry);
    }
    output.partial(name, entries.partial_bytes())
}

async fn time_index(
    disk: &Disk,
    path: &Path,
    name: &str,
    output: &mut Output,
) -> Result<(), Failure> {
    let mut entries = IndexEntries::<TimeIndexEntry>::open(disk, path).await?;
    let mut before: Option<TimeIndexEntry> = None;
    while let Some((at, entry)) = entries.next().await.map_err(|error| unreadable(name, &error))? {
        let TimeIndexEntry { timestamp, offset } = entry;
        let json = json!({"type": "time-index-entry", "file": name, "timestamp": timestamp.0, "offset": offset.0});
        output.either(&json, || format!("  timestamp {timestamp} offset {offset}"))?;
        if before.is_some_and(|before| before.timestamp >= timestamp || before.offset >= offset) {
            output.damage(name, Some(at), 12, (offset, None), "the entry is out of order")?;
        }
        before = Some(entry);
    }
    output.partial(name, entries.partial_bytes())
}

async fn snapshot(
    disk: &Disk,
    path: &Path,
    name: &str,
    output: &mut Output,
) -> Result<(), Failure> {
    match inspect::producers(disk, path).await? {
        Err(problem) => output.damage_of(name, &problem.what),
        Ok(producers) => {
            if !output.json {
                output.line(row::PRODUCER_HEAD)?;
            }
            producers.iter().try_for_each(|entry| {
                output.either(&row::producer_json(name, entry), || row::producer(entry))
            })
        }
    }
}

fn unreadable(name: &str, error: &std::io::Error) -> Failure {
    Failure::Failed(format!("cannot read {name}: {error}"))
}

/// What is printed, and how much of it was damage.
struct Output {
    progress: Progress,
    json: bool,
    buffer: String,
    damage_count: u64,
}

impl Output {
    fn line(&mut self, text: &str) -> Result<(), Failure> {
        self.buffer.push_str(text);
        self.buffer.push('\n');
        if self.buffer.len() >= OUTPUT_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), Failure> {
        print(std::mem::take(&mut self.buffer))
    }

    fn object(&mut self, value: &Value) -> Result<(), Failure> {
        self.line(&value.to_string())
    }

    fn either(&mut self, json: &Value, text: impl FnOnce() -> String) -> Result<(), Failure> {
        if self.json { self.object(json) } else { self.line(&text()) }
    }

    /// Bytes that are not what they should be.
    fn damage(
        &mut self,
        file: &str,
        position: Option<u64>,
        bytes: u64,
        (first, next): (Offset, Option<Offset>),
        what: &str,
    ) -> Result<(), Failure> {
        self.damage_count += 1;
        let json = json!({
            "type": "damage",
            "file": file,
            "position": position,
            "bytes": bytes,
            "first_offset": (first >= Offset::ZERO).then_some(first.0),
            "next_offset": next.map(|next| next.0),
            "what": what,
        });
        self.either(&json, || {
            let at = position.map(|position| format!(" at byte {position}")).unwrap_or_default();
            let next = next.map(|next| format!("..{next}")).unwrap_or_default();
            match first >= Offset::ZERO {
                true => format!("DAMAGE {file}{at}: {what} ({bytes} bytes, offsets {first}{next})"),
                false => format!("DAMAGE {file}{at}: {what}"),
            }
        })
    }

    /// A file that is damaged as a whole.
    fn damage_of(&mut self, file: &str, what: &str) -> Result<(), Failure> {
        self.damage(file, None, 0, (Offset(-1), None), what)
    }

    fn partial(&mut self, file: &str, bytes: u64) -> Result<(), Failure> {
        if bytes == 0 {
            return Ok(());
        }
        self.damage_of(file, &format!("the last {bytes} bytes are a part of an entry"))
    }

    fn end(mut self) -> Result<(), Failure> {
        self.flush()?;
        match self.damage_count {
            0 => Ok(()),
            count => {
                let places = if count == 1 { "1 place is" } else { &format!("{count} places are") };
                Err(Failure::Failed(format!(
                    "{places} damaged; `ringlane log verify` says what to do"
                )))
            }
        }
    }
}
