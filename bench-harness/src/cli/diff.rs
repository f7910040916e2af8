//! `ringlane-bench diff`: two results set against each other.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use clap::Args;
use ringlane_reactor::read_to_string;

use super::failure::Failure;
use crate::percentiles::Percentiles;
use crate::report::Colors;
use crate::result::RunResult;
use crate::terminal::{micros, thousands};

/// Set two results against each other: before and after a change, or one broker and another.
///
/// What was asked of them may differ; where it does, the settings that differ are told first. The ratio is that of the
/// second to the first. Results of unequal durability are refused.
#[derive(Args)]
#[command(after_help = "Example:
  ringlane-bench diff before after")]
pub(super) struct Diff {
    /// The directory of a result, or its result.json.
    first: PathBuf,
    /// The other.
    second: PathBuf,
}

impl Diff {
    pub(super) fn run(self) -> Result<(), Failure> {
        let (first, second) = (read(&self.first)?, read(&self.second)?);
        if first.durability != second.durability {
            return Err(Failure::Usage(format!(
                "{} acknowledged from {}, {} from {}: such figures are not set side by side",
                self.first.display(),
                first.durability,
                self.second.display(),
                second.durability
            )));
        }
        print!("{}", table(&first, &second, Colors(io::stdout().is_terminal())));
        match first.valid && second.valid {
            true => Ok(()),
            false => Err(Failure::Invalid("one of the results is invalid".into())),
        }
    }
}

fn read(path: &Path) -> Result<RunResult, Failure> {
    let file = match path.extension().is_some_and(|extension| extension == "json") {
        true => path.to_owned(),
        false => path.join("result.json"),
    };
    let failed = |error: &dyn std::fmt::Display| {
        Failure::Usage(format!("{} is no result: {error}", file.display()))
    };
    let text = read_to_string(&file).map_err(|error| failed(&error))?;
    serde_json::from_str(&text).map_err(|error| failed(&error))
}

fn table(first: &RunResult, second: &RunResult, colors: Colors) -> String {
    let mut text = String::new();
    let settings = first.scenario.as_object().into_iter().flatten();
    for (name, value) in settings.filter(|(name, value)| second.scenario[*name] != **value) {
        let line = format!("{name} differs: {value} and {}\n", second.scenario[name]);
        text.push_str(&colors.yellow(&line));
    }
    text.push_str(&format!(
        "  {:<20}{:>22}{:>22}{:>9}\n",
        "", first.target, second.target, "ratio"
    ));
    for (name, unit, of) in rows() {
        let (Some(one), Some(other)) = (of(first), of(second)) else { continue };
        let show = |value: f64| match unit {
            "us" => micros(value),
            _ => format!("{} {unit}", thousands(value)),
        };
        let ratio = if one > 0.0 { format!("{:.2}", other / one) } else { "-".to_owned() };
        text.push_str(&format!("  {name:<20}{:>22}{:>22}{ratio:>9}\n", show(one), show(other)));
    }
    for result in [first, second] {
        for sentence in &result.invalid {
            text.push_str(&colors.red(&format!("INVALID: {}: {sentence}\n", result.target)));
        }
    }
    text
}

type Row = (String, &'static str, Box<dyn Fn(&RunResult) -> Option<f64>>);

fn rows() -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for (at, (name, _)) in Percentiles::default().named().into_iter().enumerate() {
        let of = move |result: &RunResult| Some(result.produce_latency_us.named()[at].1);
        rows.push((format!("produce {name}"), "us", Box::new(of)));
    }
    for (at, (name, _)) in Percentiles::default().named().into_iter().enumerate() {
        let of = move |result: &RunResult| Some(result.end_to_end_latency_us.named()[at].1);
        rows.push((format!("end to end {name}"), "us", Box::new(of)));
    }
    rows.push(("fetch p50".into(), "us", Box::new(|result| Some(result.fetch_latency_us.p50))));
    rows.push(("fetch p99".into(), "us", Box::new(|result| Some(result.fetch_latency_us.p99))));
    let commit = |result: &RunResult| Some(result.transactions?.commit_latency_us.p50);
    rows.push(("commit p50".into(), "us", Box::new(commit)));
    let commit = |result: &RunResult| Some(result.transactions?.commit_latency_us.p99);
    rows.push(("commit p99".into(), "us", Box::new(commit)));
    rows.push((
        "acknowledged rate".into(),
        "records/s",
        Box::new(|result| Some(result.rates.acknowledged_per_s)),
    ));
    let cpu = |result: &RunResult| result.server.cpu_us_per_record;
    rows.push(("server CPU a record".into(), "us", Box::new(cpu)));
    rows.push(("server memory".into(), "MiB", Box::new(|result| result.server.rss_mib)));
    rows
}
