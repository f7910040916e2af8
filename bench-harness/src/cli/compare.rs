//! `ringlane-bench compare`: brokers side by side on this host.

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use ringlane_reactor::allowed_cpus;

use super::failure::Failure;
use super::run::{PICTURE, load, load_settings, read_sample};
use crate::brokers::Kind;
use crate::compare::{self, Comparison, Placement, Plan};
use crate::output;
use crate::page::{page, page_png};
use crate::report::Colors;
use crate::settings::Settings;
use crate::terminal::thousands;
use crate::units::Span;
use crate::workload::Durability;

/// Start Ringlane and stock Apache Kafka on this host and measure them side by side.
///
/// Ringlane is the one of this build; Kafka is fetched with Maven when it is not there and needs Java 17. Both are pinned
/// to the same CPUs, warmed up, and measured in turns with the same scenario, once for each durability: `page-cache` (an
/// acknowledged record is in memory, Kafka's default) and `disk` (it is on disk, Ringlane's default; Kafka with
/// flush.messages=1). Figures of unequal durability are never set side by side.
///
/// The result is a directory: `index.html`, a page that needs nothing else, `compare.json` with the ratios, and for each
/// durability and broker what `run` writes, over all rounds and for each round.
#[derive(Args)]
#[command(after_help = "Examples:
  ringlane-bench compare --quick --out quick          about two minutes; then open quick/index.html
  ringlane-bench compare --out full                   five rounds of a minute each
  ringlane-bench compare --rate 20k --durability disk --rounds 3 --out durable")]
pub(super) struct Compare {
    /// Two short rounds, to be seen within three minutes.
    #[arg(long)]
    quick: bool,
    /// Which brokers, in this order; by default both.
    #[arg(long = "target", value_name = "BROKER")]
    targets: Vec<Kind>,
    /// A scenario file (TOML); flags win over it.
    #[arg(long, value_name = "FILE")]
    scenario: Option<PathBuf>,
    /// The directory for the result; what is there of an earlier one is replaced.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// How often each broker is measured [default: 5, quick: 2]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=1000))]
    rounds: Option<u16>,
    /// Write the page's curves as `curves.png` besides, for a README.
    #[arg(long)]
    png: bool,
    /// Nothing but errors on standard error.
    #[arg(long, short)]
    quiet: bool,
    #[command(flatten)]
    settings: Settings,
}

impl Compare {
    pub(super) fn run(self) -> Result<(), Failure> {
        let png = self.png;
        let plan = self.plan()?;
        let comparison = compare::run(&plan).map_err(Failure::Failed)?;
        let colors = Colors(io::stdout().is_terminal());
        print!("{}", table(&comparison, colors));
        let json = serde_json::to_vec_pretty(&comparison).expect("plain values");
        let html = page(&comparison).into_bytes();
        let files = vec![("compare.json".into(), json), ("index.html".into(), html)];
        output::write(&plan.out, files).map_err(Failure::Failed)?;
        if png {
            let picture = page_png(&comparison).map_err(Failure::Failed)?;
            output::write(&plan.out, vec![(PICTURE.into(), picture)]).map_err(Failure::Failed)?;
        }
        println!("page: {}", plan.out.join("index.html").display());
        match (&comparison.stopped, comparison.valid) {
            (Some(sentence), _) => Err(Failure::Failed(format!(
                "{sentence}; what was measured before is in {}",
                plan.out.display()
            ))),
            (None, false) => {
                Err(Failure::Invalid(format!("a result in {} is invalid", plan.out.display())))
            }
            (None, true) => Ok(()),
        }
    }

    fn plan(self) -> Result<Plan, Failure> {
        let seconds = |seconds| Some(Span(Duration::from_secs(seconds)));
        let defaults = match self.quick {
            true => Settings { warm_up: seconds(2), duration: seconds(10), ..Settings::default() },
            false => {
                Settings { warm_up: seconds(10), duration: seconds(60), ..Settings::default() }
            }
        };
        let file = load_settings(self.scenario.as_deref())?;
        let scenario = load(self.settings.or(file).or(defaults), None)?;
        let levels = match scenario.durability {
            Durability::Target => vec![Durability::PageCache, Durability::Disk],
            named => vec![named],
        };
        let kinds = match self.targets.len() {
            0 => vec![Kind::Ringlane, Kind::Kafka],
            _ => self.targets,
        };
        if kinds.len() > 2 || (kinds.len() == 2 && kinds[0] == kinds[1]) {
            return Err(Failure::Usage("--target: name each broker once".into()));
        }
        let sample = read_sample(&scenario)?;
        Ok(Plan {
            kinds,
            levels,
            rounds: usize::from(self.rounds.unwrap_or(if self.quick { 2 } else { 5 })),
            warm_up: Span(Duration::from_secs(if self.quick { 5 } else { 30 })),
            scenario,
            sample,
            placement: Placement::of(&allowed_cpus()),
            out: self.out,
            quiet: self.quiet,
        })
    }
}

/// The ratios as text.
fn table(comparison: &Comparison, colors: Colors) -> String {
    let mut text = format!("{}\n{}\n", comparison.host.sentence(), comparison.placement.sentence);
    if let Some(tuning) = &comparison.host.tuning {
        text.push_str(&format!("{}\n", tuning.sentence()));
    }
    for level in &comparison.levels {
        let names: Vec<&str> = level.sides.iter().map(|side| side.target.as_str()).collect();
        let samples = level.sides.first().map_or(0, |side| side.records.acknowledged);
        text.push_str(&format!(
            "\ndurability {}, {} rounds, {} records each\n",
            level.durability,
            comparison.rounds,
            thousands(samples as f64),
        ));
        if let [first, second] = names.as_slice() {
            text.push_str(&format!(
                "  {:<20}{first:>20}{second:>20}   ratio (lowest-highest)\n",
                ""
            ));
        }
        for ratio in &level.ratios {
            let (first, second) = (ratio.show(ratio.first), ratio.show(ratio.second));
            let spread = ratio.spread();
            text.push_str(&format!("  {:<20}{first:>20}{second:>20}   {spread}\n", ratio.figure));
        }
        for side in &level.sides {
            for sentence in &side.invalid {
                let line = format!("INVALID: {}: {sentence}", side.target);
                text.push_str(&format!("{}\n", colors.red(&line)));
            }
        }
    }
    text
}
