//! A partition's log: segments of Kafka's own files, their sparse indexes, producer state, leader epochs, recovery, and
//! the grouped syncs that make appends durable. Knows nothing of requests, brokers or replicas.
//!
//! The order of reading is the order of the data: [`Log::append`] (`log/append.rs`) writes a batch to the active
//! segment (`segment/writer.rs`), [`GroupSync`] makes it durable, [`Log::read`] (`log/read.rs`) gives it back, and
//! `recovery.rs` finds it again after a crash.

mod checkpoint;
mod config;
mod error;
mod group_sync;
mod leader_epochs;
mod log;
mod log_directory;
mod log_start;
mod meta_properties;
mod names;
mod partition_metadata;
mod producer_state;
mod recovery;
mod retention;
mod segment;
mod turnstile;

pub use config::{GroupSyncConfig, LogConfig};
pub use error::{AppendError, ReadError, StorageError};
pub use group_sync::GroupSync;
pub use log::{Appended, Fetched, Log, Origin, TimestampedOffset};
pub use log_directory::{CleanShutdown, LogDirectory, PartitionDirectory};
pub use meta_properties::MetaProperties;
pub use names::partition_directory_name;
pub use recovery::RecoveryReport;
