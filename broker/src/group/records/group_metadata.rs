//! `GroupMetadataKey` and `GroupMetadataValue`: a group's generation with its members and their assignments.
//!
//! ```text
//! key   2  | 00 02 | group: string
//! value 3  | 00 03 | protocol type: string | generation: int32 | protocol: string? | leader: string?
//!          | state timestamp: int64 | members: int32, each
//!          |   member id: string | instance id: string? | client id: string | client host: string
//!          |   rebalance timeout: int32 | session timeout: int32 | subscription: bytes | assignment: bytes
//! ```

use std::collections::BTreeSet;

use bytes::Bytes;

use super::primitives::{Reader, put_bytes, put_nullable_string, put_string};
use super::{DecodeError, FieldTooLong};
use crate::group::request::Generation;

/// A group as its record says it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GroupMetadata {
    /// Empty for a group that nobody joined.
    pub protocol_type: String,
    /// Not negative.
    pub generation: Generation,
    /// The protocol that the members chose.
    pub protocol: Option<String>,
    /// The leader's member id.
    pub leader: Option<String>,
    /// When the group came to its state, in milliseconds since the Unix epoch.
    pub state_since_ms: Option<i64>,
    /// No two with one member id or one instance id.
    pub members: Vec<MemberMetadata>,
}

/// A member as the group's record says it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MemberMetadata {
    /// Not empty.
    pub member_id: String,
    /// `group.instance.id`
    pub instance_id: Option<String>,
    /// `client.id`
    pub client_id: String,
    /// As Java writes addresses: `/127.0.0.1`.
    pub client_host: String,
    /// The session timeout, where an old record does not say.
    pub rebalance_timeout_ms: i32,
    /// `session.timeout.ms`
    pub session_timeout_ms: i32,
    /// The member's metadata for the group's protocol.
    pub subscription: Bytes,
    /// What the leader assigned to it.
    pub assignment: Bytes,
}

pub(super) fn encode_key(group_id: &str) -> Result<Vec<u8>, FieldTooLong> {
    let mut out = Vec::with_capacity(2 + 2 + group_id.len());
    out.extend_from_slice(&super::GROUP_METADATA_KEY.to_be_bytes());
    put_string(&mut out, group_id)?;
    Ok(out)
}

impl GroupMetadata {
    pub(super) fn encode(&self) -> Result<Vec<u8>, FieldTooLong> {
        let mut out = Vec::new();
        out.extend_from_slice(&3_i16.to_be_bytes());
        put_string(&mut out, &self.protocol_type)?;
        out.extend_from_slice(&self.generation.0.to_be_bytes());
        put_nullable_string(&mut out, self.protocol.as_deref())?;
        put_nullable_string(&mut out, self.leader.as_deref())?;
        out.extend_from_slice(&self.state_since_ms.unwrap_or(-1).to_be_bytes());
        let count = i32::try_from(self.members.len()).map_err(|_| FieldTooLong)?;
        out.extend_from_slice(&count.to_be_bytes());
        for member in &self.members {
            put_string(&mut out, &member.member_id)?;
            put_nullable_string(&mut out, member.instance_id.as_deref())?;
            put_string(&mut out, &member.client_id)?;
            put_string(&mut out, &member.client_host)?;
            out.extend_from_slice(&member.rebalance_timeout_ms.to_be_bytes());
            out.extend_from_slice(&member.session_timeout_ms.to_be_bytes());
            put_bytes(&mut out, &member.subscription)?;
            put_bytes(&mut out, &member.assignment)?;
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
        let protocol_type = reader.string()?.to_owned();
        let generation = Generation(reader.i32()?);
        let protocol = reader.nullable_string()?.map(str::to_owned);
        let leader = reader.nullable_string()?.map(str::to_owned);
        let state_since_ms = if version >= 2 { reader.i64()? } else { -1 };
        // Each member consumes bytes or fails, so a false count allocates nothing.
        let members = (0..reader.array_length()?)
            .map(|_| decode_member(&mut reader, version))
            .collect::<Result<Vec<_>, _>>()?;
        reader.tagged_fields()?;
        reader.finish()?;
        let state_since_ms = (state_since_ms >= 0).then_some(state_since_ms);
        let metadata =
            Self { protocol_type, generation, protocol, leader, state_since_ms, members };
        metadata.check()?;
        Ok(metadata)
    }

    /// What no writer writes, so that a group can be made of it without a doubt.
    fn check(&self) -> Result<(), DecodeError> {
        let mut ids = BTreeSet::new();
        let mut instance_ids = BTreeSet::new();
        if self.generation < Generation(0) {
            return Err(DecodeError::Malformed("the generation is negative"));
        }
        if !self.members.is_empty() && self.protocol.is_none() {
            return Err(DecodeError::Malformed("members without a protocol"));
        }
        for member in &self.members {
            if member.member_id.is_empty() || !ids.insert(&member.member_id) {
                return Err(DecodeError::Malformed("a member id is empty or not unique"));
            }
            if member.instance_id.as_ref().is_some_and(|id| !instance_ids.insert(id)) {
                return Err(DecodeError::Malformed("an instance id is not unique"));
            }
        }
        Ok(())
    }
}

fn decode_member(reader: &mut Reader<'_>, version: i16) -> Result<MemberMetadata, DecodeError> {
    let member_id = reader.string()?.to_owned();
    let instance_id =
        if version >= 3 { reader.nullable_string()?.map(str::to_owned) } else { None };
    let client_id = reader.string()?.to_owned();
    let client_host = reader.string()?.to_owned();
    let rebalance_timeout_ms = if version >= 1 { reader.i32()? } else { -1 };
    let session_timeout_ms = reader.i32()?;
    let subscription = Bytes::copy_from_slice(reader.bytes()?);
    let assignment = Bytes::copy_from_slice(reader.bytes()?);
    reader.tagged_fields()?;
    Ok(MemberMetadata {
        member_id,
        instance_id,
        client_id,
        client_host,
        rebalance_timeout_ms: if rebalance_timeout_ms == -1 {
            session_timeout_ms
        } else {
            rebalance_timeout_ms
        },
        session_timeout_ms,
        subscription,
        assignment,
    })
}
