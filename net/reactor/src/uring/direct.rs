//! Writes past the page cache, durable when they complete; the reservation of their blocks; and the hint to write back.

use std::io;
use std::os::fd::AsRawFd;

use io_uring::opcode;
use io_uring::squeue::Entry;
use io_uring::types::Fd;

use super::file::{File, TRANSFER_BYTES_MAX, is_any, position, uninterrupted};
use crate::direct::{DirectBuffer, DirectFile};

/// What one operation of a hint covers at most: its length is 32 bits wide.
const WRITE_BACK_BYTES_MAX: u64 = 1 << 30;

impl File {
    /// Sets O_DIRECT, or says that the file system has none. Not at open(2), which may have made the file by the time it
    /// refuses the flag.
    pub(crate) fn bypass_page_cache(&self) -> io::Result<bool> {
        let fd = self.fd.as_raw_fd();
        // SAFETY: fcntl(2) with these commands has no memory to violate.
        let flags = uninterrupted(|| unsafe { libc::fcntl(fd, libc::F_GETFL) as isize })? as i32;
        let direct = flags | libc::O_DIRECT;
        // SAFETY: as above.
        match uninterrupted(|| unsafe { libc::fcntl(fd, libc::F_SETFL, direct) as isize }) {
            Ok(_) => Ok(true),
            Err(error) if is_any(&error, &[libc::EINVAL, libc::EOPNOTSUPP]) => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn try_lock(&self) -> io::Result<()> {
        let (fd, operation) = (self.fd.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB);
        // SAFETY: flock(2) has no memory to violate.
        uninterrupted(|| unsafe { libc::flock(fd, operation) as isize }).map(drop)
    }

    pub(crate) async fn write_direct(
        &self,
        buffer: DirectBuffer,
        len: usize,
        offset: u64,
        durable: bool,
    ) -> (io::Result<()>, DirectBuffer) {
        let (mut buffer, mut done) = (buffer, 0);
        while done < len {
            let entry = self.write_entry(&buffer, done..len, offset, durable);
            // SAFETY: the buffer does not move, and it and the descriptor belong to the operation.
            let operation = unsafe { self.shard.start(entry, (buffer, self.fd.clone())) };
            if durable {
                // At once and not at the end of the turn: somebody waits for the device, which may idle.
                self.shard.ring.submit();
            }
            let (written, (back, _)) = operation.await;
            buffer = back;
            match written {
                Ok(0) => return (Err(io::ErrorKind::WriteZero.into()), buffer),
                Ok(written) => done += written as usize,
                Err(error) if is_any(&error, &[libc::EINTR, libc::EAGAIN]) => {}
                Err(error) => return (Err(error), buffer),
            }
        }
        (Ok(()), buffer)
    }

    pub(crate) async fn read_direct(
        &self,
        buffer: DirectBuffer,
        len: usize,
        offset: u64,
    ) -> (io::Result<usize>, DirectBuffer) {
        let (mut buffer, mut done) = (buffer, 0);
        while done < len {
            let part = &mut buffer[done..len];
            let (start, most) = (part.as_mut_ptr(), part.len().min(TRANSFER_BYTES_MAX) as u32);
            let read = opcode::Read::new(Fd(self.fd.as_raw_fd()), start, most);
            let read = read.offset(offset + done as u64).build();
            // SAFETY: the buffer does not move, and it and the descriptor belong to the operation.
            let operation = unsafe { self.shard.start(read, (buffer, self.fd.clone())) };
            let (read, (back, _)) = operation.await;
            buffer = back;
            match read {
                Ok(read) => {
                    done += read as usize;
                    // A part of a block is the last one, and the next offset would start none.
                    if read == 0 || !done.is_multiple_of(DirectFile::BLOCK_BYTES) {
                        break;
                    }
                }
                Err(error) if is_any(&error, &[libc::EINTR, libc::EAGAIN]) => {}
                Err(error) => return (Err(error), buffer),
            }
        }
        (Ok(done), buffer)
    }

    /// One write of `buffer[range]`, as much of it as one operation takes; `offset` is that of the buffer's start.
    fn write_entry(
        &self,
        buffer: &DirectBuffer,
        range: std::ops::Range<usize>,
        offset: u64,
        durable: bool,
    ) -> Entry {
        let (fd, offset) = (Fd(self.fd.as_raw_fd()), offset + range.start as u64);
        let part = &buffer[range];
        let (start, len) = (part.as_ptr(), part.len().min(TRANSFER_BYTES_MAX) as u32);
        let flags = if durable { libc::RWF_DSYNC } else { 0 };
        match buffer.fixed_index(&self.shard) {
            Some(index) => opcode::WriteFixed::new(fd, start, len, index)
                .offset(offset)
                .rw_flags(flags)
                .build(),
            None => opcode::Write::new(fd, start, len).offset(offset).rw_flags(flags).build(),
        }
    }

    /// Length and blocks at once (fallocate(2), mode 0), then the cut for a file that was longer.
    pub(crate) async fn allocate(&self, len: u64) -> io::Result<()> {
        position(len)?;
        let before = self.len()?;
        if len > 0 {
            let allocate = opcode::Fallocate::new(Fd(self.fd.as_raw_fd()), len).build();
            // SAFETY: the operation holds the descriptor, and there is no memory.
            match unsafe { self.shard.start(allocate, self.fd.clone()) }.await.0 {
                Ok(_) => {}
                Err(error) if is_any(&error, &[libc::EOPNOTSUPP, libc::ENOSYS]) => {}
                Err(error) => {
                    // What it got before it ran out of space would be missing elsewhere. The first error counts.
                    let _ = self.set_len(before);
                    return Err(error);
                }
            }
        }
        self.set_len(len)
    }

    /// ext4, XFS and tmpfs count what is reserved and was never written as a hole. The descriptor's own position, which this
    /// moves, is used by nobody.
    pub(crate) fn written_len(&self) -> io::Result<u64> {
        let fd = self.fd.as_raw_fd();
        // SAFETY: lseek(2) has no memory to violate.
        match uninterrupted(|| unsafe { libc::lseek(fd, 0, libc::SEEK_HOLE) as isize }) {
            Ok(hole) => Ok(hole as u64),
            // Without such a question, or with nothing in the file.
            Err(error) if is_any(&error, &[libc::EINVAL, libc::ENXIO]) => self.len(),
            Err(error) => Err(error),
        }
    }

    /// Through the ring, which gives it to a kernel worker: the call itself waits while the device's queue is full.
    pub(crate) fn start_write_back(&self, offset: u64, len: u64) {
        let end = offset.saturating_add(len);
        let mut offset = offset;
        while offset < end {
            let part = (end - offset).min(WRITE_BACK_BYTES_MAX);
            let hint = opcode::SyncFileRange::new(Fd(self.fd.as_raw_fd()), part as u32);
            let hint = hint.offset(offset).flags(libc::SYNC_FILE_RANGE_WRITE).build();
            // SAFETY: the operation holds the descriptor, and there is no memory.
            unsafe { self.shard.ring.start_detached(hint, self.fd.clone()) };
            offset += part;
        }
    }
}
