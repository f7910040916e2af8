//! `ringlane-bench paper`: the experiment of the paper that introduced Kafka.

use std::io::{self, IsTerminal};
use std::path::PathBuf;

use clap::Args;
use ringlane_reactor::allowed_cpus;

use super::failure::Failure;
use crate::brokers::now_ms;
use crate::paper::{self, Plan, System};
use crate::report::Colors;
use crate::units::Span;
use crate::workload::Durability;

/// Repeat the experiment of the paper that introduced Kafka (Kreps, Narkhede, Rao, 2011).
///
/// One producer sends ten million messages of 200 bytes, in batches of 1 and of 50; one consumer reads them; the bytes that they
/// took on disk are counted. At most 1,000 messages are unacknowledged. One broker after the other, each started here with a
/// data directory of its own, pinned to the same CPU, warmed up, at a durability that is equal by name, and asked through its
/// own protocol. Every message is checked when it is consumed.
///
/// The clients of brokers that do not speak Kafka's protocol are compiled with `--features paper`. A broker that is not
/// installed has a row that says how to install it.
///
/// The result is a directory: `index.html`, a page that needs nothing else, `summary.md` and pictures (SVG) for a README, and
/// `result.json`.
#[derive(Args)]
#[command(after_help = "Examples:
  ringlane-bench paper --out paper                               as in the paper; many minutes
  ringlane-bench paper --limit 10s --out paper                   each run sends for at most ten seconds
  ringlane-bench paper --only ringlane,kafka --durability disk --out paper-disk
  ringlane-bench paper --only redis --keep --out paper           one broker again, the others' rows stay")]
pub(super) struct Paper {
    /// Messages of each run.
    #[arg(long, value_name = "COUNT", default_value_t = 10_000_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    messages: u64,
    /// Which brokers; by default all.
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    only: Vec<System>,
    /// Where a message is when it is acknowledged: `page-cache`, as in the paper, or `disk`.
    #[arg(long, value_name = "WHERE,...", value_delimiter = ',', default_value = "page-cache")]
    durability: Vec<Durability>,
    /// Messages in a batch.
    #[arg(long, value_name = "COUNT,...", value_delimiter = ',', default_value = "1,50", value_parser = clap::value_parser!(u64).range(1..=1000))]
    batch: Vec<u64>,
    /// A run stops sending after this long, and its row says how many messages it sent.
    #[arg(long, value_name = "TIME", default_value = "60s")]
    limit: Span,
    /// The directory for the result; what is there of an earlier one is replaced, unless --keep is given.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Keep the rows of an earlier run in --out that this one does not measure: the experiment in pieces, on one page.
    #[arg(long)]
    keep: bool,
    /// Nothing but errors on standard error.
    #[arg(long, short)]
    quiet: bool,
}

impl Paper {
    pub(super) fn run(self) -> Result<(), Failure> {
        if self.durability.contains(&Durability::Target) {
            return Err(Failure::Usage(
                "--durability: brokers are compared at page-cache or disk".into(),
            ));
        }
        if self.limit.0.is_zero() {
            return Err(Failure::Usage("--limit: a run needs time".into()));
        }
        let plan = Plan {
            systems: if self.only.is_empty() { System::ALL.to_vec() } else { self.only },
            durabilities: self.durability,
            batches: self.batch,
            messages: self.messages,
            limit: self.limit,
            placement: paper::placement(&allowed_cpus()),
            out: self.out,
            keep: self.keep,
            quiet: self.quiet,
            started_ms: now_ms(),
        };
        let report = paper::run(&plan).map_err(Failure::Failed)?;
        print!("{}", paper::table(&report, Colors(io::stdout().is_terminal())));
        println!("page: {}", plan.out.join("index.html").display());
        match report.valid {
            true => Ok(()),
            false => {
                Err(Failure::Invalid(format!("a result in {} is invalid", plan.out.display())))
            }
        }
    }
}
