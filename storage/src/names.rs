//! The names of files and directories, which are Kafka's (`LogFileUtils`, `LocalLog`): the offset in twenty digits and a
//! suffix; `<topic>-<partition>`, and what a directory that waits for its removal is called.

use std::path::{Path, PathBuf};

use ringlane_batch::{Offset, PartitionIndex, TopicId};

/// The longest name a Linux file system takes, in bytes.
const NAME_BYTES_MAX: usize = 255;
const DELETE_SUFFIX: &str = "-delete";
const STRAY_SUFFIX: &str = "-stray";
/// What is added to the name of a file that waits for its removal.
pub(crate) const DELETED_FILE_SUFFIX: &str = ".deleted";

/// What a file in a partition's directory holds. Its name starts with an offset.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Kind {
    Log,
    OffsetIndex,
    TimeIndex,
    ProducerSnapshot,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Log, Self::OffsetIndex, Self::TimeIndex, Self::ProducerSnapshot];

    fn suffix(self) -> &'static str {
        match self {
            Self::Log => ".log",
            Self::OffsetIndex => ".index",
            Self::TimeIndex => ".timeindex",
            Self::ProducerSnapshot => ".snapshot",
        }
    }

    /// The file of this kind that belongs to `offset`.
    pub(crate) fn path(self, dir: &Path, offset: Offset) -> PathBuf {
        assert!(offset >= Offset::ZERO, "no file is named by a negative offset");
        dir.join(format!("{:020}{}", offset.0, self.suffix()))
    }

    /// What the file called `name` is, and its offset; `None` for names that are not ours.
    pub(crate) fn parse(name: &str) -> Option<(Self, Offset)> {
        let (digits, suffix) = name.split_at_checked(20)?;
        let kind = Self::ALL.into_iter().find(|kind| kind.suffix() == suffix)?;
        let all_digits = digits.bytes().all(|b| b.is_ascii_digit());
        Some((kind, Offset(digits.parse().ok().filter(|_| all_digits)?)))
    }
}

/// What the file at `path` is called while it waits for its removal.
pub(crate) fn deleted_file(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(DELETED_FILE_SUFFIX);
    name.into()
}

/// The directory of a partition's log within the data directory: `<topic>-<partition>`.
pub fn partition_directory_name(topic: &str, partition: PartitionIndex) -> String {
    format!("{topic}-{partition}")
}

/// The topic and partition of a directory called `name`; `None` when it is no partition's.
pub(crate) fn parse_partition_directory(name: &str) -> Option<(&str, PartitionIndex)> {
    let (topic, partition) = name.rsplit_once('-')?;
    let canonical = partition.bytes().all(|b| b.is_ascii_digit())
        && (partition == "0" || !partition.starts_with('0'));
    let index = partition.parse().ok().filter(|_| canonical && !topic.is_empty())?;
    Some((topic, PartitionIndex(index)))
}

/// What the directory `name` is called while it waits for its removal: `<topic>-<partition>.<32 hex digits>-delete`, the
/// topic cut where the whole would not fit.
pub(crate) fn deleted_directory_name(name: &str, unique: u128) -> String {
    with_suffix(name, &format!(".{unique:032x}{DELETE_SUFFIX}"))
}

/// What the directory `name` is called that nobody serves and nobody removes: `<topic>-<partition>.<topic id>-stray`, from the
/// second of the name on (`nth` 2) `<topic>-<partition>.<topic id>.2-stray`; the topic is cut where the whole would not fit.
pub fn stray_directory_name(name: &str, topic_id: TopicId, nth: u32) -> String {
    match nth {
        0 | 1 => with_suffix(name, &format!(".{topic_id}{STRAY_SUFFIX}")),
        _ => with_suffix(name, &format!(".{topic_id}.{nth}{STRAY_SUFFIX}")),
    }
}

