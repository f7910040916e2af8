//! The two ways in which tasks wait for each other: a value sent once (also between shards), and a bell within a shard.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

enum Shared<T> {
    Waiting(Option<Waker>),
    Sent(T),
    /// The other end is gone, or the value was taken.
    Closed,
}

/// Sends one value; dropping it unsent tells the receiver.
pub struct OneshotSender<T>(Option<Arc<Mutex<Shared<T>>>>);

/// The future of the value: `None` when the sender was dropped.
pub struct OneshotReceiver<T>(Arc<Mutex<Shared<T>>>);

/// A channel for one value, between any two shards or within one.
pub fn oneshot<T: Send>() -> (OneshotSender<T>, OneshotReceiver<T>) {
    oneshot_local()
}

/// The same for values that stay on their shard (its ends are then not `Send`).
pub(crate) fn oneshot_local<T>() -> (OneshotSender<T>, OneshotReceiver<T>) {
    let shared = Arc::new(Mutex::new(Shared::Waiting(None)));
    (OneshotSender(Some(shared.clone())), OneshotReceiver(shared))
}

impl<T> OneshotSender<T> {
    /// Sends the value, or gives it back when the receiver is gone.
    ///
    /// # Errors
    /// The value, when nobody waits for it any more.
    pub fn send(mut self, value: T) -> Result<(), T> {
        let shared = self.0.take().expect("a sender sends once");
        match finish(&shared, Shared::Sent(value)) {
            Shared::Sent(value) => Err(value),
            Shared::Waiting(_) | Shared::Closed => Ok(()),
        }
    }

    /// Whether the receiver is gone, so that the value need not be computed.
    pub fn is_closed(&self) -> bool {
        self.0.as_ref().is_none_or(|shared| Arc::strong_count(shared) == 1)
    }
}

/// Moves a waiting channel to its end state and wakes the receiver; gives back `end` when there is no receiver.
fn finish<T>(shared: &Arc<Mutex<Shared<T>>>, end: Shared<T>) -> Shared<T> {
    let mut state = shared.lock().unwrap_or_else(PoisonError::into_inner);
    if !matches!(*state, Shared::Waiting(_)) {
        return end;
    }
    let before = std::mem::replace(&mut *state, end);
    drop(state);
    if let Shared::Waiting(Some(waker)) = before {
        waker.wake();
    }
    Shared::Closed
}

impl<T> Drop for OneshotSender<T> {
    fn drop(&mut self) {
        if let Some(shared) = self.0.take() {
            finish(&shared, Shared::Closed);
        }
    }
}

impl<T> Drop for OneshotReceiver<T> {
    fn drop(&mut self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Shared::Closed;
    }
}

impl<T> Future for OneshotReceiver<T> {
    type Output = Option<T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match std::mem::replace(&mut *state, Shared::Closed) {
            Shared::Sent(value) => Poll::Ready(Some(value)),
            Shared::Closed => Poll::Ready(None),
            Shared::Waiting(_) => {
                *state = Shared::Waiting(Some(cx.waker().clone()));
                Poll::Pending
            }
        }
    }
}

/// A bell within one shard: whoever waits when it rings is woken. Look at the state, take [`Notify::notified`], and only
/// then await it: a ring between the two is not missed, because nothing else runs in between.
#[derive(Clone, Default)]
pub struct Notify(Rc<RefCell<Bell>>);

#[derive(Default)]
struct Bell {
    rings: u64,
    next_waiter: u64,
    /// In the order in which they came, so that they are woken in it.
    waiting: BTreeMap<u64, Waker>,
}

impl Notify {
    /// A bell that nobody waits for.
    pub fn new() -> Self {
        Self::default()
    }

    /// Wakes everyone who waits now.
    pub fn notify_all(&self) {
        let waiting = {
            let mut bell = self.0.borrow_mut();
            bell.rings += 1;
            std::mem::take(&mut bell.waiting)
        };
        waiting.into_values().for_each(Waker::wake);
    }

    /// Ready at the next ring after this call.
    pub fn notified(&self) -> Notified {
        Notified { bell: self.0.clone(), seen: self.0.borrow().rings, waiter: None }
    }
}

/// See [`Notify::notified`].
pub struct Notified {
    bell: Rc<RefCell<Bell>>,
    seen: u64,
    waiter: Option<u64>,
}

impl Future for Notified {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let mut bell = this.bell.borrow_mut();
        if bell.rings != this.seen {
            this.waiter = None;
            return Poll::Ready(());
        }
        let waiter = *this.waiter.get_or_insert_with(|| {
            bell.next_waiter += 1;
            bell.next_waiter
        });
        bell.waiting.insert(waiter, cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Notified {
    /// Leaves the bell, so that a bell that never rings does not remember everyone who ever waited.
    fn drop(&mut self) {
        if let Some(waiter) = self.waiter {
            self.bell.borrow_mut().waiting.remove(&waiter);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::Wake;

    struct Nothing;
    impl Wake for Nothing {
        fn wake(self: Arc<Self>) {}
    }

    fn poll<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
        Pin::new(future).poll(&mut Context::from_waker(&Waker::from(Arc::new(Nothing))))
    }

    #[test]
    fn a_oneshot_carries_its_value_once() {
        let (sender, mut receiver) = oneshot();
        assert_eq!(poll(&mut receiver), Poll::Pending);
        assert_eq!(sender.send(7), Ok(()));
        assert_eq!(poll(&mut receiver), Poll::Ready(Some(7)));
    }

    #[test]
    fn a_dropped_end_is_noticed_by_the_other() {
        let (sender, mut receiver) = oneshot::<u8>();
        drop(sender);
        assert_eq!(poll(&mut receiver), Poll::Ready(None));
        let (sender, receiver) = oneshot();
        drop(receiver);
        assert!(sender.is_closed());
        assert_eq!(sender.send(7), Err(7));
    }

    #[test]
    fn a_bell_wakes_those_who_listened_before_it_rang() {
        let bell = Notify::new();
        let mut early = bell.notified();
        assert_eq!(poll(&mut early), Poll::Pending);
        bell.notify_all();
        let mut late = bell.notified();
        assert_eq!(poll(&mut early), Poll::Ready(()));
        assert_eq!(poll(&mut late), Poll::Pending);
        assert_eq!(bell.0.borrow().waiting.len(), 1);
        drop(late);
        assert_eq!(bell.0.borrow().waiting.len(), 0, "who stops waiting is forgotten");
    }
}
