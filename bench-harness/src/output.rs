//! The directory of a result: `scenario.toml`, `result.json`, `intervals.csv`, `result.csv` and the latency logs. Each file
//! is written whole or not at all, so that what is there can be used whatever ended the program.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc;

use ringlane_reactor::{Reactor, ShardConfig, run_shards};

use crate::generator::{Interval, Measured};
use crate::percentiles::{Latencies, Percentiles, interval_log};
use crate::result::{RunResult, Second};

/// A file of a result: its name and content.
pub type Named = (String, Vec<u8>);

/// Writes `files` into `directory`, which is made when missing.
///
/// # Errors
/// A sentence that names the file, and the reason: a full disk, no permission.
pub fn write(directory: &Path, files: Vec<Named>) -> Result<(), String> {
    let (sender, outcome) = mpsc::channel();
    let directory = directory.to_owned();
    let main = move |reactor: Reactor| {
        let (sender, directory, files) = (sender.clone(), directory.clone(), files.clone());
        async move {
            let _ = sender.send(write_on(&reactor, &directory, &files).await);
            Ok(())
        }
    };
    run_shards(&ShardConfig::single(), main)
        .map_err(|error| format!("files cannot be written: {error}"))?;
    outcome.try_recv().unwrap_or_else(|_| Err("files were not written".into()))
}

async fn write_on(reactor: &Reactor, directory: &Path, files: &[Named]) -> Result<(), String> {
    let disk = reactor.disk();
    let failed = |path: &Path, error: io::Error| {
        format!("{} cannot be written: {}", path.display(), reason(&error))
    };
    disk.create_dir_all(directory).await.map_err(|error| failed(directory, error))?;
    let mut outcome = Ok(());
    for (name, content) in files {
        let path: PathBuf = directory.join(name);
        if let Err(error) = disk.replace(&path, content).await {
            let _ = disk.remove_file(&directory.join(format!("{name}.tmp"))).await;
            // There may be room for a smaller one.
            outcome = outcome.and(Err(failed(&path, error)));
        }
    }
    outcome
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "the disk is full; free some space, or name another directory with --out".into()
        }
        io::ErrorKind::PermissionDenied => "no permission".into(),
        _ => error.to_string(),
    }
}

/// The files of a run's result.
pub fn files(result: &RunResult, measured: &Measured) -> Vec<Named> {
    let json = serde_json::to_vec_pretty(result).expect("a result is plain values");
    let log = |what: &str, pick: fn(&Interval) -> &Latencies| {
        let second = std::time::Duration::from_secs(1);
        let intervals = (0u32..).zip(&measured.intervals);
        let intervals =
            intervals.map(|(number, interval)| (second * number, second, pick(interval)));
        interval_log(what, measured.started_ms, &intervals.collect::<Vec<_>>())
    };
    let mut files = vec![
        ("result.json".into(), json),
        ("result.csv".into(), result_csv(result).into_bytes()),
        ("intervals.csv".into(), intervals_csv(&result.intervals).into_bytes()),
        ("produce.hlog".into(), log("produce latency", |interval| &interval.produce)),
        ("end-to-end.hlog".into(), log("end-to-end latency", |interval| &interval.end_to_end)),
        ("fetch.hlog".into(), log("fetch latency", |interval| &interval.fetch)),
    ];
    if result.transactions.is_some() {
        files.push(("commit.hlog".into(), log("commit latency", |interval| &interval.commit)));
    }
    files
}

/// One figure a line: what, how much, in which unit.
fn result_csv(result: &RunResult) -> String {
    let mut lines = vec!["figure,value,unit".to_owned()];
    let mut line = |figure: &str, value: String, unit: &str| {
        lines.push(format!("{figure},{value},{unit}"));
    };
    line("target", quoted(&result.target), "");
    line("valid", result.valid.to_string(), "");
    line("invalid", quoted(&result.invalid.join("; ")), "");
    line("durability", result.durability.clone(), "");
    line("loop", result.kind.clone(), "");
    let records = &result.records;
    let counts = [
        ("sent", records.sent),
        ("acknowledged", records.acknowledged),
        ("unacknowledged", records.unacknowledged),
        ("consumed", records.consumed),
        ("lost", records.lost),
        ("duplicated", records.duplicated),
        ("reordered", records.reordered),
        ("corrupted", records.corrupted),
    ];
    for (name, count) in counts {
        line(name, count.to_string(), "records");
    }
    line("acknowledged rate", format!("{:.1}", result.rates.acknowledged_per_s), "records/s");
    let mut kinds = vec![
        ("produce", &result.produce_latency_us),
        ("end to end", &result.end_to_end_latency_us),
        ("fetch", &result.fetch_latency_us),
    ];
    if let Some(transactions) = &result.transactions {
        line("committed", transactions.committed.to_string(), "transactions");
        kinds.push(("commit", &transactions.commit_latency_us));
    }
    for (kind, percentiles) in kinds {
        for (name, us) in percentiles.named() {
            line(&format!("{kind} {name}"), format!("{us:.1}"), "us");
        }
    }
    let server = &result.server;
    let used = [
        ("server cpu", server.cpu_us_per_record, "us/record"),
        ("server memory", server.rss_mib, "MiB"),
        ("server disk writes", server.disk_bytes_per_record, "bytes/record"),
        ("server disk reads", server.disk_read_mib, "MiB"),
        ("server voluntary switches", server.voluntary_switches_per_record, "1/record"),
    ];
    for (name, value, unit) in used {
        line(name, optional(value), unit);
    }
    lines.join("\n") + "\n"
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

fn optional(value: Option<f64>) -> String {
    value.map_or_else(String::new, |value| format!("{value:.3}"))
}

fn intervals_csv(seconds: &[Second]) -> String {
    let mut csv = "second,sent,acknowledged,consumed".to_owned();
    for kind in ["produce", "end_to_end", "fetch"] {
        for (name, _) in Percentiles::default().named() {
            csv.push_str(&format!(",{kind}_{name}_us"));
        }
    }
    csv.push_str(",server_cpu_cores,server_rss_mib\n");
    for second in seconds {
        let Second { sent, acknowledged, consumed, .. } = second;
        csv.push_str(&format!("{:.3},{sent},{acknowledged},{consumed}", second.second));
        let kinds =
            [&second.produce_latency_us, &second.end_to_end_latency_us, &second.fetch_latency_us];
        for percentiles in kinds {
            for (_, us) in percentiles.named() {
                csv.push_str(&format!(",{us:.1}"));
            }
        }
        let (cores, rss) = (optional(second.server_cpu_cores), optional(second.server_rss_mib));
        csv.push_str(&format!(",{cores},{rss}\n"));
    }
    csv
}
