//! Files whose writes go past the page cache, and the aligned buffers that such writes come from.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::io;
use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::ptr::NonNull;
use std::slice;

use crate::file::{Disk, File, OpenOptions};
use crate::reactor::{Reactor, Side};
use crate::uring;

/// Zeroed memory that starts at a multiple of [`DirectFile::BLOCK_BYTES`] and never moves.
struct AlignedBytes {
    start: NonNull<u8>,
    layout: Layout,
}

impl AlignedBytes {
    fn new(len: usize) -> Self {
        assert!(len > 0 && len.is_multiple_of(DirectFile::BLOCK_BYTES), "whole blocks, not none");
        let layout = Layout::from_size_align(len, DirectFile::BLOCK_BYTES).expect("a real length");
        // SAFETY: the layout is not empty.
        let start = unsafe { alloc_zeroed(layout) };
        Self { start: NonNull::new(start).unwrap_or_else(|| handle_alloc_error(layout)), layout }
    }
}

impl Drop for AlignedBytes {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with this layout, and nobody refers to it any more.
        unsafe { dealloc(self.start.as_ptr(), self.layout) };
    }
}

/// Aligned memory for direct writes, from [`Reactor::direct_buffer`]. Its length is a multiple of
/// [`DirectFile::BLOCK_BYTES`]; it stays on its shard. Dropping it gives its place in the ring's table to another.
pub struct DirectBuffer {
    // Before the bytes, so that the ring has let go of them when they are freed.
    registration: Option<uring::Registration>,
    bytes: AlignedBytes,
}

impl DirectBuffer {
    pub(crate) fn new(reactor: &Reactor, len: usize) -> Self {
        let Self { bytes, .. } = Self::unregistered(len);
        let registration = match &reactor.0 {
            Side::Uring(shard) => {
                let (start, len) = (bytes.start.as_ptr(), bytes.layout.size());
                // SAFETY: the registration is dropped before the bytes.
                unsafe { uring::Registration::take(shard, start, len) }
            }
            Side::Sim(_) => None,
        };
        Self { registration, bytes }
    }

    /// One that no ring knows: for reads, which are few and large.
    pub fn unregistered(len: usize) -> Self {
        let blocks = len.div_ceil(DirectFile::BLOCK_BYTES).max(1);
        Self { registration: None, bytes: AlignedBytes::new(blocks * DirectFile::BLOCK_BYTES) }
    }

    /// Its place in the table of `shard`'s ring; a buffer of another ring has none there.
    pub(crate) fn fixed_index(&self, shard: &uring::Shard) -> Option<u16> {
        self.registration.as_ref().and_then(|registration| registration.index_on(shard))
    }

    /// Whether writes from it spare the kernel the mapping of its pages. What that depends on is the host's business
    /// (RLIMIT_MEMLOCK) and the number of other buffers; everything works without.
    pub fn is_registered(&self) -> bool {
        self.registration.is_some()
    }
}

impl Deref for DirectBuffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: that much was allocated and zeroed, and the borrow of self keeps writers away. The kernel writes to it in
        // reads alone, which own it.
        unsafe { slice::from_raw_parts(self.bytes.start.as_ptr(), self.bytes.layout.size()) }
    }
}

impl DerefMut for DirectBuffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `deref`; the buffer belongs to the operation while one reads it, so nobody else has it mutably.
        unsafe { slice::from_raw_parts_mut(self.bytes.start.as_ptr(), self.bytes.layout.size()) }
    }
}

/// A file written past the page cache (O_DIRECT). Clones share the descriptor, which closes with the last of them.
///
/// Contract: writes are ordered only by awaiting them, against each other and against whatever else is done to the same
/// range. A write whose future is dropped may still happen, wholly or in part, at any later time, **even after the end of
/// the process**: the kernel does not wait for it when it ends a process, nor does whoever waits for that process. Only
/// [`Self::try_lock`] tells when such writes are over.
/// A crash leaves each sector of a write on its way old or new; nothing beside its range changes.
#[derive(Clone)]
pub struct DirectFile {
    file: File,
    is_direct: bool,
}

impl DirectFile {
    /// Offsets, lengths and buffers are multiples of this.
    pub const BLOCK_BYTES: usize = 4096;

    pub(crate) async fn open(disk: &Disk, path: &Path, options: OpenOptions) -> io::Result<Self> {
        let file = disk.open(path, options).await?;
        let is_direct = file.bypass_page_cache()?;
        Ok(Self { file, is_direct })
    }

    pub(crate) async fn open_cached(
        disk: &Disk,
        path: &Path,
        options: OpenOptions,
    ) -> io::Result<Self> {
        Ok(Self { file: disk.open(path, options).await?, is_direct: false })
    }

    /// Whether writes bypass the page cache. Where the file system cannot, they go through it; what is promised of their
    /// durability is the same.
    pub fn is_direct(&self) -> bool {
        self.is_direct
    }

