//! A comparison as Markdown: for a README, an issue, a mail.

use std::fmt::Write;

use super::{Comparison, Level, Ratio};
use crate::page::date;
use crate::terminal::thousands;
use crate::units::Rate;

/// The figures that a reader of many rates is told at each of them.
const LADDER: [&str; 5] =
    ["produce p50", "produce p99", "produce p99.9", "end to end p99", "broker CPU"];

/// The text.
pub fn summary(comparison: &Comparison) -> String {
    let Some(side) = comparison.levels.first().and_then(|level| level.sides.first()) else {
        return "Nothing was measured.\n".into();
    };
    let names: Vec<&str> =
        comparison.levels[0].sides.iter().map(|side| side.target.as_str()).collect();
    let setting = |name: &str| side.scenario[name].as_str().unwrap_or("?").to_owned();
    let mut text = format!(
        "# {}\n\n`{}`, {}.\n\nOn {}; {}. Records of {} over {} partitions; {} rounds of {} in turns at each rate, each after the \
         disk had done what the last one left to it. Latency counts from the moment at which a record was meant to be sent; every acknowledged record was read back and verified.\n",
        names.join(" beside "),
        comparison.command,
        date(side.started_ms),
        comparison.host.sentence(),
        comparison.placement.sentence,
        setting("record-size"),
        side.scenario["partitions"],
        comparison.rounds,
        setting("duration"),
    );
    if let Some(stopped) = &comparison.stopped {
        let _ = write!(text, "\n**It ended early**: {stopped}.\n");
    }
    for levels in comparison.levels.chunk_by(|one, other| one.durability == other.durability) {
        let durability = &levels[0].durability;
        let _ =
            write!(text, "\n## Durability {durability}\n\n![]({}.svg)\n\n", picture(durability));
        match levels {
            [level] => whole(level, &names, &mut text),
            _ => ladder(levels, &names, &mut text),
        }
        for end in comparison.ends.iter().filter(|end| end.durability == *durability) {
            let _ = write!(text, "\n{}.\n", capitalized(&end.sentence));
        }
        for level in levels {
            for round in &level.repeated {
                let _ =
                    write!(text, "\nMeasured once more at {} records/s: {round}.\n", rate(level));
            }
        }
        problems(levels, &mut text);
    }
    text
}

/// The name of a durability's picture.
pub(crate) fn picture(durability: &str) -> String {
    format!("latency-{durability}")
}

fn whole(level: &Level, names: &[&str], text: &mut String) {
    if let [name] = names {
        let _ = writeln!(text, "At {} records a second:\n\n| | {name} |\n|---|---|", rate(level));
        for (figure, value) in level.figures_alone() {
            let _ = writeln!(text, "| {figure} | {value} |");
        }
        return;
    }
    let _ = writeln!(
        text,
        "At {} records a second:\n\n| | {} | ratio (lowest-highest) |\n|---|{}---|",
        rate(level),
        names.join(" | "),
        "---|".repeat(names.len()),
    );
    for ratio in &level.ratios {
        let (first, second) = (ratio.show(ratio.first), ratio.show(ratio.second));
        let _ = writeln!(text, "| {} | {first} | {second} | {} |", ratio.figure, ratio.spread());
    }
}

/// A row for each rate, each cell with the figures of both.
fn ladder(levels: &[Level], names: &[&str], text: &mut String) {
    let _ = writeln!(
        text,
        "Each cell: {}; in the last column the second's p99 over the first's (lowest-highest).\n\n| records/s | {} | ratio of p99 |\n|---|{}---|",
        names.join(" / "),
        LADDER.join(" | "),
        "---|".repeat(LADDER.len()),
    );
    for level in levels {
        let find = |figure: &str| level.ratios.iter().find(|ratio| ratio.figure == figure);
        let both =
            |ratio: &Ratio| format!("{} / {}", ratio.show(ratio.first), ratio.show(ratio.second));
        let cells = LADDER.map(|figure| find(figure).map_or_else(|| "–".into(), both));
        let spread = find("produce p99").map_or_else(|| "–".into(), Ratio::spread);
        let mark = if level.is_limit { " (not held)" } else { "" };
        let _ = writeln!(text, "| {}{mark} | {} | {spread} |", rate(level), cells.join(" | "));
    }
}

fn rate(level: &Level) -> String {
    match level.rate.parse() {
        Ok(Rate::PerSecond(rate)) => thousands(rate),
        _ => level.rate.clone(),
    }
}

fn problems(levels: &[Level], text: &mut String) {
    for level in levels.iter().filter(|level| !level.is_usable()) {
        for side in &level.sides {
            for sentence in &side.invalid {
                let rate = rate(level);
                let _ = write!(
                    text,
                    "\n**Invalid**: {} at {rate} records/s: {sentence}.\n",
                    side.target
                );
            }
        }
    }
}

fn capitalized(sentence: &str) -> String {
    let mut chars = sentence.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
