//! The settings whose values are words of a closed set: what happens to old records, how stored batches are compressed.

use ringlane_batch::Codec;

use super::value::{Type, Value};

/// `cleanup.policy`: what makes old records go. With neither, the empty list, all are kept but those that clients delete.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CleanupPolicy {
    /// Of each key the last record stays.
    pub compact: bool,
    /// Segments are removed by age and size.
    pub delete: bool,
}

impl CleanupPolicy {
    /// `delete`.
    pub const DELETE: Self = Self { compact: false, delete: true };

    /// Whether clients may move the start of a log (`Partition.deleteRecordsOnLeader`): not where they rely on the last
    /// record of each key.
    pub fn lets_clients_delete(self) -> bool {
        self.delete || !self.compact
    }
}

impl Value for CleanupPolicy {
    const TYPE: Type = Type::List;

    fn parse(text: &str) -> Result<Self, String> {
        let mut policy = Self { compact: false, delete: false };
        // No word is a policy; an empty word among others is not (`ConfigDef.ValidList`).
        if text.trim().is_empty() {
            return Ok(policy);
        }
        for word in text.split(',').map(str::trim) {
            match word {
                "compact" => policy.compact = true,
                "delete" => policy.delete = true,
                _ => {
                    return Err(
                        "must be delete, compact, both with a comma between, or empty".into()
                    );
                }
            }
        }
        Ok(policy)
    }

    fn show(&self) -> String {
        let words = [("compact", self.compact), ("delete", self.delete)];
        let words: Vec<_> = words.into_iter().filter(|word| word.1).map(|word| word.0).collect();
        words.join(",")
    }
}

/// `compression.type`: a codec, or the producer's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CompressionType(pub Option<Codec>);

impl CompressionType {
    /// `producer`.
    pub const PRODUCER: Self = Self(None);
}

impl Value for CompressionType {
    const TYPE: Type = Type::String;

    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "producer" => Ok(Self(None)),
            "uncompressed" => Ok(Self(Some(Codec::None))),
            // Its name towards producers.
            "none" => Err(must_be()),
            name => Codec::from_name(name).map(|codec| Self(Some(codec))).ok_or_else(must_be),
        }
    }

    fn show(&self) -> String {
        match self.0 {
            None => "producer".into(),
            Some(Codec::None) => "uncompressed".into(),
            Some(codec) => codec.name().into(),
        }
    }
}

fn must_be() -> String {
    "must be one of uncompressed, zstd, lz4, snappy, gzip, producer".into()
}

/// -1 or 1 to 9: a check for the rows of a settings table.
pub(super) fn gzip_level(level: &i32) -> Result<(), String> {
    match level {
        -1 | 1..=9 => Ok(()),
        _ => Err("must be from 1 to 9, or -1".into()),
    }
}

/// Negative or at least 1: a check for the rows of a settings table.
pub(super) fn unlimited_or_at_least_one(value: &i64) -> Result<(), String> {
    match value {
        ..0 | 1.. => Ok(()),
        0 => Err("must be -1 (unlimited) or at least 1".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compression_types_read_back_and_none_is_not_one() {
        for name in ["producer", "uncompressed", "gzip", "snappy", "lz4", "zstd"] {
            assert_eq!(CompressionType::parse(name).expect("Kafka's").show(), name);
        }
        assert!(CompressionType::parse("none").is_err() && CompressionType::parse("").is_err());
    }

    #[test]
    fn an_empty_policy_is_one_that_keeps_everything() {
        for text in ["", " "] {
            let policy = CleanupPolicy::parse(text).expect("Kafka's");
            assert_eq!(policy, CleanupPolicy { compact: false, delete: false });
            assert_eq!(policy.show(), "");
        }
    }

    #[test]
    fn clients_delete_records_unless_a_log_is_only_compacted() {
        let lets = |text| CleanupPolicy::parse(text).expect("Kafka's").lets_clients_delete();
        assert!(lets("") && lets("delete") && lets("compact,delete") && !lets("compact"));
    }

    #[test]
    fn policies_read_back_and_others_are_refused() {
        assert_eq!(CleanupPolicy::parse("delete"), Ok(CleanupPolicy::DELETE));
        for (text, shown) in [("compact", "compact"), ("delete, compact", "compact,delete")] {
            assert_eq!(CleanupPolicy::parse(text).expect("Kafka's").show(), shown);
        }
        assert_eq!(CleanupPolicy::parse("delete,delete"), Ok(CleanupPolicy::DELETE));
        for text in ["forget", "Delete", "none", "none,delete", ",", "delete,", "delete,,compact"] {
            assert!(CleanupPolicy::parse(text).is_err(), "{text:?}");
        }
    }
}
