//! What the page cache has of a file (cachestat(2), since Linux 6.5): splice(2) on a file waits for the device where its pages are
//! not there, whatever flags it has.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use super::file::{is_any, position, uninterrupted};

/// The number of the system call, on every architecture.
const CACHESTAT: libc::c_long = 451;

/// Read-ahead comes in pieces of at least so much.
const PROBED_BYTES: usize = 64 << 10;

/// `struct cachestat_range`.
#[repr(C)]
struct Range {
    offset: u64,
    len: u64,
}

/// `struct cachestat`, in pages.
#[repr(C)]
#[derive(Default)]
struct Counts {
    cached: u64,
    dirty: u64,
    written_back: u64,
    evicted: u64,
    recently_evicted: u64,
}

/// Whether the page cache has every byte of the range, which is not empty; never where the kernel cannot tell.
pub(super) fn is_resident(file: &OwnedFd, offset: u64, len: u64) -> io::Result<bool> {
    let range = Range { offset, len };
    let mut counts = Counts::default();
    let asked = uninterrupted(|| {
        let (range, counts) = (&raw const range, &raw mut counts);
        // SAFETY: both pointers are to locals that have the kernel's layout.
        unsafe { libc::syscall(CACHESTAT, file.as_raw_fd(), range, counts, 0) as isize }
    });
    match asked {
        Ok(_) if counts.cached < pages(offset, len) => Ok(false),
        Ok(_) => is_up_to_date(file, offset, len),
        Err(error) if is_any(&error, &[libc::ENOSYS, libc::EOPNOTSUPP, libc::EPERM]) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether pages that are there have been read: while read-ahead fills them they count, and splice(2) would wait. Asks for a byte of
/// each [`PROBED_BYTES`] and for the last.
fn is_up_to_date(file: &OwnedFd, offset: u64, len: u64) -> io::Result<bool> {
    for at in (offset..offset + len).step_by(PROBED_BYTES).chain([offset + len - 1]) {
        let mut byte = 0_u8;
        let part = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
        let at = position(at)?;
        let read = uninterrupted(|| {
            // SAFETY: the one part is a local of that length.
            unsafe { libc::preadv2(file.as_raw_fd(), &raw const part, 1, at, libc::RWF_NOWAIT) }
        });
        match read {
            Ok(1..) => {}
            Ok(_) => return Ok(false),
            Err(error) if is_any(&error, &[libc::EAGAIN, libc::EOPNOTSUPP]) => return Ok(false),
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

/// How many pages have a byte of the range.
fn pages(offset: u64, len: u64) -> u64 {
    // SAFETY: sysconf(3) has no memory to violate.
    let page_bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as u64;
    (offset + len).div_ceil(page_bytes) - offset / page_bytes
}
