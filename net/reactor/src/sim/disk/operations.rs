//! The operations of a disk: what each does to the cache and the device, and how the faults bend it.

use std::io;
use std::path::Path;

use super::content::Landing;
use super::names::{InodeId, Tree};
use super::pages::PAGE_BYTES;
use super::{Disk, REMOVALS_PER_COLLECTION, Sync};
use crate::file::{DirEntry, Metadata, OpenOptions};
use crate::{Rng, Space};

impl Disk {
    pub(in crate::sim) fn open(
        &mut self,
        path: &Path,
        options: OpenOptions,
    ) -> io::Result<InodeId> {
        self.check_path(path)?;
        self.check_descriptors()?;
        let create = options.create || options.create_new;
        let exists = self.tree.find(path);
        if exists.is_err() && create {
            self.check_name(path)?;
        }
        if options.create_new && exists.is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let id = match exists {
            Ok(id) => {
                if options.write {
                    self.check_change(id)?;
                }
                self.tree.open(path, false)?.0
            }
            Err(_) if create => self.operate(|_, _| {}, |tree, _| Ok(tree.open(path, true)?.0))?,
            Err(error) => return Err(error),
        };
        if options.truncate && self.tree.file(id)?.cached().len() > 0 {
            self.set_len(id, 0)?;
        }
        *self.open.entry(id).or_default() += 1;
        Ok(id)
    }

    pub(in crate::sim) fn close(&mut self, id: InodeId) {
        if let Some(count) = self.open.get_mut(&id) {
            *count -= 1;
            if *count == 0 {
                self.open.remove(&id);
            }
        }
    }

