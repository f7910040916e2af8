//! Tests over every message and version, derived from the list in `api_key.rs`: a new row there is a new case here.

mod frame;
pub(crate) mod generate;
mod hand_checked;
mod hand_checked_log_dirs;
mod hand_checked_txn;
mod hostile;
mod oracle;
mod primitives;
mod schema;

use bytes::Bytes;

use crate::field::{Context, Kind, ReadField, WriteField};
use crate::{ApiKey, Decode, DecodeError, EncodeError, Message, Reader, Writer, messages};
use generate::{Generate, Generator};

/// One request or response type, its lifetime hidden behind functions.
pub(crate) struct MessageCase {
    pub(crate) name: &'static str,
    pub(crate) api_key: ApiKey,
    pub(crate) kind: Kind,
    /// The fewest bytes of a value, as array bounds use it.
    pub(crate) size_min: fn(Context) -> usize,
    /// The bytes of the default value.
    pub(crate) encode_default: fn(i16) -> Result<Vec<u8>, EncodeError>,
    /// The bytes of a random value; checks that they decode to that value.
    pub(crate) round_trip: fn(&mut Generator, i16) -> Vec<u8>,
    /// Decodes the bytes, and drops the value.
    pub(crate) decode: fn(&[u8], i16) -> Result<(), DecodeError>,
    /// Decodes bytes that may be anything; what decodes must encode, and decode to the same again.
    pub(crate) decode_and_round_trip: fn(&[u8], i16),
    /// The versions that the oracle has.
    pub(crate) oracle_versions: std::ops::RangeInclusive<i16>,
    /// The bytes decoded and encoded by the oracle.
    pub(crate) oracle_reencode: fn(&[u8], i16) -> Result<Vec<u8>, String>,
}

impl MessageCase {
    pub(crate) fn versions(&self) -> std::ops::RangeInclusive<i16> {
        self.api_key.versions()
    }

    pub(crate) fn context(&self, version: i16) -> Context {
        context(self.api_key, version)
    }
}

fn context(api_key: ApiKey, version: i16) -> Context {
    Context { version, flexible: api_key.is_flexible(version), nullable: false }
}

pub(crate) fn encode(message: &impl Message, version: i16) -> Result<Vec<u8>, EncodeError> {
    let mut w = Writer::new();
    message.encode(&mut w, version)?;
    Ok(w.finish().concat())
}

macro_rules! message_case {
    ($message:ident) => {
        MessageCase {
            name: stringify!($message),
            api_key: messages::$message::API_KEY,
            kind: messages::$message::KIND,
            size_min: |context| <messages::$message as ReadField>::size_min(context),
            encode_default: |version| encode(&messages::$message::default(), version),
            round_trip: |g, version| {
                let context = context(messages::$message::API_KEY, version);
                let value = messages::$message::generate(g, context);
                let bytes = encode(&value, version).expect("a generated value has an encoding");
                let decoded = messages::$message::decode_to_end(&mut Reader::new(&bytes), version);
                assert_eq!(decoded.as_ref(), Ok(&value), "version {version}, {bytes:02x?}");
                bytes
            },
            decode: |bytes, version| {
                messages::$message::decode_to_end(&mut Reader::new(bytes), version).map(drop)
            },
            decode_and_round_trip: |bytes, version| {
                let mut r = Reader::new(bytes);
                if let Ok(value) = messages::$message::decode(&mut r, version) {
                    let bytes = encode(&value, version).expect("a decoded value has an encoding");
                    let again =
                        messages::$message::decode_to_end(&mut Reader::new(&bytes), version);
                    assert_eq!(again.as_ref(), Ok(&value), "version {version}, {bytes:02x?}");
                }
            },
            oracle_versions: {
                use kafka_protocol::protocol::Message;
                let versions = kafka_protocol::messages::$message::VERSIONS;
                versions.min..=versions.max
            },
            oracle_reencode: |bytes, version| {
                use kafka_protocol::messages::$message;
                oracle_reencode::<$message>(bytes, version).map_err(|error| error.to_string())
            },
        }
    };
}

fn oracle_reencode<T: kafka_protocol::protocol::Decodable + kafka_protocol::protocol::Encodable>(
    bytes: &[u8],
    version: i16,
) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let mut input = Bytes::copy_from_slice(bytes);
    let message = T::decode(&mut input, version)?;
    assert!(input.is_empty(), "the oracle left bytes over");
    let mut output = bytes::BytesMut::new();
    message.encode(&mut output, version)?;
    Ok(output.to_vec())
}

macro_rules! message_cases {
    ($(
        $name:ident = $key:literal, $versions:expr, flexible $flexible:literal:
            $request:ident $(<$request_lt:lifetime>)? => $response:ident $(<$response_lt:lifetime>)?;
    )+) => {
        /// Every request and response.
        pub(crate) fn message_cases() -> Vec<MessageCase> {
            vec![$(message_case!($request), message_case!($response)),+]
        }
    };
}

for_each_api!(message_cases);
