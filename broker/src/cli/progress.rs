//! What a long command tells on standard error: how far it is, and in the end what it has done.

use std::cell::Cell;
use std::io::{self, IsTerminal, Write};
use std::rc::Rc;
use std::time::Duration;

use ringlane_reactor::{Queue, Reactor, Task};

use super::output::tell;

/// Nothing is told before.
const QUIET: Duration = Duration::from_secs(2);
const INTERVAL: Duration = Duration::from_secs(1);

/// Counts records, and tells about them once it takes long.
pub(crate) struct Progress {
    counts: Rc<Counts>,
    _task: Task<()>,
}

#[derive(Default)]
struct Counts {
    records: Cell<u64>,
    bytes: Cell<u64>,
    told: Cell<bool>,
}

impl Progress {
    /// Counts from now on; `verb` is what happened to the records, as in "produced".
    pub(crate) fn new(reactor: &Reactor, verb: &'static str) -> Self {
        let counts = Rc::new(Counts::default());
        let (own, of) = (reactor.clone(), counts.clone());
        let task = reactor.spawn(Queue::Background, async move {
            own.sleep(QUIET).await;
            // A log file is not written over: it gets the end alone.
            while io::stderr().is_terminal() {
                of.told.set(true);
                let _ = write!(io::stderr(), "\r{verb} {}", of.text());
                let _ = io::stderr().flush();
                own.sleep(INTERVAL).await;
            }
        });
        Self { counts, _task: task }
    }

    /// One record more, of this many bytes.
    pub(crate) fn add(&self, bytes: usize) {
        self.counts.records.set(self.counts.records.get() + 1);
        self.counts.bytes.set(self.counts.bytes.get() + bytes as u64);
    }

    /// Records so far.
    pub(crate) fn records(&self) -> u64 {
        self.counts.records.get()
    }

    /// Tells the end: `verb`, how much, and `what`.
    pub(crate) fn end(self, verb: &str, what: &str) {
        let start = if self.counts.told.get() { "\r" } else { "" };
        tell(format!("{start}{verb} {} {what}", self.counts.text()));
    }
}

impl Counts {
    fn text(&self) -> String {
        let (records, bytes) = (self.records.get(), self.bytes.get());
        let noun = if records == 1 { "record" } else { "records" };
        format!("{records} {noun}, {}", in_units(bytes))
    }
}

fn in_units(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{bytes} bytes"),
        10_000..10_000_000 => format!("{:.1} KiB", bytes as f64 / 1024.0),
        _ => format!("{:.1} MiB", bytes as f64 / (1 << 20) as f64),
    }
}
