//! `ringlane tune disk`: measures the disk of a data directory and leaves what was found there for the broker.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use ringlane_reactor::{Reactor, ShardConfig, allowed_cpus, run_shards, space};
use ringlane_tuning::disk::{
    Bounds, BufferedWrites, DiskProfile, Durability, FILE, JournalSizes, Measured, Progress,
    measure,
};
use ringlane_tuning::{Machine, Root};

use crate::cli::failure::Failure;
use crate::cli::output::{print, print_json};

/// Measure the disk of a data directory: durable writes by size and depth, bandwidth, buffered writes; and choose the
/// sizes of the journals.
///
/// Writes ringlane-disk.toml in DIR, which a broker with that data directory reads when it starts. Best while nothing else
/// uses the disk.
#[derive(Args)]
pub(super) struct Disk {
    /// The data directory (log.dirs); made when missing.
    dir: PathBuf,
    /// How long to measure, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// How much space to use while measuring, in MiB. Never more than a quarter of what is free.
    #[arg(long, value_name = "MIB", default_value_t = 256, value_parser = clap::value_parser!(u64).range(16..=1_048_576))]
    mib: u64,
    /// The shards that the broker will run (ringlane.shards), if not one on each core that this process may use.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=1024))]
    shards: Option<u16>,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

/// The least that is measured with.
const BYTES_MIN: u64 = 16 << 20;

impl Disk {
    pub(super) fn run(self) -> Result<(), Failure> {
        let shards = self.shards.unwrap_or(allowed_cpus().len() as u16);
        let main = move |reactor: Reactor| {
            let dir = self.dir.clone();
            let (bounds, json) = ((Duration::from_secs(self.seconds), self.mib << 20), self.json);
            async move {
                let outcome = measure_and_write(&reactor, &dir, shards, bounds).await;
                outcome.and_then(|profile| show(&profile, &dir, json)).map_err(io::Error::other)
            }
        };
        run_shards(&ShardConfig::single(), main).map_err(|error| {
            match error.downcast::<Failure>() {
                Ok(failure) => failure,
                Err(error) => Failure::Failed(format!("cannot measure: {error}")),
            }
        })
    }
}

async fn measure_and_write(
    reactor: &Reactor,
    dir: &Path,
    shards: u16,
    (time, most_bytes): (Duration, u64),
) -> Result<DiskProfile, Failure> {
    let failed = |what: &str| {
        let place = format!("{what} {}", dir.display());
        move |error: io::Error| Failure::Failed(format!("cannot {place}: {error}"))
    };
    let disk = reactor.disk();
    disk.create_dir_all(dir).await.map_err(failed("make"))?;
    let free = space(dir).map_err(failed("ask for the free space of"))?.free_bytes;
    let file_bytes = most_bytes.min(free / 4);
    if file_bytes < BYTES_MIN {
        return Err(Failure::Failed(format!(
            "{} has {} MiB of free space; measuring needs {} at least",
            dir.display(),
            free >> 20,
            (4 * BYTES_MIN) >> 20
        )));
    }
    let measured = measure(reactor, dir, Bounds { time, file_bytes }, progress()).await;
    if io::stderr().is_terminal() {
        eprint!("\r\x1b[K");
    }
    let profile = profile(dir, measured.map_err(failed("write to"))?, shards, free);
    let text = profile.toml();
    disk.replace(&dir.join(FILE), text.as_bytes()).await.map_err(failed("write to"))?;
    Ok(profile)
}

fn show(profile: &DiskProfile, dir: &Path, json: bool) -> Result<(), Failure> {
    if json {
        return print_json(&profile.json());
    }
    let place = dir.join(FILE);
    print(format!("{profile}written to {} for the broker's next start\n", place.display()))
}

fn profile(dir: &Path, measured: Measured, shards: u16, free: u64) -> DiskProfile {
    let absolute = std::path::absolute(dir);
    let machine = Machine::read(Root::default(), absolute.as_deref().unwrap_or(dir));
    DiskProfile {
        journal: JournalSizes::choose(&measured, shards, free),
        shards,
        buffered_writes: BufferedWrites::choose(&measured),
        durability: Durability::judge(&measured, machine.write_cache().as_deref()),
        measured,
    }
}

/// Tells on a terminal, ten times a second at most; a log file is not written over.
fn progress() -> impl FnMut(Progress) {
    let mut told = None;
    move |progress: Progress| {
        let now = (progress.what, (progress.part * 100.0) as u32);
        if io::stderr().is_terminal() && told != Some(now) {
            told = Some(now);
            eprint!("\r\x1b[K{:3} % {}", now.1, now.0);
            let _ = io::stderr().flush();
        }
    }
}
