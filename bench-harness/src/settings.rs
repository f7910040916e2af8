//! A scenario's settings, in one list for both ways to give them: flags, and keys of the same name in a scenario file. A flag
//! wins over the file, the file over the default.

use std::path::PathBuf;

use clap::{Args, Command};
use serde::{Deserialize, Serialize};

use crate::schedule::Arrival;
use crate::units::{Rate, Size, Span};
use crate::workload::{Acknowledge, Compression, Durability, Keys, RecordSize};

/// What is given of a scenario.
#[derive(Args, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
#[command(next_help_heading = "Scenario (each is also a key of a scenario file)")]
pub struct Settings {
    /// Records a second, over all producers [default: 1000]
    ///
    /// `max` makes it a closed loop: as many as the target takes, which tells its highest rate and nothing of its latency.
    #[arg(long, value_name = "RATE")]
    pub rate: Option<Rate>,
    /// How records come: constant, poisson, bursts:RECORDS, ramp:FROM or recorded:RATE,RATE,... [default: constant]
    #[arg(long)]
    pub arrival: Option<Arrival>,
    /// Size of a value, at least 32 bytes; or a range, as in 100B-10KiB [default: 1KiB]
    #[arg(long, value_name = "SIZE")]
    pub record_size: Option<RecordSize>,
    /// A file of real data to cut values from, instead of random bytes, which do not compress
    #[arg(long, value_name = "FILE")]
    pub sample: Option<PathBuf>,
    /// Keys: none, uniform:COUNT or zipf:COUNT [default: none]
    #[arg(long)]
    pub keys: Option<Keys>,
    /// Topics, each with so many partitions; they are created for the run and deleted after it [default: 1]
    #[arg(long)]
    pub topics: Option<u32>,
    /// Partitions of each topic [default: 4]
    #[arg(long)]
    pub partitions: Option<u32>,
    /// Producers, each with connections of its own [default: 1]
    #[arg(long)]
    pub producers: Option<u32>,
    /// Readers, each of every record (fan-out), each with connections of its own [default: 1, or 0 where there are groups]
    #[arg(long)]
    pub readers: Option<u32>,
    /// Consumer groups, each of every record: members share the partitions and commit what they have read [default: 0]
    #[arg(long)]
    pub groups: Option<u32>,
    /// Members of each group [default: 1]
    #[arg(long)]
    pub consumers: Option<u32>,
    /// How long after the first record the late readers begin: they have to catch up [default: 0s]
    #[arg(long, value_name = "TIME")]
    pub backlog: Option<Span>,
    /// How many of the readers begin late; the others and the groups are at the tail meanwhile, and end-to-end latency is
    /// theirs [default: all, if there is a backlog]
    #[arg(long)]
    pub late_readers: Option<u32>,
    /// Bytes stored in a topic of their own before the run, which history readers read from its start while it is
    /// measured [default: 0]
    #[arg(long, value_name = "SIZE")]
    pub history: Option<Size>,
    /// Readers of the history, each of all of it [default: 1, if there is one]
    #[arg(long)]
    pub history_readers: Option<u32>,
    /// Whether the history is dropped from the page cache before it is read, so that it comes from the disk; the target must
    /// be on this host [default: false]
    #[arg(long, value_name = "BOOL")]
    pub cold: Option<bool>,
    /// Bytes of a partition from which on the target deletes the oldest records; 0 leaves it as the target is set up
    /// [default: 0]
    #[arg(long, value_name = "SIZE")]
    pub retention: Option<Size>,
    /// How long a batch waits for more records [default: 0s]
    #[arg(long, value_name = "TIME")]
    pub linger: Option<Span>,
    /// The most bytes of a batch; 0 sends every record by itself [default: 16KiB]
    #[arg(long, value_name = "SIZE")]
    pub batch_size: Option<Size>,
    /// none, gzip, snappy, lz4 or zstd [default: none]
    #[arg(long)]
    pub compression: Option<Compression>,
    /// When a record counts as acknowledged: all, 1 or 0 [default: all]
    #[arg(long)]
    pub acks: Option<Acknowledge>,
    /// Whether a retry is never stored twice [default: true]
    #[arg(long, value_name = "BOOL")]
    pub idempotent: Option<bool>,
    /// How long a producer's transaction lasts, from its first record until it is committed; readers see committed records
    /// only, and end-to-end latency contains the wait. 0 sends without transactions [default: 0s]
    #[arg(long, value_name = "TIME")]
    pub transaction_duration: Option<Span>,
    /// Where an acknowledged record must be: page-cache, disk, or as the target is set up [default: target]
    #[arg(long)]
    pub durability: Option<Durability>,
    /// Load before the measurement begins [default: 3s]
    #[arg(long, value_name = "TIME")]
    pub warm_up: Option<Span>,
    /// How long is measured [default: 15s]
    #[arg(long, value_name = "TIME")]
    pub duration: Option<Span>,
    /// Unacknowledged bytes of a producer; at the bound it has to wait [default: 64MiB]
    #[arg(long, value_name = "SIZE")]
    pub buffer: Option<Size>,
    /// How long nothing may move before the target is given up [default: 10s]
    #[arg(long, value_name = "TIME")]
    pub patience: Option<Span>,
}

