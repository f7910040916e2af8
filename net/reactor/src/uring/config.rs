//! The settings of a process's shards: where they run, and the bound of every queue and buffer they have.

use std::time::Duration;

/// How to run the shards of this process.
#[derive(Clone, Debug)]
pub struct ShardConfig {
    /// The CPU of each shard, in order of shard number; a CPU may appear more than once (oversubscribed).
    pub cpus: Vec<usize>,
    /// Whether each shard stays on its CPU. If not, `cpus` only says how many shards there are.
    pub pinned: bool,
    /// The CPUs of the rings' kernel workers, which do what would stop a shard; `cpus` may be among them.
    pub worker_cpus: Vec<usize>,
    /// Whether a shard leaves its CPU as soon as anyone else is ready there, in place of keeping it for some milliseconds: a
    /// load generator, which on the CPU of the disk's interrupts would hold back what the kernel does for its target.
    pub gives_way: bool,
    /// How long a shard spins before it sleeps. Zero: an idle broker costs no CPU.
    pub spin: Duration,
    /// Memory for receive buffers of each shard, in bytes.
    pub receive_buffer_bytes: usize,
    /// The size of one receive buffer, in bytes: the most that one [`crate::Chunk`] carries.
    pub receive_chunk_bytes: usize,
    /// Received bytes of one stream that wait to be read before it stops receiving.
    pub unread_bytes_max: usize,
    /// Accepted connections of one listener that wait to be taken before it stops accepting.
    pub accepted_max: usize,
    /// Submission queue entries of each shard's ring; the completion queue has four times as many. More operations than
    /// that in one turn of the loop cost a system call more, nothing else.
    pub ring_entries: u32,
}

impl ShardConfig {
    /// One pinned shard on each of `cpus`, with the default bounds, and workers wherever the calling thread may run.
    pub fn on(cpus: Vec<usize>) -> Self {
        Self {
            cpus,
            pinned: true,
            worker_cpus: allowed_cpus(),
            gives_way: false,
            spin: Duration::ZERO,
            receive_buffer_bytes: 2 << 20,
            receive_chunk_bytes: 16 << 10,
            unread_bytes_max: 256 << 10,
            accepted_max: 64,
            ring_entries: 256,
        }
    }

    /// One shard that runs wherever the scheduler puts it: a client's.
    pub fn single() -> Self {
        Self { pinned: false, ..Self::on(vec![0]) }
    }
}

/// The CPUs that this process may run on.
pub fn allowed_cpus() -> Vec<usize> {
    let cores = core_affinity::get_core_ids().unwrap_or_default();
    let mut cpus: Vec<usize> = cores.into_iter().map(|core| core.id).collect();
    cpus.sort_unstable();
    if cpus.is_empty() {
        cpus.push(0);
    }
    cpus
}
