//! Two futures, whichever is ready first.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

/// The outcome of [`race`].
pub(crate) enum Either<A, B> {
    /// The first was ready (it is asked first, so it wins a tie).
    First(A),
    /// The second was.
    Second(B),
}

/// Polls both until one is ready and drops the other.
pub(crate) async fn race<A, B>(
    first: impl Future<Output = A>,
    second: impl Future<Output = B>,
) -> Either<A, B> {
    let (mut first, mut second) = (pin!(first), pin!(second));
    poll_fn(|cx| {
        if let Poll::Ready(value) = first.as_mut().poll(cx) {
            return Poll::Ready(Either::First(value));
        }
        second.as_mut().poll(cx).map(Either::Second)
    })
    .await
}

/// The results of all of `futures`, in their order, which run at the same time.
pub(crate) async fn join_all<F: Future + Unpin>(futures: Vec<F>) -> Vec<F::Output> {
    let mut slots: Vec<_> = futures.into_iter().map(|future| (Some(future), None)).collect();
    poll_fn(|cx| {
        let mut pending = false;
        for (future, result) in &mut slots {
            let Some(running) = future else { continue };
            match std::pin::Pin::new(running).poll(cx) {
                Poll::Ready(value) => {
                    *future = None;
                    *result = Some(value);
                }
                Poll::Pending => pending = true,
            }
        }
        if pending { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    slots.into_iter().map(|(_, result)| result.expect("every future is ready")).collect()
}

/// The first result that any of `futures` gives; never ready when there are none.
pub(crate) async fn first_of<F: Future + Unpin>(mut futures: Vec<F>) -> F::Output {
    poll_fn(|cx| {
        for future in &mut futures {
            if let Poll::Ready(value) = std::pin::Pin::new(future).poll(cx) {
                return Poll::Ready(value);
            }
        }
        Poll::Pending
    })
    .await
}
