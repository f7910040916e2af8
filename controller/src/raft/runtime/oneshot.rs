//! A value sent once between two tasks of a shard.

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use openraft::rt::{self, OptionalSend};

/// Makes channels for one value.
pub(crate) struct Oneshot;

struct Slot<T> {
    value: Option<T>,
    receiver: Option<Waker>,
    sender_gone: bool,
    receiver_gone: bool,
}

/// Sends the value; dropping it unsent tells the receiver.
pub(crate) struct Sender<T>(Rc<RefCell<Slot<T>>>);

/// The future of the value.
pub(crate) struct Receiver<T>(Rc<RefCell<Slot<T>>>);

/// The sender was dropped.
#[derive(Debug)]
pub(crate) struct Dropped;

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the sender was dropped")
    }
}

impl std::error::Error for Dropped {}

pub(super) fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let slot = Slot { value: None, receiver: None, sender_gone: false, receiver_gone: false };
    let slot = Rc::new(RefCell::new(slot));
    (Sender(slot.clone()), Receiver(slot))
}

impl<T> Sender<T> {
    /// Sends, or gives the value back when nobody will receive it.
    pub(super) fn send_value(self, value: T) -> Result<(), T> {
        let mut slot = self.0.borrow_mut();
        assert!(slot.value.is_none(), "a sender sends once");
        if slot.receiver_gone {
            return Err(value);
        }
        slot.value = Some(value);
        // The drop of the sender wakes the receiver.
        Ok(())
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let waker = {
            let mut slot = self.0.borrow_mut();
            slot.sender_gone = true;
            slot.receiver.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let mut slot = self.0.borrow_mut();
        slot.receiver_gone = true;
        let value = slot.value.take();
        // The value's own drop may look at this channel.
        drop(slot);
        drop(value);
    }
}

impl<T> Future for Receiver<T> {
    type Output = Result<T, Dropped>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut slot = self.0.borrow_mut();
        if let Some(value) = slot.value.take() {
            return Poll::Ready(Ok(value));
        }
        if slot.sender_gone {
            return Poll::Ready(Err(Dropped));
        }
        slot.receiver = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl rt::Oneshot for Oneshot {
    type Sender<T: OptionalSend> = Sender<T>;
    type Receiver<T: OptionalSend> = Receiver<T>;
    type ReceiverError = Dropped;

    fn channel<T: OptionalSend>() -> (Sender<T>, Receiver<T>) {
        channel()
    }
}

impl<T: OptionalSend> rt::OneshotSender<T> for Sender<T> {
    fn send(self, value: T) -> Result<(), T> {
        self.send_value(value)
    }
}
