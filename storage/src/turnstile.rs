//! Lets tasks of one shard through one after the other, in the order they came: the appends of a log while its segment
//! rolls, and whatever replaces files. Without a queue, passing it suspends nobody.

use std::cell::RefCell;
use std::collections::BTreeSet;

use ringlane_reactor::Notify;

#[derive(Default)]
struct Queue {
    /// The next ticket to hand out.
    next: u64,
    /// The ticket whose turn it is. At most `next`.
    serving: u64,
    /// Tickets whose holders left before their turn.
    gone: BTreeSet<u64>,
}

/// See the module. Fair, and safe against tasks that are dropped while they wait or while it is their turn.
#[derive(Default)]
pub(crate) struct Turnstile {
    queue: RefCell<Queue>,
    bell: Notify,
}

/// It is the holder's turn (or will be, within [`Turnstile::enter`]) until this is dropped.
pub(crate) struct Turn<'a> {
    turnstile: &'a Turnstile,
    ticket: u64,
}

impl Turnstile {
    /// Waits for the turn of the caller.
    pub(crate) async fn enter(&self) -> Turn<'_> {
        let turn = self.take_ticket();
        while self.queue.borrow().serving != turn.ticket {
            self.bell.notified().await;
        }
        turn
    }

    fn take_ticket(&self) -> Turn<'_> {
        let mut queue = self.queue.borrow_mut();
        let ticket = queue.next;
        queue.next += 1;
        Turn { turnstile: self, ticket }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut guard = self.turnstile.queue.borrow_mut();
        let queue = &mut *guard;
        assert!(queue.serving <= self.ticket, "a ticket is given back once");
        if queue.serving != self.ticket {
            queue.gone.insert(self.ticket);
            return;
        }
        queue.serving += 1;
        while queue.gone.remove(&queue.serving) {
            queue.serving += 1;
        }
        assert!(queue.serving <= queue.next, "no turn without a ticket");
        drop(guard);
        self.turnstile.bell.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    #[test]
    fn tasks_pass_in_the_order_they_came_and_may_leave() {
        let turnstile = Turnstile::default();
        let cx = &mut Context::from_waker(Waker::noop());
        let mut first = pin!(turnstile.enter());
        let Poll::Ready(turn) = first.as_mut().poll(cx) else { panic!("nobody is before it") };
        let mut third = pin!(turnstile.enter());
        {
            let mut second = pin!(turnstile.enter());
            assert!(second.as_mut().poll(cx).is_pending());
            assert!(third.as_mut().poll(cx).is_pending());
        }
        let mut fourth = pin!(turnstile.enter());
        assert!(fourth.as_mut().poll(cx).is_pending());
        drop(turn);
        assert!(fourth.as_mut().poll(cx).is_pending(), "the third is before it");
        let Poll::Ready(turn) = third.as_mut().poll(cx) else { panic!("the second has left") };
        drop(turn);
        assert!(fourth.as_mut().poll(cx).is_ready());
    }
}
