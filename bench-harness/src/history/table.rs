//! The history in the terminal: a block for each scenario and kind of host, a line for each commit.

use std::fmt::Write;

use super::{Entry, Figures, kinds_of_host, scenarios};
use crate::report::Colors;
use crate::terminal::{micros, thousands};

/// The text.
pub fn table(entries: &[Entry], colors: Colors) -> String {
    if entries.is_empty() {
        return "nothing is measured yet: `ringlane-bench history record` writes the first line\n"
            .into();
    }
    let mut text = String::new();
    for host in kinds_of_host(entries) {
        let _ = writeln!(text, "{host}");
        let of_host: Vec<&Entry> =
            entries.iter().filter(|entry| entry.kind_of_host() == host).collect();
        for scenario in scenarios(entries) {
            text.push_str(&block(&of_host, &scenario, colors));
        }
    }
    text
}

fn block(entries: &[&Entry], scenario: &str, colors: Colors) -> String {
    let rows = entries.iter().filter_map(|entry| Some((entry, entry.figures(scenario)?)));
    let rows: Vec<_> = rows.collect();
    let Some((_, first)) = rows.first() else { return String::new() };
    let asked = first.asked_per_s.map_or_else(
        || "as many as it takes".to_owned(),
        |rate| format!("{} records/s", thousands(rate)),
    );
    let mut text = format!("\n  {scenario}, {asked}, durability {}\n", first.durability);
    let _ = writeln!(
        text,
        "  {:<9}{:<18}{:>11}{:>10}{:>30}{:>10}{:>10}{:>14}{:>12}",
        "commit",
        "measured",
        "records/s",
        "p50",
        "p99 (rounds)",
        "p99.9",
        "max",
        "e2e p99",
        "CPU/record"
    );
    for (entry, figures) in rows {
        let line = row(entry, figures);
        let _ = writeln!(text, "{}", if figures.valid { line } else { colors.red(&line) });
    }
    text
}

fn row(entry: &Entry, figures: &Figures) -> String {
    let produce = &figures.produce_latency_us;
    let cpu = figures.cpu_us_per_record.map_or_else(|| "-".to_owned(), |us| format!("{us:.1} µs"));
    let date = entry.date.trim_end_matches(" UTC");
    format!(
        "  {:<9}{date:<18}{:>11}{:>10}{:>30}{:>10}{:>10}{:>14}{cpu:>12}{}",
        entry.short(),
        thousands(figures.acknowledged_per_s),
        micros(produce.p50),
        with_spread(figures),
        micros(produce.p99_9),
        micros(produce.max),
        micros(figures.end_to_end_latency_us.p99),
        if figures.valid {
            String::new()
        } else {
            format!("  INVALID: {}", figures.invalid.join("; "))
        },
    )
}

/// The 99th percentile, and the lowest and highest of the rounds.
fn with_spread(figures: &Figures) -> String {
    let rounds = || figures.produce_p99_us_by_round.iter().copied();
    let p99 = micros(figures.produce_latency_us.p99);
    match (rounds().reduce(f64::min), rounds().reduce(f64::max)) {
        (Some(low), Some(high)) if figures.rounds > 1 => {
            format!("{p99} ({}-{})", micros(low), micros(high))
        }
        _ => p99,
    }
}
