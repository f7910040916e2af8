//! File → pipe → socket without a copy: splice(2) inline for pages that are in the page cache, a kernel worker for those that have
//! left it since, and poll for a socket that is full.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::ptr::{null, null_mut};
use std::rc::Rc;

use bytes::Bytes;
use io_uring::opcode;
use io_uring::types::Fd;

use super::Shard;
use super::file::{File, SharedFile, is_any, position, uninterrupted};
use super::pipes::Pipe;
use super::residency::is_resident;
use super::stream::Stream;
use crate::FileRange;
use crate::timer::yield_now;

/// Where all pipes are in use, as much is copied at a time.
const COPY_BYTES: usize = 128 << 10;

impl Stream {
    /// Sends the bytes of `range`; `more` says whether something follows at once.
    pub(super) async fn send_range(&self, mut range: FileRange, more: bool) -> io::Result<()> {
        while !range.is_empty() {
            let sent = match Pipe::borrow(self.shard()) {
                Some(pipe) => self.splice_some(pipe, &range, more).await?,
                None => None,
            };
            let sent = match sent {
                Some(sent) => sent,
                None => self.copy_some(&range).await?,
            };
            drop(range.split_to(sent));
            if !range.is_empty() {
                // As much at a stretch as a pipe takes: others are to have their turn.
                yield_now().await;
            }
        }
        Ok(())
    }

    /// Sends a beginning of `range` by way of `pipe`; `None` where the file system does not know how.
    async fn splice_some(
        &self,
        mut pipe: Pipe,
        range: &FileRange,
        more: bool,
    ) -> io::Result<Option<usize>> {
        let len = range.len().min(Pipe::BYTES_MAX);
        let (file, offset) = range.of_kernel()?;
        pipe.is_empty = false;
        let filled = match fill(self.shard(), &pipe, file, offset, len).await {
            Err(error) if is_any(&error, &[libc::EINVAL, libc::EOPNOTSUPP]) => {
                pipe.is_empty = true;
                return Ok(None);
            }
            filled => filled?,
        };
        if filled == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.drain(&pipe, filled, more || filled < range.len()).await?;
        pipe.is_empty = true;
        Ok(Some(filled))
    }

    /// Moves the `len` bytes that are in `pipe` into the socket. A peer that is gone is an error: splice(2) has no MSG_NOSIGNAL, but
    /// SIGPIPE is ignored in every Rust process.
    async fn drain(&self, pipe: &Pipe, len: usize, more: bool) -> io::Result<()> {
        self.never_block_inline()?;
        let mut left = len;
        let flags = libc::SPLICE_F_NONBLOCK | if more { libc::SPLICE_F_MORE } else { 0 };
        while left > 0 {
            match splice(&pipe.ends.read, None, self.fd(), left, flags) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(moved) => left -= moved,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.writable().await?,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Sends a beginning of `range` through memory.
    async fn copy_some(&self, range: &FileRange) -> io::Result<usize> {
        let (file, offset) = range.of_kernel()?;
        let buffer = vec![0; range.len().min(COPY_BYTES)];
        let bytes = File::of_range(self.shard(), file).read_at(buffer, offset).await?;
        let len = bytes.len();
        if len == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.write_all(vec![Bytes::from(bytes)]).await?;
        Ok(len)
    }
}

/// Moves at most `len` bytes of `file` from `offset` into `pipe`, which is empty.
async fn fill(
    shard: &Rc<Shard>,
    pipe: &Pipe,
    file: &SharedFile,
    offset: u64,
    len: usize,
) -> io::Result<usize> {
    if is_resident(&file.0, offset, len as u64)? {
        return splice(&file.0, Some(offset), &pipe.ends.write, len, libc::SPLICE_F_NONBLOCK);
    }
    let (from, to) = (Fd(file.0.as_raw_fd()), Fd(pipe.ends.write.as_raw_fd()));
    let entry = opcode::Splice::new(from, position(offset)?, to, -1, len as u32).build();
    let resources = (file.clone(), pipe.ends.clone());
    // SAFETY: the operation holds the descriptors, and there is no memory.
    let (moved, _) = unsafe { shard.start(entry, resources) }.await;
    moved.map(|moved| moved as usize)
}

/// splice(2).
fn splice(
    from: &OwnedFd,
    offset: Option<u64>,
    to: &OwnedFd,
    len: usize,
    flags: libc::c_uint,
) -> io::Result<usize> {
    let mut offset = offset.map(position).transpose()?;
    uninterrupted(|| {
        let at = offset.as_mut().map_or(null_mut(), |at| &raw mut *at);
        let (from, to) = (from.as_raw_fd(), to.as_raw_fd());
        // SAFETY: the offset is a local or not there, and there is no other memory.
        unsafe { libc::splice(from, at, to, null::<libc::off_t>().cast_mut(), len, flags) }
    })
}
