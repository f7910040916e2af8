//! Values with units, written as people write them: sizes (`1KiB`), times (`15s`), rates (`20k`). Each reads what it writes,
//! on the command line and in scenario files alike.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A number or text in a scenario file: `rate = 1000` and `rate = "1000"` are the same.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum Scalar {
    Integer(i64),
    Float(f64),
    Boolean(bool),
    Text(String),
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(number) => number.fmt(f),
            Self::Float(number) => number.fmt(f),
            Self::Boolean(value) => value.fmt(f),
            Self::Text(text) => text.fmt(f),
        }
    }
}

/// Lets a type be read from and written to a scenario file as its text.
macro_rules! as_text {
    ($($name:ty),+) => {$(
        impl TryFrom<$crate::units::Scalar> for $name {
            type Error = String;

            fn try_from(scalar: $crate::units::Scalar) -> Result<Self, String> {
                scalar.to_string().parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.to_string()
            }
        }
    )+};
}
pub(crate) use as_text;

/// A number of bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(try_from = "Scalar", into = "String")]
pub struct Size(pub u64);

const SIZES: &[(&str, u64)] = &[
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("KB", 1_000),
    ("B", 1),
    ("", 1),
];

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (number, unit) = split(text);
        let unit = SIZES.iter().find(|(name, _)| *name == unit).map(|(_, bytes)| *bytes);
        let bytes = number.zip(unit).map(|(number, unit)| (number * unit as f64).round());
        let bytes = bytes.filter(|bytes| (0.0..1e18).contains(bytes));
        bytes
            .map(|bytes| Self(bytes as u64))
            .ok_or_else(|| format!("{text:?} is no size: write 100B, 1KiB or 4MiB"))
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = |(_, bytes): &&(&str, u64)| self.0 >= *bytes && self.0.is_multiple_of(*bytes);
        let binary = SIZES.iter().filter(|(name, _)| name.ends_with("iB"));
        match binary.clone().find(whole) {
            Some((name, bytes)) => write!(f, "{}{name}", self.0 / bytes),
            None => write!(f, "{}B", self.0),
        }
    }
}

/// A length of time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(try_from = "Scalar", into = "String")]
pub struct Span(pub Duration);

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (number, unit) = split(text);
        let seconds = match unit {
            "us" | "µs" => Some(1e-6),
            "ms" => Some(1e-3),
            "s" => Some(1.0),
            "min" | "m" => Some(60.0),
            "h" => Some(3600.0),
            "" if number == Some(0.0) => Some(1.0),
            _ => None,
        };
        let seconds = number.zip(seconds).map(|(number, unit)| number * unit);
        let seconds = seconds.filter(|seconds| (0.0..1e7).contains(seconds));
        seconds
            .map(|seconds| Self(Duration::from_secs_f64(seconds)))
            .ok_or_else(|| format!("{text:?} is no length of time: write 500us, 5ms, 15s or 2min"))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let us = self.0.as_micros();
        match us {
            _ if us.is_multiple_of(1_000_000) => write!(f, "{}s", us / 1_000_000),
            _ if us.is_multiple_of(1_000) => write!(f, "{}ms", us / 1_000),
            _ => write!(f, "{us}us"),
        }
    }
}

/// How fast records come.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(try_from = "Scalar", into = "String")]
pub enum Rate {
    /// Open loop: so many a second, whatever the target does.
    PerSecond(f64),
    /// Closed loop: the next as soon as there is room. Its latencies are those of the generator's own queue.
    Max,
}

/// More is a typing error: no host sends as much.
const RATE_MAX: f64 = 1e8;

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "max" {
            return Ok(Self::Max);
        }
        let (number, unit) = split(text);
        let unit = match unit {
            "" => Some(1.0),
            "k" => Some(1e3),
            "M" => Some(1e6),
            _ => None,
        };
        let rate = number.zip(unit).map(|(number, unit)| number * unit);
        match rate {
            Some(rate) if rate > 0.0 && rate <= RATE_MAX => Ok(Self::PerSecond(rate)),
            Some(rate) if rate > RATE_MAX => Err(format!(
                "{text:?} records a second is more than any host sends: at most {}M",
                RATE_MAX / 1e6
            )),
            _ => Err(format!("{text:?} is no rate in records a second: write 1000, 20k or max")),
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PerSecond(rate) => rate.fmt(f),
            Self::Max => f.write_str("max"),
        }
    }
}

as_text!(Size, Span, Rate);

/// The number that `text` starts with, and what follows it.
fn split(text: &str) -> (Option<f64>, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    (number.parse().ok(), unit.trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_their_units() {
        for (text, bytes) in [("100", 100), ("100B", 100), ("1KiB", 1024), ("1.5 kB", 1500)] {
            assert_eq!(text.parse(), Ok(Size(bytes)), "{text}");
        }
        for bad in ["", "KiB", "-1", "1kib", "1e3", "9999999999GiB"] {
            assert!(bad.parse::<Size>().is_err(), "{bad}");
        }
        for size in ["0B", "100B", "1KiB", "1025B", "3MiB"] {
            assert_eq!(size.parse::<Size>().expect(size).to_string(), size);
        }
    }

    #[test]
    fn times_need_a_unit() {
        for text in ["0s", "500us", "5ms", "15s", "1500ms"] {
            assert_eq!(text.parse::<Span>().expect(text).to_string(), text);
        }
        assert_eq!("2min".parse(), Ok(Span(Duration::from_secs(120))));
        assert_eq!("0".parse(), Ok(Span(Duration::ZERO)));
        for bad in ["", "5", "s", "5 parsecs", "-5s"] {
            assert!(bad.parse::<Span>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_impossible_rate_is_refused_with_a_sentence() {
        assert_eq!("20k".parse(), Ok(Rate::PerSecond(20_000.0)));
        assert_eq!("max".parse(), Ok(Rate::Max));
        let refused = |text: &str| text.parse::<Rate>().expect_err("no rate");
        assert!(refused("1000000M").contains("more than any host"));
        for bad in ["0", "-1", "fast", "", "1KiB"] {
            assert!(refused(bad).contains("is no rate"), "{bad}");
        }
    }
}
