//! Messages between the shards of one broker. A mesh gives every shard a mailbox and a sender to each other shard's;
//! queues are bounded, and a sender waits at the bound. The same code serves the real reactor and the simulation: a waker
//! knows its executor.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};

use crossbeam_queue::ArrayQueue;

use crate::ShardId;

struct Queue<M> {
    messages: ArrayQueue<M>,
    /// Who waits: the owner for a message, senders for room. Locked only to sleep and to wake.
    receiver: Mutex<Option<Waker>>,
    senders: Mutex<Vec<Waker>>,
}

/// The mailboxes of a broker's shards, made once before the shards start. Each shard joins it once.
pub struct Mesh<M> {
    queues: Vec<Arc<Queue<M>>>,
}

impl<M> Clone for Mesh<M> {
    fn clone(&self) -> Self {
        Self { queues: self.queues.clone() }
    }
}

impl<M: Send> Mesh<M> {
    /// Mailboxes for `shards` shards that hold `capacity` messages each.
    pub fn new(shards: u16, capacity: usize) -> Self {
        let queue = || {
            Arc::new(Queue {
                messages: ArrayQueue::new(capacity.max(1)),
                receiver: Mutex::new(None),
                senders: Mutex::new(Vec::new()),
            })
        };
        Self { queues: (0..shards).map(|_| queue()).collect() }
    }

    /// The mailbox of `shard`. Only that shard may read it.
    pub fn mailbox(&self, shard: ShardId) -> Mailbox<M> {
        Mailbox(self.queues[usize::from(shard.0)].clone())
    }

    /// A sender to `shard`'s mailbox.
    pub fn sender(&self, shard: ShardId) -> Sender<M> {
        Sender(self.queues[usize::from(shard.0)].clone())
    }
}

/// Where one shard receives.
pub struct Mailbox<M>(Arc<Queue<M>>);

/// Sends to one shard.
pub struct Sender<M>(Arc<Queue<M>>);

impl<M> Clone for Sender<M> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<M: Send> Mailbox<M> {
    /// The next message, in the order in which each sender sent them.
    pub async fn receive(&self) -> M {
        let queue = &self.0;
        let message = poll_fn(|cx| {
            if let Some(message) = queue.messages.pop() {
                return Poll::Ready(message);
            }
            *lock(&queue.receiver) = Some(cx.waker().clone());
            // A message that came between the look and the registration woke nobody: look again.
            queue.messages.pop().map_or(Poll::Pending, Poll::Ready)
        })
        .await;
        // All of them: one may have given up since, and a wake spent on it would leave the others waiting for ever.
        let waiting = std::mem::take(&mut *lock(&queue.senders));
        waiting.into_iter().for_each(Waker::wake);
        message
    }
}

impl<M: Send> Sender<M> {
    /// Sends `message`, waiting while the mailbox is full.
    pub async fn send(&self, message: M) {
        let queue = &self.0;
        let mut message = Some(message);
        poll_fn(|cx| {
            for attempt in 0..2 {
                let Some(held) = message.take() else { return Poll::Ready(()) };
                match queue.messages.push(held) {
                    Ok(()) => return Poll::Ready(()),
                    Err(back) => message = Some(back),
                }
                if attempt == 0 {
                    lock(&queue.senders).push(cx.waker().clone());
                }
            }
            Poll::Pending
        })
        .await;
        let receiver = lock(&queue.receiver).take();
        if let Some(waker) = receiver {
            waker.wake();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
