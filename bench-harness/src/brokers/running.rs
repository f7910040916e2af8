//! A process that was started here.

use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// How long a process may take to end once it was asked to.
const STOP_MAX: Duration = Duration::from_secs(20);

/// Ends the process when dropped: it is asked to, waited for, and killed when that takes too long.
pub(crate) struct Running {
    child: Child,
    /// The process that does the work, where the child only started it.
    worker: Option<u32>,
}

impl Running {
    /// Takes charge of `child`.
    pub(crate) fn new(child: Child) -> Self {
        Self { child, worker: None }
    }

    /// The same, where the child only started the process that does the work.
    pub(crate) fn worked_by(self, worker: u32) -> Self {
        let mut running = self;
        running.worker = Some(worker);
        running
    }

    /// The process that does the work.
    pub(crate) fn pid(&self) -> u32 {
        self.worker.unwrap_or_else(|| self.child.id())
    }

    /// Whether the child has ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.has_ended() {
            return;
        }
        let pid = self.pid().to_string();
        let signal = |name: &str| {
            let status = Command::new("kill").args([name, &pid]).status();
            status.is_ok_and(|status| status.success())
        };
        let asked = signal("-TERM");
        let deadline = Instant::now() + STOP_MAX;
        while asked && !self.has_ended() {
            if Instant::now() >= deadline {
                signal("-KILL");
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
