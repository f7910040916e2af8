//! A plot of figures by commit in SVG: points that stand apart evenly, joined by a line, each with a tip. Colours come from
//! the page's style sheet.

use std::fmt::Write;

use super::chart::{nothing, open_figure, steps_in};
use super::text::escape;

/// How values lie upwards.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Scale {
    /// From zero.
    Linear,
    /// For what spans decades; what is not above zero is left out.
    Logarithmic,
}

/// A point.
pub(super) struct Mark {
    /// In which column.
    pub(super) at: usize,
    pub(super) value: f64,
    /// The lowest and highest of what the value stands for.
    pub(super) range: Option<(f64, f64)>,
    /// Hollow otherwise.
    pub(super) is_valid: bool,
    /// Shown under the pointer.
    pub(super) tip: String,
}

/// Points that belong together.
pub(super) struct Series {
    pub(super) name: String,
    pub(super) marks: Vec<Mark>,
}

/// What is drawn.
pub(super) struct Trend<'a> {
    pub(super) title: &'a str,
    pub(super) scale: Scale,
    /// Their names, from the left.
    pub(super) columns: Vec<String>,
    pub(super) series: Vec<Series>,
    /// A value with its unit.
    pub(super) show: fn(f64) -> String,
}

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 280.0;
const LEFT: f64 = 84.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 44.0;
const BOTTOM: f64 = 40.0;
/// Names below the columns that have room.
const NAMES_MAX: usize = 10;

/// The range of values, and where they are drawn.
struct Frame {
    scale: Scale,
    low: f64,
    high: f64,
    columns: usize,
}

impl Frame {
    fn around(trend: &Trend<'_>) -> Option<Self> {
        let marks = trend.series.iter().flat_map(|series| &series.marks);
        let values = marks.flat_map(|mark| {
            let (low, high) = mark.range.unwrap_or((mark.value, mark.value));
            [low, mark.value, high]
        });
        let values: Vec<f64> = values.filter(|value| *value > 0.0).collect();
        let low = values.iter().copied().reduce(f64::min)?;
        let high = values.iter().copied().reduce(f64::max)?;
        let above = steps().find(|step| *step >= high).unwrap_or(high);
        let low = match trend.scale {
            Scale::Linear => 0.0,
            Scale::Logarithmic => steps().rfind(|step| *step < low).unwrap_or(low / 2.0),
        };
        Some(Self { scale: trend.scale, low, high: above, columns: trend.columns.len() })
    }

    fn x(&self, column: usize) -> f64 {
        LEFT + (column as f64 + 0.5) / self.columns as f64 * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, value: f64) -> f64 {
        let of = |value: f64| match self.scale {
            Scale::Linear => value,
            Scale::Logarithmic => value.log10(),
        };
        let share = (of(value) - of(self.low)) / (of(self.high) - of(self.low));
        HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)
    }

    /// Where grid lines go.
    fn grid(&self) -> Vec<f64> {
        match self.scale {
            Scale::Linear => (0..=4).map(|quarter| self.high * f64::from(quarter) / 4.0).collect(),
            Scale::Logarithmic => {
                steps().filter(|step| (self.low..=self.high).contains(step)).collect()
            }
        }
    }
}

/// 1, 2, 5, 10, ... from a thousandth to a thousand million.
fn steps() -> impl DoubleEndedIterator<Item = f64> {
    steps_in(-3..=9)
}

