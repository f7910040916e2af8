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
//! - A dirty page may be written back before the next write to it, though nobody syncs.
//! - A crash cut falls on one operation that writes or syncs: it has not happened, has happened in part (a prefix of a
//!   write, some pages of a sync, some names of a recursive remove) or wholly; nothing that the process does after it counts.
//! - Faults (`DiskFaults`): a write fails with EIO, a prefix of it done; a sync fails with EIO, after which its pages count
//!   as clean, written or not, and may show the old bytes; a sync lies (nothing is written); a page goes astray within its
//!   file or to the device with a flipped bit, both unseen until the cache is gone; a read fails with EIO or gives a
//!   flipped bit once; an operation takes a thousand times as long; the disk is full at a capacity (ENOSPC, nothing done).
//! - Reads that may not wait are refused now and then, as a cold cache would.

mod content;
mod names;
mod pages;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::time::Duration;

use content::{Landing, Snapshot};
pub(super) use names::InodeId;
use names::Tree;

use crate::Rng;
use crate::file::{DirEntry, Metadata, OpenOptions};

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
    /// A write fails with EIO, a prefix of it done.
    pub write_error_one_in: u64,
    /// A sync of a file or directory fails with EIO.
    pub sync_error_one_in: u64,
    /// A sync of a file says that it worked and wrote nothing.
    pub sync_lost_one_in: u64,
    /// A read fails with EIO.
    pub read_error_one_in: u64,
    /// A read gives one wrong bit; the next one may be right.
    pub read_flip_one_in: u64,
    /// Of the pages that a sync writes, one arrives with a wrong bit.
    pub page_flip_one_in: u64,
    /// Of the pages that a sync writes, one lands over another of its file.
    pub page_astray_one_in: u64,
    /// An operation takes a thousand times as long.
    pub slow_one_in: u64,
    /// What the disk holds, in bytes.
    pub capacity_bytes: u64,
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
            sector_bytes: 512,
            latency_max: Duration::from_micros(200),
        }
    }
}

