//! Which machine is looked at, and which of its settings.

use std::path::{Path, PathBuf};

use clap::Args;
use ringlane_tuning::{KNOBS, Machine, Report, Root};

use crate::cli::failure::Failure;

/// Where the file system is that is looked at.
#[derive(Args)]
pub(super) struct HostRoot {
    /// A directory that stands for the root of the file system, with the machine's /proc, /sys and /etc recorded in it.
    #[arg(long, value_name = "DIR", default_value = "/")]
    root: PathBuf,
}

impl HostRoot {
    pub(super) fn open(&self) -> Result<Root, Failure> {
        let failed = |error| Failure::Failed(format!("--root {}: {error}", self.root.display()));
        Root::new(&self.root).map_err(failed)
    }
}

/// A machine and the settings that count.
#[derive(Args)]
pub(super) struct Scope {
    #[command(flatten)]
    pub(super) root: HostRoot,
    /// The broker's data directory (log.dirs), whose device and file system are looked at.
    #[arg(long, value_name = "DIR", default_value = "/var/lib/ringlane")]
    data: PathBuf,
    /// Only this setting, by the name that `check` shows. May be given more than once.
    #[arg(long, value_name = "KNOB", value_parser = knob_name)]
    only: Vec<String>,
    /// Not this setting. May be given more than once.
    #[arg(long, value_name = "KNOB", value_parser = knob_name)]
    except: Vec<String>,
}

fn knob_name(text: &str) -> Result<String, String> {
    if KNOBS.iter().any(|knob| knob.name == text) {
        return Ok(text.to_owned());
    }
    let names: Vec<&str> = KNOBS.iter().map(|knob| knob.name).collect();
    Err(format!("there is no such setting; there are {}", names.join(", ")))
}

impl Scope {
    pub(super) fn machine(&self) -> Result<Machine, Failure> {
        let data = std::path::absolute(&self.data);
        let data = data.as_deref().unwrap_or(Path::new("/"));
        Ok(Machine::read(self.root.open()?, data))
    }

    pub(super) fn check(&self, machine: &Machine) -> Result<Report, Failure> {
        let wanted = |name: &str| {
            let named = |names: &[String]| names.iter().any(|known| known == name);
            (self.only.is_empty() || named(&self.only)) && !named(&self.except)
        };
        let report = ringlane_tuning::check(machine, |knob| wanted(knob.name));
        if report.knobs.is_empty() {
            return Err(Failure::Usage("--only and --except leave nothing".into()));
        }
        Ok(report)
    }
}
