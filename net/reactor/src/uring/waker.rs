//! Waking a task: on its own shard by its queue in glommio, from any other thread through the shard's inbox and its bell.
//!
//! glommio has wakers of its own; they are not given out, because a shard sleeps in our ring where glommio's do not
//! reach it, and because glommio counts them in 16 bits and panics at 32,767.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::task::Wake;

use crossbeam_queue::SegQueue;

use super::shard::with_local;
use super::slab::Key;

/// What other threads may touch of a shard.
pub(super) struct Inbox {
    /// Tasks woken from elsewhere. Each is here once at most, so their number bounds it.
    woken: SegQueue<Arc<TaskWaker>>,
    /// Set by the shard before it sleeps; who clears it rings the bell.
    sleeping: AtomicBool,
    stop: AtomicBool,
    /// An eventfd that the shard's ring polls.
    bell: OwnedFd,
}

impl Inbox {
    pub(super) fn new() -> io::Result<Self> {
        // SAFETY: eventfd(2) has no memory to violate.
        let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor is new and nobody else's.
        let bell = unsafe { OwnedFd::from_raw_fd(fd) };
        let (sleeping, stop) = (AtomicBool::new(false), AtomicBool::new(false));
        Ok(Self { woken: SegQueue::new(), sleeping, stop, bell })
    }

    pub(super) fn bell(&self) -> &OwnedFd {
        &self.bell
    }

    /// Asks the shard to drop everything and end.
    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
        self.wake_shard();
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    /// Announces sleep. False when there is something to do, and the announcement is taken back.
    pub(super) fn prepare_to_sleep(&self) -> bool {
        self.sleeping.store(true, Ordering::Relaxed);
        // Pairs with the fence in wake_shard: either we see what was pushed, or the pusher sees that we sleep.
        fence(Ordering::SeqCst);
        let idle = !self.has_work();
        if !idle {
            self.awake();
        }
        idle
    }

    pub(super) fn awake(&self) {
        self.sleeping.store(false, Ordering::Relaxed);
    }

    pub(super) fn has_work(&self) -> bool {
        !self.woken.is_empty() || self.stop.load(Ordering::Relaxed)
    }

    pub(super) fn next_woken(&self) -> Option<Key> {
        self.woken.pop().map(|waker| waker.key)
    }

    fn wake_shard(&self) {
        fence(Ordering::SeqCst);
        if self.sleeping.load(Ordering::Relaxed) && self.sleeping.swap(false, Ordering::Relaxed) {
            let one = 1u64.to_ne_bytes();
            // SAFETY: the buffer is ours and 8 bytes long. The counter cannot overflow before 2^64 - 1 bells.
            let written = unsafe { libc::write(self.bell.as_raw_fd(), one.as_ptr().cast(), 8) };
            assert_eq!(written, 8, "an eventfd takes 8 bytes");
        }
    }
}

/// The waker of one task.
pub(super) struct TaskWaker {
    inbox: Arc<Inbox>,
    key: Key,
    /// Whether the task is going to be polled after now.
    scheduled: AtomicBool,
}

impl TaskWaker {
    /// The waker of a new task, which is scheduled from the start.
    pub(super) fn new(inbox: Arc<Inbox>, key: Key) -> Self {
        Self { inbox, key, scheduled: AtomicBool::new(true) }
    }

    pub(super) fn key(&self) -> Key {
        self.key
    }

    /// The task is about to be polled: wakes from here on ask for another poll.
    pub(super) fn begin_poll(&self) {
        let was = self.scheduled.swap(false, Ordering::AcqRel);
        assert!(was, "a task is polled only when scheduled");
    }
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.scheduled.swap(true, Ordering::AcqRel) {
            return;
        }
        if !with_local(&self.inbox, |shard| shard.schedule(self.key)) {
            self.inbox.woken.push(self.clone());
            self.inbox.wake_shard();
        }
    }
}
