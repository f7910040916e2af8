//! Timers: who waits until when, in order. The driver sleeps no longer than until the first.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use super::Shard;
use crate::Instant;

/// The timers of a shard. Each belongs to a [`Sleep`], so the tasks bound their number.
#[derive(Default)]
pub(super) struct Timers {
    waiting: RefCell<BTreeMap<(Instant, u64), Waker>>,
    last_id: Cell<u64>,
}

impl Timers {
    /// The first deadline.
    pub(super) fn next(&self) -> Option<Instant> {
        self.waiting.borrow().keys().next().map(|(deadline, _)| *deadline)
    }

    /// Wakes everyone whose time has come.
    pub(super) fn fire(&self, shard: &Shard) {
        let Some(first) = self.next() else { return };
        let now = shard.now();
        if first > now {
            return;
        }
        let due = {
            let mut waiting = self.waiting.borrow_mut();
            let later = waiting.split_off(&(now, u64::MAX));
            std::mem::replace(&mut *waiting, later)
        };
        due.into_values().for_each(Waker::wake);
    }
}

/// See [`crate::Sleep`].
pub(crate) struct Sleep {
    shard: Rc<Shard>,
    deadline: Instant,
    /// The timer's id once it waits.
    id: Option<u64>,
}

impl Shard {
    pub(crate) fn sleep_until(self: &Rc<Self>, deadline: Instant) -> Sleep {
        Sleep { shard: self.clone(), deadline, id: None }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        if this.shard.now() >= this.deadline {
            return Poll::Ready(());
        }
        let timers = &this.shard.timers;
        let id = *this.id.get_or_insert_with(|| {
            timers.last_id.set(timers.last_id.get() + 1);
            timers.last_id.get()
        });
        let waker = cx.waker().clone();
        drop(timers.waiting.borrow_mut().insert((this.deadline, id), waker));
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            let removed = self.shard.timers.waiting.borrow_mut().remove(&(self.deadline, id));
            drop(removed);
        }
    }
}
