//! The page of one run.

use super::chart::{Chart, Line};
use super::png::png;
use super::text::{date, escape};
use super::{TAIL_TICKS, document, parts, seconds_ticks, tail};
use crate::result::{RunResult, Second};
use crate::terminal::{micros, thousands};

/// The page.
pub fn run_page(result: &RunResult) -> String {
    let results = std::slice::from_ref(result);
    let mut body = format!("<h1>{}</h1>\n", escape(&result.target));
    body.push_str(&introduction(result));
    body.push_str(&problems(result));
    let mut rows = vec![
        ("produce", &result.produce_latency_us),
        ("end to end", &result.end_to_end_latency_us),
        ("fetch", &result.fetch_latency_us),
    ];
    rows.extend(result.transactions.iter().map(|of| ("commit", &of.commit_latency_us)));
    rows.push(("own lag", &result.generator.lag_us));
    body.push_str(&parts::latencies(
        "Latency counts from the moment at which a record was meant to be sent; a fetch's from its request, or from the \
         intended send of its first record if that came later. Own lag is how late the load generator itself was.",
        &rows,
    ));
    body.push_str(&curves(result));
    body.push_str(&over_time(result));
    body.push_str(&parts::past(results));
    body.push_str(&parts::partitions(results));
    body.push_str(&parts::leaders(results));
    body.push_str(&facts(result));
    document(&result.target, &body)
}

/// The figures of the page as PNG.
///
/// # Errors
/// A sentence: no font, or nothing was measured.
pub fn run_png(result: &RunResult) -> Result<Vec<u8>, String> {
    png(&result.target, &[curves(result), over_time(result)])
}

fn introduction(result: &RunResult) -> String {
    let asked = match result.rates.asked_per_s {
        Some(rate) => format!("{} records a second were to be sent", thousands(rate)),
        None => "Records were sent as fast as they were taken (a closed loop: latencies are those of a queue)".into(),
    };
    let records = &result.records;
    format!(
        "<p class=\"lead\">{asked}, {} each; {} were acknowledged a second, half of them within {}, 99 % within {}, the slowest \
         after {}. Durability {}; {}.</p>\n<p>{} records were sent and {} acknowledged in {:.0} s; {} were read back and \
         verified: {} lost, {} duplicated, {} out of order, {} changed.</p>\n",
        escape(result.scenario["record-size"].as_str().unwrap_or("?")),
        thousands(result.rates.acknowledged_per_s),
        micros(result.produce_latency_us.p50),
        micros(result.produce_latency_us.p99),
        micros(result.produce_latency_us.max),
        escape(&result.durability),
        escape(&date(result.started_ms)),
        thousands(records.sent as f64),
        thousands(records.acknowledged as f64),
        result.seconds,
        thousands(records.consumed as f64),
        records.lost,
        records.duplicated,
        records.reordered,
        records.corrupted,
    )
}

fn problems(result: &RunResult) -> String {
    if result.invalid.is_empty() {
        return String::new();
    }
    let items = result.invalid.iter().map(|item| format!("<li>{}</li>", escape(item)));
    format!(
        "<div class=\"invalid\"><strong>This result is invalid.</strong><ul>{}</ul></div>\n",
        items.collect::<String>()
    )
}

fn curves(result: &RunResult) -> String {
    let line = |name: &str, curve: &[crate::result::Point]| Line {
        name: name.to_owned(),
        points: curve.iter().map(|point| (tail(point.quantile), point.us)).collect(),
    };
    Chart {
        title: "Latency by percentile",
        x_label: "share of the records that were as fast or faster",
        x_ticks: TAIL_TICKS.map(|(name, quantile)| (tail(quantile), name.to_owned())).to_vec(),
        lines: vec![
            line("produce", &result.produce_curve),
            line("end to end", &result.end_to_end_curve),
        ],
        is_continuous: true,
    }
    .draw()
}

fn over_time(result: &RunResult) -> String {
    let line = |name: &str, of: fn(&Second) -> f64| Line {
        name: name.to_owned(),
        points: result.intervals.iter().map(|at| (at.second, of(at))).collect(),
    };
    let lines = vec![
        line("produce p50", |at| at.produce_latency_us.p50),
        line("produce p99", |at| at.produce_latency_us.p99),
        line("end to end p99", |at| at.end_to_end_latency_us.p99),
    ];
    Chart {
        title: "Latency over time: percentiles of each second",
        x_label: "seconds of measured time",
        x_ticks: seconds_ticks(&lines),
        lines,
        is_continuous: true,
    }
    .draw()
}

fn facts(result: &RunResult) -> String {
    let mut rows = parts::host_facts(&result.host);
    let server = &result.server;
    let mut used = |name: &str, value: Option<f64>, unit: &str| {
        rows.extend(value.map(|value| (name.to_owned(), format!("{value:.1} {unit}"))));
    };
    used("broker CPU", server.cpu_us_per_record, "µs a record");
    used("broker CPU in use", server.cpu_cores, "cores");
    used("broker memory", server.rss_mib, "MiB");
    used("broker disk writes", server.disk_bytes_per_record, "bytes a record");
    used("broker disk reads", server.disk_read_mib, "MiB");
    used("generator's busiest core in use", result.generator.busiest_core.map(|s| s * 100.0), "%");
    rows.extend(parts::settings(result));
    rows.extend(result.warnings.iter().map(|note| ("note".to_owned(), note.clone())));
    format!(
        "<section>\n<h2>Where and how</h2>\n{}{}<p>Measured with ringlane-bench {}; <code>scenario.toml</code> beside this page \
         repeats it. The latency logs (<code>.hlog</code>) are HDR interval logs of version 2, in ns.</p>\n</section>\n",
        parts::facts_table(&rows),
        parts::findings(&result.host),
        env!("CARGO_PKG_VERSION"),
    )
}
