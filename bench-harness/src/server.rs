//! What a run costs the process that serves it, sampled from /proc beside the load. Only for a server on this host.

use std::path::PathBuf;
use std::time::Duration;

use ringlane_reactor::{Instant, Reactor, read_to_string};
use serde::{Deserialize, Serialize};

use crate::proc::{CpuTime, cpu_time, field};

/// A server's use of its host at one moment.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Sample {
    /// When.
    pub at: Instant,
    /// CPU time since it started, all threads.
    pub cpu: CpuTime,
    /// Memory, in KiB.
    pub rss_kib: u64,
    /// Bytes that it caused to be written to disks since it started; none where the kernel does not tell.
    pub disk_write_bytes: Option<u64>,
    /// Bytes that it had read from disks.
    pub disk_read_bytes: Option<u64>,
    /// How often its threads went to sleep of themselves since they started.
    pub voluntary_switches: Option<u64>,
}

impl Sample {
    /// Of the process `pid`, now. None when it is gone, or not ours to look at.
    pub fn take(reactor: &Reactor, pid: u32) -> Option<Self> {
        let cpu = cpu_time(&read(pid, "stat")?)?;
        let rss_kib = field(&read(pid, "status")?, "VmRSS")?;
        let io = read(pid, "io").unwrap_or_default();
        Some(Self {
            at: reactor.now(),
            cpu,
            rss_kib,
            disk_write_bytes: field(&io, "write_bytes"),
            disk_read_bytes: field(&io, "read_bytes"),
            voluntary_switches: None,
        })
    }

    /// [`Self::take`] with the switches, which means a look at every thread.
    pub async fn take_whole(reactor: &Reactor, pid: u32) -> Option<Self> {
        let sample = Self::take(reactor, pid)?;
        let threads = reactor.disk().list(&PathBuf::from(format!("/proc/{pid}/task"))).await;
        let threads = threads.unwrap_or_default();
        let switches = threads.iter().filter_map(|thread| {
            let status = read(pid, &format!("task/{}/status", thread.name))?;
            field(&status, "voluntary_ctxt_switches")
        });
        let switches: Vec<u64> = switches.collect();
        let voluntary_switches = (!switches.is_empty()).then(|| switches.iter().sum());
        Some(Self { voluntary_switches, ..sample })
    }
}

fn read(pid: u32, file: &str) -> Option<String> {
    read_to_string(&PathBuf::from(format!("/proc/{pid}/{file}"))).ok()
}

/// What the measured time cost the server. Null where it is not on this host or the kernel does not tell.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct ServerUse {
    /// CPU time for each acknowledged record, in µs: everything that the server did meanwhile, consumers served included.
    pub cpu_us_per_record: Option<f64>,
    /// Of it in the server's own code.
    pub cpu_user_us_per_record: Option<f64>,
    /// CPU time over elapsed time: 1 is one core.
    pub cpu_cores: Option<f64>,
    /// The most memory seen, in MiB.
    pub rss_mib: Option<f64>,
    /// Bytes written to disk for each acknowledged record.
    pub disk_bytes_per_record: Option<f64>,
    /// Read from disk in the measured time, in MiB.
    #[serde(default)]
    pub disk_read_mib: Option<f64>,
    /// Voluntary switches for each acknowledged record.
    pub voluntary_switches_per_record: Option<f64>,
}

impl ServerUse {
    /// Between two samples, in which `records` were acknowledged; `rss_kib_max` is the most seen between them.
    pub fn between(first: &Sample, last: &Sample, records: u64, rss_kib_max: u64) -> Self {
        let span = last.at - first.at;
        let cpu = last.cpu.total().saturating_sub(first.cpu.total());
        let user = last.cpu.user.saturating_sub(first.cpu.user);
        let per = |what: f64| (records > 0).then(|| what / records as f64);
        let counted =
            |first: Option<u64>, last: Option<u64>| per(last?.saturating_sub(first?) as f64);
        let micros = |time: Duration| time.as_secs_f64() * 1e6;
        Self {
            cpu_us_per_record: per(micros(cpu)),
            cpu_user_us_per_record: per(micros(user)),
            cpu_cores: (!span.is_zero()).then(|| cpu.as_secs_f64() / span.as_secs_f64()),
            rss_mib: Some(rss_kib_max as f64 / 1024.0),
            disk_bytes_per_record: counted(first.disk_write_bytes, last.disk_write_bytes),
            disk_read_mib: last
                .disk_read_bytes
                .zip(first.disk_read_bytes)
                .map(|(last, first)| last.saturating_sub(first) as f64 / f64::from(1 << 20)),
            voluntary_switches_per_record: counted(
                first.voluntary_switches,
                last.voluntary_switches,
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_are_differences_by_record() {
        let sample = |seconds: u64, cpu_ms: u64, bytes: Option<u64>| Sample {
            at: Instant::from_nanos(seconds * 1_000_000_000),
            cpu: CpuTime {
                user: Duration::from_millis(cpu_ms),
                system: Duration::from_millis(cpu_ms),
            },
            rss_kib: 0,
            disk_write_bytes: bytes,
            disk_read_bytes: bytes.map(|bytes| bytes << 20),
            voluntary_switches: None,
        };
        let (first, last) = (sample(10, 100, Some(50)), sample(12, 600, Some(4050)));
        let used = ServerUse::between(&first, &last, 1000, 2048);
        assert_eq!(used.cpu_us_per_record, Some(1000.0));
        assert_eq!(used.cpu_user_us_per_record, Some(500.0));
        assert_eq!((used.cpu_cores, used.rss_mib), (Some(0.5), Some(2.0)));
        assert_eq!(used.disk_bytes_per_record, Some(4.0));
        assert_eq!(used.disk_read_mib, Some(4000.0));
        assert_eq!(used.voluntary_switches_per_record, None);
        assert_eq!(ServerUse::between(&first, &last, 0, 1).cpu_us_per_record, None);
    }
}
