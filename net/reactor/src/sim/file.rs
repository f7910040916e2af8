//! Files and directories of a simulated shard: the timing of operations whose effects are in `disk.rs`.

use std::cell::Cell;
use std::future::pending;
use std::io;
use std::path::Path;
use std::rc::Rc;

use bytes::Bytes;

use super::disk::{Disk, InodeId};
use super::shard::Shard;
use super::trace::Kind;
use crate::FileRange;
use crate::file::{DirEntry, Metadata, OpenOptions};

/// The kinds of operations in the trace.
#[derive(Clone, Copy)]
pub(super) enum Op {
    Open = 1,
    Write,
    Read,
    Sync,
    SetLen,
    Names,
    Lock,
    Direct,
    WriteBack,
    Range,
}

impl Shard {
    pub(super) fn disk<T>(&self, op: Op, values: [u64; 3], f: impl FnOnce(&mut Disk) -> T) -> T {
        let [a, b, c] = values;
        self.world().trace.add(Kind::Disk, &[self.key(), op as u64, a, b, c]);
        self.world().with_host(self.host(), |host| f(&mut host.disk))
    }

    /// An operation on the device: it takes its time, before or after its effect. A process past its crash waits for ever.
    pub(super) async fn device<T>(
        self: &Rc<Self>,
        op: Op,
        values: [u64; 3],
        effect: impl FnOnce(&mut Disk) -> io::Result<T>,
    ) -> io::Result<T> {
        self.alive().await;
        let (latency, before) = self.world().with_host(self.host(), |host| host.disk.latency());
        if before {
            self.pause(latency).await;
            let result = self.disk(op, values, effect);
            self.alive().await;
            return result;
        }
        let result = self.disk(op, values, effect);
        self.alive().await;
        self.pause(latency).await;
        result
    }

    pub(crate) async fn create_dir_all(self: &Rc<Self>, path: &Path) -> io::Result<()> {
        self.device(Op::Names, [1, 0, 0], |disk| disk.create_directories(path)).await
    }

    pub(crate) async fn rename(self: &Rc<Self>, from: &Path, to: &Path) -> io::Result<()> {
        self.device(Op::Names, [2, 0, 0], |disk| disk.rename(from, to)).await
    }

    pub(crate) async fn remove_file(self: &Rc<Self>, path: &Path) -> io::Result<()> {
        self.device(Op::Names, [3, 0, 0], |disk| disk.remove_file(path)).await
    }

    pub(crate) async fn remove_dir_all(self: &Rc<Self>, path: &Path) -> io::Result<()> {
        self.device(Op::Names, [4, 0, 0], |disk| disk.remove_all(path)).await
    }

    pub(crate) async fn list(self: &Rc<Self>, path: &Path) -> io::Result<Vec<DirEntry>> {
        self.device(Op::Names, [5, 0, 0], |disk| disk.list(path)).await
    }

    pub(crate) async fn metadata(self: &Rc<Self>, path: &Path) -> io::Result<Metadata> {
        self.device(Op::Names, [6, 0, 0], |disk| disk.metadata(path)).await
    }

    /// The changes that it covers are those before it began, whatever is renamed while it runs.
    pub(crate) async fn sync_dir(self: &Rc<Self>, path: &Path) -> io::Result<()> {
        self.alive().await;
        let started = self.disk(Op::Sync, [1, 0, 0], |disk| disk.start_sync_names(path))?;
        let Some((directory, snapshot)) = started else { return pending().await };
        let (latency, _) = self.world().with_host(self.host(), |host| host.disk.latency());
        self.pause(latency).await;
        self.disk(Op::Sync, [2, directory, snapshot], |disk| {
            disk.end_sync_names(directory, snapshot)
        })
    }
}

/// An open file. Clones share it.
#[derive(Clone)]
pub(crate) struct File(pub(super) Rc<OpenFile>);

pub(super) struct OpenFile {
    pub(super) shard: Rc<Shard>,
    pub(super) inode: InodeId,
    writable: bool,
    /// The number of its lock.
    pub(super) lock: Cell<Option<u64>>,
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        if self.shard.is_alive() {
            self.shard.world().with_host(self.shard.host(), |host| {
                if let Some(number) = self.lock.get() {
                    host.disk.unlock_open(self.inode, number);
                }
                host.disk.close(self.inode);
            });
        }
    }
}

impl File {
    pub(crate) async fn open(
        shard: &Rc<Shard>,
        path: &Path,
        options: OpenOptions,
    ) -> io::Result<Self> {
        let writable = options.write || options.create || options.create_new || options.truncate;
        shard.alive().await;
        let (latency, _) = shard.world().with_host(shard.host(), |host| host.disk.latency());
        shard.pause(latency).await;
        // The time passes before, so that an open that is cancelled has opened nothing.
        let values = [u64::from(writable), 0, 0];
        let inode = shard.disk(Op::Open, values, |disk| disk.open(path, options))?;
        let file = Self(Rc::new(OpenFile {
            shard: shard.clone(),
            inode,
            writable,
            lock: Cell::default(),
        }));
        shard.alive().await;
        Ok(file)
    }

