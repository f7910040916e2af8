//! What is shown in the terminal: progress while a run is under way, then a table and a histogram.

use std::cell::Cell;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use crate::generator::{Counts, Interval};
use crate::percentiles::Percentiles;

/// How progress is shown.
#[derive(Clone, Debug)]
pub struct Live {
    mode: Mode,
    /// What is being measured.
    name: String,
    /// When the last line was written, in ms of the run, and what was acknowledged then.
    shown: Cell<(u64, u64)>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mode {
    Quiet,
    /// One line, written over.
    Terminal,
    /// A line now and then.
    Log,
}

/// Between two updates.
const UPDATE_MS: u64 = 1_000;
const LOG_UPDATE_MS: u64 = 5_000;

impl Live {
    /// Shows nothing.
    pub fn quiet() -> Self {
        Self { mode: Mode::Quiet, name: String::new(), shown: Cell::default() }
    }

    /// Shows progress of `name` on standard error.
    pub fn new(name: &str) -> Self {
        let mode = if io::stderr().is_terminal() { Mode::Terminal } else { Mode::Log };
        Self { mode, name: name.to_owned(), shown: Cell::default() }
    }

    /// [`Self::new`], but nothing in a log, where the end of each run is told anyway.
    pub fn only_on_terminal(name: &str) -> Self {
        if io::stderr().is_terminal() { Self::new(name) } else { Self::quiet() }
    }

    /// Shows how far the run is, unless that was shown just now. The times: since the first record, left of the warm-up,
    /// and of the whole run.
    pub fn show(
        &self,
        (elapsed, warm_up_left, whole): &(Duration, Duration, Duration),
        counts: &Counts,
        interval: Option<&Interval>,
    ) {
        let now_ms = elapsed.as_millis() as u64;
        let period = if self.mode == Mode::Log { LOG_UPDATE_MS } else { UPDATE_MS };
        let (shown_ms, before) = self.shown.get();
        if self.mode == Mode::Quiet || now_ms < shown_ms + period {
            return;
        }
        let acknowledged = counts.acknowledged.all;
        self.shown.set((now_ms, acknowledged));
        let rate = (acknowledged - before) as f64 * 1e3 / (now_ms - shown_ms) as f64;
        let (at, whole) = (elapsed.as_secs(), whole.as_secs());
        let head = format!("{} {at:>3}/{whole} s  {} rec/s", self.name, thousands(rate));
        let tail = match interval.filter(|_| warm_up_left.is_zero()) {
            None => "warming up".to_owned(),
            Some(interval) => latencies_line(interval),
        };
        match self.mode {
            Mode::Terminal => eprint!("\r\x1b[K{head}  {tail}"),
            _ => eprintln!("{head}  {tail}"),
        }
        let _ = io::stderr().flush();
    }

    /// The run is over: the line is cleared.
    pub fn end(&self) {
        if self.mode == Mode::Terminal {
            eprint!("\r\x1b[K");
            let _ = io::stderr().flush();
        }
    }
}

fn latencies_line(interval: &Interval) -> String {
    let [produce, read, lag] =
        [&interval.produce, &interval.end_to_end, &interval.lag].map(Percentiles::of);
    format!(
        "produce p50 {} p99 {} max {}  end to end p50 {} p99 {}  lag p99 {}",
        micros(produce.p50),
        micros(produce.p99),
        micros(produce.max),
        micros(read.p50),
        micros(read.p99),
        micros(lag.p99),
    )
}

/// A latency in µs, in the unit that suits it; a dash where there was none.
pub fn micros(us: f64) -> String {
    match us {
        0.0 => "-".to_owned(),
        _ if us < 10.0 => format!("{us:.1} µs"),
        _ if us < 1_000.0 => format!("{us:.0} µs"),
        _ if us < 10_000.0 => format!("{:.2} ms", us / 1e3),
        _ if us < 1_000_000.0 => format!("{:.1} ms", us / 1e3),
        _ => format!("{:.2} s", us / 1e6),
    }
}

/// A whole number with separators.
pub fn thousands(number: f64) -> String {
    let digits = format!("{:.0}", number.abs());
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if number < 0.0 { format!("-{text}") } else { text }
}
