//! The simulation: hosts with their shards, disks, clocks and a network between them, all on one thread in virtual time,
//! every choice drawn from one seed. The same seed replays the same run, step by step.

mod direct;
mod disk;
mod file;
mod host;
mod listener;
mod network;
mod scheduler;
mod shard;
mod simulation;
mod stream;
mod task;
#[cfg(test)]
mod tests;
mod time;
mod trace;
mod world;

pub use disk::{CrashKind, DiskFaults};
pub use host::HostId;
pub use network::NetworkFaults;
pub use simulation::{Options, Simulation, Stopped};
pub use time::ClockFaults;

pub(crate) use file::{File, FileLock, SharedFile};
pub(crate) use listener::Listener;
pub(crate) use shard::Shard;
pub(crate) use stream::Stream;
pub(crate) use task::TaskHandle;
pub(crate) use time::Sleep;
