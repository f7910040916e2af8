//! What the command line says.

use std::path::PathBuf;
use std::time::Duration;

use ringlane_storage::HeldConfig;

pub(crate) const USAGE: &str = "\
options: --dir DIR           where to write (default: the temporary directory)
         --shapes 1x1,100x1  partitions × requests in flight, each with a record for every partition
         --record-kib N      of each record (default 1)
         --turnovers N       of the journal (default 10)
         --seconds-max S     end the journal's side then in any case (default 120)
         --seconds S         of the two other sides (default 5)
         --runs N            of each shape (default 3)
         --files N, --file-mib N   of the journal
         --behind-mib N      of what logs hold back, written by kernel workers (0: the shard writes it)
         --open-logs N       with open files (default: all)
         --no-prefetch       of what appends touch
         --json              one object a run";

/// Partitions, and requests in flight, each of them with a record for every partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Shape {
    pub(crate) partitions: usize,
    pub(crate) depth: usize,
}

#[derive(Clone, Debug)]
pub(crate) struct Args {
    pub(crate) dir: PathBuf,
    pub(crate) shapes: Vec<Shape>,
    pub(crate) record_bytes: usize,
    pub(crate) turnovers: u64,
    pub(crate) seconds_max: Duration,
    pub(crate) seconds: Duration,
    pub(crate) runs: usize,
    pub(crate) files: u32,
    pub(crate) file_bytes: u64,
    pub(crate) held: HeldConfig,
    pub(crate) open_logs: Option<usize>,
    pub(crate) prefetches: bool,
    pub(crate) json: bool,
}

impl Args {
    pub(crate) fn parse(arguments: &[String]) -> Result<Self, String> {
        let journal = ringlane_storage::journal::JournalConfig::default();
        let mut args = Self {
            dir: std::env::temp_dir(),
            shapes: shapes("1x1,100x4,2000x2")?,
            record_bytes: 1024,
            turnovers: 10,
            seconds_max: Duration::from_secs(120),
            seconds: Duration::from_secs(5),
            runs: 3,
            files: journal.files,
            file_bytes: journal.file_bytes,
            held: HeldConfig::default(),
            open_logs: None,
            prefetches: true,
            json: false,
        };
        let mut arguments = arguments.iter();
        while let Some(name) = arguments.next() {
            match name.as_str() {
                // What cargo bench says.
                "--bench" => continue,
                "--no-prefetch" => {
                    args.prefetches = false;
                    continue;
                }
                "--json" => {
                    args.json = true;
                    continue;
                }
                _ => {}
            }
            let value = arguments.next().ok_or(format!("{name} needs a value"))?;
            args.set(name, value)?;
        }
        Ok(args)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        let number = || value.parse::<u64>().map_err(|_| format!("{name} {value}: no number"));
        match name {
            "--dir" => self.dir = PathBuf::from(value),
            "--shapes" => self.shapes = shapes(value)?,
            "--record-kib" => self.record_bytes = number()? as usize * 1024,
            "--turnovers" => self.turnovers = number()?,
            "--seconds-max" => self.seconds_max = Duration::from_secs(number()?),
            "--seconds" => self.seconds = Duration::from_secs(number()?),
            "--runs" => self.runs = number()? as usize,
            "--files" => self.files = number()? as u32,
            "--file-mib" => self.file_bytes = number()? << 20,
            "--behind-mib" => self.held.leaving_bytes_max = number()? << 20,
            "--open-logs" => self.open_logs = Some(number()? as usize),
            _ => return Err(format!("{name} is no option")),
        }
        Ok(())
    }
}

fn shapes(list: &str) -> Result<Vec<Shape>, String> {
    let shape = |text: &str| {
        let (partitions, depth) = text.split_once('x')?;
        let shape = Shape { partitions: partitions.parse().ok()?, depth: depth.parse().ok()? };
        (shape.partitions > 0 && shape.depth > 0).then_some(shape)
    };
    list.split(',')
        .map(|text| shape(text).ok_or(format!("{text}: no shape such as 100x4")))
        .collect()
}
