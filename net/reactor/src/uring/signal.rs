//! The request to end the process: SIGTERM or SIGINT, told to every shard.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::rc::Rc;
use std::sync::{Arc, OnceLock};

use super::Shard;

/// An eventfd that becomes readable with the first signal and stays so: each shard polls it.
static TERMINATION: OnceLock<OwnedFd> = OnceLock::new();

impl Shard {
    pub(crate) async fn terminated(self: &Rc<Self>) {
        // A shard that cannot be told to end (no descriptors are left) runs on: the signal's default is restored, or was
        // never changed.
        let ended = match watch() {
            Ok(fd) => self.readable(Arc::new(fd)).await,
            Err(error) => Err(error),
        };
        if let Err(error) = ended {
            tracing::warn!("signals cannot be awaited: {error}");
            std::future::pending::<()>().await;
        }
    }
}

/// Whether SIGTERM or SIGINT has come since the first call of this, or since a shard first waited for them. For a program
/// between two lives of its reactor: a request that comes then is kept for the next.
pub fn termination_requested() -> bool {
    let Ok(fd) = watch() else { return false };
    let mut poll = libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: one descriptor that is open while the call lasts, and it does not wait.
    unsafe { libc::poll(&raw mut poll, 1, 0) == 1 }
}

/// A descriptor of our own for the eventfd; the first call installs the handlers.
fn watch() -> io::Result<OwnedFd> {
    if TERMINATION.get().is_none() {
        // SAFETY: eventfd(2) has no memory to violate, and what it makes is nobody else's.
        let fd = unsafe {
            let fd = libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK);
            if fd < 0 {
                return Err(io::Error::last_os_error());
            }
            OwnedFd::from_raw_fd(fd)
        };
        // Another shard may have been faster: then its eventfd counts.
        if TERMINATION.set(fd).is_ok() {
            install(libc::SIGTERM)?;
            install(libc::SIGINT)?;
        }
    }
    let fd = TERMINATION.get().expect("set above");
    // SAFETY: the static lives for ever.
    unsafe { BorrowedFd::borrow_raw(fd.as_raw_fd()) }.try_clone_to_owned()
}

fn install(signal: i32) -> io::Result<()> {
    // SAFETY: a sigaction of zeros is one without flags and mask. The handler calls nothing but write(2), which is
    // async-signal-safe. SA_RESETHAND gives a second signal its default: an end that hangs can be forced.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler as extern "C" fn(i32) as usize;
        action.sa_flags = libc::SA_RESTART | libc::SA_RESETHAND;
        if libc::sigaction(signal, &raw const action, std::ptr::null_mut()) < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

extern "C" fn handler(_signal: i32) {
    if let Some(fd) = TERMINATION.get() {
        let one = 1u64.to_ne_bytes();
        // SAFETY: the buffer is a local of 8 bytes. errno is put back for the code that was interrupted; the write cannot
        // fail in a way that matters, since one signal is enough.
        unsafe {
            let errno = libc::__errno_location();
            let before = *errno;
            libc::write(fd.as_raw_fd(), one.as_ptr().cast(), one.len());
            *errno = before;
        }
    }
}
