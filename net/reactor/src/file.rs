//! Files and directories. Small writes and resident reads are inline system calls; whatever may wait for the device is
//! asynchronous.
//!
//! What survives a crash: bytes written before a completed [`File::sync_data`]; names created, renamed or removed before
//! a completed [`Disk::sync_dir`] of their directory; both, before a completed [`Disk::sync_file_system`]; bytes of a
//! completed [`DirectFile::write_durable`]. The simulation takes everything else away, in part or whole.

use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::direct::{DirectBuffer, DirectFile};
use crate::part::FileRange;
use crate::reactor::{Reactor, Side};
use crate::{Space, sim, uring};

/// How to open a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct OpenOptions {
    /// Allow writes as well as reads.
    pub write: bool,
    /// Create the file when it is missing (implies `write`).
    pub create: bool,
    /// Fail when the file exists (implies `create`).
    pub create_new: bool,
    /// Cut it to nothing (implies `write`).
    pub truncate: bool,
}

impl OpenOptions {
    /// An existing file, to read.
    pub const READ: Self = Self { write: false, create: false, create_new: false, truncate: false };
    /// An existing file, to read and write.
    pub const WRITE: Self = Self { write: true, ..Self::READ };
    /// A file to read and write, made when missing.
    pub const CREATE: Self = Self { create: true, ..Self::WRITE };
    /// A file to read and write that must not exist yet.
    pub const CREATE_NEW: Self = Self { create_new: true, ..Self::CREATE };
    /// An empty file to read and write, whatever was there.
    pub const CREATE_EMPTY: Self = Self { truncate: true, ..Self::CREATE };
}

/// One name in a directory.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct DirEntry {
    /// The name, without its directory. Names that are not UTF-8 are left out of listings: none is ours.
    pub name: String,
    /// Whether it is a directory.
    pub is_dir: bool,
    /// Whether it is a symbolic link, wherever that leads.
    pub is_link: bool,
    /// Length of a file in bytes; 0 for what is none.
    pub len: u64,
}

/// What stat(2) tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Metadata {
    /// Length in bytes.
    pub len: u64,
    /// Whether it is a directory.
    pub is_dir: bool,
}

/// The file systems that a shard sees.
#[derive(Clone)]
pub struct Disk(DiskSide);

#[derive(Clone)]
enum DiskSide {
    Uring(Rc<uring::Shard>),
    Sim(Rc<sim::Shard>),
}

/// Forwards a call to whichever side there is.
macro_rules! either {
    ($side:expr, $kind:ident, $inner:ident => $call:expr) => {
        match $side {
            $kind::Uring($inner) => $call,
            $kind::Sim($inner) => $call,
        }
    };
}

impl Disk {
    pub(crate) fn new(reactor: &Reactor) -> Self {
        Self(match &reactor.0 {
            Side::Uring(shard) => DiskSide::Uring(shard.clone()),
            Side::Sim(shard) => DiskSide::Sim(shard.clone()),
        })
    }

    /// Opens a file.
    ///
    /// # Errors
    /// As open(2).
    pub async fn open(&self, path: &Path, options: OpenOptions) -> io::Result<File> {
        Ok(File(match &self.0 {
            DiskSide::Uring(shard) => {
                FileSide::Uring(uring::File::open(shard, path, options).await?)
            }
            DiskSide::Sim(shard) => FileSide::Sim(sim::File::open(shard, path, options).await?),
        }))
    }

    /// Opens a file whose writes bypass the page cache, or go through it where the file system knows no other way
    /// ([`DirectFile::is_direct`] tells).
    ///
    /// # Errors
    /// As open(2).
    pub async fn open_direct(&self, path: &Path, options: OpenOptions) -> io::Result<DirectFile> {
        DirectFile::open(self, path, options).await
    }

