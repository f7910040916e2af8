//! `ringlane tune apply` and `revert`: what would be changed is shown, somebody agrees, and each change is told.

use std::io::{self, IsTerminal, Write};

use clap::Args;
use ringlane_tuning::{Applied, Outcome, Planned, Report, SAVED_FILE, apply, plan, revert};

use super::scope::{HostRoot, Scope};
use crate::cli::failure::Failure;
use crate::cli::output::print;

/// Change what `check` found, after asking, and after saving what is there. Until the next boot: run it from the unit.
#[derive(Args)]
pub(super) struct Apply {
    #[command(flatten)]
    scope: Scope,
    /// Show what would be changed, and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Do not ask.
    #[arg(long, short)]
    yes: bool,
}

/// Put back what `apply` has found, byte for byte.
#[derive(Args)]
pub(super) struct Revert {
    #[command(flatten)]
    root: HostRoot,
    /// Do not ask (on a terminal it does).
    #[arg(long, short)]
    yes: bool,
}

impl Apply {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let machine = self.scope.machine()?;
        let report = self.scope.check(&machine)?;
        let planned = plan(&machine.root, &report);
        print(summary(&report, &planned))?;
        if planned.is_empty() || self.dry_run {
            return Ok(());
        }
        if !self.yes && !agreed(&format!("change {}", files(planned.len())))? {
            return Err(Failure::Failed("nothing was changed".into()));
        }
        let applied = apply(&machine.root, planned)
            .map_err(|error| Failure::Failed(format!("nothing was changed: {error}")))?;
        tell(&applied, machine.root.is_machine())
    }
}

/// What became of the changes.
fn tell(applied: &[Applied], is_machine: bool) -> Result<(), Failure> {
    let mut failed = 0;
    for applied in applied {
        if let Outcome::Failed(why) = &applied.outcome {
            failed += 1;
            eprintln!("{}: not changed: {why}", applied.planned.change.path);
        }
    }
    let done = files(applied.len() - failed);
    print(format!(
        "changed {done}; {SAVED_FILE} keeps what was there for `ringlane tune revert`\n"
    ))?;
    if is_machine && applied.iter().any(|applied| applied.planned.change.makes_file) {
        print("for the unit: systemctl daemon-reload && systemctl restart ringlane\n")?;
    }
    match failed {
        0 => Ok(()),
        _ => Err(Failure::Failed(format!("{failed} of {} not changed", files(applied.len())))),
    }
}

/// What would be changed, and what is left to people.
fn summary(report: &Report, planned: &[Planned]) -> String {
    let mut text: String = planned.iter().map(line).collect();
    for (knob, row, sentence) in report.left_to_people() {
        text.push_str(&format!(
            "left to you: {} ({}: {}): {sentence}\n",
            knob.name, row.of, row.is
        ));
    }
    if report.is_well() {
        text.push_str("all is well: nothing to change\n");
    }
    text
}

fn files(count: usize) -> String {
    format!("{count} {}", if count == 1 { "file" } else { "files" })
}

/// One change as a line: where, from what, to what.
fn line(planned: &Planned) -> String {
    let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().replace(['\n', '\t'], " ");
    let was = match (&planned.was, &planned.blocked) {
        (_, Some(why)) => format!("({why})"),
        (Some(was), _) => shown(was),
        (None, _) => "(no file)".to_owned(),
    };
    let value = shown(planned.change.value.as_bytes());
    format!("{}: {}: {was} -> {value}\n", planned.knob, planned.change.path)
}

fn agreed(to: &str) -> Result<bool, Failure> {
    eprint!("{to}? [y/N] ");
    let _ = io::stderr().flush();
    let mut answer = String::new();
    let read = io::stdin().read_line(&mut answer);
    let read = read.map_err(|error| Failure::Failed(format!("cannot read the answer: {error}")))?;
    if read == 0 {
        eprintln!();
        return Err(Failure::Usage("nobody answered, nothing was changed: give --yes".into()));
    }
    Ok(["y", "yes"].contains(&answer.trim().to_ascii_lowercase().as_str()))
}

impl Revert {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let root = self.root.open()?;
        let asks = !self.yes && io::stdin().is_terminal();
        if asks && !agreed("put back what apply has found")? {
            return Err(Failure::Failed("nothing was changed".into()));
        }
        let reverted = revert(&root).map_err(|error| Failure::Failed(error.to_string()))?;
        if reverted.is_empty() {
            return print("nothing to put back\n");
        }
        let mut failed = 0;
        for reverted in &reverted {
            if let Some(why) = &reverted.failed {
                failed += 1;
                eprintln!("{}: not put back: {why}", reverted.path);
            }
        }
        print(format!("put back {}\n", files(reverted.len() - failed)))?;
        if failed > 0 {
            return Err(Failure::Failed(format!(
                "{} not put back; {SAVED_FILE} still keeps what was there",
                files(failed)
            )));
        }
        Ok(())
    }
}