/// See the head of this file.
pub(super) struct Disk {
    tree: Tree,
    faults: DiskFaults,
    rng: Rng,
    /// Operations that wrote or synced.
    operations: u64,
    /// The operation that a crash falls on.
    cut: Option<(u64, CrashKind)>,
    /// What the disk is going to be once the process past its crash is gone; until then that process sees a ghost.
    survivor: Option<(CrashKind, Tree)>,
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
            rng,
            operations: 0,
            cut: None,
            survivor: None,
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
            None if kind == CrashKind::Power => {
                self.tree.lose_power(self.faults.sector_bytes, &mut self.rng);
            }
            None => {}
        }
        self.process_ended();
    }

    /// The kernel closes what the process had open.
    pub(super) fn process_ended(&mut self) {
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
        if kind == CrashKind::Power {
            survivor.lose_power(self.faults.sector_bytes, &mut self.rng);
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

    pub(super) fn open(&mut self, path: &Path, options: OpenOptions) -> io::Result<InodeId> {
        let create = options.create || options.create_new;
        let exists = self.tree.find(path);
        if options.create_new && exists.is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let id = match exists {
            Ok(_) => self.tree.open(path, false)?.0,
            Err(_) if create => self.operate(|_, _| {}, |tree, _| Ok(tree.open(path, true)?.0))?,
            Err(error) => return Err(error),
        };
        if options.truncate && self.tree.file(id)?.cached().len() > 0 {
            self.set_len(id, 0)?;
        }
        *self.open.entry(id).or_default() += 1;
        Ok(id)
    }

    pub(super) fn close(&mut self, id: InodeId) {
        if let Some(count) = self.open.get_mut(&id) {
            *count -= 1;
            if *count == 0 {
                self.open.remove(&id);
            }
        }
    }

    pub(super) fn write(&mut self, id: InodeId, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let end = offset.checked_add(bytes.len() as u64);
        if end.is_none_or(|end| end > i64::MAX as u64) {
            return Err(io::Error::from_raw_os_error(libc::EFBIG));
        }
        let to_add = self.tree.file(id)?.pages_to_add(offset, bytes.len() as u64);
        self.room_for(to_add)?;
        let prefix = &bytes[..self.rng.below(bytes.len() as u64 + 1) as usize];
        let put = |tree: &mut Tree, bytes: &[u8], rng: &mut Rng| -> io::Result<()> {
            tree.file(id)?.write(offset, bytes, rng);
            Ok(())
        };
        if self.rng.one_in(self.faults.write_error_one_in) {
            self.operate(|_, _| {}, |tree, rng| put(tree, prefix, rng))?;
            return Err(io::Error::from_raw_os_error(libc::EIO));
        }
        let part = |tree: &mut Tree, rng: &mut Rng| _ = put(tree, prefix, rng);
        self.operate(part, |tree, rng| put(tree, bytes, rng))
    }

    fn room_for(&mut self, pages: u64) -> io::Result<()> {
        if self.faults.capacity_bytes == u64::MAX || pages == 0 {
            return Ok(());
        }
        let needed = (self.tree.allocated_pages() + pages) * pages::PAGE_BYTES as u64;
        match needed > self.faults.capacity_bytes {
            true => Err(io::Error::from_raw_os_error(libc::ENOSPC)),
            false => Ok(()),
        }
    }

    pub(super) fn read(&mut self, id: InodeId, offset: u64, out: &mut [u8]) -> io::Result<usize> {
        if self.rng.one_in(self.faults.read_error_one_in) {
            return Err(io::Error::from_raw_os_error(libc::EIO));
        }
        let count = self.tree.file(id)?.cached().read(offset, out);
        if count > 0 && self.rng.one_in(self.faults.read_flip_one_in) {
            out[self.rng.below(count as u64) as usize] ^= 1 << self.rng.below(8);
        }
        Ok(count)
    }

    /// Whether a read would not have to wait.
    pub(super) fn is_resident(&mut self) -> bool {
        !self.rng.one_in(4)
    }

    pub(super) fn len(&mut self, id: InodeId) -> io::Result<u64> {
        Ok(self.tree.file(id)?.cached().len())
    }

    pub(super) fn set_len(&mut self, id: InodeId, len: u64) -> io::Result<()> {
        let set = |tree: &mut Tree, _: &mut Rng| -> io::Result<()> {
            tree.file(id)?.set_len(len);
            Ok(())
        };
        self.operate(|_, _| {}, set)
    }

    pub(super) fn reserve(&mut self, id: InodeId, len: u64) -> io::Result<()> {
        let mut wanted = self.tree.file(id)?.clone();
        let before = wanted.allocated_pages();
        wanted.reserve(len);
        self.room_for(wanted.allocated_pages() - before)?;
        self.tree.file(id)?.reserve(len);
        Ok(())
    }

    /// Begins a sync. `None`: the crash cut fell on it.
    pub(super) fn start_sync(&mut self, inode: InodeId) -> io::Result<Option<Sync>> {
        let snapshot = self.tree.file(inode)?.snapshot();
        if !self.cut_is_next() {
            self.operations += 1;
            return Ok(Some(Sync { inode, snapshot }));
        }
        let part = |tree: &mut Tree, rng: &mut Rng| {
            let file = tree.file(inode).expect("the file was there a moment ago");
            file.tear_sync(&snapshot, rng);
        };
        let whole = |tree: &mut Tree, rng: &mut Rng| {
            tree.file(inode)?.install(&snapshot, rng, |_| Landing::Right);
            Ok(())
        };
        self.operate(part, whole).map(|()| None)
    }

    pub(super) fn end_sync(&mut self, sync: &Sync) -> io::Result<()> {
        let faults = self.faults;
        let file = self.tree.file(sync.inode)?;
        if self.rng.one_in(faults.sync_error_one_in) {
            file.fail_sync(&sync.snapshot, &mut self.rng);
            return Err(io::Error::from_raw_os_error(libc::EIO));
        }
        let lost = self.rng.one_in(faults.sync_lost_one_in);
        file.install(&sync.snapshot, &mut self.rng, |rng| match lost {
            true => Landing::Nowhere,
            false if rng.one_in(faults.page_astray_one_in) => Landing::Astray,
            false if rng.one_in(faults.page_flip_one_in) => Landing::Flipped,
            false => Landing::Right,
        });
        Ok(())
    }

    pub(super) fn start_sync_names(&mut self, path: &Path) -> io::Result<Option<(InodeId, u64)>> {
        let directory = self.tree.find(path)?;
        let snapshot = self.tree.snapshot();
        if !self.cut_is_next() {
            self.operations += 1;
            return Ok(Some((directory, snapshot)));
        }
        self.operate(|_, _| {}, |tree, _| tree.sync(directory, snapshot)).map(|()| None)
    }

    pub(super) fn end_sync_names(&mut self, directory: InodeId, snapshot: u64) -> io::Result<()> {
        if self.rng.one_in(self.faults.sync_error_one_in) {
            return Err(io::Error::from_raw_os_error(libc::EIO));
        }
        self.tree.sync(directory, snapshot)
    }

    pub(super) fn create_directories(&mut self, path: &Path) -> io::Result<()> {
        if self.tree.find(path).is_ok_and(|id| self.tree.is_directory(id)) {
            return Ok(());
        }
        self.operate(|_, _| {}, |tree, _| tree.create_directories(path))
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        self.operate(|_, _| {}, |tree, _| tree.rename(from, to))
    }

    pub(super) fn remove_file(&mut self, path: &Path) -> io::Result<()> {
        let result = self.operate(|_, _| {}, |tree, _| tree.remove_file(path));
        self.removed();
        result
    }

    pub(super) fn remove_all(&mut self, path: &Path) -> io::Result<()> {
        let some = self.rng.below(16);
        let part = |tree: &mut Tree, _: &mut Rng| _ = tree.remove_all(path, some);
        let result = self.operate(part, |tree, _| tree.remove_all(path, u64::MAX));
        self.removed();
        result
    }

    fn removed(&mut self) {
        self.removals += 1;
        if self.removals.is_multiple_of(REMOVALS_PER_COLLECTION) {
            self.tree.collect(self.open.keys().copied());
        }
    }

    pub(super) fn list(&mut self, path: &Path) -> io::Result<Vec<DirEntry>> {
        let directory = self.tree.find(path)?;
        let entry = |(name, is_dir)| DirEntry { name, is_dir };
        Ok(self.tree.list(directory)?.into_iter().map(entry).collect())
    }

    pub(super) fn metadata(&mut self, path: &Path) -> io::Result<Metadata> {
        let id = self.tree.find(path)?;
        let is_dir = self.tree.is_directory(id);
        Ok(Metadata { len: if is_dir { 0 } else { self.len(id)? }, is_dir })
    }

    /// Takes a lock; its number gives it back.
    pub(super) fn lock(&mut self, path: &Path) -> io::Result<(InodeId, u64)> {
        let id = self.open(path, OpenOptions::CREATE)?;
        if self.locks.contains_key(&id) {
            self.close(id);
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.next_lock += 1;
        self.locks.insert(id, self.next_lock);
        Ok((id, self.next_lock))
    }

    pub(super) fn unlock(&mut self, id: InodeId, number: u64) {
        if self.locks.get(&id) == Some(&number) {
            self.locks.remove(&id);
            self.close(id);
        }
    }

    // What a story or an oracle does from outside, past all faults.

    pub(super) fn used_bytes(&self) -> u64 {
        self.tree.allocated_pages() * pages::PAGE_BYTES as u64
    }

    pub(super) fn content(&mut self, path: &Path) -> io::Result<Vec<u8>> {
        let id = self.tree.find(path)?;
        Ok(self.tree.file(id)?.cached().to_vec())
    }

    pub(super) fn put(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.tree.put_durable(path, bytes)?;
        self.tree.sync_all_names();
        Ok(())
    }

    pub(super) fn put_directory(&mut self, path: &Path) -> io::Result<()> {
        self.tree.create_directories(path)?;
        self.tree.sync_all_names();
        Ok(())
    }

    pub(super) fn remove(&mut self, path: &Path) -> io::Result<()> {
        self.tree.remove_file(path)?;
        self.tree.sync_all_names();
        Ok(())
    }

    pub(super) fn decay(&mut self, path: &Path, offset: u64) -> io::Result<()> {
        let id = self.tree.find(path)?;
        let bit = self.rng.below(8) as u32;
        let file = self.tree.file(id)?;
        if offset >= file.cached().len() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        file.decay(offset, bit);
        Ok(())
    }

    pub(super) fn paths(&mut self) -> Vec<String> {
        self.tree.paths()
    }
}
