//! `OffsetCommitKey` and `OffsetCommitValue`: one committed offset.
//!
//! ```text
//! key   1  | 00 01 | group: string | topic: string | partition: int32
//! value 3  | 00 03 | offset: int64 | leader epoch: int32 | metadata: string | commit timestamp: int64
//! value 1  | 00 01 | offset: int64 | metadata: string | commit timestamp: int64 | expire timestamp: int64
//! ```

use super::primitives::{Reader, put_string};
use super::{DecodeError, FieldTooLong};

/// An offset that a group committed for a partition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CommittedOffset {
    /// The next offset that the group wants to consume; what the client sent, unchecked.
    pub offset: i64,
    /// The leader epoch of the record before it, if the client said (KIP-320).
    pub leader_epoch: Option<i32>,
    /// Whatever the client wanted to keep with it.
    pub metadata: String,
    /// When it was committed, in milliseconds since the Unix epoch.
    pub commit_timestamp_ms: i64,
    /// When it expires, for a client that said how long to keep it (OffsetCommit 2 to 4).
    pub expire_timestamp_ms: Option<i64>,
}

pub(super) fn encode_key(
    group_id: &str,
    topic: &str,
    partition: i32,
) -> Result<Vec<u8>, FieldTooLong> {
    let mut out = Vec::with_capacity(2 + 2 + group_id.len() + 2 + topic.len() + 4);
    out.extend_from_slice(&1_i16.to_be_bytes());
    put_string(&mut out, group_id)?;
    put_string(&mut out, topic)?;
    out.extend_from_slice(&partition.to_be_bytes());
    Ok(out)
}

impl CommittedOffset {
    pub(super) fn encode(&self) -> Result<Vec<u8>, FieldTooLong> {
        let mut out = Vec::with_capacity(2 + 8 + 4 + 2 + self.metadata.len() + 8 + 8);
        // Only version 1 has an expiry, and it has no leader epoch: what the client asked to expire does (as in
        // Kafka).
        let version: i16 = if self.expire_timestamp_ms.is_some() { 1 } else { 3 };
        out.extend_from_slice(&version.to_be_bytes());
        out.extend_from_slice(&self.offset.to_be_bytes());
        if version == 3 {
            out.extend_from_slice(&self.leader_epoch.unwrap_or(-1).to_be_bytes());
        }
        put_string(&mut out, &self.metadata)?;
        out.extend_from_slice(&self.commit_timestamp_ms.to_be_bytes());
        if let Some(expire_timestamp_ms) = self.expire_timestamp_ms {
            out.extend_from_slice(&expire_timestamp_ms.to_be_bytes());
        }
        Ok(out)
    }

    pub(super) fn decode(value: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(value);
        let version = reader.i16()?;
        if !(0..=4).contains(&version) {
            return Err(DecodeError::UnknownValueVersion(version));
        }
        reader.set_flexible(version >= 4);
        let offset = reader.i64()?;
        let leader_epoch = if version >= 3 { reader.i32()? } else { -1 };
        let metadata = reader.string()?.to_owned();
        let commit_timestamp_ms = reader.i64()?;
        let expire_timestamp_ms = if version == 1 { reader.i64()? } else { -1 };
        reader.tagged_fields()?;
        reader.finish()?;
        Ok(Self {
            offset,
            leader_epoch: (leader_epoch >= 0).then_some(leader_epoch),
            metadata,
            commit_timestamp_ms,
            expire_timestamp_ms: (expire_timestamp_ms >= 0).then_some(expire_timestamp_ms),
        })
    }
}
