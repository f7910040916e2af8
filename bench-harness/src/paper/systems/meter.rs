//! What a broker's process and our own used between two moments: CPU time from /proc, elapsed time; and what lies on disk.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::brokers::cpu_list;
use crate::proc::{CpuTime, cpu_time, field};

/// The use of CPUs at one moment.
pub(in crate::paper) struct Meter {
    at: Instant,
    broker_pid: u32,
    broker: CpuTime,
    own: CpuTime,
}

/// Between two moments.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(in crate::paper) struct Used {
    /// The broker's CPU time.
    pub(in crate::paper) broker: Duration,
    /// The same over elapsed time: 1 is one core.
    pub(in crate::paper) broker_cores: f64,
    /// Our own, over elapsed time.
    pub(in crate::paper) client_cores: f64,
}

impl Meter {
    /// Looks at the broker with this process.
    pub(in crate::paper) fn start(broker_pid: u32) -> Self {
        let (broker, own) = (of(&broker_pid.to_string()), of("self"));
        Self { at: Instant::now(), broker_pid, broker, own }
    }

    /// What was used since.
    pub(in crate::paper) fn stop(self) -> Used {
        let elapsed = self.at.elapsed().as_secs_f64().max(1e-9);
        let since = |now: CpuTime, then: CpuTime| now.total().saturating_sub(then.total());
        let broker = since(of(&self.broker_pid.to_string()), self.broker);
        let own = since(of("self"), self.own);
        Used {
            broker,
            broker_cores: broker.as_secs_f64() / elapsed,
            client_cores: own.as_secs_f64() / elapsed,
        }
    }
}

fn of(process: &str) -> CpuTime {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"));
    stat.ok().and_then(|text| cpu_time(&text)).unwrap_or_default()
}

/// The most memory that a process has had, in MiB.
pub(in crate::paper) fn peak_mib(pid: u32) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    Some(field(&status, "VmHWM")? as f64 / 1024.0)
}

/// Keeps every thread of this process, and those that it starts, on `cpu`: taskset(1).
///
/// # Errors
/// When taskset is missing, or the CPU is not ours.
pub(in crate::paper) fn pin_self(cpu: usize) -> Result<(), String> {
    let pid = std::process::id().to_string();
    let arguments = ["--all-tasks", "--cpu-list", "--pid", &cpu_list(&[cpu]), &pid];
    let output = Command::new("taskset").args(arguments).output();
    let output = output.map_err(|error| format!("taskset (util-linux) cannot be run: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
    }
}

/// Bytes in the files below `directory`: of each its length or, where that has holes, what it takes on disk. Space that is
/// reserved behind a file's end counts for nothing.
pub(in crate::paper) fn bytes_on_disk(directory: &Path) -> u64 {
    const BLOCK_BYTES: u64 = 512;
    let Ok(entries) = fs::read_dir(directory) else { return 0 };
    let size = |entry: fs::DirEntry| match entry.metadata() {
        Ok(meta) if meta.is_dir() => bytes_on_disk(&entry.path()),
        Ok(meta) if meta.is_file() => meta.len().min(meta.blocks() * BLOCK_BYTES),
        _ => 0,
    };
    entries.flatten().map(size).sum()
}

/// [`bytes_on_disk`] once it has not changed for a second: brokers write late. After ten it is what it is.
pub(in crate::paper) fn settled_bytes(directory: &Path) -> u64 {
    const QUIET: Duration = Duration::from_secs(1);
    const LOOKS_MAX: usize = 10;
    let mut bytes = bytes_on_disk(directory);
    for _ in 0..LOOKS_MAX {
        std::thread::sleep(QUIET);
        let before = std::mem::replace(&mut bytes, bytes_on_disk(directory));
        if before == bytes {
            break;
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_counts_with_what_is_in_it() {
        let directory = std::env::temp_dir().join(format!("ringlane-paper-{}", std::process::id()));
        fs::create_dir_all(directory.join("below")).expect("a directory");
        fs::write(directory.join("full"), vec![1; 10_000]).expect("a file");
        fs::write(directory.join("below/short"), [1; 10]).expect("a file");
        let sparse = fs::File::create(directory.join("sparse")).expect("a file");
        sparse.set_len(1 << 30).expect("a hole");
        let bytes = bytes_on_disk(&directory);
        fs::remove_dir_all(&directory).expect("it goes");
        assert_eq!(bytes, 10_010);
        assert_eq!(bytes_on_disk(&directory), 0);
    }

    #[test]
    fn a_meter_sees_what_is_used() {
        let meter = Meter::start(std::process::id());
        let began = Instant::now();
        let mut sum = 0u64;
        while began.elapsed() < Duration::from_millis(60) {
            sum = std::hint::black_box(sum + 1);
        }
        let used = meter.stop();
        assert!(used.broker >= Duration::from_millis(10), "{used:?}");
        assert!(used.client_cores > 0.1, "{used:?}");
        assert!(peak_mib(std::process::id()).is_some_and(|mib| mib > 1.0));
    }
}
