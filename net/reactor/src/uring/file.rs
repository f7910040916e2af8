//! Files: small writes and resident reads inline, everything that may wait for the device through the ring.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use io_uring::opcode;
use io_uring::squeue::Flags;
use io_uring::types::{Fd, FsyncFlags};

use super::Shard;
use super::residency::is_resident;
use crate::FileRange;
use crate::file::OpenOptions;

/// Reads and writes at most this much in one operation, well below the kernel's 2 GiB.
pub(super) const TRANSFER_BYTES_MAX: usize = 1 << 30;

/// An open file that any shard may send from.
#[derive(Clone)]
pub(crate) struct SharedFile(pub(super) Arc<OwnedFd>);

/// See [`crate::File`].
#[derive(Clone)]
pub(crate) struct File {
    pub(super) shard: Rc<Shard>,
    pub(super) fd: Arc<OwnedFd>,
    /// Whether it has positions to read at; a terminal or a pipe has none.
    seekable: bool,
}

/// A path for the kernel.
pub(super) fn c_path(path: &Path) -> io::Result<CString> {
    Ok(CString::new(path.as_os_str().as_bytes())?)
}

/// Opens `path`. Files are made with mode 0666 under the umask, as everywhere.
pub(super) async fn open(shard: &Rc<Shard>, path: &Path, flags: i32) -> io::Result<OwnedFd> {
    let path = c_path(path)?;
    let open = opcode::OpenAt::new(Fd(libc::AT_FDCWD), path.as_ptr());
    let open = open.flags(flags | libc::O_CLOEXEC).mode(0o666).build();
    // SAFETY: the path is on the heap and belongs to the operation.
    unsafe { shard.start(open, path) }.descriptor().await
}

/// fsync(2), or fdatasync(2) with that flag.
pub(super) async fn sync(shard: &Rc<Shard>, fd: Arc<OwnedFd>, flags: FsyncFlags) -> io::Result<()> {
    let sync = opcode::Fsync::new(Fd(fd.as_raw_fd())).flags(flags).build();
    // SAFETY: the operation holds the descriptor, and there is no memory.
    unsafe { shard.start(sync, fd) }.await.0.map(drop)
}

fn open_flags(options: OpenOptions) -> i32 {
    let OpenOptions { write, create, create_new, truncate } = options;
    let mut flags =
        if write || create || create_new || truncate { libc::O_RDWR } else { libc::O_RDONLY };
    if create || create_new {
        flags |= libc::O_CREAT;
    }
    if create_new {
        flags |= libc::O_EXCL;
    }
    if truncate {
        flags |= libc::O_TRUNC;
    }
    flags
}

/// An offset as the kernel takes it.
pub(super) fn position(offset: u64) -> io::Result<libc::off_t> {
    libc::off_t::try_from(offset).map_err(|_| io::ErrorKind::InvalidInput.into())
}

