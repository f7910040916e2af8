//! A simulated machine: an address, a wall clock, a disk that outlives crashes, and at most one process with its shards.

use std::io;
use std::net::IpAddr;
use std::rc::Rc;
use std::task::Waker;

use super::disk::Disk;
use super::shard::Shard;
use super::time::WallClock;

/// Names a host of a simulation, dense from 0 in order of creation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct HostId(pub(super) u32);

impl HostId {
    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}

pub(super) struct Host {
    pub(super) name: String,
    pub(super) ip: IpAddr,
    pub(super) shard_count: u16,
    pub(super) disk: Disk,
    pub(super) wall_clock: WallClock,
    pub(super) process: Option<Process>,
    /// Without power nothing answers, not even with a refusal.
    pub(super) powered: bool,
    /// Of the process that runs or ran last; handles of an earlier one do nothing.
    pub(super) incarnation: u64,
    pub(super) exit: Option<io::Result<()>>,
    next_port: u16,
}

/// A running process.
#[derive(Default)]
pub(super) struct Process {
    pub(super) shards: Vec<Rc<Shard>>,
    /// Shards whose main has returned.
    pub(super) ended: u16,
    pub(super) stopping: bool,
    pub(super) waiting_for_stop: Vec<Waker>,
}

/// Where Linux's `ip_local_port_range` starts.
const FIRST_EPHEMERAL_PORT: u16 = 32_768;

impl Host {
    pub(super) fn new(
        name: &str,
        ip: IpAddr,
        shard_count: u16,
        disk: Disk,
        wall_clock: WallClock,
    ) -> Self {
        assert!(shard_count > 0, "a host has at least one shard");
        Self {
            name: name.to_string(),
            ip,
            shard_count,
            disk,
            wall_clock,
            process: None,
            powered: true,
            incarnation: 0,
            exit: None,
            next_port: FIRST_EPHEMERAL_PORT,
        }
    }

    pub(super) fn ephemeral_port(&mut self) -> u16 {
        let port = self.next_port;
        self.next_port = port.checked_add(1).unwrap_or(FIRST_EPHEMERAL_PORT);
        port
    }

    /// The process, if it is still the one that `shard` belongs to.
    pub(super) fn process_of(&mut self, shard: &Shard) -> Option<&mut Process> {
        (self.incarnation == shard.incarnation()).then_some(self.process.as_mut()).flatten()
    }
}
