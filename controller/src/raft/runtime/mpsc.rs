//! A bounded queue from many tasks of a shard to one.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use openraft::rt::{self, OptionalSend, SendError, TryRecvError};

use super::wakers::Wakers;

/// Makes bounded queues.
pub(crate) struct Mpsc;

struct Channel<T> {
    messages: RefCell<VecDeque<T>>,
    capacity: usize,
    senders: Cell<usize>,
    receiver_gone: Cell<bool>,
    receiver: Cell<Option<Waker>>,
    waiting_for_room: Wakers,
}

/// Sends; the queue closes with the last of them.
pub(crate) struct Sender<T>(Rc<Channel<T>>);

/// A sender that does not keep the queue open.
pub(crate) struct WeakSender<T>(Rc<Channel<T>>);

/// Receives, in the order of sending.
pub(crate) struct Receiver<T>(Rc<Channel<T>>);

impl<T> Channel<T> {
    fn wake_receiver(&self) {
        if let Some(waker) = self.receiver.take() {
            waker.wake();
        }
    }

    /// Takes the next message and makes its room known.
    fn pop(&self) -> Option<T> {
        let message = self.messages.borrow_mut().pop_front();
        if message.is_some() {
            self.waiting_for_room.wake_all();
        }
        message
    }
}

impl<T> Sender<T> {
    fn of(channel: &Rc<Channel<T>>) -> Self {
        channel.senders.set(channel.senders.get() + 1);
        Self(channel.clone())
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self::of(&self.0)
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let left = self.0.senders.get().checked_sub(1).expect("senders are counted");
        self.0.senders.set(left);
        if left == 0 {
            self.0.wake_receiver();
        }
    }
}

impl<T> Clone for WeakSender<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.0.receiver_gone.set(true);
        let messages = std::mem::take(&mut *self.0.messages.borrow_mut());
        self.0.waiting_for_room.wake_all();
        // Their own drops may look at this queue.
        drop(messages);
    }
}

impl rt::Mpsc for Mpsc {
    type Sender<T: OptionalSend> = Sender<T>;
    type Receiver<T: OptionalSend> = Receiver<T>;
    type WeakSender<T: OptionalSend> = WeakSender<T>;

    fn channel<T: OptionalSend>(buffer: usize) -> (Sender<T>, Receiver<T>) {
        let channel = Rc::new(Channel {
            messages: RefCell::new(VecDeque::new()),
            capacity: buffer.max(1),
            senders: Cell::new(0),
            receiver_gone: Cell::new(false),
            receiver: Cell::new(None),
            waiting_for_room: Wakers::default(),
        });
        (Sender::of(&channel), Receiver(channel))
    }
}

impl<T: OptionalSend> rt::MpscSender<Mpsc, T> for Sender<T> {
    async fn send(&self, message: T) -> Result<(), SendError<T>> {
        let channel = &self.0;
        let mut message = Some(message);
        poll_fn(|cx| {
            let sending = message.take().expect("polled no more once it is ready");
            if channel.receiver_gone.get() {
                return Poll::Ready(Err(SendError(sending)));
            }
            let mut messages = channel.messages.borrow_mut();
            if messages.len() >= channel.capacity {
                message = Some(sending);
                channel.waiting_for_room.add(cx.waker());
                return Poll::Pending;
            }
            messages.push_back(sending);
            drop(messages);
            channel.wake_receiver();
            Poll::Ready(Ok(()))
        })
        .await
    }

    fn downgrade(&self) -> WeakSender<T> {
        WeakSender(self.0.clone())
    }
}

impl<T: OptionalSend> rt::MpscWeakSender<Mpsc, T> for WeakSender<T> {
    fn upgrade(&self) -> Option<Sender<T>> {
        let open = self.0.senders.get() > 0 && !self.0.receiver_gone.get();
        open.then(|| Sender::of(&self.0))
    }
}

impl<T: OptionalSend> rt::MpscReceiver<T> for Receiver<T> {
    async fn recv(&mut self) -> Option<T> {
        let channel = &self.0;
        poll_fn(|cx| {
            if let Some(message) = channel.pop() {
                return Poll::Ready(Some(message));
            }
            if channel.senders.get() == 0 {
                return Poll::Ready(None);
            }
            channel.receiver.set(Some(cx.waker().clone()));
            Poll::Pending
        })
        .await
    }

    fn try_recv(&mut self) -> Result<T, TryRecvError> {
        self.0.pop().ok_or(match self.0.senders.get() {
            0 => TryRecvError::Disconnected,
            _ => TryRecvError::Empty,
        })
    }
}