impl Settings {
    /// The settings of a scenario file.
    ///
    /// # Errors
    /// A sentence: it is no TOML, a key is unknown (and which one may be meant), or a value is none.
    pub fn read(text: &str) -> Result<Self, String> {
        let table: toml::Table =
            text.parse().map_err(|error: toml::de::Error| error.to_string())?;
        let known = Self::keys();
        for key in table.keys() {
            if !known.contains(key) {
                return Err(unknown(key, &known));
            }
        }
        toml::from_str(text).map_err(|error| error.to_string())
    }

    /// The text of a scenario file with these settings.
    pub fn write(&self) -> String {
        toml::to_string(self).expect("settings are plain values")
    }

    /// The keys of a scenario file: the names of the flags.
    fn keys() -> Vec<String> {
        let command = Self::augment_args(Command::new(""));
        command.get_arguments().filter_map(|flag| flag.get_long().map(str::to_owned)).collect()
    }

    /// These, and where they say nothing, `others`.
    #[must_use]
    pub fn or(self, others: Self) -> Self {
        Self {
            rate: self.rate.or(others.rate),
            arrival: self.arrival.or(others.arrival),
            record_size: self.record_size.or(others.record_size),
            sample: self.sample.or(others.sample),
            keys: self.keys.or(others.keys),
            topics: self.topics.or(others.topics),
            partitions: self.partitions.or(others.partitions),
            producers: self.producers.or(others.producers),
            readers: self.readers.or(others.readers),
            groups: self.groups.or(others.groups),
            consumers: self.consumers.or(others.consumers),
            backlog: self.backlog.or(others.backlog),
            late_readers: self.late_readers.or(others.late_readers),
            history: self.history.or(others.history),
            history_readers: self.history_readers.or(others.history_readers),
            cold: self.cold.or(others.cold),
            retention: self.retention.or(others.retention),
            linger: self.linger.or(others.linger),
            batch_size: self.batch_size.or(others.batch_size),
            compression: self.compression.or(others.compression),
            acks: self.acks.or(others.acks),
            idempotent: self.idempotent.or(others.idempotent),
            transaction_duration: self.transaction_duration.or(others.transaction_duration),
            durability: self.durability.or(others.durability),
            warm_up: self.warm_up.or(others.warm_up),
            duration: self.duration.or(others.duration),
            buffer: self.buffer.or(others.buffer),
            patience: self.patience.or(others.patience),
        }
    }
}

fn unknown(key: &str, known: &[String]) -> String {
    let likeness = |name: &&String| (strsim::jaro_winkler(key, name) * 1000.0) as u32;
    let near = known.iter().max_by_key(likeness).filter(|name| likeness(name) > 700);
    match near {
        Some(near) => format!("there is no key {key:?}; is {near:?} meant?"),
        None => format!("there is no key {key:?}; the keys are {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_the_keys_of_the_flags() {
        let text =
            "rate = 2000\nrecord-size = \"100B\"\nwarm-up = \"1s\"\nacks = 1\nidempotent = false\n";
        let settings = Settings::read(text).expect("a scenario");
        assert_eq!(settings.rate, Some(Rate::PerSecond(2000.0)));
        assert_eq!(settings.acks, "1".parse().ok());
        assert_eq!((settings.idempotent, settings.keys), (Some(false), None));
        assert_eq!(Settings::read(&settings.write()), Ok(settings));
    }

    #[test]
    fn a_typo_is_named_with_what_is_near() {
        let error = Settings::read("raet = 1000").expect_err("a typo");
        assert!(error.contains("\"raet\"") && error.contains("\"rate\""), "{error}");
        let error = Settings::read("record_size = 1").expect_err("a typo");
        assert!(error.contains("\"record-size\""), "{error}");
        let error = Settings::read("qqq = 1").expect_err("nothing near");
        assert!(error.contains("the keys are rate, arrival"), "{error}");
    }

    #[test]
    fn a_bad_value_is_named_with_its_place() {
        let error = Settings::read("rate = 1000\nduration = \"15\"\n").expect_err("no unit");
        assert!(error.contains("no length of time") && error.contains("line 2"), "{error}");
        assert!(Settings::read("rate = ").is_err());
    }

    #[test]
    fn the_first_to_say_something_wins() {
        let flags = Settings { partitions: Some(8), ..Settings::default() };
        let file = Settings { partitions: Some(2), topics: Some(3), ..Settings::default() };
        let both = flags.or(file);
        assert_eq!((both.partitions, both.topics, both.readers), (Some(8), Some(3), None));
    }
}
