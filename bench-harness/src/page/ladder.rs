//! Several rates at one durability: latency by rate, a table, and each rate in detail for who wants it.

use super::chart::{Chart, Line};
use super::text::escape;
use super::{detail, heading};
use crate::compare::{Comparison, Level};
use crate::result::RunResult;
use crate::terminal::{micros, thousands};
use crate::units::Rate;

/// The section of `levels`, which are of one durability.
pub(super) fn ladder(levels: &[Level], comparison: &Comparison) -> String {
    let mut html = format!("<section>\n{}", heading(&levels[0]));
    for end in comparison.ends.iter().filter(|end| end.durability == levels[0].durability) {
        html.push_str(&format!("<p>What the climb found: {}.</p>\n", escape(&end.sentence)));
    }
    html.push_str(&chart(levels, "median", |side| side.produce_latency_us.p50));
    html.push_str(&p99(levels));
    html.push_str(&table(levels));
    for level in levels {
        let verdict = if level.is_limit { ", which did not hold" } else { "" };
        html.push_str(&format!(
            "<details>\n<summary>{} records a second in detail{verdict}</summary>\n{}</details>\n",
            rate(level),
            detail(level),
        ));
    }
    html + "</section>\n"
}

/// The 99th percentile by rate.
pub(super) fn p99(levels: &[Level]) -> String {
    chart(levels, "99th percentile", |side| side.produce_latency_us.p99)
}

fn chart(levels: &[Level], what: &str, of: fn(&RunResult) -> f64) -> String {
    let at = |level: &Level| match level.rate.parse() {
        Ok(Rate::PerSecond(rate)) => rate.log10(),
        _ => 0.0,
    };
    let line = |number: usize, side: &RunResult| Line {
        name: side.target.clone(),
        points: levels
            .iter()
            .filter_map(|level| Some((at(level), of(level.sides.get(number)?))))
            .collect(),
    };
    let sides = &levels[0].sides;
    Chart {
        title: &format!("Produce latency by rate: the {what}, durability {}", levels[0].durability),
        x_label: "records a second that were asked for",
        x_ticks: levels.iter().map(|level| (at(level), rate(level))).collect(),
        is_continuous: true,
        lines: sides.iter().enumerate().map(|(number, side)| line(number, side)).collect(),
    }
    .draw()
}

fn rate(level: &Level) -> String {
    match level.rate.parse() {
        Ok(Rate::PerSecond(rate)) => thousands(rate),
        _ => level.rate.clone(),
    }
}

fn table(levels: &[Level]) -> String {
    let mut html = "<table class=\"rates\">\n<thead><tr><th>records a second</th><th>broker</th><th>p50</th><th>p99</th><th>p99.9</th>\
                    <th>slowest</th><th>end to end p99</th><th>CPU a record</th></tr></thead>\n<tbody>\n"
        .to_owned();
    for level in levels {
        for (number, side) in level.sides.iter().enumerate() {
            let produce = &side.produce_latency_us;
            let cpu = side
                .server
                .cpu_us_per_record
                .map_or_else(|| "–".into(), |us| format!("{us:.1} µs"));
            let target = match side.valid {
                true => escape(&side.target),
                false => format!("{} (did not hold)", escape(&side.target)),
            };
            html.push_str(&format!(
                "<tr><td>{}</td><td>{target}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{cpu}</td></tr>\n",
                if number == 0 { rate(level) } else { String::new() },
                micros(produce.p50),
                micros(produce.p99),
                micros(produce.p99_9),
                micros(produce.max),
                micros(side.end_to_end_latency_us.p99),
            ));
        }
    }
    html + "</tbody>\n</table>\n"
}
