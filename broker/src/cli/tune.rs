//! `ringlane tune`: what the host offers a broker, what of it is not as it should be, and how fast its disk is.

mod apply;
mod disk;
mod scope;

use clap::{Args, Subcommand};

use super::failure::Failure;
use super::output::{print, print_json};
use scope::{HostRoot, Scope};

/// Check and mend the settings of this host, show its topology, measure its disk.
#[derive(Args)]
#[command(after_help = "Examples:
  ringlane tune check
  ringlane tune check --data /var/lib/ringlane --json
  ringlane tune apply --dry-run
  ringlane tune apply --except cpu_idle
  ringlane tune revert
  ringlane tune host
  ringlane tune disk /var/lib/ringlane")]
pub(crate) struct Tune {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Check(Check),
    Apply(apply::Apply),
    Revert(apply::Revert),
    Host(Host),
    Disk(disk::Disk),
}

/// Show every setting with what it should be; exit code 1 where something is to be mended.
#[derive(Args)]
struct Check {
    #[command(flatten)]
    scope: Scope,
    /// As JSON, with reasons and sources.
    #[arg(long)]
    json: bool,
}

/// Show cores, NUMA nodes, network cards and NVMe devices with their interrupts, and where shards go.
#[derive(Args)]
struct Host {
    #[command(flatten)]
    root: HostRoot,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

impl Tune {
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self.command {
            Command::Check(check) => check.run(),
            Command::Apply(apply) => apply.run(),
            Command::Revert(revert) => revert.run(),
            Command::Host(host) => host.run(),
            Command::Disk(disk) => disk.run(),
        }
    }
}

impl Check {
    fn run(&self) -> Result<(), Failure> {
        let report = self.scope.check(&self.scope.machine()?)?;
        if self.json {
            print_json(&report.json())?;
        } else {
            print(report.to_string())?;
        }
        match report.to_mend().count() {
            0 => Ok(()),
            1 => Err(Failure::Failed("1 setting is to be mended".into())),
            count => Err(Failure::Failed(format!("{count} settings are to be mended"))),
        }
    }
}

impl Host {
    fn run(&self) -> Result<(), Failure> {
        let host = ringlane_tuning::Host::read(&self.root.open()?);
        if self.json { print_json(&host.json()) } else { print(host.to_string()) }
    }
}
