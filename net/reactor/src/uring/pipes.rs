//! The pipes through which a shard moves bytes from files to sockets. A peer that does not read keeps one until it does, so there
//! are few, and whoever finds none copies.

use std::cell::{Cell, RefCell};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::rc::Rc;

use super::Shard;

/// Pipes of a shard.
const PIPES_MAX: usize = 8;

/// What a pipe holds, in bytes, where the kernel gives that much (/proc/sys/fs/pipe-user-pages-soft).
const PIPE_BYTES: usize = 256 << 10;

/// A pipe's two ends, shared with the operation that fills it.
pub(super) struct Ends {
    pub(super) read: OwnedFd,
    pub(super) write: OwnedFd,
}

/// See the module.
#[derive(Default)]
pub(super) struct Pipes {
    idle: RefCell<Vec<Rc<Ends>>>,
    made: Cell<usize>,
}

/// A pipe on loan.
pub(super) struct Pipe {
    shard: Rc<Shard>,
    pub(super) ends: Rc<Ends>,
    /// What is in it is for one peer: with anything inside it is of no use to the next.
    pub(super) is_empty: bool,
}

impl Pipe {
    /// The most that a pipe takes, in bytes.
    pub(super) const BYTES_MAX: usize = PIPE_BYTES;

    /// An empty pipe, unless all are on loan or the process has no descriptors left.
    pub(super) fn borrow(shard: &Rc<Shard>) -> Option<Self> {
        let idle = shard.pipes.idle.borrow_mut().pop();
        let ends = match idle {
            Some(ends) => ends,
            None if shard.pipes.made.get() < PIPES_MAX => {
                let ends = Rc::new(Ends::new().ok()?);
                shard.pipes.made.set(shard.pipes.made.get() + 1);
                ends
            }
            None => return None,
        };
        Some(Self { shard: shard.clone(), ends, is_empty: true })
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        let pipes = &self.shard.pipes;
        match self.is_empty {
            true => pipes.idle.borrow_mut().push(self.ends.clone()),
            false => pipes.made.set(pipes.made.get() - 1),
        }
    }
}

impl Ends {
    fn new() -> io::Result<Self> {
        let mut ends = [0; 2];
        // SAFETY: the array has room for two descriptors.
        if unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) } < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel just made both for us.
        let [read, write] = ends.map(|end| unsafe { OwnedFd::from_raw_fd(end) });
        // SAFETY: fcntl(2) has no memory to violate. A pipe that stays smaller is filled more often.
        unsafe { libc::fcntl(write.as_raw_fd(), libc::F_SETPIPE_SZ, PIPE_BYTES as libc::c_int) };
        Ok(Self { read, write })
    }
}
