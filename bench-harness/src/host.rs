//! The host that was measured on: what a reader of a figure has to know. From /proc and /sys, whose texts are parsed here;
//! what a host does not tell stays empty.

use std::path::Path;

use ringlane_reactor::{allowed_cpus, hostname, read_to_string};
use ringlane_tuning::{Machine, Report, Root};
use serde::{Deserialize, Serialize};

use crate::proc::field;

/// See the file's head.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HostFacts {
    /// Its name.
    pub name: String,
    /// The kernel's release.
    pub kernel: String,
    /// The processor's model.
    pub cpu_model: String,
    /// CPUs that this process may use.
    pub cpus: usize,
    /// Memory, in MiB.
    pub memory_mib: u64,
    /// The governor of the first CPU's frequency; empty on a host that has none, as guests often.
    pub cpu_governor: String,
    /// The kernel's clock source.
    pub clock_source: String,
    /// Transparent huge pages: the mode.
    pub huge_pages: String,
    /// Processes that were ready to run, averaged over the minute before.
    pub load_average: f64,
    /// What `ringlane tune check` finds; left out where its files cannot be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tuning: Option<Tuning>,
}

/// The settings of a host that decide about latencies, as `ringlane tune check` judges them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tuning {
    /// Settings that were looked at.
    pub checked: usize,
    /// Those that are not as they should be.
    pub to_mend: Vec<Finding>,
}

/// A setting that is not as it should be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Its name, as in `ringlane tune check --only`.
    pub setting: String,
    /// Of what: a file, a device, CPUs.
    pub of: String,
    /// What it is.
    pub is: String,
    /// What it should be.
    pub wanted: String,
}

impl Tuning {
    /// Of the machine under `root`, with the broker's data in `data`.
    fn read(root: &Path, data: &Path) -> Option<Self> {
        let data = std::path::absolute(data).ok()?;
        let machine = Machine::read(Root::new(root).ok()?, &data);
        Some(Self::of(&ringlane_tuning::check(&machine, |_| true)))
    }

    fn of(report: &Report) -> Self {
        let finding = |(knob, row): (&ringlane_tuning::Knob, &ringlane_tuning::Row)| Finding {
            setting: knob.name.to_owned(),
            of: row.of.clone(),
            is: row.is.clone(),
            wanted: if row.wanted.is_empty() { knob.wanted } else { &row.wanted }.to_owned(),
        };
        let to_mend = report.to_mend().map(|(knob, row)| finding((knob, row))).collect();
        Self { checked: report.knobs.len(), to_mend }
    }

    /// In a line.
    pub fn sentence(&self) -> String {
        let mut names: Vec<&str> =
            self.to_mend.iter().map(|found| found.setting.as_str()).collect();
        names.dedup();
        match names.len() {
            0 => format!("all {} settings of the host are as recommended", self.checked),
            count => format!(
                "{count} of {} settings of the host are not as recommended: {} (`ringlane tune check` says why)",
                self.checked,
                names.join(", ")
            ),
        }
    }
}

impl HostFacts {
    /// Of this host, now; the settings of the disk are those of the one that holds `data`.
    pub fn read(data: &Path) -> Self {
        let text = |path: &str| read_to_string(path.as_ref()).unwrap_or_default();
        let line = |path: &str| text(path).trim().to_owned();
        let meminfo = text("/proc/meminfo");
        let load = text("/proc/loadavg");
        Self {
            name: hostname().unwrap_or_default(),
            kernel: line("/proc/sys/kernel/osrelease"),
            cpu_model: cpu_model(&text("/proc/cpuinfo")),
            cpus: allowed_cpus().len(),
            memory_mib: field(&meminfo, "MemTotal").unwrap_or(0) / 1024,
            cpu_governor: line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
            clock_source: line("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
            huge_pages: chosen(&text("/sys/kernel/mm/transparent_hugepage/enabled")),
            tuning: Tuning::read(Path::new("/"), data),
            load_average: load.split(' ').next().and_then(|load| load.parse().ok()).unwrap_or(0.0),
        }
    }

    /// In one line.
    pub fn sentence(&self) -> String {
        let Self { name, kernel, cpu_model, cpus, memory_mib, load_average, .. } = self;
        let memory = *memory_mib as f64 / 1024.0;
        format!(
            "{name}: {cpus} CPUs ({cpu_model}), {memory:.0} GiB of memory, Linux {kernel}, load {load_average:.1}"
        )
    }
}

/// The first model in /proc/cpuinfo.
fn cpu_model(cpuinfo: &str) -> String {
    let mut lines = cpuinfo.lines().filter_map(|line| line.split_once(':'));
    let model = lines.find(|(name, _)| matches!(name.trim(), "model name" | "CPU part"));
    model.map_or_else(|| "unknown".to_owned(), |(_, model)| model.trim().to_owned())
}

/// The value in brackets, as in `always [madvise] never`.
fn chosen(text: &str) -> String {
    let inside = text.split_once('[').and_then(|(_, rest)| rest.split_once(']'));
    inside.map_or_else(String::new, |(chosen, _)| chosen.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_writes_is_understood() {
        let cpuinfo = "processor\t: 0\nmodel name\t: A CPU: fast @ 3 GHz\nprocessor\t: 1\n";
        assert_eq!(cpu_model(cpuinfo), "A CPU: fast @ 3 GHz");
        assert_eq!(cpu_model(""), "unknown");
        assert_eq!(chosen("always [madvise] never\n"), "madvise");
        assert_eq!(chosen(""), "");
    }

    #[test]
    #[expect(
        clippy::disallowed_methods,
        reason = "makes a machine to be read, outside any reactor"
    )]
    fn the_state_of_a_machine_is_what_its_check_finds() {
        let root = std::env::temp_dir().join(format!("ringlane-host-{}", std::process::id()));
        std::fs::create_dir_all(root.join("proc/sys/vm")).expect("a directory");
        let read = |swappiness: &str| {
            std::fs::write(root.join("proc/sys/vm/swappiness"), swappiness).expect("a file");
            Tuning::read(&root, Path::new("/var/lib/ringlane")).expect("a machine")
        };
        let (bad, good) = (read("60\n"), read("1\n"));
        let found = |tuning: &Tuning| {
            tuning.to_mend.iter().find(|found| found.setting == "swappiness").cloned()
        };
        let finding = found(&bad).expect("too much");
        assert_eq!((finding.is.as_str(), finding.wanted.as_str()), ("60", "1"));
        assert!(bad.sentence().contains("swappiness"), "{}", bad.sentence());
        assert_eq!((found(&good), good.checked), (None, ringlane_tuning::KNOBS.len()));
        std::fs::remove_dir_all(&root).expect("ours");
    }

    #[test]
    fn this_host_says_what_it_is() {
        let facts = HostFacts::read(Path::new("."));
        let tuning = facts.tuning.clone().expect("a machine with /proc");
        assert!(tuning.checked >= 10 && tuning.sentence().contains("of the host"), "{tuning:?}");
        assert!(facts.cpus > 0 && facts.memory_mib > 0 && !facts.kernel.is_empty(), "{facts:?}");
    }
}
