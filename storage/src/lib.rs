//! A partition's log: segments of Kafka's own files, their sparse indexes, producer state, leader epochs, the journal that
//! makes appends durable, and recovery. Knows nothing of requests, brokers or replicas.
//!
//! The order of reading is the order of the data: [`Log::append`] (`log/append.rs`) writes a batch to the active
//! segment (`segment/writer.rs`) and to the shard's [`journal`], which makes it durable; a round of checkpoints
//! (`manager/rounds.rs`) syncs the segments and lets the journal be recycled; [`Log::read`] (`log/read.rs`) gives it back; and
//! after a crash `replay.rs` and `recovery.rs` find it again.

mod checkpoint;
mod compaction;
mod config;
mod error;
mod group_sync;
pub mod inspect;
pub mod journal;
mod kept;
mod leader_epochs;
mod log;
mod log_directory;
mod log_start;
mod manager;
mod meta_properties;
mod names;
mod partition_metadata;
mod producer_state;
mod recovered;
mod recovery;
mod replay;
mod retention;
mod scrub;
mod segment;
mod shard_checkpoint;
mod turnstile;

pub use compaction::{Cleanable, Cleaned, Cleaner};
pub use config::{CleanerConfig, CompactionConfig, HeldConfig, LogConfig, LogManagerConfig};
pub use error::{AppendError, ReadError, StorageError};
pub use journal::LOGS_PREFETCHED;
pub use kept::{KeptLog, keep};
pub use log::{
    Acknowledgeable, Appended, DamagedRange, Fetched, Log, NewLog, Origin, Span, TimestampedOffset,
};
pub use log_directory::{Found, LogDirectory, PartitionDirectory};
pub use manager::{LogManager, RoundStats};
pub use meta_properties::MetaProperties;
pub use names::{partition_directory_name, stray_directory_name};
pub use recovered::Recovered;
pub use recovery::RecoveryReport;
pub use replay::{Replayed, replay, replay_kept};
pub use scrub::{ScrubConfig, ScrubReport, Scrubber};
pub use shard_checkpoint::LogKey;
