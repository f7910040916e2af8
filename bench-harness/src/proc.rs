//! What /proc tells of a process and its host (proc(5)). Pure: texts in, numbers out.

use std::time::Duration;

/// The length of a clock tick in /proc: USER_HZ is 100 on every architecture that Linux runs brokers on.
const TICK: Duration = Duration::from_millis(10);

/// Time on a CPU.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CpuTime {
    /// In its own code.
    pub user: Duration,
    /// In the kernel on its behalf.
    pub system: Duration,
}

impl CpuTime {
    /// Both.
    pub fn total(self) -> Duration {
        self.user + self.system
    }
}

/// The CPU time in /proc/PID/stat, all threads included, or in that of a thread.
pub fn cpu_time(stat: &str) -> Option<CpuTime> {
    // The second field is the name in parentheses, which may hold anything.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse().ok().map(|ticks: u32| TICK * ticks);
    Some(CpuTime { user: ticks()?, system: ticks()? })
}

/// The number behind `name:` in /proc/PID/status, /proc/PID/io or /proc/meminfo: in KiB where the file says `kB`.
pub fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

/// The host's CPU time in /proc/stat, in ticks over all CPUs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct HostCpu {
    /// All of it.
    pub total: u64,
    /// In which no work was done.
    pub idle: u64,
    /// In which another guest of the hypervisor ran.
    pub steal: u64,
}

impl HostCpu {
    /// The sum line of /proc/stat.
    pub fn parse(stat: &str) -> Option<Self> {
        let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
        let ticks: Vec<u64> =
            line.split_ascii_whitespace().map_while(|ticks| ticks.parse().ok()).collect();
        // user nice system idle iowait irq softirq steal; guest time is counted in user.
        let (counted, steal) = (ticks.get(..8)?, *ticks.get(7)?);
        Some(Self { total: counted.iter().sum(), idle: counted[3] + counted[4], steal })
    }

    /// The share of the time since `earlier` that was stolen.
    pub fn steal_since(self, earlier: Self) -> f64 {
        let total = self.total.saturating_sub(earlier.total);
        self.steal.saturating_sub(earlier.steal) as f64 / total.max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_found_behind_any_name() {
        let stat = "42 (a) b (c) S 1 42 42 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 3 0 1000 1 2";
        let time = cpu_time(stat).expect("a stat line");
        assert_eq!((time.user, time.system), (TICK * 250, TICK * 50));
        assert_eq!(time.total(), Duration::from_secs(3));
        assert_eq!(cpu_time("42 (x) S 1"), None);
    }

    #[test]
    fn fields_are_found_by_their_whole_name() {
        let status = "VmRSSx:\t1 kB\nVmRSS:\t  8844 kB\nnonvoluntary_ctxt_switches:\t3\nvoluntary_ctxt_switches:\t7\n";
        assert_eq!(field(status, "VmRSS"), Some(8844));
        assert_eq!(field(status, "voluntary_ctxt_switches"), Some(7));
        assert_eq!(field(status, "VmSwap"), None);
    }

    #[test]
    fn stolen_time_is_a_share_of_all() {
        let at = |text: &str| HostCpu::parse(text).expect("a stat file");
        let before = at("cpu  100 0 100 700 100 0 0 0 0 0\ncpu0 1 1 1 1 1 1 1 1 1 1\n");
        let after = at("cpu  200 0 200 1000 100 0 0 100 50 0\n");
        assert_eq!((after.total - before.total, after.idle - before.idle), (600, 300));
        assert!((after.steal_since(before) - 1.0 / 6.0).abs() < 1e-9);
        assert_eq!(HostCpu::parse("cpu 1 2\n"), None);
    }
}
