//! `ringlane-bench history`: what past commits measured, and a line for the present one.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use ringlane_reactor::read_to_string;

use super::failure::Failure;
use crate::brokers::Commit;
use crate::history::record::{Plan, default_data, record};
use crate::history::{Entry, append, parse, table};
use crate::output;
use crate::page::history_page;
use crate::report::Colors;

/// The file of this work tree.
const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/history.jsonl");

/// Show what past commits measured, or measure the present one.
///
/// Each line of `bench-harness/history.jsonl` is a commit: what the standing scenarios (`bench-harness/standing/`) gave on
/// which host. Figures of different kinds of host are never set beside each other.
#[derive(Args)]
#[command(after_help = "Examples:
  cargo run --release -p ringlane-bench -- history record      measure the commit that is checked out (about four minutes)
  ringlane-bench history --out history.html                    the plots, in a page that needs nothing else
  ringlane-bench history --json | jq '.[-1].scenarios'")]
pub(super) struct History {
    #[command(subcommand)]
    command: Option<Command>,
    /// The history [default: that of the work tree this program was built from]
    #[arg(long, global = true, value_name = "FILE", hide_default_value = true, default_value = FILE)]
    file: PathBuf,
    /// Draw it: an HTML page that loads nothing from outside.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The entries as JSON on standard output, instead of a table.
    #[arg(long)]
    json: bool,
}

#[derive(Subcommand)]
enum Command {
    Record(Record),
}

/// Measure the commit that is checked out, and append a line.
///
/// Ringlane is built from it, pinned and measured as `compare` does it, each standing scenario --rounds times in turns. A
/// result that is invalid is recorded as such, and ends with code 3.
#[derive(Args)]
struct Record {
    /// How often each scenario is run
    #[arg(long, value_name = "COUNT", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=100))]
    rounds: u16,
    /// A folder for the broker's data while it is measured; it is removed [default: beside this program]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Nothing but errors on standard error.
    #[arg(long, short)]
    quiet: bool,
}

impl History {
    pub(super) fn run(self) -> Result<(), Failure> {
        let text = self.read()?;
        let entries = parse(&text)
            .map_err(|error| Failure::Usage(format!("{}: {error}", self.file.display())))?;
        match self.command {
            Some(Command::Record(record)) => record.run(&self.file, &text),
            None => self.show(&entries),
        }
    }

    /// The text of the file; nothing where there is none.
    fn read(&self) -> Result<String, Failure> {
        match read_to_string(&self.file) {
            Ok(text) => Ok(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
            Err(error) => Err(Failure::Usage(format!(
                "the history {} cannot be read: {error}",
                self.file.display()
            ))),
        }
    }

    fn show(&self, entries: &[Entry]) -> Result<(), Failure> {
        let text = match self.json {
            true => serde_json::to_string_pretty(entries).expect("plain values") + "\n",
            false => table(entries, Colors(io::stdout().is_terminal())),
        };
        // A reader that has seen enough closes the pipe: no failure.
        let _ = io::stdout().write_all(text.as_bytes());
        let Some(out) = &self.out else { return Ok(()) };
        write(out, history_page(entries).into_bytes())?;
        eprintln!("page: {}", out.display());
        Ok(())
    }
}

impl Record {
    fn run(self, file: &Path, before: &str) -> Result<(), Failure> {
        if cfg!(debug_assertions) {
            return Err(Failure::Usage(
                "a debug build measures nothing: `cargo run --release -p ringlane-bench -- history record`".into(),
            ));
        }
        // Cargo alone knows whether this program and the broker beside it are of the commit.
        if std::env::var_os("CARGO").is_none() {
            return Err(Failure::Usage(
                "run it with cargo, which builds what is checked out: `cargo run --release -p ringlane-bench -- history record`"
                    .into(),
            ));
        }
        let commit = Commit::checked_out().map_err(Failure::Failed)?;
        let program = std::env::current_exe().map_err(|error| {
            Failure::Failed(format!("this program's path is not known: {error}"))
        })?;
        let plan = Plan {
            rounds: usize::from(self.rounds),
            data: self.data.unwrap_or_else(|| default_data(&program)),
            quiet: self.quiet,
        };
        let entry = record(&plan, commit).map_err(Failure::Failed)?;
        write(file, append(before, &entry).into_bytes())?;
        print!("{}", table(std::slice::from_ref(&entry), Colors(io::stdout().is_terminal())));
        println!("\na line was appended to {}", file.display());
        match entry.scenarios.iter().find(|figures| !figures.valid) {
            None => Ok(()),
            Some(figures) => Err(Failure::Invalid(format!("{} is invalid", figures.scenario))),
        }
    }
}

/// Writes a file whole or not at all.
fn write(file: &Path, content: Vec<u8>) -> Result<(), Failure> {
    let no_file = || Failure::Usage(format!("{} names no file", file.display()));
    let name = file.file_name().and_then(|name| name.to_str()).ok_or_else(no_file)?;
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    output::write(folder, vec![(name.to_owned(), content)]).map_err(Failure::Failed)
}
