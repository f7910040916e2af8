//! `ringlane-bench run`: one scenario against one target.

use std::io::{self, IsTerminal};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use clap::Args;
use ringlane_reactor::{allowed_cpus, read_to_string, resolve};

use super::failure::Failure;
use crate::brokers::listening_pid;
use crate::generator::{Job, measure};
use crate::host::HostFacts;
use crate::output;
use crate::page::{run_page, run_png};
use crate::report::{Colors, report};
use crate::result::RunResult;
use crate::scenario::Scenario;
use crate::settings::Settings;
use crate::terminal::Live;

/// Measure one target with one scenario.
///
/// The result is a directory: `index.html`, a page that needs nothing else, `result.json` with every figure, `result.csv`,
/// `intervals.csv` (second by second), `produce.hlog`, `end-to-end.hlog` and `fetch.hlog` (HDR interval logs, version 2, in
/// ns; with transactions also `commit.hlog`), and `scenario.toml`, which repeats the run.
#[derive(Args)]
#[command(after_help = "Examples:
  ringlane-bench run --target 127.0.0.1:9092 --rate 1000 --record-size 1KiB --partitions 4 --warm-up 3s --duration 15s --out steady
  ringlane-bench run --target 127.0.0.1:9092 --rate 50k --arrival poisson --linger 5ms --cpus 2,3 --out random
  ringlane-bench run --target 127.0.0.1:9092 --arrival bursts:500 --durability page-cache --out bursts
  ringlane-bench run --target 127.0.0.1:9092 --rate max --batch-size 128KiB --linger 5ms --out flat-out
  ringlane-bench run --target 127.0.0.1:9092 --rate 5000 --linger 5ms --transaction-duration 100ms --out transactions
  ringlane-bench run --target 127.0.0.1:9092 --scenario steady/scenario.toml --out again

Reading the table: p99 is the latency that 99 records in a hundred stayed below. \"produce\" ends with the
acknowledgement, \"end to end\" when a reader has the record; \"fetch\" is what a reader waited for an answer with records,
from its request or, if that came later, from the intended send of the first of them; \"commit\" is how long a transaction that was due took
to be committed; \"own lag\" is how late this program itself was.")]
pub(super) struct Run {
    #[command(flatten)]
    target: Target,
}

/// What is measured, from where, and where the result goes.
#[derive(Args)]
pub(super) struct Target {
    /// A broker of the cluster to measure.
    #[arg(long, value_name = "HOST:PORT")]
    target: String,
    /// A scenario file (TOML); flags win over it.
    #[arg(long, value_name = "FILE")]
    scenario: Option<PathBuf>,
    /// The directory for the result; what is there of an earlier one is replaced.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Run the generator on these CPUs, a pinned shard on each; by default one shard that is not pinned.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    cpus: Vec<usize>,
    /// The broker's process, to sample its CPU and memory; found by its port when it is on this host.
    #[arg(long, value_name = "PID")]
    server_pid: Option<u32>,
    /// Write the page's curves as `curves.png` besides, for a README.
    #[arg(long)]
    pub(super) png: bool,
    /// Nothing but errors on standard error.
    #[arg(long, short)]
    quiet: bool,
    #[command(flatten)]
    settings: Settings,
}

/// The name of a picture of the page's curves.
pub(super) const PICTURE: &str = "curves.png";

impl Target {
    /// The job, and the directory for its result, which holds the scenario then.
    pub(super) fn job(&self) -> Result<(Job, PathBuf), Failure> {
        let scenario = load(self.settings.clone(), self.scenario.as_deref())?;
        let cpus = check_cpus(self.cpus.clone())?;
        let server_pid = self.server_pid.or_else(|| pid_of(&self.target));
        let sample = read_sample(&scenario)?;
        let live = if self.quiet { Live::quiet() } else { Live::new(&self.target) };
        let text = scenario.write().into_bytes();
        output::write(&self.out, vec![("scenario.toml".into(), text)]).map_err(Failure::Failed)?;
        let target = self.target.clone();
        Ok((Job { target, scenario, sample, cpus, server_pid, live }, self.out.clone()))
    }
}

impl Run {
    pub(super) fn run(self) -> Result<(), Failure> {
        let (job, directory) = self.target.job()?;
        let host = HostFacts::read(&directory);
        let measured = measure(&job).map_err(Failure::Failed)?;
        let result = RunResult::new(&job.target, &job, &measured, host);
        let colors = Colors(io::stdout().is_terminal());
        print!("{}", report(&result, &measured.total.produce, colors));
        let mut files = output::files(&result, &measured);
        files.push(("index.html".into(), run_page(&result).into_bytes()));
        output::write(&directory, files).map_err(Failure::Failed)?;
        if self.target.png {
            let png = run_png(&result).map_err(Failure::Failed)?;
            output::write(&directory, vec![(PICTURE.into(), png)]).map_err(Failure::Failed)?;
        }
        let out = directory.display();
        match result.invalid.len() {
            0 => Ok(()),
            1 => Err(Failure::Invalid(format!("the result in {out} is invalid"))),
            count => Err(Failure::Invalid(format!(
                "the result in {out} is invalid, for {count} reasons"
            ))),
        }
    }
}

/// The scenario of a file, if there is one, below the flags.
pub(super) fn load(flags: Settings, file: Option<&Path>) -> Result<Scenario, Failure> {
    Scenario::new(flags.or(load_settings(file)?)).map_err(Failure::Usage)
}

/// The settings of a scenario file, if there is one.
pub(super) fn load_settings(file: Option<&Path>) -> Result<Settings, Failure> {
    let Some(path) = file else { return Ok(Settings::default()) };
    let text = read_to_string(path).map_err(|error| {
        Failure::Usage(format!("the scenario {} cannot be read: {error}", path.display()))
    })?;
    Settings::read(&text).map_err(|error| Failure::Usage(format!("{}: {error}", path.display())))
}

const SAMPLE_BYTES_MAX: usize = 1 << 30;

/// The content of the scenario's sample file.
pub(super) fn read_sample(scenario: &Scenario) -> Result<Option<Vec<u8>>, Failure> {
    let Some(path) = &scenario.sample else { return Ok(None) };
    let bytes = crate::brokers::read_file(path, SAMPLE_BYTES_MAX).map_err(|error| {
        Failure::Usage(format!("the sample {} cannot be read: {error}", path.display()))
    })?;
    match bytes.is_empty() {
        true => Err(Failure::Usage(format!("the sample {} is empty", path.display()))),
        false => Ok(Some(bytes)),
    }
}

fn check_cpus(cpus: Vec<usize>) -> Result<Vec<usize>, Failure> {
    let allowed = allowed_cpus();
    match cpus.iter().find(|cpu| !allowed.contains(cpu)) {
        Some(cpu) => Err(Failure::Usage(format!(
            "--cpus: this process may not run on CPU {cpu}; it may on {allowed:?}"
        ))),
        None => Ok(cpus),
    }
}

/// The process behind `host:port`, if it is on this host.
fn pid_of(target: &str) -> Option<u32> {
    let (host, port) = target.rsplit_once(':')?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let address = resolve(host, port.parse().ok()?).ok()?;
    let ip: IpAddr = address.ip();
    listening_pid(ip, address.port())
}
