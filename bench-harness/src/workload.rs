//! What records are like and how they are sent: sizes, keys, acknowledgements, compression, durability. Each reads what it
//! writes, on the command line and in scenario files alike.

use std::fmt;
use std::str::FromStr;

use ringlane_batch::Codec;
use ringlane_client::Acks;
use ringlane_reactor::Rng;
use serde::{Deserialize, Serialize};

use crate::units::{Scalar, Size, as_text};

/// How long values are, the header of 32 bytes included.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "Scalar", into = "String")]
pub enum RecordSize {
    /// All the same.
    Fixed(Size),
    /// Evenly between the two, both included.
    Between(Size, Size),
}

impl RecordSize {
    /// The length of a value in bytes.
    pub fn pick(self, rng: &mut Rng) -> usize {
        let bytes = match self {
            Self::Fixed(size) => size.0,
            Self::Between(Size(from), Size(to)) => from + rng.below(to - from + 1),
        };
        bytes as usize
    }

    /// The shortest and the longest.
    pub fn range(self) -> (u64, u64) {
        match self {
            Self::Fixed(size) => (size.0, size.0),
            Self::Between(from, to) => (from.0, to.0),
        }
    }
}

impl FromStr for RecordSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((from, to)) = text.split_once('-') else { return text.parse().map(Self::Fixed) };
        let (from, to): (Size, Size) = (from.parse()?, to.parse()?);
        match from <= to {
            true => Ok(Self::Between(from, to)),
            false => Err(format!("{text:?}: the smaller size comes first")),
        }
    }
}

impl fmt::Display for RecordSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(size) => size.fmt(f),
            Self::Between(from, to) => write!(f, "{from}-{to}"),
        }
    }
}

/// Which keys records have. A key decides the partition, as in every Kafka client.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "Scalar", into = "String")]
pub enum Keys {
    /// None: partitions take turns.
    None,
    /// One of so many, each as often as any other.
    Uniform(u32),
    /// One of so many, the n-th a n-th as often as the first (Zipf's law).
    Zipf(u32),
}

const KEYS_MAX: u32 = 10_000_000;

impl FromStr for Keys {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, count) = text.split_once(':').unwrap_or((text, ""));
        let count = count.parse().ok().filter(|count| (1..=KEYS_MAX).contains(count));
        match (kind, count) {
            ("none", None) if text == "none" => Ok(Self::None),
            ("uniform", Some(count)) => Ok(Self::Uniform(count)),
            ("zipf", Some(count)) => Ok(Self::Zipf(count)),
            _ => Err(format!(
                "{text:?} is no kind of key: write none, uniform:1000 or zipf:1000 (at most {KEYS_MAX} keys)"
            )),
        }
    }
}

impl fmt::Display for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Uniform(count) => write!(f, "uniform:{count}"),
            Self::Zipf(count) => write!(f, "zipf:{count}"),
        }
    }
}

/// Picks keys.
pub struct KeyPicker {
    keys: Keys,
    /// Of Zipf: the share of the keys up to each.
    cumulative: Vec<f64>,
}

impl KeyPicker {
    /// Prepares to pick.
    pub fn new(keys: Keys) -> Self {
        let Keys::Zipf(count) = keys else { return Self { keys, cumulative: Vec::new() } };
        let mut sum = 0.0;
        let weights = (1..=count).map(|rank| {
            sum += 1.0 / f64::from(rank);
            sum
        });
        let mut cumulative: Vec<f64> = weights.collect();
        cumulative.iter_mut().for_each(|upto| *upto /= sum);
        Self { keys, cumulative }
    }

