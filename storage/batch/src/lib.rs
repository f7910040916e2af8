//! Kafka's record batch, version 2, byte for byte: read in place, built, checked, compressed; and the newtypes for
//! everything that numbers a record. Knows nothing of files, sockets or requests.

mod batch;
mod builder;
mod compression;
mod error;
mod record;
mod types;
mod validate;
mod varint;

pub use batch::{
    BatchHeader, BatchView, Batches, TimestampType, batches, peek_len, stamp, stamp_log_append_time,
};
pub use builder::{BatchBuilder, BatchFields, recompress};
pub use compression::{Codec, Compression, Decompressor, compress};
pub use error::{BatchError, RecordFault};
pub use record::{Header, Headers, Record, RecordSet, Records};
pub use types::{
    DurableEndOffset, HighWatermark, LastStableOffset, LeaderEpoch, LogEndOffset, LogStartOffset,
    Offset, ParseTopicIdError, PartitionIndex, ProducerEpoch, ProducerId, RecoveryPoint, Sequence,
    TimestampMs, TopicId,
};
pub use validate::{Limits, RecordError, Rejected, ValidBatch, validate, validate_with};
