//! What the members of a consumer group say to each other inside JoinGroup and SyncGroup: the broker only passes it on.
//! Source: Kafka's ConsumerProtocolSubscription and ConsumerProtocolAssignment schemas.

use bytes::Bytes;

use crate::error::{DecodeError, DecodeErrorReason, EncodeError};
use crate::field::{Context, ReadField, WriteField};
use crate::reader::Reader;
use crate::writer::Writer;

message! {
    /// What a member wants: the `metadata` of its protocol in JoinGroup.
    struct ConsumerProtocolSubscription<'a> {
        topics: Vec<&'a str> => since(0);
        user_data: Option<&'a [u8]> => since(0).nullable_since(0);
        owned_partitions: Vec<TopicPartition<'a>> => since(1).ignorable();
        generation_id: i32 = -1 => since(2).ignorable();
        rack_id: Option<&'a str> => since(3).nullable_since(3).ignorable();
    }

    /// What a member gets: its `assignment` in SyncGroup.
    struct ConsumerProtocolAssignment<'a> {
        assigned_partitions: Vec<TopicPartition<'a>> => since(0);
        user_data: Option<&'a [u8]> => since(0).nullable_since(0);
    }

    /// Partitions of one topic, in either message.
    struct TopicPartition<'a> {
        topic: &'a str => since(0);
        partitions: Vec<i32> => since(0);
    }
}

/// The newest version that is written; a newer one is read as this, since fields are only ever appended.
pub const VERSION_MAX: i16 = 3;

impl<'a> ConsumerProtocolSubscription<'a> {
    /// Reads a subscription and the version before it.
    ///
    /// # Errors
    /// When the bytes are not one.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        decode(bytes)
    }

    /// The version and the subscription in it.
    ///
    /// # Errors
    /// When a value is too long for its field.
    pub fn encode(&self, version: i16) -> Result<Bytes, EncodeError> {
        encode(self, version)
    }
}

impl<'a> ConsumerProtocolAssignment<'a> {
    /// Reads an assignment and the version before it.
    ///
    /// # Errors
    /// When the bytes are not one.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        decode(bytes)
    }

    /// The version and the assignment in it.
    ///
    /// # Errors
    /// When a value is too long for its field.
    pub fn encode(&self, version: i16) -> Result<Bytes, EncodeError> {
        encode(self, version)
    }
}

/// None of these messages' versions is flexible.
fn context(version: i16) -> Context {
    Context { version, flexible: false, nullable: false }
}

/// A version newer than ours is read as ours. Bytes behind the last field are left alone: they are a later version's.
fn decode<'a, T: ReadField<'a>>(bytes: &'a [u8]) -> Result<T, DecodeError> {
    let mut r = Reader::new(bytes);
    let version = i16::from_be_bytes(r.take_array()?);
    if version < 0 {
        return Err(r.error(DecodeErrorReason::InvalidConsumerProtocolVersion(version)));
    }
    T::read(&mut r, context(version.min(VERSION_MAX)))
}

fn encode(message: &impl WriteField, version: i16) -> Result<Bytes, EncodeError> {
    assert!((0..=VERSION_MAX).contains(&version), "consumer protocol version {version}");
    let mut w = Writer::new();
    w.put_slice(&version.to_be_bytes());
    message.write(&mut w, context(version))?;
    Ok(w.finish().into_iter().next().expect("the version is there, and no part is shared"))
}
