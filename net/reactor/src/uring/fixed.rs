//! The ring's table of registered buffers (io_uring_register_buffers(3)): memory that the kernel has mapped once, so that
//! a write from it need not map its pages each time. Registering may fail at any time (RLIMIT_MEMLOCK), and then the
//! buffer works without.

use std::io;
use std::rc::{Rc, Weak};

use io_uring::{IoUring, Submitter};

use super::Shard;

/// Places in the table of one ring. An empty one costs 8 bytes.
const PLACES: u16 = 64;

/// Which places of the table are free.
pub(super) struct FixedTable {
    free: Vec<u16>,
    places: u16,
}

impl FixedTable {
    /// An empty table of the ring; one without places where the kernel has none to offer.
    pub(super) fn register(submitter: &Submitter<'_>) -> Self {
        let places = match submitter.register_buffers_sparse(PLACES.into()) {
            Ok(()) => PLACES,
            Err(error) => {
                tracing::debug!("the ring has no table of registered buffers: {error}");
                0
            }
        };
        Self { free: (0..places).rev().collect(), places }
    }

    /// Puts memory into a free place, if there is one and the kernel agrees.
    ///
    /// # Safety
    /// The memory must stay until it is removed.
    pub(super) unsafe fn add(
        &mut self,
        submitter: &Submitter<'_>,
        start: *mut u8,
        len: usize,
    ) -> Option<u16> {
        let index = *self.free.last()?;
        let memory = libc::iovec { iov_base: start.cast(), iov_len: len };
        // SAFETY: as our caller promises; no operation uses a free place.
        match unsafe { submitter.register_buffers_update(index.into(), &[memory], None) } {
            Ok(()) => self.free.pop(),
            Err(error) => {
                tracing::debug!("a buffer of {len} bytes stays unregistered: {error}");
                None
            }
        }
    }

    /// Empties a place. The memory in it must not be used by any operation any more.
    pub(super) fn remove(&mut self, submitter: &Submitter<'_>, index: u16) {
        assert!(index < self.places, "a place of the table");
        assert!(!self.free.contains(&index), "a place is freed once");
        let nothing = libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 };
        // SAFETY: there is no memory. The kernel itself keeps the pages for as long as they are in the table.
        match unsafe { submitter.register_buffers_update(index.into(), &[nothing], None) } {
            Ok(()) => self.free.push(index),
            // The place is lost for others, and its pages stay locked until the ring ends.
            Err(error) => tracing::warn!("a registered buffer cannot be given back: {error}"),
        }
    }
}

/// A buffer's place in the table, given back when dropped.
pub(crate) struct Registration {
    /// Weak, because an operation of the ring that a shard owns may own the buffer.
    shard: Weak<Shard>,
    index: u16,
}

impl Registration {
    /// A place for the memory, if one can be had.
    ///
    /// # Safety
    /// The memory must outlive the registration.
    pub(crate) unsafe fn take(shard: &Rc<Shard>, start: *mut u8, len: usize) -> Option<Self> {
        // SAFETY: as our caller promises.
        let index = unsafe { shard.ring.register_buffer(start, len) }?;
        Some(Self { shard: Rc::downgrade(shard), index })
    }

    /// The place, if it is one of the ring of `shard`.
    pub(crate) fn index_on(&self, shard: &Shard) -> Option<u16> {
        std::ptr::eq(self.shard.as_ptr(), shard).then_some(self.index)
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        // Without the shard its ring is gone, and the table with it.
        if let Some(shard) = self.shard.upgrade() {
            shard.ring.unregister_buffer(self.index);
        }
    }
}

/// What a shard's direct writes register, about: two groups of the journal on their way.
const FIXED_BYTES_PER_SHARD: usize = 2 << 20;

/// Registers as much as `shards` shards do and drops it again, to learn whether the host allows it.
pub(crate) fn try_fixed_buffers(shards: u16) -> io::Result<()> {
    let uring = IoUring::new(8)?;
    let submitter = uring.submitter();
    submitter.register_buffers_sparse(shards.max(1).into())?;
    let mut memory = vec![0; FIXED_BYTES_PER_SHARD];
    for index in 0..u32::from(shards) {
        let part = libc::iovec { iov_base: memory.as_mut_ptr().cast(), iov_len: memory.len() };
        // SAFETY: nothing is ever done with these buffers, and the ring ends before the memory.
        unsafe { submitter.register_buffers_update(index, &[part], None)? };
    }
    drop(uring);
    Ok(())
}
