//! Who waits until a log may acknowledge up to an offset: woken when it may, and not by what becomes durable before. Many
//! producers wait at one log, each for a batch of its own.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use ringlane_batch::Offset;

use super::{Log, Shared};

/// Those who wait, by the end that they wait for and in the order in which they came.
#[derive(Default)]
pub(super) struct Waiting {
    next: u64,
    wakers: BTreeMap<(Offset, u64), Waker>,
}

impl Waiting {
    /// Reads it, for the prefetch.
    pub(super) fn read(&self) -> u64 {
        self.wakers.first_key_value().map_or(self.next, |first| first.0.1)
    }

    /// Takes out who waits for no more than `end`.
    fn take_to(&mut self, end: Offset) -> Vec<Waker> {
        let mut taken = Vec::new();
        while let Some(first) = self.wakers.first_entry().filter(|first| first.key().0 <= end) {
            taken.push(first.remove());
        }
        taken
    }
}

/// The future of [`Log::acknowledgeable`].
pub struct Acknowledgeable {
    log: Rc<Shared>,
    end: Offset,
    place: Option<u64>,
}

impl Log {
    /// Ready once everything before `end` may be acknowledged, or never will be, because the log is offline or closed.
    pub fn acknowledgeable(&self, end: Offset) -> Acknowledgeable {
        Acknowledgeable { log: self.0.clone(), end, place: None }
    }
}

impl Shared {
    /// Tells those who wait that the durable end moved, or that the log takes no more work.
    pub(super) fn ring_durable(&self) {
        self.durable_changed.notify_all();
        let woken = self.waiting.borrow_mut().take_to(self.settled_to());
        woken.into_iter().for_each(Waker::wake);
    }

    /// Who waits for an end up to here waits no more.
    fn settled_to(&self) -> Offset {
        let state = self.state.borrow();
        match state.offline_reason() {
            Some(_) => Offset(i64::MAX),
            None => state.acknowledgeable_end(),
        }
    }
}

impl Future for Acknowledgeable {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        if this.log.settled_to() >= this.end {
            return Poll::Ready(());
        }
        let mut waiting = this.log.waiting.borrow_mut();
        let place = *this.place.get_or_insert_with(|| {
            waiting.next += 1;
            waiting.next
        });
        waiting.wakers.insert((this.end, place), cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Acknowledgeable {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            self.log.waiting.borrow_mut().wakers.remove(&(self.end, place));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_those_are_woken_whose_end_has_come() {
        let mut waiting = Waiting::default();
        for (end, place) in [(7, 1), (5, 2), (5, 3), (9, 4)] {
            waiting.wakers.insert((Offset(end), place), Waker::noop().clone());
        }
        assert_eq!(waiting.take_to(Offset(4)).len(), 0);
        assert_eq!(waiting.take_to(Offset(7)).len(), 3);
        assert_eq!(waiting.wakers.keys().copied().collect::<Vec<_>>(), [(Offset(9), 4)]);
        assert_eq!(waiting.take_to(Offset(i64::MAX)).len(), 1);
    }
}
