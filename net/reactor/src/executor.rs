//! Tasks: what a shard runs, on which of its queues, and how one waits for or cancels another.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::reactor::{Reactor, Side};
use crate::sync::{OneshotReceiver, oneshot_local};
use crate::{sim, uring};

/// The task queues of a shard, each with a share of its time (see `uring/`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Queue {
    /// Connections and their requests.
    Client,
    /// Writing groups of the journal: little to do, and the device and all clients wait for it.
    Journal,
    /// Fetching from leaders.
    Replication,
    /// What nobody waits for: checkpoints, retention, compaction.
    Background,
    /// The Raft controller.
    Controller,
}

/// A running task. Awaiting it gives its result; dropping it cancels it at its next await; [`Task::detach`] lets it run.
#[must_use = "dropping a task cancels it"]
pub struct Task<T> {
    handle: Handle,
    result: OneshotReceiver<T>,
}

/// Cancels its task when dropped, unless told to detach.
pub(crate) enum Handle {
    Uring(uring::TaskHandle),
    Sim(sim::TaskHandle),
}

impl<T: 'static> Task<T> {
    pub(crate) fn start(
        reactor: &Reactor,
        queue: Queue,
        future: impl Future<Output = T> + 'static,
    ) -> Self {
        let (sender, result) = oneshot_local();
        let body = async move {
            let _ = sender.send(future.await);
        };
        let handle = match &reactor.0 {
            Side::Uring(shard) => Handle::Uring(shard.spawn(queue, Box::pin(body))),
            Side::Sim(shard) => Handle::Sim(shard.spawn(queue, Box::pin(body))),
        };
        Self { handle, result }
    }

    /// Lets the task run to its end by itself.
    pub fn detach(self) {
        match self.handle {
            Handle::Uring(handle) => handle.detach(),
            Handle::Sim(handle) => handle.detach(),
        }
    }
}

impl<T> Future for Task<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let this = self.get_mut();
        match Pin::new(&mut this.result).poll(cx) {
            Poll::Ready(Some(value)) => Poll::Ready(value),
            // The task is gone without a result: it panicked and its panic is already reported, or the shard is ending.
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }
}

impl Reactor {
    /// Does `work` with each of `items`, in a task each, with `at_once` of them at a time; the results in their order.
    /// Dropping the future cancels the tasks that run.
    ///
    /// # Panics
    /// When `at_once` is 0.
    pub async fn for_each<T: 'static, R: 'static>(
        &self,
        queue: Queue,
        at_once: usize,
        items: Vec<T>,
        work: impl AsyncFn(T) -> R + Clone + 'static,
    ) -> Vec<R> {
        assert!(at_once > 0, "some have to begin");
        let (mut running, mut results) = (VecDeque::new(), Vec::with_capacity(items.len()));
        for item in items {
            if running.len() == at_once {
                let first: Task<R> = running.pop_front().expect("there are some");
                results.push(first.await);
            }
            let work = work.clone();
            running.push_back(self.spawn(queue, async move { work(item).await }));
        }
        for task in running {
            results.push(task.await);
        }
        results
    }
}
