//! The Kafka protocol without I/O: what a frame's bytes mean, for every API and version that Ringlane serves.
//!
//! Order of reading: [`frame`] cuts a byte stream into frames, [`header`] says whose request it is, [`message`] teaches
//! the `message!` table by which each file of [`messages`] lists its fields, [`primitives`] has their wire forms.
//! Decoding borrows from the frame and allocates at most a small multiple of the bytes received.
//!
//! A broker reads a request from a frame and answers it:
//!
//! ```
//! use bytes::Bytes;
//! use ringlane_wire::frame::{FrameAssembler, decode_response, encode_request, encode_response};
//! use ringlane_wire::header::decode_request_header;
//! use ringlane_wire::messages::produce::{
//!     PartitionProduceData, PartitionProduceResponse, TopicProduceData, TopicProduceResponse,
//! };
//! use ringlane_wire::messages::{ProduceRequest, ProduceResponse};
//! use ringlane_wire::{ApiKey, Decode, ErrorCode, Records};
//!
//! fn produce(
//!     frame: &Bytes,
//!     append: impl Fn(&str, i32, Bytes) -> i64,
//! ) -> Result<Vec<Bytes>, Box<dyn std::error::Error>> {
//!     let (header, mut body) = decode_request_header(frame)?;
//!     assert_eq!(ApiKey::from_code(header.api_key), Some(ApiKey::Produce));
//!     let request = ProduceRequest::decode_to_end(&mut body, header.api_version)?;
//!     let mut response = ProduceResponse::default();
//!     for topic in &request.topic_data {
//!         let answer = |partition: &PartitionProduceData<'_>| {
//!             let Some(Records::Borrowed(records)) = partition.records else {
//!                 let error_code = ErrorCode::INVALID_RECORD;
//!                 return PartitionProduceResponse { error_code, ..Default::default() };
//!             };
//!             // The records as a shared slice of the frame: nothing is copied.
//!             let base_offset = append(topic.name, partition.index, frame.slice_ref(records));
//!             PartitionProduceResponse { index: partition.index, base_offset, ..Default::default() }
//!         };
//!         let partition_responses = topic.partition_data.iter().map(answer).collect();
//!         response.responses.push(TopicProduceResponse {
//!             name: topic.name,
//!             topic_id: topic.topic_id,
//!             partition_responses,
//!         });
//!     }
//!     Ok(encode_response(header.api_version, header.correlation_id, &response)?)
//! }
//!
//! // And a client asks:
//! let records = Some(Bytes::from_static(b"batches").into());
//! let partition_data = vec![PartitionProduceData { index: 2, records }];
//! let topic = TopicProduceData { name: "orders", partition_data, ..Default::default() };
//! let request = ProduceRequest { acks: -1, timeout_ms: 30_000, topic_data: vec![topic], ..Default::default() };
//! let sent: Vec<Bytes> = encode_request(9, 1, Some("me"), &request)?; // for one vectored send
//!
//! let mut frames = Vec::new();
//! FrameAssembler::new(1 << 20).push(&sent.concat(), &mut |frame| frames.push(frame))?;
//! let answer = produce(&frames[0], |_topic, _partition, _records| 42)?;
//!
//! frames.clear();
//! FrameAssembler::new(1 << 20).push(&answer.concat(), &mut |frame| frames.push(frame))?;
//! let (correlation_id, response) = decode_response::<ProduceRequest>(&frames[0], 9)?;
//! assert_eq!((correlation_id, response.responses[0].partition_responses[0].base_offset), (1, 42));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

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
