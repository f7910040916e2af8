//! The ring's table of registered buffers (io_uring_register_buffers(3)): memory that the kernel has mapped once, so that
//! a write from it need not map its pages each time. Registering may fail at any time (RLIMIT_MEMLOCK), and then the
//! buffer works without.
//!
//! Where locked memory is limited, it is limited for the user: every ring of every process of theirs counts. Buffers
//! therefore take half of the limit at most, so that rings can still be made beside them.

use std::io;
use std::rc::{Rc, Weak};
use std::sync::atomic::{AtomicU64, Ordering};

use io_uring::{IoUring, Submitter};

use super::Shard;
use crate::host::limit;

/// Places in the table of one ring. An empty one costs 8 bytes.
const PLACES: u16 = 64;

/// What the buffers of all rings of this process have locked.
static LOCKED_BYTES: AtomicU64 = AtomicU64::new(0);

/// CAP_IPC_LOCK of capabilities(7), with which no limit counts.
const CAP_IPC_LOCK: u32 = 14;

/// What the buffers of this process may lock.
fn budget_bytes() -> u64 {
    let limited = limit(libc::RLIMIT_MEMLOCK).filter(|limit| limit.rlim_cur != libc::RLIM_INFINITY);
    match limited {
        Some(limit) if !is_exempt() => limit.rlim_cur / 2,
        _ => u64::MAX,
    }
}

/// Whether this process may lock as much as it likes.
fn is_exempt() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let effective = effective.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    effective.is_some_and(|mask| mask >> CAP_IPC_LOCK & 1 == 1)
}

/// Which places of the table are free.
pub(super) struct FixedTable {
    free: Vec<u16>,
    /// The length of the buffer in each place, 0 where there is none.
    lens: Vec<u64>,
    budget_bytes: u64,
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
        let (free, lens) = ((0..places).rev().collect(), vec![0; places.into()]);
        Self { free, lens, budget_bytes: budget_bytes() }
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
        let (index, bytes) = (*self.free.last()?, len as u64);
        let locked = LOCKED_BYTES.fetch_add(bytes, Ordering::Relaxed);
        let memory = libc::iovec { iov_base: start.cast(), iov_len: len };
        let added = if locked.saturating_add(bytes) > self.budget_bytes {
            Err(io::Error::from_raw_os_error(libc::ENOMEM))
        } else {
            // SAFETY: as our caller promises; no operation uses a free place.
            unsafe { submitter.register_buffers_update(index.into(), &[memory], None) }
        };
        if let Err(error) = added {
            LOCKED_BYTES.fetch_sub(bytes, Ordering::Relaxed);
            tracing::debug!("a buffer of {len} bytes stays unregistered: {error}");
            return None;
        }
        self.lens[usize::from(index)] = bytes;
        self.free.pop()
    }

    /// Empties a place. The memory in it must not be used by any operation any more.
    pub(super) fn remove(&mut self, submitter: &Submitter<'_>, index: u16) {
        let bytes = self.lens[usize::from(index)];
        assert!(bytes > 0, "a place is freed once");
        let nothing = libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 };
        // SAFETY: there is no memory. The kernel itself keeps the pages for as long as they are in the table.
        match unsafe { submitter.register_buffers_update(index.into(), &[nothing], None) } {
            Ok(()) => {
                self.lens[usize::from(index)] = 0;
                self.free.push(index);
                LOCKED_BYTES.fetch_sub(bytes, Ordering::Relaxed);
            }
            // The place is lost for others, and its pages stay locked until the ring ends.
            Err(error) => tracing::warn!("a registered buffer cannot be given back: {error}"),
        }
    }
}

impl Drop for FixedTable {
    fn drop(&mut self) {
        LOCKED_BYTES.fetch_sub(self.lens.iter().sum(), Ordering::Relaxed);
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
pub(crate) const FIXED_BYTES_PER_SHARD: usize = 4 << 20;

/// Registers as much as `shards` shards do and drops it again, to learn whether the host allows it.
pub(crate) fn try_fixed_buffers(shards: u16) -> io::Result<()> {
    if budget_bytes() < u64::from(shards) * FIXED_BYTES_PER_SHARD as u64 {
        return Err(io::Error::from_raw_os_error(libc::ENOMEM));
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_leave_half_of_a_limit_to_the_rings() {
        let uring = IoUring::new(8).expect("a ring");
        let mut table = FixedTable::register(&uring.submitter());
        table.budget_bytes = LOCKED_BYTES.load(Ordering::Relaxed) + (3 << 12);
        let mut memory = vec![0_u8; 1 << 13];
        let mut add = |table: &mut FixedTable| {
            // SAFETY: the ring ends before the memory.
            unsafe { table.add(&uring.submitter(), memory.as_mut_ptr(), memory.len()) }
        };
        let first = add(&mut table).expect("within the budget");
        assert_eq!(add(&mut table), None, "over it");
        table.remove(&uring.submitter(), first);
        assert!(add(&mut table).is_some(), "within it again");
        let before = LOCKED_BYTES.load(Ordering::Relaxed);
        drop(table);
        assert_eq!(LOCKED_BYTES.load(Ordering::Relaxed), before - (1 << 13));
        drop(uring);
    }
}
