//! A scenario: every setting has a value, and the values fit each other.

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use crate::record::HEADER_BYTES;
use crate::schedule::Arrival;
use crate::settings::Settings;
use crate::units::{Rate, Size, Span};
use crate::workload::{Acknowledge, Compression, Durability, Keys, RecordSize};

/// What is to be measured. The fields are those of [`Settings`].
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each is described once, as a flag")]
pub struct Scenario {
    pub rate: Rate,
    pub arrival: Arrival,
    pub record_size: RecordSize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample: Option<PathBuf>,
    pub keys: Keys,
    pub topics: u32,
    pub partitions: u32,
    pub producers: u32,
    pub readers: u32,
    pub groups: u32,
    pub consumers: u32,
    pub backlog: Span,
    pub late_readers: u32,
    pub history: Size,
    pub history_readers: u32,
    pub cold: bool,
    pub retention: Size,
    pub linger: Span,
    pub batch_size: Size,
    pub compression: Compression,
    pub acks: Acknowledge,
    pub idempotent: bool,
    pub transaction_duration: Span,
    pub durability: Durability,
    pub warm_up: Span,
    pub duration: Span,
    pub buffer: Size,
    pub patience: Span,
}

const PARTITIONS_MAX: u32 = 100_000;
const PRODUCERS_MAX: u32 = 10_000;
const READERS_MAX: u32 = 100;
const CONSUMERS_MAX: u32 = 1_000;
/// Of a partition, in four segments of the least size that Kafka takes.
const RETENTION_BYTES_MIN: u64 = 4 << 20;
const RECORD_BYTES_MAX: u64 = 64 << 20;

impl Scenario {
    /// `settings`, and the defaults where they say nothing.
    ///
    /// # Errors
    /// A sentence about values that cannot be or do not fit each other.
    pub fn new(settings: Settings) -> Result<Self, String> {
        let seconds = |seconds| Span(Duration::from_secs(seconds));
        let groups = settings.groups.unwrap_or(0);
        let readers = settings.readers.unwrap_or(u32::from(groups == 0));
        let has_backlog = settings.backlog.is_some_and(|backlog| !backlog.0.is_zero());
        let history = settings.history.unwrap_or(Size(0));
        let scenario = Self {
            rate: settings.rate.unwrap_or(Rate::PerSecond(1000.0)),
            arrival: settings.arrival.unwrap_or(Arrival::Constant),
            record_size: settings.record_size.unwrap_or(RecordSize::Fixed(Size(1024))),
            sample: settings.sample,
            keys: settings.keys.unwrap_or(Keys::None),
            topics: settings.topics.unwrap_or(1),
            partitions: settings.partitions.unwrap_or(4),
            producers: settings.producers.unwrap_or(1),
            readers,
            groups,
            consumers: settings.consumers.unwrap_or(1),
            backlog: settings.backlog.unwrap_or(seconds(0)),
            late_readers: settings.late_readers.unwrap_or(if has_backlog { readers } else { 0 }),
            history,
            history_readers: settings.history_readers.unwrap_or(u32::from(history.0 > 0)),
            cold: settings.cold.unwrap_or(false),
            retention: settings.retention.unwrap_or(Size(0)),
            linger: settings.linger.unwrap_or(seconds(0)),
            batch_size: settings.batch_size.unwrap_or(Size(16 << 10)),
            compression: settings.compression.unwrap_or(Compression(ringlane_batch::Codec::None)),
            acks: settings.acks.unwrap_or(Acknowledge(ringlane_client::Acks::All)),
            idempotent: settings.idempotent.unwrap_or(true),
            transaction_duration: settings.transaction_duration.unwrap_or(seconds(0)),
            durability: settings.durability.unwrap_or(Durability::Target),
            warm_up: settings.warm_up.unwrap_or(seconds(3)),
            duration: settings.duration.unwrap_or(seconds(15)),
            buffer: settings.buffer.unwrap_or(Size(64 << 20)),
            patience: settings.patience.unwrap_or(seconds(10)),
        };
        match scenario.problem() {
            Some(problem) => Err(problem),
            None => Ok(scenario),
        }
    }

