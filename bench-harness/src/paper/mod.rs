//! The experiment of the paper that introduced Kafka, repeated with today's brokers: one producer sends ten million messages of
//! 200 bytes in batches of 1 and of 50, one consumer reads them, and the bytes on disk are counted. One broker after the other,
//! each through its own protocol, pinned to the same CPU, at a durability that is equal by name.
//!
//! Order of reading: [`load`] is what is sent and checked, [`kafka_protocol`] and `systems` send it, this file conducts,
//! [`report`] and `table` tell, [`figures`] holds what the paper found.

pub mod figures;
pub mod kafka_protocol;
pub mod load;
pub mod report;
mod systems;
mod table;

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::brokers::{remove, settle_disk};
use crate::compare::Placement;
use crate::host::HostFacts;
use crate::output;
use crate::page::{paper_page, paper_pictures};
use crate::result::Records;
use crate::terminal::thousands;
use crate::units::Span;
use crate::workload::Durability;

use load::{Load, MESSAGE_BYTES, WINDOW};
use report::{Phase, Report, Row};
use systems::{Session, meter};

pub(crate) use systems::System;
pub(crate) use table::table;

/// What is to be measured.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) systems: Vec<System>,
    pub(crate) durabilities: Vec<Durability>,
    pub(crate) batches: Vec<u64>,
    pub(crate) messages: u64,
    /// A run stops sending after this long.
    pub(crate) limit: Span,
    pub(crate) placement: Placement,
    pub(crate) out: PathBuf,
    /// Rows of an earlier run in `out` stay.
    pub(crate) keep: bool,
    pub(crate) quiet: bool,
    pub(crate) started_ms: i64,
}

/// Who runs where, on a host with these CPUs: one client, and every broker on the same.
pub(crate) fn placement(cpus: &[usize]) -> Placement {
    let Placement { brokers, generator, .. } = Placement::of(cpus);
    let client = generator[0];
    let list: Vec<String> = brokers.iter().map(ToString::to_string).collect();
    let sentence = match brokers.contains(&client) {
        true => "brokers and client share the only CPU".to_owned(),
        false => format!(
            "one broker at a time, each on CPU {}, the client on CPU {client}",
            list.join(", ")
        ),
    };
    Placement { brokers, generator: vec![client], sentence }
}

/// What is sent before the measured messages, to a topic of its own: a share of them, bounded in number and time.
const WARM_UP_SHARE: u64 = 20;
const WARM_UP_MESSAGES: std::ops::RangeInclusive<u64> = 1_000..=1_000_000;
/// What a Java machine needs until it has compiled what it runs.
const WARM_UP_LIMIT: Duration = Duration::from_secs(10);

/// Marks the messages of the warm-up and of the measured run.
const RUNS: [u64; 2] = [1, 2];

/// Runs the experiment. What was measured is written after each row.
///
/// # Errors
/// A sentence, when nothing can be measured or written.
pub(crate) fn run(plan: &Plan) -> Result<Report, String> {
    let host = HostFacts::read(&plan.out);
    meter::pin_self(plan.client_cpu())?;
    let mut report = Report {
        valid: true,
        messages: plan.messages,
        message_bytes: MESSAGE_BYTES,
        window: WINDOW,
        limit_s: plan.limit.0.as_secs_f64(),
        started_ms: plan.started_ms,
        placement: plan.placement.clone(),
        host,
        rows: Vec::new(),
    };
    if let Some(earlier) = plan.earlier()? {
        report.keep(earlier)?;
    }
    write(plan, &report)?;
    for &durability in &plan.durabilities {
        for &system in &plan.systems {
            let ready = system.prepare(durability);
            for &batch in &plan.batches {
                let mut row = Row::new(system, durability, batch);
                plan.fill(system, durability, ready.clone(), &mut row);
                plan.say(&table::line(&row));
                report.put(row);
                write(plan, &report)?;
            }
        }
    }
    remove(&plan.out.join("brokers"));
    Ok(report)
}

/// The result of a run, in its directory.
const RESULT: &str = "result.json";

fn write(plan: &Plan, report: &Report) -> Result<(), String> {
    let json = serde_json::to_vec_pretty(report).expect("a report is plain values");
    let mut files = vec![
        (RESULT.into(), json),
        ("index.html".into(), paper_page(report).into_bytes()),
        ("summary.md".into(), table::markdown(report).into_bytes()),
    ];
    files.extend(paper_pictures(report));
    output::write(&plan.out, files)
}

impl Row {
    fn new(system: System, durability: Durability, batch: u64) -> Self {
        Self {
            target: system.name().to_owned(),
            durability: durability.to_string(),
            batch,
            missing: None,
            valid: true,
            invalid: Vec::new(),
            batch_means: system.batch_means().unwrap_or("no such unit").to_owned(),
            durability_means: system.durability_means(durability).to_owned(),
            records: None,
            produce: None,
            consume: None,
            disk_bytes_per_message: None,
            overhead_bytes_per_message: None,
            peak_mib: None,
        }
    }

