//! A host's disk with its page cache. The rules, all by the seed:
//!
//! - A write lands in the page cache. What a process sees is the cache; what survives is the device.
//! - `sync_data` covers the writes before it, length included; `sync_dir` the names made, renamed or removed in that
//!   directory before it. Nothing else is safe: not a new file's name after a sync of the file, nor a rename after a sync
//!   of its content.
//! - CrashKind::Process ends the process; the cache stays, as the kernel does. CrashKind::Power takes the cache away: of
//!   each unsynced page every sector (512 or 4,096 bytes) is new or old by itself; the end of the file is the synced one,
//!   the last one or any between, unwritten sectors inside it zeros; each unsynced change of a name is there or not, as a
//!   whole and never without the ones it rests on. A rename is atomic. A synced sector never changes, and a sector is
//!   never torn within.
//! - A dirty page may be written back before the next write to it, though nobody syncs; and when a hint asks for it.
//! - A direct write takes effect when it completes: a durable one is then in the cache and on the device, with as much of
//!   the length as it takes to read it, and nothing but later writes and cuts changes it; one that is not durable is like
//!   any write. While it is on its way, both kinds of crash leave each of its sectors new or old by itself (the end of a
//!   process in the cache, not yet safe), and pages beside its range as they are. One whose future is dropped lands later
//!   all the same, in part perhaps, and is not safe.
//! - `sync_file_system` covers, of all files and names of the host, what `sync_data` and `sync_dir` would.
//! - A crash cut falls on one operation that writes or syncs: it has not happened, has happened in part (a prefix of a
//!   write, some sectors of a direct one, some pages of a sync, some names of a recursive remove) or wholly; nothing that the process does after it counts.
//! - Faults (`DiskFaults`): a write fails with EIO, a prefix of it done (of a direct one, some sectors); a sync fails with EIO, after which its pages count
//!   as clean, written or not, and may show the old bytes; a sync or a durable direct write lies (nothing is written); a page goes astray within its
//!   file or to the device with a flipped bit, both unseen until the cache is gone; a read fails with EIO or gives a
//!   flipped bit once; an operation takes a thousand times as long; the disk is full at a capacity (ENOSPC, nothing done);
//!   whatever is opened is refused (EMFILE), what is open stays so; no sync of the file system begins (EAGAIN).
//! - The device of a directory may fail as a whole (`Simulation::fail_directory`): everything there is EIO until it is mended.
//! - A file or directory may be sealed (`Simulation::seal`): EPERM for whatever would change it.
//! - Reads that may not wait are refused now and then, as a cold cache would.

mod content;
mod device;
mod direct;
mod file_system;
mod names;
mod operations;
mod outside;
mod pages;

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use content::{Landing, Snapshot};
use direct::DirectWrite;
pub(super) use names::InodeId;
use names::Tree;

use crate::Rng;

/// How a host ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CrashKind {
    /// As by kill -9: the process is gone, the kernel and its page cache stay.
    Process,
    /// The power goes: what was not synced is lost, torn or kept. The host answers nothing until it is started again.
    Power,
}

/// How a disk fails; rates are once in so many operations, 0 for never. The default does not fail.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DiskFaults {
    /// A write fails with EIO, a prefix of it done; of a direct one, some sectors.
    pub write_error_one_in: u64,
    /// A sync of a file, a directory or the file system fails with EIO.
    pub sync_error_one_in: u64,
    /// A sync of a file or the file system, or a durable direct write, says that it worked and wrote nothing.
    pub sync_lost_one_in: u64,
    /// A read fails with EIO.
    pub read_error_one_in: u64,
    /// A read gives one wrong bit; the next one may be right.
    pub read_flip_one_in: u64,
    /// Of the pages that a sync or a durable direct write writes, one arrives with a wrong bit.
    pub page_flip_one_in: u64,
    /// Of the pages that a sync or a durable direct write writes, one lands over another of its file.
    pub page_astray_one_in: u64,
    /// An operation takes a thousand times as long.
    pub slow_one_in: u64,
    /// What the disk holds, in bytes.
    pub capacity_bytes: u64,
    /// Nothing more can be opened (EMFILE): no file, and no directory to be synced, listed or removed with what is in it.
    pub no_descriptors: bool,
    /// There is no thread for a sync of the file system (EAGAIN), and none begins.
    pub no_threads: bool,
    /// The file system says that it copies on write.
    pub copies_on_write: bool,
    /// What is written as a whole or not at all: 512 or 4096.
    pub sector_bytes: usize,
    /// The longest that an ordinary operation takes.
    pub latency_max: Duration,
}

impl Default for DiskFaults {
    fn default() -> Self {
        Self {
            write_error_one_in: 0,
            sync_error_one_in: 0,
            sync_lost_one_in: 0,
            read_error_one_in: 0,
            read_flip_one_in: 0,
            page_flip_one_in: 0,
            page_astray_one_in: 0,
            slow_one_in: 0,
            capacity_bytes: u64::MAX,
            no_descriptors: false,
            no_threads: false,
            copies_on_write: false,
            sector_bytes: 512,
            latency_max: Duration::from_micros(200),
        }
    }
}

impl DiskFaults {
    /// Where a page lands of a sync or durable write that says that it worked, and may have `lost` everything.
    fn landing(&self, lost: bool, rng: &mut Rng) -> Landing {
        match lost {
            true => Landing::Nowhere,
            false if rng.one_in(self.page_astray_one_in) => Landing::Astray,
            false if rng.one_in(self.page_flip_one_in) => Landing::Flipped,
            false => Landing::Right,
        }
    }
}