    fn problem(&self) -> Option<String> {
        let (shortest, longest) = self.record_size.range();
        let rules = [
            (
                shortest >= HEADER_BYTES as u64,
                format!(
                    "a record-size of {shortest} bytes is too small: the sequence and checksum of a record need {HEADER_BYTES}"
                ),
            ),
            (longest <= RECORD_BYTES_MAX, "a record-size above 64MiB is no record".to_owned()),
            (
                self.topics > 0 && self.partitions > 0,
                "there must be a topic and a partition".into(),
            ),
            (
                self.partition_count() <= u64::from(PARTITIONS_MAX),
                format!("more than {PARTITIONS_MAX} partitions are not supported"),
            ),
            (
                (1..=PRODUCERS_MAX).contains(&self.producers),
                format!("there must be 1 to {PRODUCERS_MAX} producers"),
            ),
            (
                self.stream_count() <= u64::from(u32::MAX),
                "there are too many partitions for so many producers".into(),
            ),
            (
                self.duration.0 >= Duration::from_secs(1),
                "a duration below 1s measures nothing".into(),
            ),
            (
                self.patience.0 >= Duration::from_secs(1),
                "a patience below 1s gives up every target".into(),
            ),
            (
                self.backlog.0 < self.warm_up.0 + self.duration.0,
                "with a backlog as long as warm-up and duration together nothing is read in time"
                    .into(),
            ),
            (
                self.buffer.0 >= longest,
                format!("a buffer of {} holds no record of {longest} bytes", self.buffer),
            ),
            (
                self.rate != Rate::Max || self.arrival == Arrival::Constant,
                format!(
                    "rate max sends as fast as it can, hence not by the arrival {}",
                    self.arrival
                ),
            ),
        ];
        let rules = rules.into_iter().chain(self.reading_rules());
        let mut rules = rules.chain(self.transaction_rules());
        rules.find(|(holds, _)| !holds).map(|(_, problem)| problem)
    }

    /// What must hold of those who read, with the sentence of where it does not.
    fn reading_rules(&self) -> Vec<(bool, String)> {
        let all = self.streams_of_readers();
        let has_history = self.history.0 > 0;
        vec![
            (
                (1..=READERS_MAX).contains(&all) && self.history_readers <= READERS_MAX,
                format!(
                    "there must be 1 to {READERS_MAX} readers and groups: what nobody reads cannot be verified"
                ),
            ),
            (
                (1..=CONSUMERS_MAX).contains(&self.consumers)
                    && (self.groups > 0 || self.consumers == 1),
                format!(
                    "consumers are members of groups: 1 to {CONSUMERS_MAX} of each, if there are groups"
                ),
            ),
            (
                self.late_readers <= self.readers,
                format!(
                    "{} late-readers are more than the {} readers",
                    self.late_readers, self.readers
                ),
            ),
            (
                self.backlog.0.is_zero() == (self.late_readers == 0),
                "a backlog is what late readers find: there must be both or neither".into(),
            ),
            (
                has_history == (self.history_readers > 0) && (has_history || !self.cold),
                "history, history-readers and cold go together: it must be there to be read".into(),
            ),
            (
                self.retention.0 == 0 || self.retention.0 >= RETENTION_BYTES_MIN,
                "a retention below 4MiB is none: segments of less than 1MiB are not deleted".into(),
            ),
        ]
    }

    /// What must hold of transactions, with the sentence of where it does not.
    fn transaction_rules(&self) -> Vec<(bool, String)> {
        let none = !self.has_transactions();
        let is_safe = self.idempotent && self.acks == Acknowledge(ringlane_client::Acks::All);
        vec![
            (
                none || is_safe,
                "transactions want acks all and idempotence, as in every Kafka client".into(),
            ),
            (
                none || self.transaction_duration.0 < self.patience.0,
                format!(
                    "a transaction-duration of {} is no shorter than the patience of {}: a target that waits for the commit would be given up",
                    self.transaction_duration, self.patience
                ),
            ),
        ]
    }

