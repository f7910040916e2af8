//! `ringlane-disk.toml`: what was measured of a data directory's disk, and the journal sizes that the broker takes from it
//! where its settings do not say otherwise.

use std::fmt::Write;

use super::choose::{BufferedWrites, Durability, JournalSizes};
use super::measure::Measured;

/// Its name in the data directory.
pub const FILE: &str = "ringlane-disk.toml";

const VERSION: i64 = 1;

/// What the file says.
#[derive(Clone, PartialEq, Debug)]
pub struct DiskProfile {
    /// What the broker reads.
    pub journal: JournalSizes,
    /// How many shards they are for.
    pub shards: u16,
    /// Where buffered writes belong.
    pub buffered_writes: BufferedWrites,
    /// What a durable write is worth.
    pub durability: Durability,
    /// The figures behind it.
    pub measured: Measured,
}

impl DiskProfile {
    /// The text of the file.
    pub fn toml(&self) -> String {
        let mut text = format!(
            "# Measured by `ringlane tune disk`. The broker reads [journal] at its start, for ringlane.journal.file.bytes\n\
             # and ringlane.journal.files, where its settings do not name them. Everything else is for people.\n\
             version = {VERSION}\n\n[journal]\nfile_bytes = {}\nfiles = {}\n\n[measured]\nshards = {}\n",
            self.journal.file_bytes, self.journal.files, self.shards
        );
        let measured = &self.measured;
        let buffered = match self.buffered_writes {
            BufferedWrites::Inline => "inline",
            BufferedWrites::Ring => "ring",
        };
        let durability = match self.durability {
            Durability::Flushed => "flushed",
            Durability::NothingToFlush => "nothing to flush",
            Durability::Suspicious => "suspicious",
            Durability::Unknown => "unknown",
        };
        let _ = write!(
            text,
            "direct = {}\nwrite_bytes_per_second = {}\nsync_seconds = {:.6}\nplain_write_us = {:.1}\n\
             inline_write_us = {:.2}\nring_write_us = {:.2}\nbuffered_writes = \"{buffered}\"\n\
             durability = \"{durability}\"\n",
            measured.is_direct,
            measured.write_bytes_per_second,
            measured.sync_seconds,
            measured.plain_write.p50_us,
            measured.inline_write.p50_us,
            measured.ring_write.p50_us,
        );
        for (bytes, depth, latency) in &measured.durable {
            let _ = write!(
                text,
                "\n[[measured.durable]]\nbytes = {bytes}\ndepth = {depth}\nper_second = {:.0}\n\
                 p50_us = {:.1}\np99_us = {:.1}\nmax_us = {:.1}\n",
                latency.per_second, latency.p50_us, latency.p99_us, latency.max_us
            );
        }
        text
    }
}

impl DiskProfile {
    /// The same for programs.
    pub fn json(&self) -> serde_json::Value {
        let table = self.toml().parse::<toml::Table>().expect("what is written is TOML");
        serde_json::to_value(table).expect("numbers, texts and tables")
    }
}

/// The journal sizes that the text of such a file names. Whether they can be is the broker's to say.
///
/// # Errors
/// Why it is none, in a few words.
pub fn parse(text: &str) -> Result<(i64, i64), String> {
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        error.message().lines().next().unwrap_or("not TOML").to_owned()
    })?;
    match table.get("version").and_then(toml::Value::as_integer) {
        Some(VERSION) => {}
        Some(other) => return Err(format!("its version is {other}, not {VERSION}")),
        None => return Err("it names no version".into()),
    }
    let journal = table.get("journal").and_then(toml::Value::as_table);
    let journal = journal.ok_or("it has no table [journal]")?;
    let number = |key: &str| {
        let value = journal.get(key).and_then(toml::Value::as_integer);
        value.ok_or_else(|| format!("journal.{key} is no whole number"))
    };
    Ok((number("file_bytes")?, number("files")?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::Latency;

    #[test]
    fn what_is_written_is_read() {
        let latency =
            Latency { count: 9, p50_us: 80.25, p99_us: 1e9, max_us: 1e12, per_second: 0.1 };
        let profile = DiskProfile {
            journal: JournalSizes { file_bytes: 32 << 20, files: 5 },
            shards: 2,
            buffered_writes: BufferedWrites::Ring,
            durability: Durability::Suspicious,
            measured: Measured {
                durable: vec![(4096, 1, latency), (4096, 4, latency)],
                ..Measured::default()
            },
        };
        assert_eq!(parse(&profile.toml()), Ok((32 << 20, 5)));
        let table: toml::Table = profile.toml().parse().expect("TOML");
        assert_eq!(table["measured"]["durable"].as_array().map(Vec::len), Some(2));
        assert_eq!(profile.json()["journal"]["files"], 5);
    }

    #[test]
    fn what_is_none_says_why() {
        let why = |text: &str| parse(text).expect_err("not a profile");
        assert!(!why("version = [").is_empty());
        assert_eq!(why(""), "it names no version");
        assert_eq!(why("version = 2"), "its version is 2, not 1");
        assert_eq!(why("version = 1"), "it has no table [journal]");
        assert_eq!(
            why("version = 1\n[journal]\nfiles = 4"),
            "journal.file_bytes is no whole number"
        );
        assert_eq!(
            why("version = 1\n[journal]\nfile_bytes = 4096\nfiles = \"4\""),
            "journal.files is no whole number"
        );
    }
}
