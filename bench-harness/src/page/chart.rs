//! A line chart in SVG: linear to the right, logarithmic upwards, as latencies need it. Its colours come from the page's
//! style sheet; lines also differ in their dashes, for paper and for those who see colours differently.

use std::fmt::Write;
use std::ops::RangeInclusive;

use super::text::escape;
use crate::terminal::micros;

/// A line: its name and its points, in µs upwards.
pub(super) struct Line {
    pub(super) name: String,
    pub(super) points: Vec<(f64, f64)>,
}

/// What is drawn.
pub(super) struct Chart<'a> {
    pub(super) title: &'a str,
    pub(super) x_label: &'a str,
    /// Where, and the name.
    pub(super) x_ticks: Vec<(f64, String)>,
    pub(super) lines: Vec<Line>,
    /// Whether there is something between two points: else they are dots.
    pub(super) is_continuous: bool,
}

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 392.0;
const LEFT: f64 = 84.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 56.0;
const BOTTOM: f64 = 62.0;
/// A character of a tick's name is at most so wide.
const TICK_CHARACTER: f64 = 8.5;

/// The ranges of a chart's values, and where they are drawn.
struct Frame {
    x: (f64, f64),
    /// Powers of ten.
    y: (f64, f64),
}

impl Frame {
    /// Around all points: from the first to the last of them, in steps of 1, 2, 5 upwards.
    fn around(lines: &[Line]) -> Option<Self> {
        let points = || lines.iter().flat_map(|line| &line.points).filter(|(_, y)| *y > 0.0);
        let low = points().map(|(_, y)| *y).reduce(f64::min)?;
        let high = points().map(|(_, y)| *y).reduce(f64::max)?;
        let first = points().map(|(x, _)| *x).reduce(f64::min)?;
        let last = points().map(|(x, _)| *x).reduce(f64::max)?;
        let below = steps().rfind(|step| *step <= low).unwrap_or(low);
        let above = steps().find(|step| *step >= high && *step > below).unwrap_or(high * 2.0);
        let last = if last > first { last } else { first + 1.0 };
        Some(Self { x: (first, last), y: (below.log10(), above.log10()) })
    }

    fn x(&self, value: f64) -> f64 {
        LEFT + (value - self.x.0) / (self.x.1 - self.x.0) * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, value: f64) -> f64 {
        let share = (value.log10() - self.y.0) / (self.y.1 - self.y.0);
        HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)
    }
}

/// Grid lines from 0.1 µs to 1,000 s.
fn steps() -> impl DoubleEndedIterator<Item = f64> {
    steps_in(-1..=9)
}

/// 1, 2, 5 in each of these decades.
pub(super) fn steps_in(decades: RangeInclusive<i32>) -> impl DoubleEndedIterator<Item = f64> {
    decades.flat_map(|decade| [1.0, 2.0, 5.0].map(|digit| digit * 10f64.powi(decade)))
}

/// How a figure of this width and height begins: with its title, so far from the left.
pub(super) fn open_figure(title: &str, (width, height): (f64, f64), left: f64) -> String {
    format!(
        "<figure>\n<svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{title}\">\n\
         <text class=\"title\" x=\"{left}\" y=\"18\">{title}</text>\n"
    )
}

/// In the place of a figure that would be empty.
pub(super) fn nothing(title: &str) -> String {
    format!("<figure><figcaption>{title}: nothing was measured</figcaption></figure>\n")
}

impl Chart<'_> {
    /// The figure as HTML.
    pub(super) fn draw(&self) -> String {
        let title = escape(self.title);
        let Some(frame) = Frame::around(&self.lines) else {
            return nothing(&title);
        };
        let mut svg = open_figure(&title, (WIDTH, HEIGHT), LEFT);
        self.draw_grid(&frame, &mut svg);
        for (number, line) in self.lines.iter().enumerate() {
            match self.is_continuous {
                true => draw_line(&frame, number, line, &mut svg),
                false => draw_dots(&frame, number, line, &mut svg),
            }
        }
        self.draw_legend(&mut svg);
        svg.push_str("</svg>\n</figure>\n");
        svg
    }

    fn draw_grid(&self, frame: &Frame, svg: &mut String) {
        let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        let is_inside = |step: &f64| (frame.y.0 - 1e-9..=frame.y.1 + 1e-9).contains(&step.log10());
        for step in steps().filter(is_inside) {
            let y = frame.y(step);
            let _ = writeln!(
                svg,
                "<line class=\"grid\" x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{right}\" y2=\"{y:.1}\"/>\
                 <text class=\"tick end\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                LEFT - 8.0,
                y + 4.0,
                tidy(&micros(step)),
            );
        }
        let is_inside = |(at, _): &&(f64, String)| (frame.x.0..=frame.x.1 + 1e-9).contains(at);
        let mut free_from = f64::MIN;
        for (at, name) in self.x_ticks.iter().filter(is_inside) {
            let x = frame.x(*at);
            let _ = write!(
                svg,
                "<line class=\"grid\" x1=\"{x:.1}\" y1=\"{TOP}\" x2=\"{x:.1}\" y2=\"{bottom}\"/>"
            );
            // Of ticks that are near each other the first has its name.
            let half = name.chars().count() as f64 * TICK_CHARACTER / 2.0;
            if x - half >= free_from {
                free_from = x + half + TICK_CHARACTER;
                // At the right edge it stays inside the figure.
                let (x, y, name) = (x.min(WIDTH - half), bottom + 18.0, escape(name));
                let _ = writeln!(
                    svg,
                    "<text class=\"tick middle\" x=\"{x:.1}\" y=\"{y:.1}\">{name}</text>"
                );
            }
        }
        let _ = writeln!(
            svg,
            "<text class=\"label middle\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            (LEFT + right) / 2.0,
            HEIGHT - 20.0,
            escape(self.x_label),
        );
    }

    fn draw_legend(&self, svg: &mut String) {
        for (number, line) in self.lines.iter().enumerate() {
            let x = LEFT + number as f64 * 220.0;
            let end = x + 34.0;
            let _ = match self.is_continuous {
                true => write!(
                    svg,
                    "<line class=\"line line-{number}\" x1=\"{x:.1}\" y1=\"37\" x2=\"{end:.1}\" y2=\"37\"/>"
                ),
                false => write!(
                    svg,
                    "<circle class=\"dot dot-{number}\" cx=\"{:.1}\" cy=\"37\" r=\"4\"/>",
                    end - 8.0
                ),
            };
            let name = escape(&line.name);
            let _ = writeln!(
                svg,
                "<text class=\"label\" x=\"{:.1}\" y=\"42\">{name}</text>",
                end + 8.0
            );
        }
    }
}

