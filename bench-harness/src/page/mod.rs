//! The page of a comparison: one HTML file that loads nothing from outside, readable on a screen, in the dark and on paper.

mod bars;
mod chart;
mod history;
mod ladder;
mod paper;
mod parts;
mod pictures;
mod png;
mod run;
mod text;
mod trend;

use crate::compare::{Comparison, Level};
use crate::result::{Point, RunResult};
use crate::terminal::{micros, thousands};

use chart::{Chart, Line};
use text::escape;

pub use history::history_page;
pub use paper::{page as paper_page, paper_pictures};
pub use pictures::pictures;
pub(crate) use text::date;

pub use run::{run_page, run_png};

const STYLE: &str = include_str!("style.css");

/// Where a result has the points of a curve.
type Curve = fn(&RunResult) -> &Vec<Point>;

/// The page.
pub fn page(comparison: &Comparison) -> String {
    let mut body = String::new();
    let title = title(comparison);
    body.push_str(&format!("<h1>{}</h1>\n", escape(&title)));
    body.push_str(&introduction(comparison));
    body.push_str(&problems(comparison));
    for levels in comparison.levels.chunk_by(|one, other| one.durability == other.durability) {
        match levels {
            [level] => body.push_str(&section(level)),
            _ => body.push_str(&ladder::ladder(levels, comparison)),
        }
    }
    body.push_str(&facts(comparison));
    document(&title, &body)
}

/// What a comparison is called.
fn title(comparison: &Comparison) -> String {
    let first = comparison.levels.first();
    let names: Vec<&str> = first
        .map_or_else(Vec::new, |level| level.sides.iter().map(|s| s.target.as_str()).collect());
    match names.as_slice() {
        [one, other] => format!("{one} beside {other}"),
        [one] => (*one).to_owned(),
        _ => "Nothing was measured".to_owned(),
    }
}

/// The figures of the page as PNG: of each durability the produce latency and what the brokers cost.
///
/// # Errors
/// A sentence: no font, or nothing was measured.
pub fn page_png(comparison: &Comparison) -> Result<Vec<u8>, String> {
    let levels = comparison.levels.chunk_by(|one, other| one.durability == other.durability);
    let figures = levels.flat_map(|levels| match levels {
        [level] => {
            let title = format!("Produce latency, durability {}", level.durability);
            vec![curve_chart(&title, level, |side| &side.produce_curve), bars::costs(level)]
        }
        _ => vec![ladder::p99(levels)],
    });
    png::png(&title(comparison), &figures.collect::<Vec<_>>())
}

/// The page of a sweep: latency by rate.
pub fn sweep_page(results: &[RunResult], bound_us: f64, highest: Option<f64>) -> String {
    let Some(first) = results.first() else { return document("Nothing was measured", "") };
    let title = format!("{}: latency by rate", first.target);
    let found = match highest {
        Some(rate) => format!("up to {} records a second", thousands(rate)),
        None => "at none of the rates that were tried".to_owned(),
    };
    let body = format!(
        "<h1>{}</h1>\n<p class=\"lead\">The 99th percentile stays below {} {found}; durability {}.</p>\n{}<p>{}</p>\n",
        escape(&title),
        micros(bound_us),
        escape(&first.durability),
        sweep_chart(results).draw(),
        escape(&first.host.sentence()),
    );
    document(&title, &body)
}

fn sweep_chart(results: &[RunResult]) -> Chart<'static> {
    let mut sorted: Vec<&RunResult> = results.iter().collect();
    sorted.sort_by(|one, other| one.rates.sent_per_s.total_cmp(&other.rates.sent_per_s));
    let line = |name: &str, of: fn(&RunResult) -> f64| Line {
        name: name.to_owned(),
        points: sorted
            .iter()
            .map(|result| (result.rates.asked_per_s.unwrap_or(0.0).log10(), of(result)))
            .collect(),
    };
    let rates = (0..=8).flat_map(|decade| [1.0, 2.0, 5.0].map(|digit| digit * 10f64.powi(decade)));
    Chart {
        title: "Produce latency by the rate that was asked for",
        x_label: "records a second",
        x_ticks: rates.map(|rate| (rate.log10(), thousands(rate))).collect(),
        lines: vec![
            line("p50", |result| result.produce_latency_us.p50),
            line("p99", |result| result.produce_latency_us.p99),
        ],
        is_continuous: true,
    }
}

