//! Exclusive access across awaits, within a shard.

use std::cell::{RefCell, RefMut};
use std::future::poll_fn;
use std::ops::{Deref, DerefMut};
use std::task::Poll;

use openraft::rt::{self, OptionalSend};

use super::wakers::Wakers;

/// A value that one task at a time uses.
pub(crate) struct Mutex<T> {
    value: RefCell<T>,
    waiting: Wakers,
}

/// The right to use the value, until dropped.
pub(crate) struct Guard<'a, T> {
    /// Given back before the next task is woken.
    value: Option<RefMut<'a, T>>,
    waiting: &'a Wakers,
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.value.as_ref().expect("held until dropped")
    }
}

impl<T> DerefMut for Guard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.value.as_mut().expect("held until dropped")
    }
}

impl<T> Drop for Guard<'_, T> {
    fn drop(&mut self) {
        self.value = None;
        self.waiting.wake_all();
    }
}

impl<T: OptionalSend + 'static> rt::Mutex<T> for Mutex<T> {
    type Guard<'a> = Guard<'a, T>;

    fn new(value: T) -> Self {
        Self { value: RefCell::new(value), waiting: Wakers::default() }
    }

    async fn lock(&self) -> Guard<'_, T> {
        poll_fn(|cx| match self.value.try_borrow_mut() {
            Ok(value) => Poll::Ready(Guard { value: Some(value), waiting: &self.waiting }),
            Err(_) => {
                self.waiting.add(cx.waker());
                Poll::Pending
            }
        })
        .await
    }
}