/// See the head of this file.
pub(super) struct Disk {
    tree: Tree,
    faults: DiskFaults,
    failed: device::Failed,
    rng: Rng,
    /// Operations that wrote or synced.
    operations: u64,
    /// The operation that a crash falls on.
    cut: Option<(u64, CrashKind)>,
    /// What the disk is going to be once the process past its crash is gone; until then that process sees a ghost.
    survivor: Option<(CrashKind, Tree)>,
    /// Direct writes on their way, by number.
    in_flight: BTreeMap<u64, DirectWrite>,
    next_direct_write: u64,
    locks: BTreeMap<InodeId, u64>,
    next_lock: u64,
    /// Open files and how often.
    open: BTreeMap<InodeId, u64>,
    removals: u64,
}

/// A sync of a file on its way.
pub(super) struct Sync {
    inode: InodeId,
    snapshot: Snapshot,
}

/// The names that are removed between two searches for inodes that nothing leads to.
const REMOVALS_PER_COLLECTION: u64 = 64;

impl Disk {
    pub(super) fn new(faults: DiskFaults, rng: Rng) -> Self {
        let mut disk = Self {
            tree: Tree::new(),
            faults,
            failed: device::Failed::default(),
            rng,
            operations: 0,
            cut: None,
            survivor: None,
            in_flight: BTreeMap::new(),
            next_direct_write: 0,
            locks: BTreeMap::new(),
            next_lock: 0,
            open: BTreeMap::new(),
            removals: 0,
        };
        disk.set_faults(faults);
        disk
    }

    pub(super) fn set_faults(&mut self, faults: DiskFaults) {
        assert!(matches!(faults.sector_bytes, 512 | 4096), "a sector is 512 or 4096 bytes");
        self.faults = faults;
    }

    pub(super) fn faults(&self) -> DiskFaults {
        self.faults
    }

    pub(super) fn operations(&self) -> u64 {
        self.operations
    }

    pub(super) fn cut_after(&mut self, operations: u64, kind: CrashKind) {
        self.cut = Some((self.operations + operations, kind));
    }

    /// Whether the process is past its crash.
    pub(super) fn is_cut(&self) -> bool {
        self.survivor.is_some()
    }

    pub(super) fn cut_kind(&self) -> Option<CrashKind> {
        self.survivor.as_ref().map(|(kind, _)| *kind)
    }

    /// Whether the next operation is the one that a crash falls on.
    pub(super) fn cut_is_next(&self) -> bool {
        self.cut.is_some_and(|(at, _)| at == self.operations) && !self.is_cut()
    }

    /// The process is gone, by `kind` or by the cut before it.
    pub(super) fn crash(&mut self, kind: CrashKind) {
        match self.survivor.take() {
            Some((_, tree)) => self.tree = tree,
            None => {
                let sector_bytes = self.faults.sector_bytes;
                direct::land(&self.in_flight, kind, &mut self.tree, sector_bytes, &mut self.rng);
                if kind == CrashKind::Power {
                    self.tree.lose_power(sector_bytes, &mut self.rng);
                }
            }
        }
        self.in_flight.clear();
        self.process_ended();
    }

    /// The kernel closes what the process had open, and finishes its direct writes or not.
    pub(super) fn process_ended(&mut self) {
        let in_flight = std::mem::take(&mut self.in_flight);
        let sector_bytes = self.faults.sector_bytes;
        direct::land(&in_flight, CrashKind::Process, &mut self.tree, sector_bytes, &mut self.rng);
        self.cut = None;
        self.locks.clear();
        self.open.clear();
        self.tree.collect(std::iter::empty());
    }

    /// Does an operation that writes or syncs: wholly by `whole`; where the crash cut falls on it, what survives has
    /// none, the part that `part` does, or all of it.
    fn operate<T>(
        &mut self,
        part: impl FnOnce(&mut Tree, &mut Rng),
        whole: impl FnOnce(&mut Tree, &mut Rng) -> io::Result<T>,
    ) -> io::Result<T> {
        let cut = self.cut.filter(|_| self.cut_is_next());
        self.operations += 1;
        let Some((_, kind)) = cut else { return whole(&mut self.tree, &mut self.rng) };
        let mut survivor = self.tree.clone();
        let done = self.rng.below(3);
        if done == 1 {
            part(&mut survivor, &mut self.rng);
        }
        let result = whole(&mut self.tree, &mut self.rng);
        if done == 2 {
            survivor = self.tree.clone();
        }
        let sector_bytes = self.faults.sector_bytes;
        direct::land(&self.in_flight, kind, &mut survivor, sector_bytes, &mut self.rng);
        if kind == CrashKind::Power {
            survivor.lose_power(sector_bytes, &mut self.rng);
        }
        self.survivor = Some((kind, survivor));
        result
    }

    /// How long the next operation takes, and whether that passes before it happens (else after it).
    pub(super) fn latency(&mut self) -> (Duration, bool) {
        let max = u64::try_from(self.faults.latency_max.as_nanos()).unwrap_or(u64::MAX);
        let slow = if self.rng.one_in(self.faults.slow_one_in) { 1000 } else { 1 };
        let nanos = self.rng.below(max.saturating_add(1)).saturating_mul(slow);
        (Duration::from_nanos(nanos), self.rng.one_in(2))
    }
}