    /// Whether writes replace bytes where they lie, in the blocks that [`Self::allocate`] reserved. A file system that copies
    /// on write (btrfs, bcachefs, ZFS) puts them elsewhere; btrfs can exempt a file that is empty, which this asks for.
    ///
    /// # Errors
    /// As fstatfs(2) and ioctl_iflags(2).
    pub fn writes_in_place(&self) -> io::Result<bool> {
        self.file.writes_in_place()
    }

    /// Takes the file's exclusive lock until its last clone is dropped and the last of its writes is over, or says at once
    /// with `WouldBlock` that another opening of the file holds it.
    ///
    /// The lock (flock(2)) is the open file's, not the process's: the kernel lets go of it when nothing refers to that open
    /// file any more, and a request in flight does, also one of a process that was killed. So whoever has this lock knows
    /// that no write made under an earlier one is still on its way. A lock on another file cannot tell: it goes when the
    /// process's descriptors are closed.
    ///
    /// # Errors
    /// As flock(2).
    pub fn try_lock(&self) -> io::Result<()> {
        self.file.try_lock()
    }

    /// Writes `buffer[..len]` at `offset` and answers once it is durable (RWF_DSYNC), the length needed to read it
    /// included; gives the buffer back. After an error what the range holds is unknown. Begins with the first poll, before
    /// that returns.
    ///
    /// # Errors
    /// As pwritev2(2), with the buffer.
    ///
    /// # Panics
    /// When `len` or `offset` is not a multiple of [`Self::BLOCK_BYTES`], or the buffer is shorter.
    pub async fn write_durable(
        &self,
        buffer: DirectBuffer,
        len: usize,
        offset: u64,
    ) -> (io::Result<()>, DirectBuffer) {
        self.write_blocks(buffer, len, offset, true).await
    }

    /// The same without the durability, which then [`Self::sync_data`] gives: to fill a file with zeros.
    ///
    /// # Errors
    /// As pwritev2(2), with the buffer.
    ///
    /// # Panics
    /// As [`Self::write_durable`].
    pub async fn write(
        &self,
        buffer: DirectBuffer,
        len: usize,
        offset: u64,
    ) -> (io::Result<()>, DirectBuffer) {
        self.write_blocks(buffer, len, offset, false).await
    }

    /// Reads into `buffer[..len]` from `offset`, past the page cache; gives the count, less than `len` only at the end of the
    /// file, and the buffer back.
    ///
    /// # Errors
    /// As preadv2(2), with the buffer.
    ///
    /// # Panics
    /// As [`Self::write_durable`].
    pub async fn read(
        &self,
        buffer: DirectBuffer,
        len: usize,
        offset: u64,
    ) -> (io::Result<usize>, DirectBuffer) {
        Self::check_blocks(&buffer, len, offset);
        self.file.read_direct(buffer, len, offset).await
    }

    fn check_blocks(buffer: &DirectBuffer, len: usize, offset: u64) {
        assert!(len.is_multiple_of(Self::BLOCK_BYTES), "{len} bytes are not whole blocks");
        assert!(offset.is_multiple_of(Self::BLOCK_BYTES as u64), "{offset} starts no block");
        assert!(len <= buffer.len(), "{len} bytes of a buffer of {}", buffer.len());
    }

    async fn write_blocks(
        &self,
        buffer: DirectBuffer,
        len: usize,
        offset: u64,
        durable: bool,
    ) -> (io::Result<()>, DirectBuffer) {
        Self::check_blocks(&buffer, len, offset);
        self.file.write_direct(buffer, len, offset, durable).await
    }

    /// Makes the completed writes of the file, and its length, durable.
    ///
    /// # Errors
    /// As fdatasync(2).
    pub async fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data().await
    }

    /// Gives the file `len` bytes with their blocks reserved: new ones read as zeros, and writes to them do not run out of
    /// space. Where the file system cannot reserve (no fallocate), only the length changes. After an error the length is
    /// what it was.
    ///
    /// # Errors
    /// As fallocate(2) and ftruncate(2), among them `StorageFull`.
    pub async fn allocate(&self, len: u64) -> io::Result<()> {
        self.file.allocate(len).await
    }

    /// Up to where, from its start, the file was written, in bytes; what follows may be reserved only ([`Self::allocate`]). Where the
    /// file system does not tell, its length.
    ///
    /// # Errors
    /// As lseek(2) with SEEK_HOLE.
    pub fn written_len(&self) -> io::Result<u64> {
        self.file.written_len()
    }

    /// The length in bytes.
    ///
    /// # Errors
    /// As fstat(2).
    #[expect(clippy::len_without_is_empty, reason = "a length that may fail has no is_empty")]
    pub fn len(&self) -> io::Result<u64> {
        self.file.len()
    }
}