    fn fail(&mut self, sentence: String) {
        self.valid = false;
        self.missing = Some("it failed".to_owned());
        self.invalid.push(sentence);
    }
}

impl Plan {
    fn say(&self, line: &str) {
        if !self.quiet {
            eprintln!("{line}");
        }
    }

    /// What an earlier run left, if it is to be kept.
    fn earlier(&self) -> Result<Option<Report>, String> {
        let path = self.out.join(RESULT);
        if !self.keep || !path.exists() {
            return Ok(None);
        }
        let text = ringlane_reactor::read_to_string(&path);
        let text = text.map_err(|error| format!("{}: {error}", path.display()))?;
        let report = serde_json::from_str(&text);
        report
            .map(Some)
            .map_err(|error| format!("{} is no result of this experiment: {error}", path.display()))
    }

    fn client_cpu(&self) -> usize {
        self.placement.generator[0]
    }

    /// Measures what belongs into `row`, or says there why not.
    fn fill(
        &self,
        system: System,
        durability: Durability,
        ready: Result<(), String>,
        row: &mut Row,
    ) {
        if row.batch > 1 && system.batch_means().is_none() {
            row.missing = Some("its protocol has no batch: see its row of 1".to_owned());
            return;
        }
        if let Err(sentence) = ready {
            row.missing = Some(sentence);
            return;
        }
        let directory = self.out.join("brokers").join(system.name());
        remove(&directory);
        if let Err(sentence) = self.measure(system, durability, &directory, row) {
            row.fail(sentence);
        }
        remove(&directory);
    }

    fn measure(
        &self,
        system: System,
        durability: Durability,
        directory: &Path,
        row: &mut Row,
    ) -> Result<(), String> {
        self.say(&format!("starting {} ...", system.name()));
        let broker = system.start(directory, &self.placement.brokers, durability)?;
        row.target.clone_from(&broker.name);
        let session = Session { broker: &broker, durability, cpu: self.client_cpu() };
        let (warm_up, load) = (self.warm_up(row.batch), self.load(row.batch));
        system.create(&session, &warm_up)?;
        let sent = system.produce(&session, &warm_up)?.messages;
        let (_, tally) = system.consume(&session, &warm_up, sent)?;
        if !tally.is_complete() {
            return Err(format!("of {sent} messages {} came back", tally.consumed()));
        }

        system.create(&session, &load)?;
        settle_disk(directory)?;
        let empty = meter::settled_bytes(directory);
        let before = meter::Meter::start(broker.pid);
        let sent = system.produce(&session, &load)?;
        row.produce = Some(Phase::new(sent, before.stop()));
        let filled = meter::settled_bytes(directory);
        let on_disk = filled.saturating_sub(empty) as f64 / sent.messages.max(1) as f64;
        row.disk_bytes_per_message = Some(on_disk);
        row.overhead_bytes_per_message = Some(on_disk - MESSAGE_BYTES as f64);

        let before = meter::Meter::start(broker.pid);
        let (read, tally) = system.consume(&session, &load, sent.messages)?;
        row.consume = Some(Phase::new(read, before.stop()));
        row.peak_mib = meter::peak_mib(broker.pid);
        row.judge(sent.messages, &tally);
        Ok(())
    }

    fn load(&self, batch: u64) -> Load {
        let limit = self.limit.0;
        Load { place: "paper".into(), run: RUNS[1], messages: self.messages, batch, limit }
    }

    fn warm_up(&self, batch: u64) -> Load {
        let (low, high) = WARM_UP_MESSAGES.into_inner();
        let messages = (self.messages / WARM_UP_SHARE).clamp(low, high).min(self.messages);
        let limit = self.limit.0.min(WARM_UP_LIMIT);
        Load { place: "warm-up".into(), run: RUNS[0], messages, batch, limit }
    }
}

impl Row {
    /// Every message that was acknowledged was to be consumed once, in order, as it was sent.
    fn judge(&mut self, acknowledged: u64, tally: &load::Tally) {
        let faults = tally.faults();
        let found = [
            (faults.lost, "acknowledged messages did not come"),
            (faults.duplicated, "messages came more than once"),
            (faults.reordered, "messages came after a later one"),
            (tally.corrupted(), "messages are not what was sent"),
        ];
        for (count, what) in found.into_iter().filter(|(count, _)| *count > 0) {
            self.invalid.push(format!("{} {what}", thousands(count as f64)));
        }
        self.valid = self.invalid.is_empty();
        self.records = Some(Records {
            sent: acknowledged,
            acknowledged,
            unacknowledged: 0,
            consumed: tally.consumed(),
            lost: faults.lost,
            duplicated: faults.duplicated,
            reordered: faults.reordered,
            corrupted: tally.corrupted(),
        });
    }
}

#[cfg(test)]
mod tests;
