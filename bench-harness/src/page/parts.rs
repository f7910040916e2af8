//! Parts that the page of a run and that of a comparison share: leaders, partitions, what was there before, the host.

use std::fmt::Write;

use super::chart::{Chart, Line};
use super::text::escape;
use crate::host::HostFacts;
use crate::percentiles::Percentiles;
use crate::result::RunResult;
use crate::terminal::{micros, thousands};

/// Latencies by leader, where some result has several: by core with `ringlane.core.endpoints`, else by broker.
pub(super) fn leaders(results: &[RunResult]) -> String {
    if results.iter().all(|result| result.by_leader.len() < 2) {
        return String::new();
    }
    let mut html = "<table>\n<caption>By leader when the run began: a core where cores have addresses of their own, else a \
         broker.</caption>\n<thead><tr><th>target</th><th>leader</th><th>partitions</th><th>produce p50</th><th>produce \
         p99</th><th>end to end p99</th><th>fetch p99</th></tr></thead>\n<tbody>\n"
        .to_owned();
    for result in results {
        for leader in &result.by_leader {
            let of = &leader.latencies;
            let _ = writeln!(
                html,
                "<tr><td>{}</td><td>{} ({})</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
                escape(&result.target),
                escape(&leader.name()),
                escape(&leader.address),
                leader.partitions,
                micros(of.produce_latency_us.p50),
                micros(of.produce_latency_us.p99),
                micros(of.end_to_end_latency_us.p99),
                micros(of.fetch_latency_us.p99),
            );
        }
    }
    html + "</tbody>\n</table>\n"
}

/// The tail of each partition, where there are several and not too many.
pub(super) fn partitions(results: &[RunResult]) -> String {
    let most = results.iter().map(|result| result.by_partition.len()).max().unwrap_or(0);
    if most < 2 {
        return String::new();
    }
    let line = |result: &RunResult| Line {
        name: result.target.clone(),
        points: (0u32..)
            .zip(&result.by_partition)
            .map(|(at, part)| (f64::from(at), part.latencies.produce_latency_us.p99))
            .collect(),
    };
    let step = (most - 1).div_ceil(16).max(1);
    let ticks = (0..most).step_by(step).map(|at| (at as f64, at.to_string()));
    Chart {
        title: "Produce latency by partition: the 99th percentile of each",
        x_label: "partition, those of one topic after those of the one before",
        x_ticks: ticks.collect(),
        lines: results.iter().map(line).collect(),
        is_continuous: false,
    }
    .draw()
}

/// What was committed, what was read that had been there before, and what was deleted.
pub(super) fn past(results: &[RunResult]) -> String {
    let mut items = String::new();
    for result in results {
        let target = escape(&result.target);
        let mut item = |text: String| items.push_str(&format!("<li>{target}: {text}</li>\n"));
        if let Some(transactions) = &result.transactions {
            item(format!(
                "{}; counted from when each was meant to be committed. Readers saw committed records only",
                transactions.sentence()
            ));
        }
        if let Some(backlog) = &result.backlog {
            item(format!("the backlog was read by late readers: {}", backlog.sentence()));
        }
        if let Some(history) = &result.history {
            let disk = result.server.disk_read_mib;
            let disk = disk.map_or_else(String::new, |mib| {
                format!("; the broker read {} MiB from the disk meanwhile", thousands(mib))
            });
            item(format!("the history was read beside the load: {}{disk}", history.sentence()));
        }
        if let Some(deleted) = result.deleted_records {
            item(format!("retention deleted {} records", thousands(deleted as f64)));
        }
    }
    if items.is_empty() { items } else { format!("<ul>\n{items}</ul>\n") }
}

/// A table of latencies: a row each, a column for each percentile.
pub(super) fn latencies(caption: &str, rows: &[(&str, &Percentiles)]) -> String {
    let heads = Percentiles::default().named().map(|(name, _)| format!("<th>{name}</th>")).concat();
    let mut html = format!(
        "<table>\n<caption>{caption}</caption>\n<thead><tr><th>latency</th>{heads}</tr></thead>\n<tbody>\n"
    );
    for (name, percentiles) in rows {
        let cells = percentiles.named().map(|(_, us)| format!("<td>{}</td>", micros(us))).concat();
        let _ = writeln!(html, "<tr><td>{name}</td>{cells}</tr>");
    }
    html + "</tbody>\n</table>\n"
}

/// The rows of a table of facts about the host.
pub(super) fn host_facts(host: &HostFacts) -> Vec<(String, String)> {
    let or_none = |text: &str| match text {
        "" => "the host does not tell".to_owned(),
        text => text.to_owned(),
    };
    let tuning = host.tuning.as_ref();
    vec![
        ("host".to_owned(), host.sentence()),
        ("CPU governor".into(), or_none(&host.cpu_governor)),
        ("clock source".into(), or_none(&host.clock_source)),
        ("transparent huge pages".into(), or_none(&host.huge_pages)),
        ("tuning".into(), or_none(&tuning.map_or_else(String::new, |tuning| tuning.sentence()))),
    ]
}

/// What `ringlane tune check` found, setting by setting; nothing where all is well.
pub(super) fn findings(host: &HostFacts) -> String {
    let Some(tuning) = host.tuning.as_ref().filter(|tuning| !tuning.to_mend.is_empty()) else {
        return String::new();
    };
    let rows: String = tuning
        .to_mend
        .iter()
        .map(|found| {
            format!(
                "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
                escape(&found.setting),
                escape(&found.of),
                escape(&found.is),
                escape(&found.wanted)
            )
        })
        .collect();
    format!(
        "<table class=\"findings\">\n<caption>Settings of the host that are not as recommended for a broker</caption>\n<thead><tr>\
         <th>setting</th><th>of</th><th>is</th><th>should be</th></tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n"
    )
}

/// A table of facts.
pub(super) fn facts_table(rows: &[(String, String)]) -> String {
    let rows: String = rows
        .iter()
        .map(|(name, value)| {
            format!("<tr><th>{}</th><td>{}</td></tr>\n", escape(name), escape(value))
        })
        .collect();
    format!("<table class=\"facts\">\n<tbody>\n{rows}</tbody>\n</table>\n")
}

/// The settings of the scenario, a row each.
pub(super) fn settings(result: &RunResult) -> Vec<(String, String)> {
    let settings = result.scenario.as_object().into_iter().flatten();
    let text = |value: &serde_json::Value| match value.as_str() {
        Some(text) => text.to_owned(),
        None => value.to_string(),
    };
    settings
        .filter(|(name, _)| *name != "durability")
        .map(|(name, value)| (name.clone(), text(value)))
        .collect()
}