    /// The number of the next record's key.
    pub fn pick(&self, rng: &mut Rng) -> Option<u32> {
        match self.keys {
            Keys::None => None,
            Keys::Uniform(count) => Some(rng.below(u64::from(count)) as u32),
            Keys::Zipf(count) => {
                let share = (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
                let rank = self.cumulative.partition_point(|&upto| upto <= share) as u32;
                Some(rank.min(count - 1))
            }
        }
    }
}

/// A type whose values have fixed names.
macro_rules! named {
    ($name:ident, $what:literal, { $($text:literal => $value:expr),+ $(,)? }) => {
        impl FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                match text {
                    $($text => Ok($value),)+
                    _ => Err(format!("{text:?} is no {}: write {}", $what, [$($text),+].join(", "))),
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let known = [$(($text, $value)),+];
                let name = known.iter().find(|(_, value)| value == self).map(|(text, _)| *text);
                f.write_str(name.expect("every value has a name"))
            }
        }
    };
}

/// When a record counts as acknowledged.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "Scalar", into = "String")]
pub struct Acknowledge(pub Acks);

named!(Acknowledge, "setting of acks", {
    "all" => Acknowledge(Acks::All),
    "1" => Acknowledge(Acks::Leader),
    "0" => Acknowledge(Acks::None),
});

/// How batches are compressed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "Scalar", into = "String")]
pub struct Compression(pub Codec);

named!(Compression, "compression", {
    "none" => Compression(Codec::None),
    "gzip" => Compression(Codec::Gzip),
    "snappy" => Compression(Codec::Snappy),
    "lz4" => Compression(Codec::Lz4),
    "zstd" => Compression(Codec::Zstd),
});

/// Where a record is when it is acknowledged.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(try_from = "Scalar", into = "String")]
pub enum Durability {
    /// In the memory of the target's host: lost when that fails (Kafka's default).
    PageCache,
    /// On its disk (Ringlane's default).
    Disk,
    /// Where the target's own settings say.
    Target,
}

named!(Durability, "durability", {
    "page-cache" => Durability::PageCache,
    "disk" => Durability::Disk,
    "target" => Durability::Target,
});

as_text!(RecordSize, Keys, Acknowledge, Compression, Durability);

#[cfg(test)]
mod tests {
    use super::*;

    fn reads_what_it_writes<T: FromStr<Err = String> + ToString>(texts: &[&str], bad: &[&str]) {
        for text in texts {
            assert_eq!(text.parse::<T>().map(|value| value.to_string()), Ok((*text).to_owned()));
        }
        for text in bad {
            assert!(text.parse::<T>().is_err(), "{text}");
        }
    }

    #[test]
    fn every_value_reads_what_it_writes() {
        reads_what_it_writes::<RecordSize>(&["1KiB", "100B-10KiB"], &["", "10KiB-1KiB", "1-2-3"]);
        reads_what_it_writes::<Keys>(
            &["none", "uniform:10", "zipf:1000"],
            &["", "zipf", "none:1", "zipf:0"],
        );
        reads_what_it_writes::<Acknowledge>(&["all", "1", "0"], &["2", "-2", ""]);
        reads_what_it_writes::<Compression>(&["none", "zstd", "lz4"], &["zip"]);
        reads_what_it_writes::<Durability>(&["page-cache", "disk", "target"], &["ram"]);
    }

    #[test]
    fn sizes_cover_their_range() {
        let (size, mut rng) = ("100-103".parse::<RecordSize>().expect("a range"), Rng::new(1));
        let mut counts = [0; 4];
        (0..4000).for_each(|_| counts[size.pick(&mut rng) - 100] += 1);
        assert!(counts.iter().all(|&count| (800..1200).contains(&count)), "{counts:?}");
    }

    #[test]
    fn zipf_keys_follow_the_law() {
        let (picker, mut rng) = (KeyPicker::new(Keys::Zipf(100)), Rng::new(1));
        let mut counts = [0u32; 100];
        for _ in 0..100_000 {
            counts[picker.pick(&mut rng).expect("a key") as usize] += 1;
        }
        // The sum of 1/n to 100 is 5.187.
        assert!((18_500..20_100).contains(&counts[0]), "{}", counts[0]);
        assert!((1_750..2_110).contains(&counts[9]), "{}", counts[9]);
        assert_eq!(KeyPicker::new(Keys::None).pick(&mut rng), None);
    }
}
