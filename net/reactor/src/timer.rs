//! Waiting for a moment, waiting no longer than a moment, and letting others run.

use std::fmt;
use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use crate::reactor::{Reactor, Side};
use crate::{Instant, sim, uring};

/// Ready at its deadline. Dropping it removes the timer.
pub struct Sleep(Inner);

enum Inner {
    Uring(uring::Sleep),
    Sim(sim::Sleep),
}

impl Sleep {
    pub(crate) fn new(reactor: &Reactor, deadline: Instant) -> Self {
        Self(match &reactor.0 {
            Side::Uring(shard) => Inner::Uring(shard.sleep_until(deadline)),
            Side::Sim(shard) => Inner::Sim(shard.sleep_until(deadline)),
        })
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.get_mut().0 {
            Inner::Uring(sleep) => Pin::new(sleep).poll(cx),
            Inner::Sim(sleep) => Pin::new(sleep).poll(cx),
        }
    }
}

/// The time given to [`Reactor::timeout`] is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Elapsed;

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("timed out")
    }
}

impl std::error::Error for Elapsed {}

pub(crate) async fn timeout<T>(
    mut sleep: Sleep,
    future: impl Future<Output = T>,
) -> Result<T, Elapsed> {
    let mut future = pin!(future);
    std::future::poll_fn(|cx| {
        if let Poll::Ready(value) = future.as_mut().poll(cx) {
            return Poll::Ready(Ok(value));
        }
        Pin::new(&mut sleep).poll(cx).map(|()| Err(Elapsed))
    })
    .await
}

pub(crate) async fn yield_now() {
    let mut yielded = false;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
