//! Whether a file system writes a file's blocks where they lie.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;

use super::file::{File, uninterrupted};

/// From linux/magic.h, and the two that are not in it.
const BTRFS: u64 = 0x9123_683e;
const BCACHEFS: u64 = 0xca45_1a4e;
const ZFS: u64 = 0x2fc1_2fc1;
/// FS_NOCOW_FL of linux/fs.h.
const NO_COPY_ON_WRITE: libc::c_int = 0x0080_0000;
/// FS_IOC_GETFLAGS and FS_IOC_SETFLAGS: their numbers say `long`, their argument is an `int`.
const GET_FLAGS: u64 = 0x8008_6601;
const SET_FLAGS: u64 = 0x4008_6602;

impl File {
    pub(crate) fn writes_in_place(&self) -> io::Result<bool> {
        match self.file_system_type()? {
            BTRFS => self.exempt(),
            BCACHEFS | ZFS => Ok(false),
            _ => Ok(true),
        }
    }

    fn file_system_type(&self) -> io::Result<u64> {
        let fd = self.fd.as_raw_fd();
        let mut found = MaybeUninit::<libc::statfs>::uninit();
        // SAFETY: fstatfs(2) writes one statfs there.
        uninterrupted(|| unsafe { libc::fstatfs(fd, found.as_mut_ptr()) as isize })?;
        // SAFETY: it has, as it did not fail.
        let found = unsafe { found.assume_init() };
        // Only the lower 32 bits count, whatever their sign.
        Ok(found.f_type as u64 & 0xffff_ffff)
    }

    /// Asks for no copy on write, which takes effect on an empty file only; whether it has.
    fn exempt(&self) -> io::Result<bool> {
        let flags = self.flags()?;
        if flags & NO_COPY_ON_WRITE == 0 && self.len()? == 0 {
            let (fd, wanted) = (self.fd.as_raw_fd(), flags | NO_COPY_ON_WRITE);
            // SAFETY: the ioctl reads an int there.
            uninterrupted(|| unsafe {
                libc::ioctl(fd, SET_FLAGS as _, &raw const wanted) as isize
            })?;
        }
        Ok(self.flags()? & NO_COPY_ON_WRITE != 0)
    }

    fn flags(&self) -> io::Result<libc::c_int> {
        let fd = self.fd.as_raw_fd();
        let mut flags: libc::c_int = 0;
        // SAFETY: the ioctl writes an int there.
        uninterrupted(|| unsafe { libc::ioctl(fd, GET_FLAGS as _, &raw mut flags) as isize })?;
        Ok(flags)
    }
}
