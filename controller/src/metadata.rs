//! How identities of other crates look inside rkyv archives. What the controller writes to disk is the archive of
//! [`crate::Command`] and of the image's parts: any change of their shape is a new format version (`raft/frame.rs`).

use ringlane_batch::{LeaderEpoch, PartitionIndex, TopicId};
use rkyv::{Archive, Deserialize, Serialize};

/// A [`TopicId`] in an archive: its 16 bytes.
#[derive(Archive, Serialize, Deserialize)]
#[rkyv(remote = TopicId)]
pub struct TopicIdRecord([u8; 16]);

impl From<TopicIdRecord> for TopicId {
    fn from(record: TopicIdRecord) -> Self {
        Self(record.0)
    }
}

/// A [`LeaderEpoch`] in an archive.
#[derive(Archive, Serialize, Deserialize)]
#[rkyv(remote = LeaderEpoch)]
pub struct LeaderEpochRecord(i32);

impl From<LeaderEpochRecord> for LeaderEpoch {
    fn from(record: LeaderEpochRecord) -> Self {
        Self(record.0)
    }
}

/// A [`PartitionIndex`] in an archive.
#[derive(Archive, Serialize, Deserialize)]
#[rkyv(remote = PartitionIndex)]
pub struct PartitionIndexRecord(i32);

impl From<PartitionIndexRecord> for PartitionIndex {
    fn from(record: PartitionIndexRecord) -> Self {
        Self(record.0)
    }
}
