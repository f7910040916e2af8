//! The real side of the facade. glommio is the executor of each shard: a pinned thread and task queues with shares. A
//! ring of our own carries all I/O, and is where a shard sleeps (docs/decisions/0001-reactor.md says why not in
//! glommio's). Nothing outside this folder names either.
//!
//! Order of reading: `run` starts the shards, `driver` is the loop of one, `task` and `waker` what it runs, `ring` and
//! `op` how it talks to the kernel; `receive`, `stream`, `splice`, `listener`, `file`, `direct`, `in_place`, `directory`,
//! `file_system` are what is built on that.

mod buffers;
mod config;
mod direct;
mod directory;
mod driver;
mod file;
mod file_system;
mod fixed;
mod give_way;
mod in_place;
mod listener;
mod op;
mod pipes;
mod receive;
mod residency;
mod ring;
mod run;
mod shard;
mod signal;
mod slab;
mod sleep;
mod socket;
mod splice;
mod stream;
mod task;
mod waker;

pub use config::{ShardConfig, allowed_cpus};
pub(crate) use file::{File, FileLock, SharedFile};
pub(crate) use fixed::{FIXED_BYTES_PER_SHARD, Registration, try_fixed_buffers};
pub(crate) use listener::Listener;
pub use run::run_shards;
pub(crate) use shard::Shard;
pub use signal::termination_requested;
pub(crate) use sleep::Sleep;
pub(crate) use socket::ReservedSocket;
pub(crate) use stream::{Chunk, Stream};
pub(crate) use task::TaskHandle;

/// Makes a ring as a shard does and drops it again, to learn whether the host allows it.
pub(crate) fn try_ring() -> std::io::Result<()> {
    ring::Ring::new(&ShardConfig::single()).map(drop)
}
