//! The records of `__consumer_offsets` in Kafka's own format, so that Kafka's tools read our log and we read Kafka's.
//!
//! A key or value is a version (int16, big endian) and then the fields of the schema of that name and version
//! (`group-coordinator/src/main/resources/common/message/*.json`). A missing value is a tombstone.
//!
//! | key | value | written | read |
//! |---|---|---|---|
//! | `OffsetCommitKey` 1 | `OffsetCommitValue` | 3; 1 for an explicit expiry | key 0-1, value 0-4 |
//! | `GroupMetadataKey` 2 | `GroupMetadataValue` | 3 | key 2, value 0-4 |

mod group_metadata;
mod offset_commit;
mod primitives;

use std::fmt;

use bytes::Bytes;

pub use group_metadata::{GroupMetadata, MemberMetadata};
pub use offset_commit::CommittedOffset;
pub(super) use primitives::Reader;

/// `OffsetCommitKey`: versions 0 and 1 are alike.
const OFFSET_COMMIT_KEYS: std::ops::RangeInclusive<i16> = 0..=1;
/// `GroupMetadataKey`
const GROUP_METADATA_KEY: i16 = 2;

/// A record to write: the batch around it is the shell's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// Never empty.
    pub key: Bytes,
    /// None for a tombstone.
    pub value: Option<Bytes>,
}

/// A record that was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum GroupRecord {
    /// An offset was committed, or (none) removed.
    OffsetCommit {
        /// The group.
        group_id: String,
        /// The topic's name.
        topic: String,
        /// The partition.
        partition: i32,
        /// None for a tombstone.
        value: Option<CommittedOffset>,
    },
    /// A group changed, or (none) was removed.
    GroupMetadata {
        /// The group.
        group_id: String,
        /// None for a tombstone.
        value: Option<GroupMetadata>,
    },
}

/// Why bytes are no record of ours. The disk or a newer writer is at fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DecodeError {
    /// A kind of record that this broker does not know, such as those of KIP-848's groups. Replay may pass over it.
    UnknownKeyVersion(i16),
    /// A record of a known kind from a newer writer.
    UnknownValueVersion(i16),
    /// The bytes end early, or too late, or say something impossible.
    Malformed(&'static str),
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownKeyVersion(version) => {
                write!(f, "a __consumer_offsets key of unknown version {version}")
            }
            Self::UnknownValueVersion(version) => {
                write!(f, "a __consumer_offsets value of unknown version {version}")
            }
            Self::Malformed(what) => write!(f, "a malformed __consumer_offsets record: {what}"),
        }
    }
}

impl std::error::Error for DecodeError {}

/// A field is longer than the format's length prefix can say (32,767 bytes for a string). The client is at fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FieldTooLong;

impl fmt::Display for FieldTooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field is too long for a __consumer_offsets record")
    }
}

impl std::error::Error for FieldTooLong {}

impl GroupRecord {
    /// The record as it is written.
    ///
    /// # Errors
    /// When a field is too long for the format.
    pub fn encode(&self) -> Result<Record, FieldTooLong> {
        let (key, value) = match self {
            Self::OffsetCommit { group_id, topic, partition, value } => (
                offset_commit::encode_key(group_id, topic, *partition)?,
                value.as_ref().map(CommittedOffset::encode).transpose()?,
            ),
            Self::GroupMetadata { group_id, value } => (
                group_metadata::encode_key(group_id)?,
                value.as_ref().map(GroupMetadata::encode).transpose()?,
            ),
        };
        Ok(Record { key: key.into(), value: value.map(Bytes::from) })
    }

    /// Reads a record.
    ///
    /// # Errors
    /// On an unknown version or malformed bytes; see [`DecodeError`].
    pub fn decode(key: &[u8], value: Option<&[u8]>) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(key);
        let version = reader.i16()?;
        if OFFSET_COMMIT_KEYS.contains(&version) {
            let group_id = reader.string()?.to_owned();
            let topic = reader.string()?.to_owned();
            let partition = reader.i32()?;
            reader.finish()?;
            let value = value.map(CommittedOffset::decode).transpose()?;
            Ok(Self::OffsetCommit { group_id, topic, partition, value })
        } else if version == GROUP_METADATA_KEY {
            let group_id = reader.string()?.to_owned();
            reader.finish()?;
            let value = value.map(GroupMetadata::decode).transpose()?;
            Ok(Self::GroupMetadata { group_id, value })
        } else {
            Err(DecodeError::UnknownKeyVersion(version))
        }
    }
}
