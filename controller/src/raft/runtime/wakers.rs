//! Who waits for a change of something on this shard.

use std::cell::RefCell;
use std::task::Waker;

/// Tasks to wake, each once.
#[derive(Default)]
pub(super) struct Wakers(RefCell<Vec<Waker>>);

impl Wakers {
    /// Adds a task, unless it waits already.
    pub(super) fn add(&self, waker: &Waker) {
        let mut wakers = self.0.borrow_mut();
        if !wakers.iter().any(|waiting| waiting.will_wake(waker)) {
            wakers.push(waker.clone());
        }
    }

    /// Wakes all of them. Waking all rather than one is what makes it harmless that one of them was cancelled.
    pub(super) fn wake_all(&self) {
        let wakers = std::mem::take(&mut *self.0.borrow_mut());
        wakers.into_iter().for_each(Waker::wake);
    }
}
