//! How far a command has come, on standard error, once it takes long.

use std::cell::Cell;
use std::io::{self, IsTerminal, Write};
use std::rc::Rc;
use std::time::Duration;

use ringlane_reactor::{Queue, Reactor, Task};

use crate::cli::output::tell;

/// Nothing is told before.
const QUIET: Duration = Duration::from_secs(2);
/// On a terminal, where the line is written over, and in a file, where it is not.
const INTERVAL: Duration = Duration::from_secs(1);
const INTERVAL_IN_FILE: Duration = Duration::from_secs(30);

/// Counts bytes read, and tells of them.
pub(super) struct Progress {
    bytes: Rc<Cell<u64>>,
    told: Rc<Cell<bool>>,
    _task: Task<()>,
}

impl Progress {
    /// Counts from now on, of `total_bytes` if that is known.
    pub(super) fn new(reactor: &Reactor, total_bytes: Option<u64>) -> Self {
        let (bytes, told) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(false)));
        let (own, read, tells) = (reactor.clone(), bytes.clone(), told.clone());
        let task = reactor.spawn(Queue::Client, async move {
            own.sleep(QUIET).await;
            let is_terminal = io::stderr().is_terminal();
            loop {
                let text = text(read.get(), total_bytes);
                if is_terminal {
                    tells.set(true);
                    let mut stderr = io::stderr();
                    let _ = write!(stderr, "\r{text}").and_then(|()| stderr.flush());
                } else {
                    tell(text);
                }
                own.sleep(if is_terminal { INTERVAL } else { INTERVAL_IN_FILE }).await;
            }
        });
        Self { bytes, told, _task: task }
    }

    /// So many bytes more.
    pub(super) fn add(&self, bytes: u64) {
        self.bytes.set(self.bytes.get() + bytes);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.told.get() {
            tell("");
        }
    }
}

fn text(bytes: u64, total: Option<u64>) -> String {
    let mib = |bytes: u64| bytes as f64 / (1 << 20) as f64;
    match total {
        Some(total) if total > 0 => {
            let percent = 100.0 * bytes as f64 / total as f64;
            format!("read {:.1} of {:.1} MiB ({percent:.0} %)", mib(bytes), mib(total))
        }
        _ => format!("read {:.1} MiB", mib(bytes)),
    }
}
