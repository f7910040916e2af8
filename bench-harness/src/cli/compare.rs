//! `ringlane-bench compare`: brokers side by side on this host.

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use ringlane_reactor::allowed_cpus;

use super::failure::Failure;
use super::run::{PICTURE, load, load_settings, read_sample};
use crate::brokers::Kind;
use crate::compare::{self, Comparison, End, Level, Placement, Plan, summary};
use crate::output;
use crate::page::{page, page_png, pictures};
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
/// flush.messages=1). Figures of unequal durability are never set side by side. Before each turn the disk does what the
/// last one left to it.
///
/// Without --quick and without a rate it climbs: 1,000 records a second, 3,000, 10,000, 30,000 ... up to the first rate that one
/// of them does not sustain, twice over; then it goes between, to a rate near the highest that both sustain, or until --within
/// is over.
///
/// The result is a directory: `index.html`, a page that needs nothing else, `summary.md` and pictures (SVG) for a README,
/// `compare.json` with the ratios, and for each durability, rate and broker what `run` writes, over all rounds and for each
/// round. What was measured is there also when it is interrupted.
#[derive(Args)]
#[command(after_help = "Examples:
  ringlane-bench compare --quick --out quick          about two minutes; then open quick/index.html
  ringlane-bench compare --out full                   every rate that both sustain: up to an hour
  ringlane-bench compare --within 15m --rounds 2 --duration 10s --out shorter
  ringlane-bench compare --rate 20k --durability disk --rounds 3 --out durable

Another broker is started by a command that the shell runs; it listens on 127.0.0.1:$PORT, may write to $DIR, and has
started when something listens there. Its durability is your word (page-cache or disk):
  ringlane-bench compare --quick --target ringlane --target 'mine:page-cache=my-broker --listen 127.0.0.1:$PORT --data $DIR' --out mine")]
pub(super) struct Compare {
    /// Two short rounds, to be seen within three minutes.
    #[arg(long)]
    quick: bool,
    /// Which brokers, in this order: `ringlane`, `kafka`, or `NAME:DURABILITY=COMMAND` for any other; by default the first two.
    #[arg(long = "target", value_name = "BROKER")]
    targets: Vec<Kind>,
    /// A scenario file (TOML); flags win over it.
    #[arg(long, value_name = "FILE")]
    scenario: Option<PathBuf>,
    /// The directory for the result; what is there of an earlier one is replaced.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// How often each broker is measured at each rate [default: 3, with a rate: 5, quick: 2]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=1000))]
    rounds: Option<u16>,
    /// How long it may take [default: 1h, quick: 3min]: a rate that would not be over by then is not begun, but the first of each durability
    /// always is; a round that was not valid is measured once more as long as there is time.
    #[arg(long, value_name = "TIME")]
    within: Option<Span>,
    /// Write the page's curves as `curves.png` besides, for a README.
    #[arg(long)]
    png: bool,
    /// Nothing but errors on standard error.
    #[arg(long, short)]
    quiet: bool,
    #[command(flatten)]
    settings: Settings,
}

/// How long a comparison may take.
const WITHIN: Span = Span(Duration::from_secs(60 * 60));
const QUICK_WITHIN: Span = Span(Duration::from_secs(3 * 60));