/// `<topic>-<partition>` and the suffix, the topic cut where the whole would not fit.
fn with_suffix(name: &str, suffix: &str) -> String {
    let (topic, partition) = name.rsplit_once('-').unwrap_or((name, "0"));
    let suffix = format!("-{partition}{suffix}");
    let room = NAME_BYTES_MAX.saturating_sub(suffix.len()).min(topic.len());
    let kept = (0..=room).rev().find_map(|len| topic.get(..len)).unwrap_or_default();
    format!("{kept}{suffix}")
}

/// Whether a directory of this name waits for its removal.
pub(crate) fn is_deleted_directory(name: &str) -> bool {
    name.strip_suffix(DELETE_SUFFIX).and_then(|rest| rest.rsplit_once('.')).is_some_and(
        |(_, unique)| unique.len() == 32 && unique.bytes().all(|b| b.is_ascii_hexdigit()),
    )
}

/// Whether a directory of this name was set aside by a start.
pub(crate) fn is_stray_directory(name: &str) -> bool {
    let Some(rest) = name.strip_suffix(STRAY_SUFFIX) else { return false };
    // A topic's name may have dots, too.
    let mut partitions = rest.match_indices('.').map(|(at, _)| &rest[..at]);
    partitions.any(|partition| parse_partition_directory(partition).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_what_the_file_is() {
        let dir = Path::new("d");
        for kind in Kind::ALL {
            let path = kind.path(dir, Offset(42));
            let name = path.file_name().and_then(|name| name.to_str()).unwrap();
            assert_eq!(Kind::parse(name), Some((kind, Offset(42))));
        }
        assert_eq!(Kind::Log.path(dir, Offset(7)), dir.join("00000000000000000007.log"));
        for other in [
            "partition.metadata",
            "7.log",
            "0000000000000000000x.log",
            "00000000000000000007.log.tmp",
            "00000000000000000007.log.deleted",
            "99999999999999999999.log",
            "+0000000000000000007.log",
        ] {
            assert_eq!(Kind::parse(other), None, "{other}");
        }
    }

    #[test]
    fn a_partition_directory_splits_at_its_last_dash() {
        assert_eq!(parse_partition_directory("a-b-12"), Some(("a-b", PartitionIndex(12))));
        for other in
            ["a", "-1", "a-", "a-01", "a-+1", "a-1.00000000000000000000000000000000-delete"]
        {
            assert_eq!(parse_partition_directory(other), None, "{other}");
        }
    }

    #[test]
    fn a_deleted_directory_has_a_name_that_fits_and_is_recognised() {
        let long = partition_directory_name(&"t".repeat(249), PartitionIndex(1234));
        let name = deleted_directory_name(&long, u128::MAX);
        assert_eq!(name.len(), NAME_BYTES_MAX);
        assert!(is_deleted_directory(&name));
        assert!(is_deleted_directory(&deleted_directory_name("a-0", 5)));
        assert!(!is_deleted_directory("my-delete") && !is_deleted_directory("a.b-delete"));
        assert_eq!(parse_partition_directory(&name), None);
    }

    #[test]
    fn a_directory_that_is_set_aside_has_a_name_of_its_own_that_fits() {
        let id = TopicId([7; 16]);
        assert_eq!(stray_directory_name("a-b-0", id, 1), format!("a-b-0.{id}-stray"));
        assert_eq!(stray_directory_name("a-b-0", id, 2), format!("a-b-0.{id}.2-stray"));
        let long = partition_directory_name(&"t".repeat(249), PartitionIndex(1234));
        for nth in [1, 2, u32::MAX] {
            let name = stray_directory_name(&long, id, nth);
            assert_eq!(name.len(), NAME_BYTES_MAX);
            assert_eq!(parse_partition_directory(&name), None);
            assert!(!is_deleted_directory(&name));
            assert!(is_stray_directory(&name), "{name}");
            assert!(is_stray_directory(&stray_directory_name("a.b-0", id, nth)));
        }
        assert!(!is_stray_directory("my-stray") && !is_stray_directory("a.b-stray"));
    }
}
