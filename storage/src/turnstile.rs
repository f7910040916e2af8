//! Lets tasks of one shard through one after the other, in the order they came: the appends of a log while its segment
//! rolls, and whatever replaces files. Without a queue, passing it suspends nobody.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeSet;

use ringlane_reactor::Notify;

/// What only a turnstile needs at which somebody once had to wait.
#[derive(Default)]
struct Crowd {
    /// Tickets whose holders left before their turn.
    gone: RefCell<BTreeSet<u64>>,
    bell: Notify,
}

/// See the module. Fair, and safe against tasks that are dropped while they wait or while it is their turn. A few bytes, as
/// every log has several.
#[derive(Default)]
pub(crate) struct Turnstile {
    /// The next ticket to hand out.
    next: Cell<u64>,
    /// The ticket whose turn it is. At most `next`.
    serving: Cell<u64>,
    crowd: OnceCell<Box<Crowd>>,
}

/// It is the holder's turn (or will be, within [`Turnstile::enter`]) until this is dropped.
pub(crate) struct Turn<'a> {
    turnstile: &'a Turnstile,
    ticket: u64,
}

impl Turnstile {
    /// Waits for the turn of the caller.
    pub(crate) async fn enter(&self) -> Turn<'_> {
        let turn = Turn { turnstile: self, ticket: self.next.replace(self.next.get() + 1) };
        while self.serving.get() != turn.ticket {
            self.crowd.get_or_init(Box::default).bell.notified().await;
        }
        turn
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let Turnstile { next, serving, crowd } = self.turnstile;
        assert!(serving.get() <= self.ticket, "a ticket is given back once");
        if serving.get() != self.ticket {
            crowd.get_or_init(Box::default).gone.borrow_mut().insert(self.ticket);
            return;
        }
        serving.set(serving.get() + 1);
        if let Some(crowd) = crowd.get() {
            while crowd.gone.borrow_mut().remove(&serving.get()) {
                serving.set(serving.get() + 1);
            }
            crowd.bell.notify_all();
        }
        assert!(serving.get() <= next.get(), "no turn without a ticket");
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