    pub(in crate::sim) fn write(
        &mut self,
        id: InodeId,
        offset: u64,
        bytes: &[u8],
    ) -> io::Result<()> {
        self.check_change(id)?;
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

    pub(in crate::sim) fn space(&mut self, path: &Path) -> io::Result<Space> {
        self.check_path(path)?;
        self.tree.find(path)?;
        let total_bytes = self.faults.capacity_bytes;
        let used = self.tree.allocated_pages() * PAGE_BYTES as u64;
        Ok(Space { total_bytes, free_bytes: total_bytes.saturating_sub(used) })
    }

    fn check_descriptors(&self) -> io::Result<()> {
        match self.faults.no_descriptors {
            true => Err(io::Error::from_raw_os_error(libc::EMFILE)),
            false => Ok(()),
        }
    }

    pub(super) fn room_for(&mut self, pages: u64) -> io::Result<()> {
        if self.faults.capacity_bytes == u64::MAX || pages == 0 {
            return Ok(());
        }
        if self.fits(pages) {
            return Ok(());
        }
        self.collect();
        match self.fits(pages) {
            true => Ok(()),
            false => Err(io::Error::from_raw_os_error(libc::ENOSPC)),
        }
    }

    fn fits(&self, pages: u64) -> bool {
        (self.tree.allocated_pages() + pages) * PAGE_BYTES as u64 <= self.faults.capacity_bytes
    }

    pub(in crate::sim) fn read(
        &mut self,
        id: InodeId,
        offset: u64,
        out: &mut [u8],
    ) -> io::Result<usize> {
        self.check(id)?;
        if self.rng.one_in(self.faults.read_error_one_in) {
            return Err(io::Error::from_raw_os_error(libc::EIO));
        }
        let count = self.tree.file(id)?.cached().read(offset, out);
        if count > 0 && self.rng.one_in(self.faults.read_flip_one_in) {
            out[self.rng.below(count as u64) as usize] ^= 1 << self.rng.below(8);
        }
        Ok(count)
    }

    /// What the page cache has of a range: fewer bytes at the end of the file.
    pub(in crate::sim) fn cached(
        &mut self,
        id: InodeId,
        offset: u64,
        len: usize,
    ) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; len];
        let count = self.tree.file(id)?.cached().read(offset, &mut bytes);
        bytes.truncate(count);
        Ok(bytes)
    }

    /// Whether a read would not have to wait.
    pub(in crate::sim) fn is_resident(&mut self) -> bool {
        !self.rng.one_in(4)
    }

    pub(in crate::sim) fn len(&mut self, id: InodeId) -> io::Result<u64> {
        Ok(self.tree.file(id)?.cached().len())
    }

    pub(in crate::sim) fn written_len(&mut self, id: InodeId) -> io::Result<u64> {
        Ok(self.tree.file(id)?.cached().first_hole())
    }

    pub(in crate::sim) fn set_len(&mut self, id: InodeId, len: u64) -> io::Result<()> {
        self.check_change(id)?;
        let set = |tree: &mut Tree, _: &mut Rng| -> io::Result<()> {
            tree.file(id)?.set_len(len);
            Ok(())
        };
        self.operate(|_, _| {}, set)
    }

    pub(in crate::sim) fn reserve(&mut self, id: InodeId, len: u64) -> io::Result<()> {
        self.check_change(id)?;
        let mut wanted = self.tree.file(id)?.clone();
        let before = wanted.allocated_pages();
        wanted.reserve(len);
        self.room_for(wanted.allocated_pages() - before)?;
        self.tree.file(id)?.reserve(len);
        Ok(())
    }

    /// The length and its blocks at once, or neither.
    pub(in crate::sim) fn allocate(&mut self, id: InodeId, len: u64) -> io::Result<()> {
        self.check_change(id)?;
        if len > i64::MAX as u64 {
            return Err(io::Error::from_raw_os_error(libc::EFBIG));
        }
        let mut wanted = self.tree.file(id)?.clone();
        let before = wanted.allocated_pages();
        if wanted.cached().len() != len {
            wanted.set_len(len);
        }
        wanted.reserve(len);
        self.room_for(wanted.allocated_pages().saturating_sub(before))?;
        let allocate = |tree: &mut Tree, _: &mut Rng| -> io::Result<()> {
            *tree.file(id)? = wanted;
            Ok(())
        };
        self.operate(|_, _| {}, allocate)
    }

    /// Begins a sync. `None`: the crash cut fell on it.
    pub(in crate::sim) fn start_sync(&mut self, inode: InodeId) -> io::Result<Option<Sync>> {
        self.check(inode)?;
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

    pub(in crate::sim) fn end_sync(&mut self, sync: &Sync) -> io::Result<()> {
        let failed = self.check(sync.inode).is_err();
        let faults = self.faults;
        let file = self.tree.file(sync.inode)?;
        if failed || self.rng.one_in(faults.sync_error_one_in) {
            file.fail_sync(&sync.snapshot, &mut self.rng);
            return Err(io::Error::from_raw_os_error(libc::EIO));
        }
        let lost = self.rng.one_in(faults.sync_lost_one_in);
        file.install(&sync.snapshot, &mut self.rng, |rng| faults.landing(lost, rng));
        Ok(())
    }

    pub(in crate::sim) fn start_sync_names(
        &mut self,
        path: &Path,
    ) -> io::Result<Option<(InodeId, u64)>> {
        self.check_path(path)?;
        self.check_descriptors()?;
        let directory = self.tree.find(path)?;
        let snapshot = self.tree.snapshot();
        if !self.cut_is_next() {
            self.operations += 1;
            return Ok(Some((directory, snapshot)));
        }
        self.operate(|_, _| {}, |tree, _| tree.sync(directory, snapshot)).map(|()| None)
    }

    pub(in crate::sim) fn end_sync_names(
        &mut self,
        directory: InodeId,
        snapshot: u64,
    ) -> io::Result<()> {
        self.check(directory)?;
        if self.rng.one_in(self.faults.sync_error_one_in) {
            return Err(io::Error::from_raw_os_error(libc::EIO));
        }
        self.tree.sync(directory, snapshot)
    }

    pub(in crate::sim) fn create_directories(&mut self, path: &Path) -> io::Result<()> {
        self.check_path(path)?;
        if self.tree.find(path).is_ok_and(|id| self.tree.is_directory(id)) {
            return Ok(());
        }
        self.operate(|_, _| {}, |tree, _| tree.create_directories(path))
    }

    pub(in crate::sim) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        self.check_name(from)?;
        self.check_name(to)?;
        self.operate(|_, _| {}, |tree, _| tree.rename(from, to))
    }

    pub(in crate::sim) fn remove_file(&mut self, path: &Path) -> io::Result<()> {
        self.check_name(path)?;
        let result = self.operate(|_, _| {}, |tree, _| tree.remove_file(path));
        self.removed();
        result
    }

    pub(in crate::sim) fn remove_all(&mut self, path: &Path) -> io::Result<()> {
        self.check_name(path)?;
        self.check_descriptors()?;
        let some = self.rng.below(16);
        let part = |tree: &mut Tree, _: &mut Rng| _ = tree.remove_all(path, some);
        let result = self.operate(part, |tree, _| tree.remove_all(path, u64::MAX));
        self.removed();
        result
    }

    fn removed(&mut self) {
        self.removals += 1;
        if self.removals.is_multiple_of(REMOVALS_PER_COLLECTION) {
            self.collect();
        }
    }

    /// What was removed and is not open any more gives its room back.
    pub(super) fn collect(&mut self) {
        self.tree.collect(self.open.keys().copied());
    }

    pub(in crate::sim) fn list(&mut self, path: &Path) -> io::Result<Vec<DirEntry>> {
        self.check_path(path)?;
        self.check_descriptors()?;
        let directory = self.tree.find(path)?;
        let names = self.tree.list(directory)?;
        let entries = names.into_iter().map(|(name, is_dir)| {
            let file = self.tree.find(&path.join(&name))?;
            let len = if is_dir { 0 } else { self.len(file)? };
            Ok(DirEntry { name, is_dir, is_link: false, len })
        });
        entries.collect()
    }

    pub(in crate::sim) fn metadata(&mut self, path: &Path) -> io::Result<Metadata> {
        self.check_path(path)?;
        let id = self.tree.find(path)?;
        let is_dir = self.tree.is_directory(id);
        Ok(Metadata { len: if is_dir { 0 } else { self.len(id)? }, is_dir })
    }

    /// Takes a lock; its number gives it back.
    pub(in crate::sim) fn lock(&mut self, path: &Path) -> io::Result<(InodeId, u64)> {
        let id = self.open(path, OpenOptions::CREATE)?;
        let locked = self.lock_open(id);
        if locked.is_err() {
            self.close(id);
        }
        Ok((id, locked?))
    }

    /// Locks a file that is open.
    pub(in crate::sim) fn lock_open(&mut self, id: InodeId) -> io::Result<u64> {
        if self.locks.contains_key(&id) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.next_lock += 1;
        self.locks.insert(id, self.next_lock);
        Ok(self.next_lock)
    }

    /// Lets go of a lock, if it is still the one of this number, and closes its file.
    pub(in crate::sim) fn unlock(&mut self, id: InodeId, number: u64) {
        if self.unlock_open(id, number) {
            self.close(id);
        }
    }

    pub(in crate::sim) fn unlock_open(&mut self, id: InodeId, number: u64) -> bool {
        let is_held = self.locks.get(&id) == Some(&number);
        if is_held {
            self.locks.remove(&id);
        }
        is_held
    }
}