fn draw_line(frame: &Frame, number: usize, line: &Line, svg: &mut String) {
    let points = line.points.iter().filter(|(_, y)| *y > 0.0);
    let points: Vec<String> =
        points.map(|(x, y)| format!("{:.1},{:.1}", frame.x(*x), frame.y(*y))).collect();
    let _ =
        writeln!(svg, "<polyline class=\"line line-{number}\" points=\"{}\"/>", points.join(" "));
}

fn draw_dots(frame: &Frame, number: usize, line: &Line, svg: &mut String) {
    for (x, y) in line.points.iter().filter(|(_, y)| *y > 0.0) {
        let (x, y) = (frame.x(*x), frame.y(*y));
        let _ = writeln!(
            svg,
            "<circle class=\"dot dot-{number}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\"/>"
        );
    }
}

/// A step's name without the zeros that precision would need.
fn tidy(text: &str) -> String {
    match text.split_once(' ') {
        Some((number, unit)) if number.contains('.') => {
            format!("{} {unit}", number.trim_end_matches('0').trim_end_matches('.'))
        }
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(points: Vec<(f64, f64)>) -> String {
        let line = Line { name: "a <b>".into(), points };
        let x_ticks = vec![(0.0, "0".to_owned()), (1.0, "1".into()), (9.0, "beyond".into())];
        Chart { title: "t", x_label: "x", x_ticks, lines: vec![line], is_continuous: true }.draw()
    }

    #[test]
    fn points_lie_between_the_grid_lines_around_them() {
        let svg = chart(vec![(0.0, 150.0), (1.0, 9_000.0)]);
        assert!(svg.contains(">100 µs<") && svg.contains(">10 ms<"), "{svg}");
        assert!(!svg.contains("beyond") && svg.contains("a &lt;b&gt;"));
        let frame = Frame { x: (0.0, 1.0), y: (2.0, 4.0) };
        assert_eq!((frame.x(0.0), frame.x(1.0)), (LEFT, WIDTH - RIGHT));
        assert_eq!((frame.y(100.0), frame.y(10_000.0)), (HEIGHT - BOTTOM, TOP));
        assert!((frame.y(1_000.0) - (HEIGHT - BOTTOM + TOP) / 2.0).abs() < 1e-9);
    }

    #[test]
    fn names_of_ticks_do_not_lie_over_each_other() {
        let rates = [10_000.0, 17_000.0, 20_000.0, 30_000.0, 1_000_000.0f64];
        let x_ticks = rates.map(|rate| (rate.log10(), rate.to_string())).to_vec();
        let points = rates.map(|rate| (rate.log10(), 1_000.0)).to_vec();
        let lines = vec![Line { name: "a".into(), points }];
        let svg = Chart { title: "t", x_label: "x", x_ticks, lines, is_continuous: true }.draw();
        let named = rates.map(|rate| svg.contains(&format!(">{rate}<")));
        assert_eq!(named, [true, true, false, true, true], "{svg}");
    }

    #[test]
    fn a_long_name_at_the_edge_stays_inside() {
        let x_ticks = vec![(0.0, "0".to_owned()), (1.0, "1,000,000,000".into())];
        let lines = vec![Line { name: "a".into(), points: vec![(0.0, 70.0), (1.0, 70.0)] }];
        let svg = Chart { title: "t", x_label: "x", x_ticks, lines, is_continuous: true }.draw();
        let at = format!("x=\"{:.1}\" y=\"348.0\">1,000,000,000<", WIDTH - 6.5 * TICK_CHARACTER);
        assert!(svg.contains(&at), "{at} in {svg}");
    }

    #[test]
    fn a_chart_of_nothing_says_so() {
        assert!(chart(Vec::new()).contains("nothing was measured"));
        assert!(chart(vec![(0.5, 70.0)]).contains("polyline"), "a single point is drawn");
    }
}
