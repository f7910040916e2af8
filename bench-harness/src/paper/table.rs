//! The experiment's result in the terminal, and as Markdown for a README.

use std::fmt::Write;

use super::figures::PAPER;
use super::report::{Phase, Report, Row};
use crate::page::date;
use crate::report::Colors;
use crate::terminal::thousands;

/// A row in a line of progress.
pub(super) fn line(row: &Row) -> String {
    let head = format!("{:<18} {:<10} batch {:<3}", row.target, row.durability, row.batch);
    if let Some(sentence) = &row.missing {
        let why = row.invalid.first().unwrap_or(sentence);
        return format!("{head} {why}");
    }
    let rate = |phase: Option<Phase>| phase.map_or(0.0, |phase| phase.messages_per_s);
    let seconds = row.produce.map_or(0.0, |phase| phase.seconds);
    format!(
        "{head} produced {}/s ({} in {seconds:.1} s), consumed {}/s, {:+.0} bytes a message{}",
        thousands(rate(row.produce)),
        thousands(row.produce.map_or(0.0, |phase| phase.messages as f64)),
        thousands(rate(row.consume)),
        row.overhead_bytes_per_message.unwrap_or(0.0),
        if row.valid { "" } else { "  INVALID" },
    )
}

/// The whole result.
pub(crate) fn table(report: &Report, colors: Colors) -> String {
    let mut text = format!("{}\n{}\n", report.host.sentence(), report.placement.sentence);
    let mut durability = "";
    for row in &report.rows {
        if row.durability != durability {
            durability = &row.durability;
            let _ = write!(text, "\ndurability {durability}\n{}", head());
        }
        text.push_str(&figures(row));
    }
    text.push_str("\nthe paper (2011, other machines; no acknowledgements awaited)\n");
    for row in PAPER {
        let _ = writeln!(
            text,
            "{:<18}{:>5}{:>26}{:>30}{:>12}",
            row.broker, row.batch, row.produce, row.consume, row.overhead
        );
    }
    for sentence in report.problems() {
        let _ = writeln!(text, "{}", colors.red(&format!("INVALID: {sentence}")));
    }
    text
}

/// The same as Markdown, with a picture of each figure.
pub(super) fn markdown(report: &Report) -> String {
    let mut text = format!(
        "# The paper's experiment, again\n\n`ringlane-bench paper --messages {} --limit {}s`, {}.\n\nOn {}; {}.\n",
        report.messages,
        report.limit_s,
        date(report.started_ms),
        report.host.sentence(),
        report.placement.sentence,
    );
    for rows in report.rows.chunk_by(|one, other| one.durability == other.durability) {
        let durability = &rows[0].durability;
        let _ = write!(text, "\n## Durability {durability}\n\n");
        for picture in ["produced", "consumed", "overhead"] {
            let _ = writeln!(text, "![]({picture}-{durability}.svg)");
        }
        text.push_str(
            "\n| | batch | messages | produced/s | broker CPU | consumed/s | broker CPU | bytes on disk | overhead | memory |\n\
             |---|---|---|---|---|---|---|---|---|---|\n",
        );
        rows.iter().for_each(|row| text.push_str(&markdown_row(row)));
    }
    for sentence in report.problems() {
        let _ = write!(text, "\n**Invalid**: {sentence}.\n");
    }
    text
}

fn markdown_row(row: &Row) -> String {
    let head = format!("| {} | {} |", row.target, row.batch);
    let (Some(sent), Some(read)) = (row.produce, row.consume) else {
        return format!("{head} {} | | | | | | | |\n", row.missing.as_deref().unwrap_or("-"));
    };
    let memory = row.peak_mib.map_or_else(|| "-".to_owned(), |mib| format!("{mib:.0} MiB"));
    format!(
        "{head} {} | {} | {:.2} µs | {} | {:.2} µs | {:.1} | {:.1} | {memory} |\n",
        thousands(sent.messages as f64),
        thousands(sent.messages_per_s),
        sent.broker_cpu_us_per_message,
        thousands(read.messages_per_s),
        read.broker_cpu_us_per_message,
        row.disk_bytes_per_message.unwrap_or(0.0),
        row.overhead_bytes_per_message.unwrap_or(0.0),
    )
}

fn head() -> String {
    format!(
        "{:<18}{:>5}{:>12}{:>12}{:>8}{:>9}{:>12}{:>8}{:>9}{:>10}{:>10}\n",
        "",
        "batch",
        "messages",
        "produced/s",
        "MB/s",
        "CPU µs",
        "consumed/s",
        "MB/s",
        "CPU µs",
        "disk B",
        "overhead"
    )
}

fn figures(row: &Row) -> String {
    let head = format!("{:<18}{:>5}", row.target, row.batch);
    let (Some(sent), Some(read)) = (row.produce, row.consume) else {
        return format!("{head}   {}\n", row.missing.as_deref().unwrap_or("-"));
    };
    format!(
        "{head}{:>12}{:>12}{:>8.1}{:>9.2}{:>12}{:>8.1}{:>9.2}{:>10.1}{:>10.1}\n",
        thousands(sent.messages as f64),
        thousands(sent.messages_per_s),
        sent.mb_per_s,
        sent.broker_cpu_us_per_message,
        thousands(read.messages_per_s),
        read.mb_per_s,
        read.broker_cpu_us_per_message,
        row.disk_bytes_per_message.unwrap_or(0.0),
        row.overhead_bytes_per_message.unwrap_or(0.0),
    )
}