/// Repeats a system call that a signal interrupts.
pub(super) fn uninterrupted(mut call: impl FnMut() -> isize) -> io::Result<usize> {
    loop {
        if let Ok(result) = usize::try_from(call()) {
            return Ok(result);
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

impl File {
    pub(crate) async fn open(
        shard: &Rc<Shard>,
        path: &Path,
        options: OpenOptions,
    ) -> io::Result<Self> {
        let fd = open(shard, path, open_flags(options)).await?;
        Ok(Self { shard: shard.clone(), fd: Arc::new(fd), seekable: true })
    }

    pub(crate) fn stdin(shard: &Rc<Shard>) -> io::Result<Self> {
        // SAFETY: fcntl(2) makes a new descriptor, which is then nobody else's.
        let fd = unsafe {
            let fd = libc::fcntl(0, libc::F_DUPFD_CLOEXEC, 3);
            if fd < 0 {
                return Err(io::Error::last_os_error());
            }
            OwnedFd::from_raw_fd(fd)
        };
        Ok(Self { shard: shard.clone(), fd: Arc::new(fd), seekable: false })
    }

    pub(crate) fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let (mut bytes, mut offset) = (bytes, offset);
        while !bytes.is_empty() {
            let (fd, at) = (self.fd.as_raw_fd(), position(offset)?);
            // SAFETY: the slice is as long as we say.
            let write = || unsafe { libc::pwrite(fd, bytes.as_ptr().cast(), bytes.len(), at) };
            let written = uninterrupted(write)?;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            bytes = &bytes[written..];
            offset += written as u64;
        }
        Ok(())
    }

    pub(crate) async fn write_behind(&self, bytes: Rc<Vec<u8>>, offset: u64) -> io::Result<()> {
        let mut done = 0;
        while done < bytes.len() {
            let part = &bytes[done..];
            let len = part.len().min(TRANSFER_BYTES_MAX) as u32;
            let write = opcode::Write::new(Fd(self.fd.as_raw_fd()), part.as_ptr(), len);
            // At once to a worker: a file system that cannot say beforehand whether it would wait (ext4) has to be asked in vain.
            let write = write.offset(offset + done as u64).build().flags(Flags::ASYNC);
            // SAFETY: the bytes are on the heap, and nobody changes them while they are shared; they and the descriptor belong
            // to the operation.
            let operation = unsafe { self.shard.start(write, (bytes.clone(), self.fd.clone())) };
            match operation.await.0 {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => done += written as usize,
                Err(error) if is_any(&error, &[libc::EINTR, libc::EAGAIN]) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// See [`crate::File::range`].
    pub(crate) fn range(&self, offset: u64, len: usize) -> io::Result<Option<FileRange>> {
        let is_there = len > 0 && is_resident(&self.fd, offset, len as u64)?;
        let range = || FileRange::of_uring(SharedFile(self.fd.clone()), offset, len);
        Ok(is_there.then(range))
    }

    /// The file of a range, on the shard that is to send it.
    pub(super) fn of_range(shard: &Rc<Shard>, file: &SharedFile) -> Self {
        Self { shard: shard.clone(), fd: file.0.clone(), seekable: true }
    }

    pub(crate) async fn read_at(&self, buffer: Vec<u8>, offset: u64) -> io::Result<Vec<u8>> {
        let mut buffer = buffer;
        if !self.seekable {
            return self.read_next(buffer).await;
        }
        let mut filled = match self.read_resident(&mut buffer, offset)? {
            Some(len) => {
                buffer.truncate(len);
                return Ok(buffer);
            }
            None => 0,
        };
        while filled < buffer.len() {
            let (read, back) = self.read_ring(buffer, filled, offset + filled as u64).await;
            buffer = back;
            match read? {
                0 => break,
                read => filled += read,
            }
        }
        buffer.truncate(filled);
        Ok(buffer)
    }

    /// Reads what there is next, waiting for it.
    async fn read_next(&self, mut buffer: Vec<u8>) -> io::Result<Vec<u8>> {
        loop {
            // The offset -1 is the current position (io_uring_prep_read(3)).
            let (read, back) = self.read_ring(buffer, 0, u64::MAX).await;
            buffer = back;
            match read {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.shard.readable(self.fd.clone()).await?;
                }
                read => {
                    buffer.truncate(read?);
                    return Ok(buffer);
                }
            }
        }
    }

    /// One read through the ring into `buffer[from..]`.
    async fn read_ring(
        &self,
        mut buffer: Vec<u8>,
        from: usize,
        offset: u64,
    ) -> (io::Result<usize>, Vec<u8>) {
        let target = &mut buffer[from..];
        let len = target.len().min(TRANSFER_BYTES_MAX) as u32;
        let read = opcode::Read::new(Fd(self.fd.as_raw_fd()), target.as_mut_ptr(), len);
        let resources = (buffer, self.fd.clone());
        // SAFETY: the buffer is on the heap; it and the descriptor belong to the operation.
        let operation = unsafe { self.shard.start(read.offset(offset).build(), resources) };
        let (read, (buffer, _)) = operation.await;
        (read.map(|read| read as usize), buffer)
    }

    pub(crate) fn read_resident(
        &self,
        buffer: &mut [u8],
        offset: u64,
    ) -> io::Result<Option<usize>> {
        let mut filled = 0;
        while filled < buffer.len() {
            let rest = &mut buffer[filled..];
            let part = libc::iovec { iov_base: rest.as_mut_ptr().cast(), iov_len: rest.len() };
            let (fd, at) = (self.fd.as_raw_fd(), position(offset + filled as u64)?);
            // SAFETY: the one part is the slice, as long as it is.
            let read = || unsafe { libc::preadv2(fd, &raw const part, 1, at, libc::RWF_NOWAIT) };
            match uninterrupted(read) {
                Ok(0) => break,
                Ok(read) => filled += read,
                // Not resident, or a file system that cannot tell.
                Err(error) if is_any(&error, &[libc::EAGAIN, libc::EOPNOTSUPP]) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        Ok(Some(filled))
    }

    pub(crate) async fn sync_data(&self) -> io::Result<()> {
        sync(&self.shard, self.fd.clone(), FsyncFlags::DATASYNC).await
    }

    pub(crate) fn set_len(&self, len: u64) -> io::Result<()> {
        let len = position(len)?;
        // SAFETY: ftruncate(2) has no memory to violate.
        uninterrupted(|| unsafe { libc::ftruncate(self.fd.as_raw_fd(), len) as isize }).map(drop)
    }

    pub(crate) async fn reserve(&self, len: u64) -> io::Result<()> {
        if len == 0 {
            return Ok(());
        }
        let reserve = opcode::Fallocate::new(Fd(self.fd.as_raw_fd()), len);
        let reserve = reserve.mode(libc::FALLOC_FL_KEEP_SIZE).build();
        // SAFETY: the operation holds the descriptor, and there is no memory.
        match unsafe { self.shard.start(reserve, self.fd.clone()) }.await.0 {
            Err(error) if is_any(&error, &[libc::EOPNOTSUPP, libc::ENOSYS]) => Ok(()),
            reserved => reserved.map(drop),
        }
    }

    pub(crate) fn len(&self) -> io::Result<u64> {
        // SAFETY: a stat of zeros is a value of that type, to be overwritten.
        let mut stat: libc::stat = unsafe { std::mem::zeroed() };
        // SAFETY: the pointer is to a local.
        uninterrupted(|| unsafe { libc::fstat(self.fd.as_raw_fd(), &raw mut stat) as isize })?;
        Ok(stat.st_size as u64)
    }
}

pub(super) fn is_any(error: &io::Error, codes: &[i32]) -> bool {
    error.raw_os_error().is_some_and(|code| codes.contains(&code))
}

impl Shard {
    /// Ready when `fd` can be read.
    pub(super) async fn readable(self: &Rc<Self>, fd: Arc<OwnedFd>) -> io::Result<()> {
        let poll = opcode::PollAdd::new(Fd(fd.as_raw_fd()), libc::POLLIN as u32).build();
        // SAFETY: the operation holds the descriptor, and there is no memory.
        unsafe { self.start(poll, fd) }.await.0.map(drop)
    }
}

/// See [`crate::FileLock`]. The lock goes with its descriptor, which the process's end closes too.
pub(crate) struct FileLock(#[expect(dead_code, reason = "held for its drop")] OwnedFd);

impl FileLock {
    pub(crate) async fn take(shard: &Rc<Shard>, path: &Path) -> io::Result<Self> {
        let fd = open(shard, path, open_flags(OpenOptions::CREATE)).await?;
        let operation = libc::LOCK_EX | libc::LOCK_NB;
        // SAFETY: flock(2) has no memory to violate.
        uninterrupted(|| unsafe { libc::flock(fd.as_raw_fd(), operation) as isize })?;
        Ok(Self(fd))
    }
}
