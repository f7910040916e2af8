//! The shard's receive buffers: a provided buffer ring (io_uring_register_buf_ring(3)), out of which the kernel takes a
//! buffer for each piece it receives, and into which a chunk gives it back when dropped.

use std::cell::Cell;
use std::io;
use std::ptr::NonNull;
use std::slice;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::Submitter;
use io_uring::types::BufRingEntry;

use super::ShardConfig;

/// The one buffer group of a shard's ring.
pub(super) const GROUP: u16 = 0;

/// What a buffer ring may hold at most.
const ENTRIES_MAX: usize = 1 << 15;

/// Zeroed, page-aligned memory of our own; pages that were never written cost nothing.
struct Mapping {
    start: NonNull<u8>,
    len: usize,
}

impl Mapping {
    fn new(len: usize) -> io::Result<Self> {
        let (protection, flags) =
            (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: a new anonymous mapping touches no memory there is.
        let start = unsafe { libc::mmap(std::ptr::null_mut(), len, protection, flags, -1, 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { start, len })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: this is the mapping made in `new`, and nobody refers to it any more.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.len) };
    }
}

/// See the module. Outlives the ring: chunks and the ring each hold it.
pub(super) struct Buffers {
    entries: Mapping,
    memory: Mapping,
    count: usize,
    buffer_bytes: usize,
    mask: u16,
    /// Where the next buffer is given to the kernel.
    tail: Cell<u16>,
    /// Buffers that the kernel may take.
    free: Cell<usize>,
}

impl Buffers {
    pub(super) fn register(submitter: &Submitter<'_>, config: &ShardConfig) -> io::Result<Self> {
        let buffer_bytes = config.receive_chunk_bytes.max(1);
        let count = (config.receive_buffer_bytes / buffer_bytes).clamp(2, ENTRIES_MAX);
        let slots = count.next_power_of_two();
        let buffers = Self {
            entries: Mapping::new(slots * size_of::<BufRingEntry>())?,
            memory: Mapping::new(count * buffer_bytes)?,
            count,
            buffer_bytes,
            mask: (slots - 1) as u16,
            tail: Cell::new(0),
            free: Cell::new(0),
        };
        let address = buffers.entries.start.as_ptr() as u64;
        // SAFETY: the mapping has room for that many entries. `Ring`, which holds us, closes its io_uring first.
        unsafe { submitter.register_buf_ring_with_flags(address, slots as u16, GROUP, 0)? };
        (0..count).for_each(|id| buffers.give_back(id as u16));
        Ok(buffers)
    }

    /// The kernel has taken a buffer.
    pub(super) fn taken(&self) {
        let free = self.free.get();
        assert!(free > 0, "the kernel takes only buffers it was given");
        self.free.set(free - 1);
    }

    pub(super) fn free(&self) -> usize {
        self.free.get()
    }

    /// Whether so few are left that unread bytes should move elsewhere.
    pub(super) fn is_low(&self) -> bool {
        self.free.get() < self.count.div_ceil(2)
    }

    /// The first `len` bytes of buffer `id`, which the caller must hold.
    pub(super) fn bytes(&self, id: u16, len: usize) -> &[u8] {
        assert!(usize::from(id) < self.count && len <= self.buffer_bytes, "one of our buffers");
        // SAFETY: within the mapping. The kernel does not write to a buffer between the completion that names it and
        // `give_back`, which its one holder calls when it lets go.
        unsafe {
            let start = self.memory.start.as_ptr().add(usize::from(id) * self.buffer_bytes);
            slice::from_raw_parts(start, len)
        }
    }

    /// Lets the kernel take buffer `id` again.
    pub(super) fn give_back(&self, id: u16) {
        assert!(usize::from(id) < self.count, "one of our buffers");
        assert!(self.free.get() < self.count, "a buffer is given back once");
        let tail = self.tail.get();
        let first = self.entries.start.as_ptr().cast::<BufRingEntry>();
        // SAFETY: the index is within the mapping by the mask; the kernel reads entries only below the tail, which we move
        // after writing. Both accesses stay within one entry, and the tail lies in the unused field of the first.
        unsafe {
            let entry = &mut *first.add(usize::from(tail & self.mask));
            let offset = usize::from(id) * self.buffer_bytes;
            entry.set_addr(self.memory.start.as_ptr().add(offset) as u64);
            entry.set_len(self.buffer_bytes as u32);
            entry.set_bid(id);
            let shared_tail = BufRingEntry::tail(first).cast::<AtomicU16>();
            (*shared_tail).store(tail.wrapping_add(1), Ordering::Release);
        }
        self.tail.set(tail.wrapping_add(1));
        self.free.set(self.free.get() + 1);
    }
}
