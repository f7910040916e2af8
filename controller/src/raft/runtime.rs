//! openraft's asynchronous runtime on our reactor: tasks, time and randomness are the shard's, channels stay within it.
//! openraft has no room for a handle in these calls, hence `Reactor::current`.

mod instant;
mod mpsc;
mod mutex;
mod oneshot;
#[cfg(test)]
mod tests;
mod wakers;
mod watch;

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use openraft::rt::{AsyncRuntime, OptionalSend};
use ringlane_reactor::{Elapsed, Queue, Reactor, Sleep};

use instant::RaftInstant;

/// The runtime; all of its state is the reactor's.
#[derive(Debug)]
pub(crate) struct Runtime;

/// A task's result. Dropping it lets the task run on.
pub(crate) struct JoinHandle<T>(oneshot::Receiver<T>);

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, TaskGone>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map_err(|_| TaskGone)
    }
}

/// The task ended without a result: it panicked, or its shard is ending.
#[derive(Debug)]
pub(crate) struct TaskGone;

impl fmt::Display for TaskGone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the task ended without a result")
    }
}

/// A future with a deadline.
pub(crate) struct Timeout<F> {
    future: Pin<Box<F>>,
    deadline: Sleep,
}

impl<F: Future> Future for Timeout<F> {
    type Output = Result<F::Output, Elapsed>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Poll::Ready(value) = self.future.as_mut().poll(cx) {
            return Poll::Ready(Ok(value));
        }
        Pin::new(&mut self.deadline).poll(cx).map(|()| Err(Elapsed))
    }
}

/// The shard's random numbers, so that the simulation's seed decides openraft's timeouts too.
pub(crate) struct ShardRng(Reactor);

impl rand_core::TryRng for ShardRng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok((self.0.random_u64() >> 32) as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.0.random_u64())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.0.random_u64().to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

impl AsyncRuntime for Runtime {
    type JoinError = TaskGone;
    type JoinHandle<T: OptionalSend + 'static> = JoinHandle<T>;
    type Sleep = Sleep;
    type Instant = RaftInstant;
    type TimeoutError = Elapsed;
    type Timeout<R, T: Future<Output = R> + OptionalSend> = Timeout<T>;
    type ThreadLocalRng = ShardRng;
    type Mpsc = mpsc::Mpsc;
    type Watch = watch::Watch;
    type Oneshot = oneshot::Oneshot;
    type Mutex<T: OptionalSend + 'static> = mutex::Mutex<T>;

    fn spawn<T>(future: T) -> Self::JoinHandle<T::Output>
    where
        T: Future + OptionalSend + 'static,
        T::Output: OptionalSend + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        let body = async move {
            let _ = sender.send_value(future.await);
        };
        Reactor::current().spawn(Queue::Controller, body).detach();
        JoinHandle(receiver)
    }

    fn sleep(duration: Duration) -> Sleep {
        Reactor::current().sleep(duration)
    }

    fn sleep_until(deadline: RaftInstant) -> Sleep {
        Reactor::current().sleep_until(deadline.0)
    }

    fn timeout<R, F: Future<Output = R> + OptionalSend>(
        duration: Duration,
        future: F,
    ) -> Timeout<F> {
        Timeout { future: Box::pin(future), deadline: Self::sleep(duration) }
    }

    fn timeout_at<R, F: Future<Output = R> + OptionalSend>(
        deadline: RaftInstant,
        future: F,
    ) -> Timeout<F> {
        Timeout { future: Box::pin(future), deadline: Self::sleep_until(deadline) }
    }

    /// A panic and the end of the shard look the same from here; both end the controller.
    fn is_panic(_: &TaskGone) -> bool {
        true
    }

    fn thread_rng() -> ShardRng {
        ShardRng(Reactor::current())
    }

    fn new(_threads: usize) -> Self {
        Self
    }

    /// # Panics
    /// Always: openraft's own tests start runtimes, a broker's shard runs already.
    fn block_on<F, T>(&mut self, _future: F) -> T
    where
        F: Future<Output = T>,
    {
        panic!("a shard's reactor runs already; spawn the future on it")
    }
}