/// The figure of a sweep as PNG.
///
/// # Errors
/// A sentence: no font, or nothing was measured.
pub fn sweep_png(results: &[RunResult]) -> Result<Vec<u8>, String> {
    let target = results.first().map_or("", |first| &first.target);
    png::png(&format!("{target}: latency by rate"), &[sweep_chart(results).draw()])
}

fn document(title: &str, body: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n{body}</main>\n</body>\n</html>\n",
        escape(title)
    )
}

fn introduction(comparison: &Comparison) -> String {
    let Some(side) = comparison.levels.first().and_then(|level| level.sides.first()) else {
        return String::new();
    };
    let rates =
        || comparison.levels.iter().filter_map(|level| level.sides.first()?.rates.asked_per_s);
    let most = rates().fold(0.0, f64::max);
    let load = match side.rates.asked_per_s {
        Some(rate) if most > rate => {
            format!("{} to {} records a second, rate by rate", thousands(rate), thousands(most))
        }
        Some(rate) => format!("{} records a second", thousands(rate)),
        None => {
            "as many records as it takes (a closed loop: latencies are those of a queue)".into()
        }
    };
    let setting = |name: &str| side.scenario[name].as_str().unwrap_or("?").to_owned();
    format!(
        "<p class=\"lead\">Each broker was sent {load}, {} each, over {} partitions, in {} rounds that took turns, on {}. \
         {}.</p>\n<p>Latency counts from the moment at which a record was <em>meant</em> to be sent, so a broker that \
         stalls delays every record of that time. Every record that was acknowledged was read back and verified.</p>\n",
        escape(&setting("record-size")),
        side.scenario["partitions"],
        comparison.rounds,
        escape(&date(side.started_ms)),
        escape(&capitalized(&comparison.placement.sentence)),
    )
}

fn capitalized(sentence: &str) -> String {
    let mut chars = sentence.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// What makes the figures unusable, in red; and what qualifies them.
fn problems(comparison: &Comparison) -> String {
    let mut items = Vec::new();
    if let Some(stopped) = &comparison.stopped {
        items.push(format!("the comparison ended early: {stopped}"));
    }
    for level in comparison.levels.iter().filter(|level| !level.is_usable()) {
        for side in &level.sides {
            let of = |sentence: &String| {
                let Level { durability, rate, .. } = level;
                format!("{}, {durability}, {rate} records/s: {sentence}", side.target)
            };
            items.extend(side.invalid.iter().map(of));
        }
    }
    if items.is_empty() {
        return String::new();
    }
    let items: String = items.iter().map(|item| format!("<li>{}</li>", escape(item))).collect();
    format!(
        "<div class=\"invalid\"><strong>These results are invalid.</strong><ul>{items}</ul></div>\n"
    )
}

fn section(level: &Level) -> String {
    format!("<section>\n{}{}</section>\n", heading(level), detail(level))
}

/// The heading of a durability, with what it promises.
fn heading(level: &Level) -> String {
    let promise = match level.durability.as_str() {
        "disk" => "an acknowledged record is on disk",
        "page-cache" => "an acknowledged record is in the memory of the broker's host",
        _ => "as the brokers are set up",
    };
    format!("<h2>Durability {}: {promise}</h2>\n", escape(&level.durability))
}

/// All of a level.
fn detail(level: &Level) -> String {
    let mut html = String::new();
    html.push_str(&verdict(level));
    let curves: [(&str, Curve); 2] = [
        ("Produce latency: until the record is acknowledged", |side| &side.produce_curve),
        ("End-to-end latency: until a reader has the record", |side| &side.end_to_end_curve),
    ];
    for (title, curve) in curves {
        html.push_str(&curve_chart(title, level, curve));
    }
    html.push_str(&time_chart(level));
    html.push_str(&parts::past(&level.sides));
    html.push_str(&parts::partitions(&level.sides));
    html.push_str(&parts::leaders(&level.sides));
    html.push_str(&bars::costs(level));
    html.push_str(&ratios(level));
    html
}

/// The two figures that most people look for, in words.
fn verdict(level: &Level) -> String {
    let [first, second] = level.sides.as_slice() else { return String::new() };
    let row = |side: &RunResult| {
        format!(
            "<strong>{}</strong> acknowledged half of the records within {}, 99 % within {}, and the slowest after {}",
            escape(&side.target),
            micros(side.produce_latency_us.p50),
            micros(side.produce_latency_us.p99),
            micros(side.produce_latency_us.max),
        )
    };
    format!("<p>{}; {}.</p>\n", row(first), row(second))
}

fn lines<'a>(level: &'a Level, points: impl Fn(&'a RunResult) -> Vec<(f64, f64)>) -> Vec<Line> {
    let line = |side: &'a RunResult| Line { name: side.target.clone(), points: points(side) };
    level.sides.iter().map(line).collect()
}

/// Where a quantile is drawn: the tail is what is looked at.
fn tail(quantile: f64) -> f64 {
    -(1.0 - quantile).log10()
}

const TAIL_TICKS: [(&str, f64); 6] = [
    ("50 %", 0.5),
    ("90 %", 0.9),
    ("99 %", 0.99),
    ("99.9 %", 0.999),
    ("99.99 %", 0.9999),
    ("99.999 %", 0.99999),
];

fn curve_chart(title: &str, level: &Level, curve: Curve) -> String {
    let points = |side| curve(side).iter().map(|point| (tail(point.quantile), point.us)).collect();
    Chart {
        title,
        x_label: "share of the records that were as fast or faster",
        x_ticks: TAIL_TICKS.map(|(name, quantile)| (tail(quantile), name.to_owned())).to_vec(),
        lines: lines(level, points),
        is_continuous: true,
    }
    .draw()
}

/// At most eleven round numbers of seconds.
fn seconds_ticks(lines: &[Line]) -> Vec<(f64, String)> {
    let end = lines.iter().flat_map(|line| &line.points).map(|(x, _)| *x).fold(0.0, f64::max);
    let step = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 5000.0]
        .into_iter()
        .find(|step| end / step <= 10.0)
        .unwrap_or(20_000.0);
    (0..=(end / step) as u32)
        .map(|tick| f64::from(tick) * step)
        .map(|at| (at, format!("{at}")))
        .collect()
}

