//! The future of one operation with one completion.

use std::future::Future;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use io_uring::squeue::Entry;

use super::Shard;
use super::ring::Slot;
use super::slab::Key;

/// An operation under way. It owns what the kernel may touch; dropped early, it cancels the operation and leaves that
/// with the ring until the kernel is done.
pub(super) struct Op<R: 'static> {
    shard: Rc<Shard>,
    /// None once completed.
    key: Option<Key>,
    resources: Option<R>,
    yields_descriptor: bool,
}

impl Shard {
    /// Starts `entry` with the next submit.
    ///
    /// # Safety
    /// What `entry` points to must belong to `resources` and stay in place while they are moved: on the heap, that is.
    /// A descriptor in `entry` must be kept open by them.
    pub(super) unsafe fn start<R: 'static>(self: &Rc<Self>, entry: Entry, resources: R) -> Op<R> {
        // SAFETY: as our caller promises; Op never frees its resources before the completion.
        let key = unsafe { self.ring.start(entry, Slot::Waiting(None)) };
        let (key, resources) = (Some(key), Some(resources));
        Op { shard: self.clone(), key, resources, yields_descriptor: false }
    }
}

impl<R: Unpin + 'static> Op<R> {
    /// The same, for an operation whose result is a new descriptor: closed if nobody takes it.
    pub(super) async fn descriptor(mut self) -> io::Result<OwnedFd> {
        self.yields_descriptor = true;
        let fd = self.await.0?;
        // SAFETY: the kernel just made this descriptor for us.
        Ok(unsafe { OwnedFd::from_raw_fd(fd) })
    }
}

impl<R: Unpin + 'static> Future for Op<R> {
    /// The result, and the resources back.
    type Output = (io::Result<i32>, R);

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let key = this.key.expect("polled after its end");
        let mut slots = this.shard.ring.slots.borrow_mut();
        match slots.get_mut(key) {
            Some(Slot::Waiting(waker)) => {
                *waker = Some(cx.waker().clone());
                Poll::Pending
            }
            Some(Slot::Done(result)) => {
                let result = *result;
                slots.remove(key);
                this.key = None;
                let resources = this.resources.take().expect("ours until the end");
                Poll::Ready((outcome(result), resources))
            }
            _ => unreachable!("an operation's slot waits or is done while its future lives"),
        }
    }
}

/// A result as the kernel writes it: a negative one is an error number.
pub(super) fn outcome(result: i32) -> io::Result<i32> {
    if result < 0 { Err(io::Error::from_raw_os_error(-result)) } else { Ok(result) }
}

impl<R: 'static> Drop for Op<R> {
    fn drop(&mut self) {
        let Some(key) = self.key.take() else { return };
        let mut slots = self.shard.ring.slots.borrow_mut();
        let slot =
            slots.get_mut(key).expect("an operation keeps its slot until its last completion");
        if let Slot::Done(result) = *slot {
            slots.remove(key);
            drop(slots);
            if self.yields_descriptor && result >= 0 {
                // SAFETY: the kernel made this descriptor for us, and nobody took it.
                drop(unsafe { OwnedFd::from_raw_fd(result) });
            }
            return;
        }
        let resources = self.resources.take().expect("ours until the end");
        let (_resources, yields_descriptor) = (Box::new(resources), self.yields_descriptor);
        drop(std::mem::replace(slot, Slot::Abandoned { _resources, yields_descriptor }));
        drop(slots);
        self.shard.ring.cancel(key);
    }
}
