//! Lets tasks of one shard through one after the other, in the order they came: the appends of a log while its segment
//! rolls, and whatever replaces files. Without a queue, passing it suspends nobody.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::future::poll_fn;
use std::task::{Poll, Waker};

/// What only a turnstile needs at which somebody once had to wait.
#[derive(Default)]
struct Crowd {
    /// Tickets whose holders left before their turn.
    gone: RefCell<BTreeSet<u64>>,
    /// Who waits, by ticket: a turn that ends wakes the next one, and not the crowd.
    waiting: RefCell<BTreeMap<u64, Waker>>,
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
    /// Reads it, for [`crate::Log::prefetch`].
    pub(crate) fn read(&self) -> u64 {
        self.next.get() ^ self.serving.get() ^ u64::from(self.crowd.get().is_some())
    }

    /// Waits for the turn of the caller.
    pub(crate) async fn enter(&self) -> Turn<'_> {
        let turn = Turn { turnstile: self, ticket: self.next.replace(self.next.get() + 1) };
        poll_fn(|cx| {
            if self.serving.get() == turn.ticket {
                return Poll::Ready(());
            }
            let crowd = self.crowd.get_or_init(Box::default);
            crowd.waiting.borrow_mut().insert(turn.ticket, cx.waker().clone());
            Poll::Pending
        })
        .await;
        turn
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let Turnstile { next, serving, crowd } = self.turnstile;
        assert!(serving.get() <= self.ticket, "a ticket is given back once");
        if serving.get() != self.ticket {
            let crowd = crowd.get_or_init(Box::default);
            crowd.waiting.borrow_mut().remove(&self.ticket);
            crowd.gone.borrow_mut().insert(self.ticket);
            return;
        }
        serving.set(serving.get() + 1);
        if let Some(crowd) = crowd.get() {
            while crowd.gone.borrow_mut().remove(&serving.get()) {
                serving.set(serving.get() + 1);
            }
            let woken = crowd.waiting.borrow_mut().remove(&serving.get());
            woken.into_iter().for_each(Waker::wake);
        }
        assert!(serving.get() <= next.get(), "no turn without a ticket");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::Future;
    use std::pin::pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
    use std::task::{Context, Poll, Wake, Waker};

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

    #[test]
    fn a_turn_that_ends_wakes_the_next_one_alone() {
        let turnstile = Turnstile::default();
        let cx = &mut Context::from_waker(Waker::noop());
        let Poll::Ready(turn) = pin!(turnstile.enter()).as_mut().poll(cx) else { panic!("free") };
        let woken: Vec<_> = (0..3).map(|_| Arc::new(Counted::default())).collect();
        let mut waiting: Vec<_> = woken.iter().map(|_| Box::pin(turnstile.enter())).collect();
        for (entering, counted) in waiting.iter_mut().zip(&woken) {
            let waker = Waker::from(counted.clone());
            assert!(entering.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        }
        let counts = || woken.iter().map(|one| one.0.load(Relaxed)).collect::<Vec<_>>();
        drop(turn);
        assert_eq!(counts(), [1, 0, 0]);
        // Who was woken and leaves hands the turn on.
        drop(waiting.remove(0));
        assert_eq!(counts(), [1, 1, 0]);
        let Poll::Ready(turn) = waiting[0].as_mut().poll(cx) else { panic!("it is its turn") };
        drop(turn);
        assert_eq!(counts(), [1, 1, 1]);
    }

    #[derive(Default)]
    struct Counted(AtomicU32);

    impl Wake for Counted {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Relaxed);
        }
    }
}
