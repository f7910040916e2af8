//! What came of the experiment, as `result.json` holds it.

use serde::{Deserialize, Serialize};

use super::load::{Done, MESSAGE_BYTES};
use super::systems::System;
use super::systems::meter::Used;
use crate::compare::Placement;
use crate::host::HostFacts;
use crate::result::Records;

/// See the file's head.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// Whether every row that has figures may be used.
    pub valid: bool,
    /// Messages asked for in each run.
    pub messages: u64,
    /// The size of each, in bytes.
    pub message_bytes: usize,
    /// Messages that may be unacknowledged.
    pub window: u64,
    /// A run stops sending after so many seconds.
    pub limit_s: f64,
    /// When it began, in ms since the epoch.
    pub started_ms: i64,
    /// Who ran where.
    pub placement: Placement,
    /// Where it was measured.
    pub host: HostFacts,
    /// By durability, broker and batch.
    pub rows: Vec<Row>,
}

/// One broker with one size of batches.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Row {
    /// The broker with its version, or its name where it was not started.
    pub target: String,
    /// `page-cache` or `disk`.
    pub durability: String,
    /// Messages in a batch.
    pub batch: u64,
    /// Why there are no figures; null when there are.
    pub missing: Option<String>,
    /// Whether the figures may be used.
    pub valid: bool,
    /// Why not, a sentence each.
    pub invalid: Vec<String>,
    /// What a batch is in its protocol.
    pub batch_means: String,
    /// How the durability was set.
    pub durability_means: String,
    /// Counts of messages.
    pub records: Option<Records>,
    /// The producer's phase.
    pub produce: Option<Phase>,
    /// The consumer's.
    pub consume: Option<Phase>,
    /// Bytes that the messages added to the files of the broker, for each message.
    pub disk_bytes_per_message: Option<f64>,
    /// Of them beyond the message itself.
    pub overhead_bytes_per_message: Option<f64>,
    /// The most memory that the broker had, in MiB.
    pub peak_mib: Option<f64>,
}

/// A phase's figures.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Phase {
    /// Acknowledged, or consumed.
    pub messages: u64,
    /// How long it took.
    pub seconds: f64,
    /// The rate.
    pub messages_per_s: f64,
    /// The same in 10^6 bytes of messages a second.
    pub mb_per_s: f64,
    /// The broker's CPU time for each message, in µs.
    pub broker_cpu_us_per_message: f64,
    /// The broker's CPU time over elapsed time: 1 is one core.
    pub broker_cores: f64,
    /// The client's.
    pub client_cores: f64,
}

impl Phase {
    pub(super) fn new(done: Done, used: Used) -> Self {
        let (messages, seconds) = (done.messages as f64, done.elapsed.as_secs_f64().max(1e-9));
        Self {
            messages: done.messages,
            seconds,
            messages_per_s: messages / seconds,
            mb_per_s: messages * MESSAGE_BYTES as f64 / seconds / 1e6,
            broker_cpu_us_per_message: used.broker.as_secs_f64() * 1e6 / messages.max(1.0),
            broker_cores: used.broker_cores,
            client_cores: used.client_cores,
        }
    }
}

/// Where a row belongs: by durability, then as brokers are listed, then by batch.
type Place = (usize, usize, u64);

impl Row {
    fn place(&self) -> Place {
        let durability = usize::from(self.durability == "disk");
        let name = self.target.split(' ').next().unwrap_or_default();
        let system = System::ALL.iter().position(|system| system.name() == name);
        (durability, system.unwrap_or(System::ALL.len()), self.batch)
    }
}

impl Report {
    /// Takes in a row in its place, instead of an earlier one of the same.
    pub(super) fn put(&mut self, row: Row) {
        self.rows.retain(|earlier| earlier.place() != row.place());
        self.rows.push(row);
        self.rows.sort_by_key(Row::place);
        self.valid = self.rows.iter().all(|row| row.valid);
    }

    /// Takes in the rows of `earlier`, which this run does not measure again.
    ///
    /// # Errors
    /// When that run was asked for something else, so that its rows cannot stand beside these.
    pub(super) fn keep(&mut self, earlier: Self) -> Result<(), String> {
        let asked = |report: &Self| {
            let Self { messages, message_bytes, window, limit_s, .. } = report;
            format!(
                "{messages} messages of {message_bytes} bytes, {window} unacknowledged, in at most {limit_s} s"
            )
        };
        if asked(&earlier) != asked(self) || earlier.placement != self.placement {
            return Err(format!(
                "what is there was asked for {} ({}), this run for {} ({}): name another directory, or leave out --keep",
                asked(&earlier),
                earlier.placement.sentence,
                asked(self),
                self.placement.sentence,
            ));
        }
        self.started_ms = earlier.started_ms;
        earlier.rows.into_iter().for_each(|row| self.put(row));
        Ok(())
    }

    /// Rows whose figures must not be used, or that should have had some.
    pub fn problems(&self) -> Vec<String> {
        let of = |row: &Row| {
            let head = format!("{}, {}, batch of {}", row.target, row.durability, row.batch);
            row.invalid.iter().map(move |sentence| format!("{head}: {sentence}")).collect()
        };
        self.rows.iter().flat_map(|row| -> Vec<String> { of(row) }).collect()
    }
}