    pub(super) fn disk<T>(&self, op: Op, values: [u64; 2], f: impl FnOnce(&mut Disk) -> T) -> T {
        self.0.shard.disk(op, [self.0.inode, values[0], values[1]], f)
    }

    pub(super) fn may_write(&self) -> io::Result<()> {
        match self.0.writable {
            true => Ok(()),
            false => Err(io::Error::from_raw_os_error(libc::EBADF)),
        }
    }

    pub(crate) fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.may_write()?;
        let values = [offset, bytes.len() as u64];
        self.disk(Op::Write, values, |disk| disk.write(self.0.inode, offset, bytes))
    }

    pub(crate) async fn read_at(&self, mut buffer: Vec<u8>, offset: u64) -> io::Result<Vec<u8>> {
        let shard = &self.0.shard;
        let values = [self.0.inode, offset, buffer.len() as u64];
        let read = |disk: &mut Disk| disk.read(self.0.inode, offset, &mut buffer);
        let count = shard.device(Op::Read, values, read).await?;
        buffer.truncate(count);
        Ok(buffer)
    }

    pub(crate) fn read_resident(
        &self,
        buffer: &mut [u8],
        offset: u64,
    ) -> io::Result<Option<usize>> {
        self.disk(Op::Read, [offset, buffer.len() as u64], |disk| {
            if !disk.is_resident() {
                return Ok(None);
            }
            disk.read(self.0.inode, offset, buffer).map(Some)
        })
    }

    /// See [`crate::File::range`].
    pub(crate) fn range(&self, offset: u64, len: usize) -> io::Result<Option<FileRange>> {
        self.disk(Op::Range, [offset, len as u64], |disk| {
            let bytes = match disk.is_resident() {
                true => disk.cached(self.0.inode, offset, len)?,
                false => return Ok(None),
            };
            let is_there = len > 0 && bytes.len() == len;
            let file = || SharedFile { inode: self.0.inode, offset, bytes: bytes.into() };
            Ok(is_there.then(|| FileRange::of_sim(file(), offset, len)))
        })
    }

    pub(crate) async fn sync_data(&self) -> io::Result<()> {
        let shard = &self.0.shard;
        shard.alive().await;
        let started = self.disk(Op::Sync, [3, 0], |disk| disk.start_sync(self.0.inode))?;
        let Some(sync) = started else { return pending().await };
        let (latency, _) = shard.world().with_host(shard.host(), |host| host.disk.latency());
        shard.pause(latency).await;
        self.disk(Op::Sync, [4, 0], |disk| disk.end_sync(&sync))
    }

    pub(crate) fn set_len(&self, len: u64) -> io::Result<()> {
        self.may_write()?;
        self.disk(Op::SetLen, [len, 0], |disk| disk.set_len(self.0.inode, len))
    }

    pub(crate) async fn reserve(&self, len: u64) -> io::Result<()> {
        self.may_write()?;
        let values = [self.0.inode, len, 1];
        self.0.shard.device(Op::SetLen, values, |disk| disk.reserve(self.0.inode, len)).await
    }

    pub(crate) fn len(&self) -> io::Result<u64> {
        self.disk(Op::Read, [0, 0], |disk| disk.len(self.0.inode))
    }

    pub(crate) fn written_len(&self) -> io::Result<u64> {
        self.disk(Op::Read, [0, 1], |disk| disk.written_len(self.0.inode))
    }
}

/// A range of a file as it was when a shard was to send it.
#[derive(Clone)]
pub(crate) struct SharedFile {
    inode: InodeId,
    offset: u64,
    bytes: Bytes,
}

impl SharedFile {
    /// `len` of its bytes from `offset` of the file on. Asserts the contract of [`FileRange`].
    pub(super) fn bytes(&self, shard: &Shard, offset: u64, len: usize) -> Bytes {
        let from = (offset - self.offset) as usize;
        let bytes = self.bytes.slice(from..from + len);
        let now = shard.disk(Op::Range, [self.inode, offset, len as u64], |disk| {
            disk.cached(self.inode, offset, len)
        });
        // Of a file that was removed the kernel still has the pages.
        if let Ok(now) = now {
            assert!(now == bytes, "bytes that a stream is to send changed in their file");
        }
        bytes
    }
}

/// A lock on a file of the host's disk, until dropped or the process ends.
pub(crate) struct FileLock {
    shard: Rc<Shard>,
    inode: InodeId,
    number: u64,
}

impl FileLock {
    pub(crate) async fn take(shard: &Rc<Shard>, path: &Path) -> io::Result<Self> {
        shard.alive().await;
        let (inode, number) = shard.disk(Op::Lock, [0; 3], |disk| disk.lock(path))?;
        let lock = Self { shard: shard.clone(), inode, number };
        shard.alive().await;
        Ok(lock)
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        if self.shard.is_alive() {
            let (inode, number) = (self.inode, self.number);
            self.shard.world().with_host(self.shard.host(), |host| host.disk.unlock(inode, number));
        }
    }
}