    /// Opens a file whose writes go through the page cache by way of the ring, which gives them to a kernel worker where
    /// they might wait: to measure what [`File::write_at`], which does not, saves or costs.
    ///
    /// # Errors
    /// As open(2).
    pub async fn open_cached(&self, path: &Path, options: OpenOptions) -> io::Result<DirectFile> {
        DirectFile::open_cached(self, path, options).await
    }

    /// Creates a directory and the ones above it that are missing.
    ///
    /// # Errors
    /// As mkdir(2), except that an existing directory is fine.
    pub async fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        either!(&self.0, DiskSide, shard => shard.create_dir_all(path).await)
    }

    /// Renames a file or directory, replacing a file at `to`.
    ///
    /// # Errors
    /// As rename(2).
    pub async fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        either!(&self.0, DiskSide, shard => shard.rename(from, to).await)
    }

    /// Removes a file.
    ///
    /// # Errors
    /// As unlink(2).
    pub async fn remove_file(&self, path: &Path) -> io::Result<()> {
        either!(&self.0, DiskSide, shard => shard.remove_file(path).await)
    }

    /// Removes a directory and all in it.
    ///
    /// # Errors
    /// As rmdir(2) and unlink(2).
    pub async fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        either!(&self.0, DiskSide, shard => shard.remove_dir_all(path).await)
    }

    /// The names in a directory, in order.
    ///
    /// # Errors
    /// As readdir(3).
    pub async fn list(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        either!(&self.0, DiskSide, shard => shard.list(path).await)
    }

    /// What is at `path`.
    ///
    /// # Errors
    /// As stat(2); `NotFound` when nothing is there.
    pub async fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        either!(&self.0, DiskSide, shard => shard.metadata(path).await)
    }

    /// Makes the names in a directory durable.
    ///
    /// # Errors
    /// As fsync(2).
    pub async fn sync_dir(&self, path: &Path) -> io::Result<()> {
        either!(&self.0, DiskSide, shard => shard.sync_dir(path).await)
    }

    /// The space of the file system that `path` is on.
    ///
    /// # Errors
    /// As statvfs(3).
    pub fn space(&self, path: &Path) -> io::Result<Space> {
        either!(&self.0, DiskSide, shard => shard.space(path))
    }

    /// Has [`Disk::sync_file_system`] for `path` tell, from now on, of every failed write-back: what failed before its first
    /// call may otherwise have been told to another shard, and is told once.
    ///
    /// # Errors
    /// As open(2).
    pub async fn watch_file_system(&self, path: &Path) -> io::Result<()> {
        either!(&self.0, DiskSide, shard => shard.watch_file_system(path).await)
    }

    /// Makes everything of the file system that holds the directory `path` durable: every write and every change of a name
    /// that came before this call. Does not stop the shard while it takes its time.
    ///
    /// # Errors
    /// As syncfs(2): with EIO when any write-back of the file system has failed since this shard's last call for `path`, or
    /// since [`Disk::watch_file_system`].
    pub async fn sync_file_system(&self, path: &Path) -> io::Result<()> {
        either!(&self.0, DiskSide, shard => shard.sync_file_system(path).await)
    }

    /// Takes the exclusive lock on `path` (made when missing) until the answer is dropped or the process ends, or says at
    /// once with `WouldBlock` that another holds it.
    ///
    /// # Errors
    /// As open(2) and flock(2).
    pub async fn lock(&self, path: &Path) -> io::Result<FileLock> {
        Ok(FileLock(match &self.0 {
            DiskSide::Uring(shard) => LockSide::Uring(uring::FileLock::take(shard, path).await?),
            DiskSide::Sim(shard) => LockSide::Sim(sim::FileLock::take(shard, path).await?),
        }))
    }

    /// Standard input, to be read in order with [`File::read_at`] (offsets are ignored).
    ///
    /// # Errors
    /// As dup(2), and in the simulation, which has none.
    pub fn stdin(&self) -> io::Result<File> {
        match &self.0 {
            DiskSide::Uring(shard) => Ok(File(FileSide::Uring(uring::File::stdin(shard)?))),
            DiskSide::Sim(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// A small file whole: at most `max_bytes`.
    ///
    /// # Errors
    /// As open(2) and read(2); `FileTooLarge` above the bound.
    pub async fn read(&self, path: &Path, max_bytes: u64) -> io::Result<Vec<u8>> {
        let file = self.open(path, OpenOptions::READ).await?;
        let len = file.len()?;
        if len > max_bytes {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        file.read_at(vec![0; usize::try_from(len).unwrap_or(usize::MAX)], 0).await
    }

    /// Replaces a small file so that a crash leaves either the old or the new one: a temporary file beside it is written,
    /// synced, renamed over it, and the directory synced.
    ///
    /// # Errors
    /// Of any of the steps.
    pub async fn replace(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        let temporary = temporary(path);
        let file = self.open(&temporary, OpenOptions::CREATE_EMPTY).await?;
        file.write_at(content, 0)?;
        file.sync_data().await?;
        drop(file);
        self.rename(&temporary, path).await?;
        self.sync_dir(path.parent().unwrap_or(Path::new("."))).await
    }

    /// [`Disk::replace`] that the next time needs no inode: the temporary file of that time is made at once, where the old file has
    /// just given one back.
    ///
    /// # Errors
    /// Of any of the steps, but for the last: without that file the next time makes one.
    pub async fn replace_and_keep_spare(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        self.replace(path, content).await?;
        let _ = self.open(&temporary(path), OpenOptions::CREATE_EMPTY).await;
        Ok(())
    }
}

/// Where [`Disk::replace`] writes first.
fn temporary(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".tmp");
    path.with_file_name(name)
}

/// An open file. Clones share the descriptor, which closes with the last of them.
///
/// Contract: writes are inline and ordered as called, all but [`File::write_behind`]. [`File::sync_data`] covers the writes that returned before it was
/// called, no matter what is written while it runs. After a failed sync the content is unknown: never retry it as if
/// nothing had happened.
#[derive(Clone)]
pub struct File(FileSide);

#[derive(Clone)]
enum FileSide {
    Uring(uring::File),
    Sim(sim::File),
}

impl File {
    /// Writes all of `bytes` at `offset` into the page cache, inline.
    ///
    /// # Errors
    /// As pwrite(2); how much of it was written is then unknown.
    pub fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        either!(&self.0, FileSide, file => file.write_at(bytes, offset))
    }

    /// Writes all of `bytes` at `offset` into the page cache on a kernel worker: what a [`File::write_at`] of as many bytes takes
    /// of the CPU, or waits for, the shard is spared. Ordered only by awaiting it, against all that is done to the same range:
    /// if the future is dropped the write may still happen, wholly or in part, until the process ends.
    ///
    /// # Errors
    /// As pwrite(2); how much of it was written is then unknown.
    pub async fn write_behind(&self, bytes: Rc<Vec<u8>>, offset: u64) -> io::Result<()> {
        either!(&self.0, FileSide, file => file.write_behind(bytes, offset).await)
    }

    /// Fills `buffer` from `offset` and gives back what there was: shorter only at the end of the file. May wait for the
    /// device without stopping the shard.
    ///
    /// # Errors
    /// As pread(2).
    pub async fn read_at(&self, buffer: Vec<u8>, offset: u64) -> io::Result<Vec<u8>> {
        either!(&self.0, FileSide, file => file.read_at(buffer, offset).await)
    }

    /// Fills `buffer` from `offset` inline if all of it is in the page cache: the bytes read (short only at the end of
    /// the file), or `None` where the device would have to be asked.
    ///
    /// # Errors
    /// As preadv2(2) with RWF_NOWAIT.
    pub fn read_resident(&self, buffer: &mut [u8], offset: u64) -> io::Result<Option<usize>> {
        either!(&self.0, FileSide, file => file.read_resident(buffer, offset))
    }

    /// `len` bytes from `offset` for [`crate::Stream::write_parts`]; `None` unless all of them are in the page cache, or where
    /// the kernel cannot tell (before Linux 6.5). See the contract of [`FileRange`].
    ///
    /// # Errors
    /// As cachestat(2).
    pub fn range(&self, offset: u64, len: usize) -> io::Result<Option<FileRange>> {
        either!(&self.0, FileSide, file => file.range(offset, len))
    }

    /// Makes the file's bytes and length durable.
    ///
    /// # Errors
    /// As fdatasync(2).
    pub async fn sync_data(&self) -> io::Result<()> {
        either!(&self.0, FileSide, file => file.sync_data().await)
    }

    /// Asks for the dirty pages of a range to be written back from now on, without waiting (sync_file_range(2) with
    /// SYNC_FILE_RANGE_WRITE). A hint that spares a later sync the work: it makes nothing durable, and an error shows at
    /// that sync.
    pub fn start_write_back(&self, offset: u64, len: u64) {
        either!(&self.0, FileSide, file => file.start_write_back(offset, len));
    }

    /// Cuts or extends the file to `len` bytes. What was reserved behind is given back, unless the file becomes longer.
    ///
    /// # Errors
    /// As ftruncate(2).
    pub fn set_len(&self, len: u64) -> io::Result<()> {
        either!(&self.0, FileSide, file => file.set_len(len))
    }

    /// Reserves space up to `len` bytes without changing the length (FALLOC_FL_KEEP_SIZE). A file system that cannot is
    /// no error.
    ///
    /// # Errors
    /// As fallocate(2), among them `StorageFull`.
    pub async fn reserve(&self, len: u64) -> io::Result<()> {
        either!(&self.0, FileSide, file => file.reserve(len).await)
    }

    /// The length in bytes.
    ///
    /// # Errors
    /// As fstat(2).
    #[expect(clippy::len_without_is_empty, reason = "a length that may fail has no is_empty")]
    pub fn len(&self) -> io::Result<u64> {
        either!(&self.0, FileSide, file => file.len())
    }

    /// From now on [`Self::write_direct`] and [`Self::read_direct`] bypass the page cache, if the answer is true.
    pub(crate) fn bypass_page_cache(&self) -> io::Result<bool> {
        match &self.0 {
            FileSide::Uring(file) => file.bypass_page_cache(),
            FileSide::Sim(_) => Ok(true),
        }
    }

    /// See [`DirectFile::writes_in_place`].
    pub(crate) fn writes_in_place(&self) -> io::Result<bool> {
        either!(&self.0, FileSide, file => file.writes_in_place())
    }

    /// See [`DirectFile::written_len`].
    pub(crate) fn written_len(&self) -> io::Result<u64> {
        either!(&self.0, FileSide, file => file.written_len())
    }

    /// See [`DirectFile::try_lock`].
    pub(crate) fn try_lock(&self) -> io::Result<()> {
        either!(&self.0, FileSide, file => file.try_lock())
    }

    /// See [`DirectFile::read`].
    pub(crate) async fn read_direct(
        &self,
        buffer: DirectBuffer,
        len: usize,
        offset: u64,
    ) -> (io::Result<usize>, DirectBuffer) {
        either!(&self.0, FileSide, file => file.read_direct(buffer, len, offset).await)
    }

    /// See [`DirectFile`].
    pub(crate) async fn write_direct(
        &self,
        buffer: DirectBuffer,
        len: usize,
        offset: u64,
        durable: bool,
    ) -> (io::Result<()>, DirectBuffer) {
        either!(&self.0, FileSide, file => file.write_direct(buffer, len, offset, durable).await)
    }

    /// See [`DirectFile::allocate`].
    pub(crate) async fn allocate(&self, len: u64) -> io::Result<()> {
        either!(&self.0, FileSide, file => file.allocate(len).await)
    }
}

/// Holds a lock file until dropped.
pub struct FileLock(#[expect(dead_code, reason = "held for its drop")] LockSide);

#[expect(dead_code, reason = "held for its drop")]
enum LockSide {
    Uring(uring::FileLock),
    Sim(sim::FileLock),
}
