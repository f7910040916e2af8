//! Charts of the page as files of their own: SVG that carries its style, for a README.

use super::{STYLE, curve_chart, ladder};
use crate::compare::{Comparison, picture};
use crate::output::Named;

/// A picture for each durability: the 99th percentile by rate, or the percentiles where there is one rate.
pub fn pictures(comparison: &Comparison) -> Vec<Named> {
    let levels = comparison.levels.chunk_by(|one, other| one.durability == other.durability);
    let draw = |levels: &[crate::compare::Level]| {
        let figure = match levels {
            [level] => {
                let title = format!("Produce latency, durability {}", level.durability);
                curve_chart(&title, level, |side| &side.produce_curve)
            }
            _ => ladder::p99(levels),
        };
        let svg = standalone(&figure)?;
        Some((format!("{}.svg", picture(&levels[0].durability)), svg.into_bytes()))
    };
    levels.filter_map(draw).collect()
}

/// The SVG in a figure, with what it needs to stand alone; none where there was nothing to draw.
pub(super) fn standalone(figure: &str) -> Option<String> {
    let from = figure.find("<svg ")?;
    let (head, body) = figure[from..].split_once('>')?;
    let body = &body[..body.find("</svg>")?];
    Some(format!(
        "{head} xmlns=\"http://www.w3.org/2000/svg\" font-family=\"sans-serif\">\n<style>\n{STYLE}</style>\n\
         <rect width=\"100%\" height=\"100%\" style=\"fill: var(--paper)\"/>{body}</svg>\n"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_stands_alone() {
        let svg =
            standalone("<figure>\n<svg viewBox=\"0 0 1 1\"><text>a</text></svg>\n</figure>\n");
        let svg = svg.expect("a picture");
        assert!(
            svg.starts_with("<svg viewBox=\"0 0 1 1\" xmlns=")
                && svg.ends_with("<text>a</text></svg>\n")
        );
        assert!(svg.contains("--paper"), "{svg}");
        assert_eq!(standalone("<figure><figcaption>nothing</figcaption></figure>"), None);
    }
}
