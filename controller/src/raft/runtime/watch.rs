//! A value that many tasks of a shard watch: only its newest state counts.

use std::cell::{Cell, Ref, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use openraft::rt::watch::SendError;
use openraft::rt::{self, OptionalSend, OptionalSync, RecvError};

use super::wakers::Wakers;

/// Makes watched values.
pub(crate) struct Watch;

struct Watched<T> {
    value: RefCell<T>,
    /// Rises with every change.
    version: Cell<u64>,
    senders: Cell<usize>,
    receivers: Cell<usize>,
    waiting: Wakers,
}

/// Changes the value.
pub(crate) struct Sender<T>(Rc<Watched<T>>);

/// Sees the value, and which of its changes it has seen.
pub(crate) struct Receiver<T> {
    watched: Rc<Watched<T>>,
    seen: u64,
}

impl<T> Watched<T> {
    fn changed(&self) {
        self.version.set(self.version.get() + 1);
        self.waiting.wake_all();
    }
}

fn count(counter: &Cell<usize>) {
    counter.set(counter.get() + 1);
}

fn uncount(counter: &Cell<usize>) -> usize {
    counter.set(counter.get().checked_sub(1).expect("handles are counted"));
    counter.get()
}

impl<T> Sender<T> {
    fn of(watched: &Rc<Watched<T>>) -> Self {
        count(&watched.senders);
        Self(watched.clone())
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self::of(&self.0)
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        if uncount(&self.0.senders) == 0 {
            self.0.waiting.wake_all();
        }
    }
}

impl<T> Receiver<T> {
    fn of(watched: &Rc<Watched<T>>, seen: u64) -> Self {
        count(&watched.receivers);
        Self { watched: watched.clone(), seen }
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        Self::of(&self.watched, self.seen)
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        uncount(&self.watched.receivers);
    }
}

impl rt::Watch for Watch {
    type Sender<T: OptionalSend + OptionalSync> = Sender<T>;
    type Receiver<T: OptionalSend + OptionalSync> = Receiver<T>;
    type Ref<'a, T: OptionalSend + 'a> = Ref<'a, T>;

    fn channel<T: OptionalSend + OptionalSync>(init: T) -> (Sender<T>, Receiver<T>) {
        let watched = Rc::new(Watched {
            value: RefCell::new(init),
            version: Cell::new(0),
            senders: Cell::new(0),
            receivers: Cell::new(0),
            waiting: Wakers::default(),
        });
        (Sender::of(&watched), Receiver::of(&watched, 0))
    }
}

impl<T: OptionalSend + OptionalSync> rt::WatchSender<Watch, T> for Sender<T> {
    fn send(&self, value: T) -> Result<(), SendError<T>> {
        if self.0.receivers.get() == 0 {
            return Err(SendError(value));
        }
        let before = self.0.value.replace(value);
        self.0.changed();
        drop(before);
        Ok(())
    }

    fn send_if_modified<F>(&self, modify: F) -> bool
    where
        F: FnOnce(&mut T) -> bool,
    {
        let modified = modify(&mut self.0.value.borrow_mut());
        if modified {
            self.0.changed();
        }
        modified
    }

    fn borrow_watched(&self) -> Ref<'_, T> {
        self.0.value.borrow()
    }

    fn subscribe(&self) -> Receiver<T> {
        Receiver::of(&self.0, self.0.version.get())
    }
}

impl<T: OptionalSend + OptionalSync> rt::WatchReceiver<Watch, T> for Receiver<T> {
    async fn changed(&mut self) -> Result<(), RecvError> {
        poll_fn(|cx| {
            let version = self.watched.version.get();
            if version != self.seen {
                self.seen = version;
                return Poll::Ready(Ok(()));
            }
            if self.watched.senders.get() == 0 {
                return Poll::Ready(Err(RecvError(())));
            }
            self.watched.waiting.add(cx.waker());
            Poll::Pending
        })
        .await
    }

    fn borrow_watched(&self) -> Ref<'_, T> {
        self.watched.value.borrow()
    }

    fn borrow_and_update(&mut self) -> Ref<'_, T> {
        self.seen = self.watched.version.get();
        self.watched.value.borrow()
    }
}