    /// Whether producers send in transactions.
    pub fn has_transactions(&self) -> bool {
        !self.transaction_duration.0.is_zero()
    }

    /// How often every record is read: by each reader and each group.
    pub fn streams_of_readers(&self) -> u32 {
        self.readers.saturating_add(self.groups)
    }

    /// Whether someone reads at the tail, while late readers catch up.
    pub fn has_tail_reader(&self) -> bool {
        self.late_readers < self.streams_of_readers()
    }

    /// Records of the history in each partition.
    pub fn history_records(&self) -> u64 {
        let (shortest, longest) = self.record_size.range();
        let partition_bytes = self.history.0.div_ceil(u64::from(self.partitions));
        partition_bytes.div_ceil((shortest + longest).div_ceil(2))
    }

    /// Over all topics.
    pub fn partition_count(&self) -> u64 {
        u64::from(self.topics) * u64::from(self.partitions)
    }

    /// Pairs of a partition and a producer.
    pub fn stream_count(&self) -> u64 {
        self.partition_count() * u64::from(self.producers)
    }

    /// Whether records come by the clock, not when the target is ready.
    pub fn is_open_loop(&self) -> bool {
        self.rate != Rate::Max
    }

    /// The text of a scenario file that says the same.
    pub fn write(&self) -> String {
        toml::to_string(self).expect("settings are plain values")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_are_what_the_rest_leaves_open() {
        let of = |text: &str| {
            let scenario = Settings::read(text).and_then(Scenario::new).expect(text);
            (scenario.readers, scenario.streams_of_readers(), scenario.late_readers)
        };
        assert_eq!(of(""), (1, 1, 0));
        assert_eq!(of("groups = 2\nconsumers = 3"), (0, 2, 0));
        assert_eq!(of("backlog = \"5s\""), (1, 1, 1));
        assert_eq!(of("groups = 1\nreaders = 2\nbacklog = \"5s\"\nlate-readers = 1"), (2, 3, 1));
        let history = "history = \"1MiB\"\npartitions = 4\nrecord-size = \"1KiB\"";
        let scenario = Settings::read(history).and_then(Scenario::new).expect("a history");
        assert_eq!((scenario.history_readers, scenario.history_records()), (1, 256));
    }

    #[test]
    fn the_defaults_fit_and_are_written_as_they_are_read() {
        let scenario = Scenario::new(Settings::default()).expect("the defaults");
        let again = Settings::read(&scenario.write()).and_then(Scenario::new);
        assert_eq!(again, Ok(scenario));
    }

    #[test]
    fn what_cannot_be_is_refused_with_a_sentence() {
        let cases = [
            ("record-size = 16", "need 32"),
            ("partitions = 0", "a partition"),
            ("topics = 1000\npartitions = 1000", "100000 partitions"),
            ("producers = 0", "producers"),
            ("readers = 0", "cannot be verified"),
            ("readers = 0\ngroups = 101", "1 to 100 readers and groups"),
            ("consumers = 2", "members of groups"),
            ("backlog = \"1s\"\nlate-readers = 2", "more than the 1 readers"),
            ("late-readers = 1", "both or neither"),
            ("cold = true", "go together"),
            ("history = \"1MiB\"\nhistory-readers = 0", "go together"),
            ("retention = \"1MiB\"", "below 4MiB"),
            ("duration = \"10ms\"", "measures nothing"),
            ("backlog = \"1h\"", "read in time"),
            ("buffer = 100", "holds no record"),
            ("transaction-duration = \"1s\"\nacks = 1", "acks all"),
            ("transaction-duration = \"1s\"\nidempotent = false", "idempotence"),
            ("transaction-duration = \"10s\"", "the patience of 10s"),
            ("rate = \"max\"\narrival = \"poisson\"", "poisson"),
        ];
        for (text, part) in cases {
            let refused = Settings::read(text).and_then(Scenario::new);
            let error = refused.expect_err(text);
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
