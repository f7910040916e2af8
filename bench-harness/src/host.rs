//! The host that was measured on: what a reader of a figure has to know. From /proc and /sys, whose texts are parsed here;
//! what a host does not tell stays empty.

use ringlane_reactor::{allowed_cpus, hostname, read_to_string};
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
}

impl HostFacts {
    /// Of this host, now.
    pub fn read() -> Self {
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
    fn this_host_says_what_it_is() {
        let facts = HostFacts::read();
        assert!(facts.cpus > 0 && facts.memory_mib > 0 && !facts.kernel.is_empty(), "{facts:?}");
    }
}
