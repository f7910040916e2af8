//! The way from one shard to another. A job is a closure that runs on the shard that owns the data: its body and the first
//! poll of the future that it returns happen in the order in which one shard submitted to the other; what the future then
//! waits for overlaps. So appends keep their order, and waiting for the disk holds up nobody.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use ringlane_reactor::{Mailbox, Mesh, OneshotReceiver, Queue, Sender, ShardId, oneshot};

use crate::shard::Shard;

type LocalFuture<T> = Pin<Box<dyn Future<Output = T>>>;

/// What travels between shards.
pub(crate) type Job = Box<dyn FnOnce(&Rc<Shard>) -> LocalFuture<()> + Send>;

/// How many jobs a mailbox holds before its senders wait.
pub(crate) const MAILBOX_JOBS_MAX: usize = 4096;

/// One shard's senders to all shards of its broker.
pub(crate) struct Router {
    own: ShardId,
    senders: Vec<Sender<Job>>,
}

impl Router {
    /// The router of shard `own` over `mesh`, which joins `shards` shards.
    pub(crate) fn new(mesh: &Mesh<Job>, own: ShardId, shards: u16) -> Self {
        Self { own, senders: (0..shards).map(|shard| mesh.sender(ShardId(shard))).collect() }
    }

    /// Runs `job` on shard `to`. This call ends when the job is in `to`'s mailbox (or, on this very shard, has begun); the
    /// reply is the result of its future.
    pub(crate) async fn submit<T, F>(
        &self,
        shard: &Rc<Shard>,
        to: ShardId,
        job: impl FnOnce(&Rc<Shard>) -> F + Send + 'static,
    ) -> Reply<T>
    where
        T: Send + 'static,
        F: Future<Output = T> + 'static,
    {
        match to == self.own {
            true => begin_here(shard, job(shard), ()).await,
            false => Reply::Coming(self.send(to, job).await),
        }
    }

    /// As [`Router::submit`]; `kept` stays on this shard until the job has ended, whether anyone waits for its result or not.
    pub(crate) async fn submit_keeping<T, F>(
        &self,
        shard: &Rc<Shard>,
        to: ShardId,
        job: impl FnOnce(&Rc<Shard>) -> F + Send + 'static,
        kept: impl Sized + 'static,
    ) -> Reply<T>
    where
        T: Send + 'static,
        F: Future<Output = T> + 'static,
    {
        match to == self.own {
            true => begin_here(shard, job(shard), kept).await,
            false => detach(shard, Reply::Coming(self.send(to, job).await), kept),
        }
    }

    /// Puts `job` into the mailbox of another shard.
    async fn send<T, F>(
        &self,
        to: ShardId,
        job: impl FnOnce(&Rc<Shard>) -> F + Send + 'static,
    ) -> OneshotReceiver<T>
    where
        T: Send + 'static,
        F: Future<Output = T> + 'static,
    {
        let (sender, receiver) = oneshot();
        let job: Job = Box::new(move |shard| {
            let future = job(shard);
            Box::pin(async move {
                // Nobody waits any more when the connection closed; the work is done all the same.
                let _ = sender.send(future.await);
            })
        });
        self.senders[usize::from(to.0)].send(job).await;
        receiver
    }

    /// Runs `job` on shard `to` and waits for its result.
    pub(crate) async fn call<T, F>(
        &self,
        shard: &Rc<Shard>,
        to: ShardId,
        job: impl FnOnce(&Rc<Shard>) -> F + Send + 'static,
    ) -> T
    where
        T: Send + 'static,
        F: Future<Output = T> + 'static,
    {
        self.submit(shard, to, job).await.await
    }

    /// Runs a job on every shard and waits for all results, in order of shard.
    pub(crate) async fn call_all<T, F>(
        &self,
        shard: &Rc<Shard>,
        job: impl Fn(&Rc<Shard>) -> F + Clone + Send + 'static,
    ) -> Vec<T>
    where
        T: Send + 'static,
        F: Future<Output = T> + 'static,
    {
        let mut replies = Vec::with_capacity(self.senders.len());
        for to in 0..self.senders.len() {
            let job = job.clone();
            replies.push(self.submit(shard, ShardId(to as u16), move |shard| job(shard)).await);
        }
        let mut results = Vec::with_capacity(replies.len());
        for reply in replies {
            results.push(reply.await);
        }
        results
    }
}

/// The result of a job, when it comes.
pub(crate) enum Reply<T> {
    /// It is here.
    Ready(Option<T>),
    /// It runs, here or on another shard, whoever waits for it or not.
    Coming(OneshotReceiver<T>),
}

impl<T> Unpin for Reply<T> {}

impl<T> Future for Reply<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        match self.get_mut() {
            Self::Ready(value) => Poll::Ready(value.take().expect("a reply is taken once")),
            Self::Coming(receiver) => match Pin::new(receiver).poll(cx) {
                Poll::Ready(Some(value)) => Poll::Ready(value),
                // The shards are ending: nobody is left to answer.
                Poll::Ready(None) | Poll::Pending => Poll::Pending,
            },
        }
    }
}

/// Begins a job on this very shard.
async fn begin_here<T: Send + 'static>(
    shard: &Shard,
    future: impl Future<Output = T> + 'static,
    kept: impl Sized + 'static,
) -> Reply<T> {
    let mut future: LocalFuture<T> = Box::pin(future);
    match poll_once(&mut future).await {
        Poll::Ready(value) => Reply::Ready(Some(value)),
        // A task of its own: an append that waits for its turn is in everyone's way until it is polled again, and whoever
        // takes the reply may first wait for other things, such as a client that does not read.
        Poll::Pending => detach(shard, future, kept),
    }
}

/// Awaits `work` in a task of its own, which holds on to `kept` until then.
fn detach<T: Send + 'static>(
    shard: &Shard,
    work: impl Future<Output = T> + 'static,
    kept: impl Sized + 'static,
) -> Reply<T> {
    let (sender, receiver) = oneshot();
    let work = async move {
        let value = work.await;
        drop(kept);
        // Nobody waits any more when the connection closed.
        let _ = sender.send(value);
    };
    shard.reactor.spawn(Queue::Client, work).detach();
    Reply::Coming(receiver)
}

/// Runs what other shards submit, for as long as the shard lives.
pub(crate) async fn serve(shard: Rc<Shard>, mailbox: Mailbox<Job>) {
    loop {
        let job = mailbox.receive().await;
        let mut future = job(&shard);
        if poll_once(&mut future).await.is_pending() {
            shard.reactor.spawn(Queue::Client, future).detach();
        }
    }
}

/// Polls `future` once. Whoever holds it on must poll it again.
async fn poll_once<T>(future: &mut LocalFuture<T>) -> Poll<T> {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}
