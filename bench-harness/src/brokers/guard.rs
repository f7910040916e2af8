//! A broker must not outlive the program that started it, however that ends: a process of its own waits for the end of this
//! one and then ends the broker.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};

/// Waits until its standard input ends without a word, and then runs its arguments.
const SCRIPT: &str = "read -r _ || exec \"$@\"";

/// A guard; dropping it sends it home, for by then the broker has been ended in order.
pub(super) struct Guard {
    process: Child,
    input: Option<ChildStdin>,
}

impl Guard {
    /// Runs `command` when this process ends before the guard is dropped.
    ///
    /// # Errors
    /// A sentence, when there is no shell.
    pub(super) fn new(command: &[&str]) -> Result<Self, String> {
        assert!(!command.is_empty(), "a guard has something to do");
        let mut shell = Command::new("sh");
        shell.args(["-c", SCRIPT, "ringlane-bench-guard"]).args(command);
        // In a group of its own it does not hear what is typed at the terminal, and outlives it.
        shell.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut process = shell.spawn().map_err(|error| format!("sh cannot be run: {error}"))?;
        let input = process.stdin.take();
        Ok(Self { process, input })
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(mut input) = self.input.take() {
            let _ = input.write_all(b"\n");
        }
        let _ = self.process.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a guard over a sleeping process leaves it alone when `ends_in_order`.
    fn survives(ends_in_order: bool) -> bool {
        let mut sleeper = Command::new("sleep").arg("60").spawn().expect("sleep");
        let mut guard = Guard::new(&["kill", &sleeper.id().to_string()]).expect("a shell");
        if !ends_in_order {
            // What the end of this process does to the pipe.
            guard.input = None;
        }
        drop(guard);
        let survives = sleeper.try_wait().expect("our child").is_none();
        if survives && !ends_in_order {
            // The signal is sent, and on its way.
            return sleeper.wait().is_ok_and(|status| status.success());
        }
        let _ = sleeper.kill();
        let _ = sleeper.wait();
        survives
    }

    #[test]
    fn a_broker_is_ended_unless_all_went_in_order() {
        assert!(survives(true));
        assert!(!survives(false));
    }
}