fn time_chart(level: &Level) -> String {
    let points = |side: &RunResult| {
        side.intervals.iter().map(|at| (at.second, at.produce_latency_us.p99)).collect()
    };
    let lines = lines(level, points);
    Chart {
        title: "Produce latency over time: the 99th percentile of each second",
        x_label: "seconds of measured time, the rounds one after the other",
        x_ticks: seconds_ticks(&lines),
        lines,
        is_continuous: true,
    }
    .draw()
}

/// All figures: of two brokers side by side, or of one alone.
fn ratios(level: &Level) -> String {
    let [first, second] = level.sides.as_slice() else {
        return parts::facts_table(&level.figures_alone());
    };
    let mut html = format!(
        "<table>\n<caption>All figures: medians of the rounds. The ratio is that of {1} to {0}, round by round: the median, \
         and the lowest and highest.</caption>\n<thead><tr><th>figure</th><th>{0}</th><th>{1}</th><th>ratio</th></tr></thead>\n<tbody>\n",
        escape(&first.target),
        escape(&second.target),
    );
    for ratio in &level.ratios {
        html.push_str(&format!(
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
            escape(&ratio.figure),
            ratio.show(ratio.first),
            ratio.show(ratio.second),
            ratio.spread(),
        ));
    }
    html.push_str("</tbody>\n</table>\n");
    html
}

fn facts(comparison: &Comparison) -> String {
    let mut rows = parts::host_facts(&comparison.host);
    rows.push(("placement".into(), comparison.placement.sentence.clone()));
    let side = comparison.levels.first().and_then(|level| level.sides.first());
    rows.extend(side.into_iter().flat_map(parts::settings));
    for level in &comparison.levels {
        let name = format!("measured once more, {}, {} records/s", level.durability, level.rate);
        rows.extend(level.repeated.iter().map(|round| (name.clone(), round.clone())));
        for side in &level.sides {
            let name = format!("{}, {}", side.target, level.durability);
            rows.extend(side.warnings.iter().map(|note| (name.clone(), note.clone())));
        }
    }
    format!(
        "<section>\n<h2>Where and how</h2>\n{}{}\
         <p>Measured with ringlane-bench {}; <code>scenario.toml</code> beside this page repeats it: \
         <code>ringlane-bench compare --scenario scenario.toml --rounds {} --out again</code>. The latency logs \
         (<code>.hlog</code>) are HDR interval logs of version 2, in ns.</p>\n</section>\n",
        parts::facts_table(&rows),
        parts::findings(&comparison.host),
        env!("CARGO_PKG_VERSION"),
        comparison.rounds,
    )
}
