//! What the runs found, as a table or as JSON.

use crate::args::Shape;
use crate::device::Device;
use crate::load::Outcome;

pub(crate) struct Row {
    pub(crate) shape: Shape,
    pub(crate) fdatasync: Outcome,
    pub(crate) grouped: Outcome,
    pub(crate) journal: Outcome,
    pub(crate) device: Device,
    /// With each byte written once more beside.
    pub(crate) device_twice: Device,
}

impl Row {
    /// The journal's rate over that of the logs' own syncs.
    fn ratio(&self) -> f64 {
        self.journal.rate() / self.fdatasync.rate()
    }

    fn of_grouped(&self) -> f64 {
        self.journal.rate() / self.grouped.rate()
    }

    /// The journal's bytes a second, padding included, over those of the device with writes of their average size.
    fn of_device(&self) -> f64 {
        self.journal_bytes_per_second() / self.device.bytes_per_second()
    }

    /// The same, where the device writes each byte once more beside, as the segments' write-back does.
    fn of_device_twice(&self) -> f64 {
        self.journal_bytes_per_second() / self.device_twice.bytes_per_second()
    }

    fn journal_bytes_per_second(&self) -> f64 {
        self.journal.journal.bytes as f64 / self.journal.elapsed.as_secs_f64()
    }

    fn entries_per_group(&self) -> f64 {
        let stats = self.journal.journal;
        stats.entries as f64 / stats.groups.max(1) as f64
    }
}

/// The value below which the share `q` of `sorted` lies.
fn quantile(sorted: &[u32], q: f64) -> u32 {
    let index = (sorted.len() as f64 * q) as usize;
    sorted.get(index.min(sorted.len().saturating_sub(1))).copied().unwrap_or(0)
}

/// 50 %, 99 %, 99.9 % and all.
fn quantiles(sorted: &[u32]) -> [u32; 4] {
    [0.5, 0.99, 0.999, 1.0].map(|q| quantile(sorted, q))
}

fn all(waits: &[Vec<u32>; 2]) -> Vec<u32> {
    let mut all = waits.concat();
    all.sort_unstable();
    all
}

pub(crate) fn print(rows: &[Row], json: bool) {
    for row in rows {
        match json {
            true => print_json(row),
            false => print_row(row),
        }
    }
    let middle = |of: &dyn Fn(&Row) -> f64| {
        let mut values: Vec<f64> = rows.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or(0.0)
    };
    if !json {
        println!(
            "  median: {:.1} times fdatasync, {:.1} times groups of them, {:.2} of the device, {:.2} of it with each byte twice\n",
            middle(&Row::ratio),
            middle(&Row::of_grouped),
            middle(&Row::of_device),
            middle(&Row::of_device_twice)
        );
    }
}

fn print_row(row: &Row) {
    let Row { shape, fdatasync, grouped, journal, device, device_twice } = row;
    println!(
        "{} partitions, {} requests in flight with a record for each",
        shape.partitions, shape.depth
    );
    println!("  {:>22} {:>10}   µs: p50 / p99 / p99.9 / max", "", "records/s");
    let line = |name: &str, rate: f64, waits: &[u32]| {
        let [p50, p99, p999, max] = quantiles(waits);
        println!("  {name:>22} {rate:>10.0}   {p50} / {p99} / {p999} / {max}");
    };
    line("fdatasync of each log", fdatasync.rate(), &all(&fdatasync.waits));
    line("the same in groups", grouped.rate(), &all(&grouped.waits));
    line("journal", journal.rate(), &all(&journal.waits));
    for (name, waits) in ["no round running", "a round running"].iter().zip(&journal.waits) {
        line(name, waits.len() as f64 / journal.elapsed.as_secs_f64(), waits);
    }
    line("bare device, writes/s", device.writes_per_second(), &device.waits);
    line("each byte twice", device_twice.writes_per_second(), &device_twice.waits);
    let (stats, rounds) = (journal.journal, journal.rounds);
    println!(
        "  {:.1} turnovers in {:.1} s (records/s of each: {}); groups of {:.1} entries, {:.1} KiB, {:.0}/s; {} waits for a file",
        journal.turnovers,
        journal.elapsed.as_secs_f64(),
        rates(journal),
        row.entries_per_group(),
        journal.group_bytes() as f64 / 1024.0,
        stats.groups as f64 / journal.elapsed.as_secs_f64(),
        stats.waits_full,
    );
    println!(
        "  CPU of a record: {:.2} µs of the shard's, {:.2} µs of kernel workers",
        journal.cpu_us.0, journal.cpu_us.1,
    );
    println!(
        "  {} rounds, syncfs {:.0} ms on average, {:.0} ms at most",
        rounds.rounds,
        rounds.sync_time.as_secs_f64() * 1e3 / rounds.rounds.max(1) as f64,
        rounds.sync_time_max.as_secs_f64() * 1e3,
    );
    println!(
        "  {:.1} times fdatasync, {:.1} times groups of them, {:.2} of the device, {:.2} of it with each byte twice",
        row.ratio(),
        row.of_grouped(),
        row.of_device(),
        row.of_device_twice()
    );
}

fn rates(outcome: &Outcome) -> String {
    let rates: Vec<_> = outcome.turnover_rates.iter().map(|rate| format!("{rate:.0}")).collect();
    rates.join(" ")
}

fn print_json(row: &Row) {
    let Row { shape, fdatasync, grouped, journal, device, device_twice } = row;
    let side = |outcome: &Outcome| {
        format!(
            r#"{{"records":{},"seconds":{:.3},"wait_us":{:?},"wait_us_in_round":{:?}}}"#,
            outcome.records,
            outcome.elapsed.as_secs_f64(),
            quantiles(&all(&outcome.waits)),
            quantiles(&outcome.waits[1]),
        )
    };
    let (stats, rounds) = (journal.journal, journal.rounds);
    println!(
        r#"{{"partitions":{},"depth":{},"fdatasync":{},"grouped":{},"journal":{},"turnovers":{:.2},"turnover_rates":[{}],"groups":{},"entries":{},"group_bytes":{},"waits_full":{},"rounds":{},"sync_ms_max":{},"device_writes":{},"device_seconds":{:.3},"device_us":{:?},"twice_writes":{},"twice_seconds":{:.3},"cpu_us":{:.2},"worker_cpu_us":{:.2},"ratio":{:.2},"of_device":{:.3},"of_device_twice":{:.3}}}"#,
        shape.partitions,
        shape.depth,
        side(fdatasync),
        side(grouped),
        side(journal),
        journal.turnovers,
        rates(journal).replace(' ', ","),
        stats.groups,
        stats.entries,
        journal.group_bytes(),
        stats.waits_full,
        rounds.rounds,
        rounds.sync_time_max.as_millis(),
        device.writes,
        device.elapsed.as_secs_f64(),
        quantiles(&device.waits),
        device_twice.writes,
        device_twice.elapsed.as_secs_f64(),
        journal.cpu_us.0,
        journal.cpu_us.1,
        row.ratio(),
        row.of_device(),
        row.of_device_twice(),
    );
}
