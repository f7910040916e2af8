//! `ringlane tune apply` and `revert`: what would be changed is shown, somebody agrees, and each change is told.

use std::io::{self, Write};

use clap::Args;
use ringlane_tuning::{Outcome, Planned, Report, SAVED_FILE, apply, plan, revert};

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
    /// Accepted for symmetry with apply: revert does not ask.
    #[arg(long, short, hide = true)]
    yes: bool,
}

impl Apply {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let machine = self.scope.machine()?;
        let report = self.scope.check(&machine)?;
        let planned = plan(&machine.root, &report);
        let mut text = String::new();
        for planned in &planned {
            text.push_str(&line(planned));
        }
        text.push_str(&left_to_you(&report));
        if report.is_well() {
            text.push_str("all is well: nothing to change\n");
        }
        print(text)?;
        if planned.is_empty() || self.dry_run {
            return Ok(());
        }
        if !self.yes && !agreed(planned.len())? {
            return Err(Failure::Failed("nothing was changed".into()));
        }
        let units = planned.iter().any(|planned| planned.change.makes_file);
        let applied = apply(&machine.root, planned)
            .map_err(|error| Failure::Failed(format!("nothing was changed: {error}")))?;
        let mut failed = 0;
        for applied in &applied {
            if let Outcome::Failed(why) = &applied.outcome {
                failed += 1;
                eprintln!("{}: not changed: {why}", applied.planned.change.path);
            }
        }
        let done = applied.len() - failed;
        print(format!(
            "changed {done} files; {SAVED_FILE} keeps what was there for `ringlane tune revert`\n"
        ))?;
        if units && machine.root.is_machine() {
            print("for the unit: systemctl daemon-reload && systemctl restart ringlane\n")?;
        }
        if failed > 0 {
            return Err(Failure::Failed(format!(
                "{failed} of {} files were not changed",
                applied.len()
            )));
        }
        Ok(())
    }
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

fn left_to_you(report: &Report) -> String {
    let mut text = String::new();
    for (knob, row, sentence) in report.left_to_people() {
        text.push_str(&format!(
            "left to you: {} ({}: {}): {sentence}\n",
            knob.name, row.of, row.is
        ));
    }
    text
}

fn agreed(count: usize) -> Result<bool, Failure> {
    eprint!("change {count} files? [y/N] ");
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
        print(format!("put back {} files\n", reverted.len() - failed))?;
        if failed > 0 {
            return Err(Failure::Failed(format!(
                "{failed} files were not put back; {SAVED_FILE} still keeps what they held"
            )));
        }
        Ok(())
    }
}
