//! A run's result in the terminal: a table, a histogram in characters, and, in red, what makes it invalid.

use std::fmt::Write;

use crate::percentiles::{Latencies, Percentiles};
use crate::result::RunResult;
use crate::terminal::{micros, thousands};

/// How wide the longest bar of a histogram is.
const BAR_WIDTH: usize = 50;

/// Escape sequences, or nothing where the output is no terminal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Colors(pub bool);

impl Colors {
    fn paint(self, code: u8, text: &str) -> String {
        if self.0 { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// What is wrong.
    pub fn red(self, text: &str) -> String {
        self.paint(31, text)
    }

    /// What needs care.
    pub fn yellow(self, text: &str) -> String {
        self.paint(33, text)
    }
}

/// The text of a result.
pub fn report(result: &RunResult, produce: &Latencies, colors: Colors) -> String {
    let mut text = String::new();
    let mut line = |content: &str| {
        let _ = writeln!(text, "{content}");
    };
    let (records, rates) = (&result.records, &result.rates);
    let asked = rates.asked_per_s.map_or_else(
        || "flat out (closed loop)".to_owned(),
        |rate| format!("{} records/s asked", thousands(rate)),
    );
    line(&format!("{}, durability {}, {asked}", result.target, result.durability));
    line(&format!(
        "  {} sent, {} acknowledged ({}/s), {} consumed, {} lost, {} duplicated, {} reordered, {} corrupted",
        thousands(records.sent as f64),
        thousands(records.acknowledged as f64),
        thousands(rates.acknowledged_per_s),
        thousands(records.consumed as f64),
        records.lost,
        records.duplicated,
        records.reordered,
        records.corrupted,
    ));
    line("");
    line(&table(result));
    if let Some(transactions) = &result.transactions {
        line(&format!("  {}\n", transactions.sentence()));
    }
    let reading = reading(result);
    if !reading.is_empty() {
        line(&reading);
    }
    line(&histogram(produce));
    if let Some(tuning) = &result.host.tuning {
        line(&format!("  {}", tuning.sentence()));
    }
    for sentence in &result.warnings {
        line(&colors.yellow(&format!("note: {sentence}")));
    }
    for sentence in &result.invalid {
        line(&colors.red(&format!("INVALID: {sentence}")));
    }
    text
}

fn table(result: &RunResult) -> String {
    let mut text = format!("  {:<12}", "latency");
    for (name, _) in result.produce_latency_us.named() {
        let _ = write!(text, "{name:>10}");
    }
    let lag = &result.generator.lag_us;
    let mut rows = vec![
        ("produce", &result.produce_latency_us),
        ("end to end", &result.end_to_end_latency_us),
        ("fetch", &result.fetch_latency_us),
    ];
    rows.extend(result.transactions.iter().map(|of| ("commit", &of.commit_latency_us)));
    rows.push(("own lag", lag));
    for (name, percentiles) in rows {
        text.push_str(&row(name, percentiles));
    }
    if result.by_leader.len() > 1 {
        text.push_str("\n\n  produce, by leader");
        for leader in &result.by_leader {
            text.push_str(&row(&leader.name(), &leader.latencies.produce_latency_us));
        }
    }
    let server = &result.server;
    if let (Some(cpu), Some(rss)) = (server.cpu_us_per_record, server.rss_mib) {
        let cores = server.cpu_cores.unwrap_or(0.0);
        let _ = write!(
            text,
            "\n\n  server: {cpu:.1} µs of CPU a record ({cores:.2} cores), {rss:.0} MiB"
        );
        if let Some(bytes) = server.disk_bytes_per_record {
            let _ = write!(text, ", {} bytes written to disk a record", thousands(bytes));
        }
        if let Some(switches) = server.voluntary_switches_per_record {
            let _ = write!(text, ", {switches:.2} voluntary switches a record");
        }
    }
    text + "\n"
}

/// A line of the table.
fn row(name: &str, percentiles: &Percentiles) -> String {
    let mut row = format!("\n  {name:<12}");
    for (_, us) in percentiles.named() {
        let _ = write!(row, "{:>10}", micros(us));
    }
    row
}

/// What was read that had been there before, and what was deleted; empty where nothing was.
fn reading(result: &RunResult) -> String {
    let mut text = String::new();
    if let Some(backlog) = &result.backlog {
        let _ = writeln!(text, "  backlog: {}", backlog.sentence());
    }
    if let Some(history) = &result.history {
        let _ = writeln!(text, "  history: {}", history.sentence());
    }
    if let Some(deleted) = result.deleted_records {
        let _ = writeln!(text, "  retention deleted {} records", thousands(deleted as f64));
    }
    text
}

/// The produce latency in steps of factor two.
fn histogram(latencies: &Latencies) -> String {
    let mut text = "  produce latency\n".to_owned();
    if latencies.is_empty() {
        return text + "  (no samples)\n";
    }
    let mut from = latencies.min().next_power_of_two() / 2;
    let mut rows = Vec::new();
    while from <= latencies.max() {
        let to = from.max(1) * 2;
        rows.push((to, latencies.count_between(from, to - 1)));
        from = to;
    }
    let most = rows.iter().map(|(_, count)| *count).max().unwrap_or(1).max(1);
    for (to, count) in rows {
        // Whatever was counted is seen.
        let width = (count as usize * BAR_WIDTH).div_ceil(most as usize);
        let bar = "█".repeat(width);
        let label = micros(to as f64 / 1e3);
        let _ = writeln!(text, "  < {label:>8} {:>9} {bar}", thousands(count as f64));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::percentiles::latencies;

    #[test]
    fn a_histogram_shows_every_sample() {
        let mut some = latencies();
        some.record_n(700_000, 1000).expect("in range");
        some.record(9_000_000).expect("in range");
        let text = histogram(&some);
        let rows: Vec<&str> = text.lines().skip(1).collect();
        assert!(rows[0].contains("<  1.05 ms     1,000 ███"), "{text}");
        assert!(rows.last().is_some_and(|row| row.ends_with("1 █")), "{text}");
        assert!(histogram(&latencies()).contains("no samples"));
    }

    #[test]
    fn red_is_red_on_a_terminal_only() {
        assert_eq!(Colors(true).red("x"), "\x1b[31mx\x1b[0m");
        assert_eq!(Colors(false).red("x"), "x");
    }
}
