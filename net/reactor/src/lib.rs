//! A shard's only way to the outside: spawn, clock, timers, files, sockets, mailboxes, randomness. Each handle is an enum
//! over the real thing (`uring/`: glommio and a ring of our own) and the simulation (`sim/`: virtual time, a seeded
//! scheduler, a disk and a network with faults). Nothing outside this crate can tell which one it runs on.

mod clock;
mod direct;
mod executor;
mod file;
mod host;
mod listener;
mod mailbox;
mod part;
mod preflight;
mod reactor;
pub mod requirements;
mod rng;
pub mod sim;
mod stalls;
mod stream;
mod sync;
mod timer;
mod uring;

pub use clock::Instant;
pub use direct::{DirectBuffer, DirectFile};
pub use executor::{Queue, Task};
pub use file::{DirEntry, Disk, File, FileLock, Metadata, OpenOptions};
pub use host::{
    Space, hostname, is_out_of_descriptors, is_out_of_threads, open_files_max, read_to_string,
    resolve, space,
};
pub use listener::{AddressReservation, Listener, reserve_address};
pub use mailbox::{Mailbox, Mesh, Sender};
pub use part::{FileRange, Part};
pub use preflight::{Finding, Severity, preflight};
pub use reactor::{Reactor, ShardId};
pub use rng::Rng;
pub use stalls::{STALL_MIN, Stalls};
pub use stream::{Chunk, Stream};
pub use sync::{Notified, Notify, OneshotReceiver, OneshotSender, oneshot};
pub use timer::{Elapsed, Sleep};
pub use uring::{ShardConfig, allowed_cpus, run_shards, termination_requested};
