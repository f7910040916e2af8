//! The broker as a library, so that the simulation runs the same code as the binary. The order of reading is the order of
//! the data: `listener`, `connection`, `apis/`, `router`, `partition`, then the storage crate; answers come back the same
//! way.

pub mod apis;
mod cluster;
mod compaction;
pub mod config;
mod connection;
mod controller_place;
mod coordinator;
pub mod descriptors;
pub mod group;
mod listener;
mod log_directories;
mod log_dirs;
mod memory;
mod metrics;
pub mod misnamed;
mod moved;
mod nodes;
mod partition;
mod partitions;
mod producer_ids;
mod race;
mod recovery;
mod retention;
mod router;
mod scrub;
pub mod server;
mod shard;
mod topic_creation;