impl Trend<'_> {
    /// The figure as HTML.
    pub(super) fn draw(&self) -> String {
        let title = escape(self.title);
        let Some(frame) = Frame::around(self) else {
            return nothing(&title);
        };
        let mut svg = open_figure(&title, (WIDTH, HEIGHT), LEFT);
        self.draw_grid(&frame, &mut svg);
        for (number, series) in self.series.iter().enumerate() {
            draw_series(&frame, number, series, &mut svg);
        }
        svg.push_str("</svg>\n</figure>\n");
        svg
    }

    fn draw_grid(&self, frame: &Frame, svg: &mut String) {
        for value in frame.grid() {
            let y = frame.y(value);
            let label = if value == 0.0 { "0".to_owned() } else { (self.show)(value) };
            let _ = writeln!(
                svg,
                "<line class=\"grid\" x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{}\" y2=\"{y:.1}\"/>\
                 <text class=\"tick end\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                WIDTH - RIGHT,
                LEFT - 8.0,
                y + 4.0,
                escape(&label),
            );
        }
        let stride = self.columns.len().div_ceil(NAMES_MAX).max(1);
        for (column, name) in self.columns.iter().enumerate().step_by(stride) {
            let _ = writeln!(
                svg,
                "<text class=\"tick middle\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                frame.x(column),
                HEIGHT - BOTTOM + 20.0,
                escape(name),
            );
        }
        for (number, series) in self.series.iter().enumerate().filter(|_| self.series.len() > 1) {
            let x = LEFT + number as f64 * 110.0;
            let _ = writeln!(
                svg,
                "<line class=\"line trend-{number}\" x1=\"{x:.1}\" y1=\"32\" x2=\"{:.1}\" y2=\"32\"/>\
                 <text class=\"label\" x=\"{:.1}\" y=\"36\">{}</text>",
                x + 24.0,
                x + 32.0,
                escape(&series.name),
            );
        }
    }
}

fn draw_series(frame: &Frame, number: usize, series: &Series, svg: &mut String) {
    let drawn = || {
        let is_drawn = |value: f64| value > 0.0 || frame.scale == Scale::Linear;
        series.marks.iter().filter(move |mark| is_drawn(mark.value))
    };
    let points: Vec<String> =
        drawn().map(|mark| format!("{:.1},{:.1}", frame.x(mark.at), frame.y(mark.value))).collect();
    let _ =
        writeln!(svg, "<polyline class=\"line trend-{number}\" points=\"{}\"/>", points.join(" "));
    for mark in drawn() {
        let x = frame.x(mark.at);
        if let Some((low, high)) = mark.range.filter(|(low, _)| *low > 0.0) {
            let _ = writeln!(
                svg,
                "<line class=\"range trend-{number}\" x1=\"{x:.1}\" y1=\"{:.1}\" x2=\"{x:.1}\" y2=\"{:.1}\"/>",
                frame.y(low),
                frame.y(high),
            );
        }
        let hollow = if mark.is_valid { "" } else { " hollow" };
        let _ = writeln!(
            svg,
            "<circle class=\"dot trend-{number}{hollow}\" cx=\"{x:.1}\" cy=\"{:.1}\" r=\"4.5\"><title>{}</title></circle>",
            frame.y(mark.value),
            escape(&mark.tip),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trend(scale: Scale, values: &[f64]) -> Trend<'static> {
        let mark = |(at, value): (usize, &f64)| Mark {
            at,
            value: *value,
            range: None,
            is_valid: true,
            tip: String::new(),
        };
        let marks = values.iter().enumerate().map(mark).collect();
        Trend {
            title: "t",
            scale,
            columns: values.iter().map(ToString::to_string).collect(),
            series: vec![Series { name: "s".into(), marks }],
            show: |value| value.to_string(),
        }
    }

    #[test]
    fn values_lie_between_the_grid_lines_around_them() {
        let frame = Frame::around(&trend(Scale::Logarithmic, &[150.0, 9_000.0])).expect("values");
        assert_eq!((frame.low, frame.high), (100.0, 10_000.0));
        assert_eq!((frame.y(100.0), frame.y(10_000.0)), (HEIGHT - BOTTOM, TOP));
        assert!((frame.y(1_000.0) - (HEIGHT - BOTTOM + TOP) / 2.0).abs() < 1e-9);
        let frame = Frame::around(&trend(Scale::Linear, &[3.0, 4.0])).expect("values");
        assert_eq!((frame.y(0.0), frame.y(5.0)), (HEIGHT - BOTTOM, TOP));
        assert!(frame.x(0) > LEFT && frame.x(1) < WIDTH - RIGHT && frame.x(0) < frame.x(1));
    }

    #[test]
    fn a_single_commit_is_seen_and_many_have_room() {
        assert_eq!(trend(Scale::Logarithmic, &[70.0]).draw().matches("<circle").count(), 1);
        let many = vec![70.0; 95];
        assert_eq!(trend(Scale::Linear, &many).draw().matches("tick middle").count(), 10);
        assert!(trend(Scale::Linear, &[]).draw().contains("nothing was measured"));
    }
}
