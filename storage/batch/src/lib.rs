//! Kafka's record batch, version 2, byte for byte: read in place, built, checked, compressed; and the newtypes for
//! everything that numbers a record. Knows nothing of files, sockets or requests.

mod batch;
mod compression;
mod error;
mod types;

pub use batch::{
    BatchHeader, BatchView, Batches, TimestampType, batches, peek_len, stamp, stamp_log_append_time,
};
pub use compression::Codec;
pub use error::{BatchError, RecordFault};
pub use types::{
    DurableEndOffset, HighWatermark, LastStableOffset, LeaderEpoch, LogEndOffset, LogStartOffset,
    Offset, ParseTopicIdError, PartitionIndex, ProducerEpoch, ProducerId, RecoveryPoint, Sequence,
    TimestampMs, TopicId,
};
