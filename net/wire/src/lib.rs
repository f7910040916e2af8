//! The Kafka protocol without I/O: what a frame's bytes mean, for every API and version that Ringlane serves.
//!
//! Order of reading: [`frame`] cuts a byte stream into frames, [`header`] says whose request it is, [`message`] teaches
//! the `message!` table by which each file of [`messages`] lists its fields, [`primitives`] has their wire forms.
//! Decoding borrows from the frame and allocates at most a small multiple of the bytes received.

#[macro_use]
pub mod message;
#[macro_use]
pub mod api_key;
pub mod error;
pub mod error_code;
pub mod field;
pub mod frame;
pub mod header;
pub mod messages;
pub mod primitives;
pub mod reader;
pub mod records;
pub mod tagged;
pub mod uuid;
pub mod writer;

pub use api_key::ApiKey;
pub use error::{DecodeError, EncodeError};
pub use error_code::ErrorCode;
pub use frame::{FrameAssembler, FrameError};
pub use header::{RequestHeader, ResponseHeader};
pub use message::{Decode, Message, Request};
pub use reader::Reader;
pub use records::Records;
pub use uuid::Uuid;
pub use writer::Writer;

#[cfg(test)]
mod tests;
