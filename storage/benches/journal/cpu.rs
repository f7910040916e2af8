//! CPU time, as proc(5) tells it: of the calling thread, which is the shard's, and of the process with its ring's kernel workers.

use std::fs::read_to_string;
use std::time::Duration;

/// What USER_HZ is on every Linux that we run on.
const TICK: Duration = Duration::from_millis(10);

#[derive(Clone, Copy, Default)]
pub(crate) struct Cpu {
    pub(crate) shard: Duration,
    pub(crate) process: Duration,
}

impl Cpu {
    /// So far.
    #[expect(clippy::disallowed_methods, reason = "proc(5) keeps nobody waiting")]
    pub(crate) fn now() -> Self {
        let read = |path: &str| read_to_string(path).expect("/proc is mounted");
        let number = |field: Option<&str>| field.and_then(|field| field.parse::<u64>().ok());
        let shard = number(read("/proc/thread-self/schedstat").split(' ').next());
        let stat = read("/proc/self/stat");
        // Behind the name, which may hold anything: utime and stime are the 12th and 13th field.
        let mut fields = stat.rsplit(')').next().unwrap_or_default().split(' ').skip(12);
        let ticks = number(fields.next()).zip(number(fields.next()));
        let ticks = ticks.map_or(0, |(user, system)| user + system);
        Self {
            shard: Duration::from_nanos(shard.unwrap_or(0)),
            process: TICK * u32::try_from(ticks).unwrap_or(u32::MAX),
        }
    }

    /// Since `before`, in µs for each of `records`: the shard's, and all others'.
    pub(crate) fn per_record(self, before: Self, records: u64) -> (f64, f64) {
        let each = |time: Duration| time.as_secs_f64() * 1e6 / records.max(1) as f64;
        let shard = self.shard - before.shard;
        let others = (self.process - before.process).saturating_sub(shard);
        (each(shard), each(others))
    }
}