impl Compare {
    pub(super) fn run(self) -> Result<(), Failure> {
        let png = self.png;
        let plan = self.plan()?;
        let comparison = compare::run(&plan).map_err(Failure::Failed)?;
        let colors = Colors(io::stdout().is_terminal());
        print!("{}", table(&comparison, colors));
        let json = serde_json::to_vec_pretty(&comparison).expect("plain values");
        let mut files = vec![
            ("compare.json".into(), json),
            ("index.html".into(), page(&comparison).into_bytes()),
            ("summary.md".into(), summary(&comparison).into_bytes()),
        ];
        files.extend(pictures(&comparison));
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
        let file = load_settings(self.scenario.as_deref())?;
        let given = self.settings.or(file);
        let is_ladder = !self.quick && given.rate.is_none();
        let (warm_up, duration, rounds) = match (self.quick, is_ladder) {
            (true, _) => (2, 10, 2),
            (false, true) => (5, 20, 3),
            (false, false) => (10, 60, 5),
        };
        let defaults = Settings {
            warm_up: seconds(warm_up),
            duration: seconds(duration),
            ..Settings::default()
        };
        let scenario = load(given.or(defaults), None)?;
        let kinds = match self.targets.len() {
            0 => vec![Kind::Ringlane, Kind::Kafka],
            _ => self.targets,
        };
        if kinds.len() > 2 || (kinds.len() == 2 && kinds[0].name() == kinds[1].name()) {
            return Err(Failure::Usage("--target: name each broker once".into()));
        }
        let levels = levels(&kinds, scenario.durability)?;
        let sample = read_sample(&scenario)?;
        Ok(Plan {
            kinds,
            levels,
            rate: (!is_ladder).then_some(scenario.rate),
            within: self.within.unwrap_or(if self.quick { QUICK_WITHIN } else { WITHIN }),
            command: command(),
            rounds: self.rounds.map_or(rounds, usize::from),
            warm_up: Span(Duration::from_secs(if self.quick { 5 } else { 30 })),
            scenario,
            sample,
            placement: Placement::of(&allowed_cpus()),
            out: self.out,
            quiet: self.quiet,
        })
    }
}

/// Where records are to be when they are acknowledged: at each in turn.
fn levels(kinds: &[Kind], asked: Durability) -> Result<Vec<Durability>, Failure> {
    let asked = match asked {
        Durability::Target => vec![Durability::PageCache, Durability::Disk],
        named => vec![named],
    };
    let can = |level: &Durability| {
        kinds.iter().all(|kind| kind.declared().is_none_or(|declared| declared == *level))
    };
    let levels: Vec<Durability> = asked.into_iter().filter(can).collect();
    match levels.is_empty() {
        true => Err(Failure::Usage(
            "--target: the brokers do not promise the same durability, and figures of unequal durability are never set side by side".into(),
        )),
        false => Ok(levels),
    }
}

/// This program's command line, as somebody types it again.
fn command() -> String {
    let words = std::env::args().skip(1).map(|word| match word.contains(' ') {
        true => format!("'{word}'"),
        false => word,
    });
    std::iter::once("ringlane-bench".to_owned()).chain(words).collect::<Vec<_>>().join(" ")
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
            "\ndurability {}, {} records/s, {} rounds, {} records each\n",
            level.durability,
            level.rate,
            comparison.rounds,
            thousands(samples as f64),
        ));
        if let [first, second] = names.as_slice() {
            text.push_str(&format!(
                "  {:<20}{first:>20}{second:>20}   ratio (lowest-highest)\n",
                ""
            ));
        }
        for (figure, value) in level.figures_alone() {
            text.push_str(&format!("  {figure:<20}{value:>20}\n"));
        }
        for ratio in &level.ratios {
            let (first, second) = (ratio.show(ratio.first), ratio.show(ratio.second));
            let spread = ratio.spread();
            text.push_str(&format!("  {:<20}{first:>20}{second:>20}   {spread}\n", ratio.figure));
        }
        for round in &level.repeated {
            text.push_str(&format!("measured once more: {round}\n"));
        }
        for side in &level.sides {
            for sentence in &side.invalid {
                let line = match level.is_limit {
                    true => format!("does not hold: {}: {sentence}", side.target),
                    false => colors.red(&format!("INVALID: {}: {sentence}", side.target)),
                };
                text.push_str(&format!("{line}\n"));
            }
        }
    }
    for End { durability, sentence } in &comparison.ends {
        let levels = comparison.levels.iter().filter(|level| level.durability == *durability);
        let lines: Vec<String> = levels.map(Level::in_a_line).collect();
        text.push_str(&format!("\ndurability {durability}\n{}\n{sentence}\n", lines.join("\n")));
    }
    text
}
