//! What each broker cost, as bars: CPU time a record and memory.

use std::fmt::Write;

use super::text::escape;
use crate::compare::Level;
use crate::result::RunResult;

/// A figure: its title, unit, digits behind the point, and where it is.
type Figure = (&'static str, &'static str, usize, fn(&RunResult) -> Option<f64>);

const FIGURES: [Figure; 2] = [
    ("CPU time of the broker a record", "µs", 1, |side| side.server.cpu_us_per_record),
    ("Memory of the broker", "MiB", 0, |side| side.server.rss_mib),
];

const WIDTH: f64 = 900.0;
const BAR_LEFT: f64 = 150.0;
const BAR_WIDTH_MAX: f64 = 600.0;
const ROW: f64 = 30.0;

/// The figures of a level.
pub(super) fn costs(level: &Level) -> String {
    let height = FIGURES.len() as f64 * (34.0 + ROW * level.sides.len() as f64) + 8.0;
    let mut svg = format!(
        "<figure>\n<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"CPU and memory of the brokers\">\n"
    );
    let mut y = 18.0;
    for figure in FIGURES {
        draw(&figure, level, y, &mut svg);
        y += 34.0 + ROW * level.sides.len() as f64;
    }
    svg.push_str("</svg>\n</figure>\n");
    svg
}

fn draw((title, unit, digits, pick): &Figure, level: &Level, top: f64, svg: &mut String) {
    let _ = writeln!(svg, "<text class=\"title\" x=\"0\" y=\"{top:.1}\">{title}</text>");
    let values: Vec<f64> = level.sides.iter().filter_map(pick).collect();
    let most = values.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    for (number, side) in level.sides.iter().enumerate() {
        let y = top + 14.0 + ROW * number as f64;
        let value = pick(side);
        let width = value.map_or(0.0, |value| (value / most * BAR_WIDTH_MAX).max(1.0));
        let label = value.map_or_else(
            || "the kernel does not tell".to_owned(),
            |value| format!("{value:.digits$} {unit}"),
        );
        let _ = writeln!(
            svg,
            "<text class=\"label end\" x=\"{:.1}\" y=\"{:.1}\">{}</text>\
             <rect class=\"bar bar-{number}\" x=\"{BAR_LEFT}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"20\"/>\
             <text class=\"label\" x=\"{:.1}\" y=\"{:.1}\">{label}</text>",
            BAR_LEFT - 10.0,
            y + 15.0,
            escape(&side.target),
            BAR_LEFT + width + 8.0,
            y + 15.0,
        );
    }
}
