//! A simulated shard: what a [`crate::Reactor`] of the simulation points to.

use std::cell::RefCell;
use std::future::{Future, pending, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use super::host::HostId;
use super::task::TaskHandle;
use super::time::Sleep;
use super::world::World;
use crate::{Instant, Queue, Rng, ShardId};

/// One shard of one run of a host's process.
pub(crate) struct Shard {
    world: Rc<World>,
    host: HostId,
    incarnation: u64,
    id: ShardId,
    shard_count: u16,
    rng: RefCell<Rng>,
}

impl Shard {
    pub(super) fn new(
        world: Rc<World>,
        host: HostId,
        incarnation: u64,
        id: ShardId,
        shard_count: u16,
        rng: Rng,
    ) -> Self {
        Self { world, host, incarnation, id, shard_count, rng: RefCell::new(rng) }
    }

    pub(super) fn world(&self) -> &Rc<World> {
        &self.world
    }

    pub(super) fn host(&self) -> HostId {
        self.host
    }

    pub(super) fn incarnation(&self) -> u64 {
        self.incarnation
    }

    /// Host and shard in one number.
    pub(super) fn key(&self) -> u64 {
        u64::from(self.host.0) << 16 | u64::from(self.id.0)
    }

    pub(crate) fn id(&self) -> ShardId {
        self.id
    }

    pub(crate) fn shard_count(&self) -> u16 {
        self.shard_count
    }

    pub(crate) fn now(&self) -> Instant {
        self.world.now()
    }

    pub(crate) fn wall_clock_ms(&self) -> i64 {
        let now = self.world.now();
        self.world.with_host(self.host, |host| host.wall_clock.read_ms(now))
    }

    pub(crate) fn random_u64(&self) -> u64 {
        self.rng.borrow_mut().next_u64()
    }

    pub(crate) fn sleep_until(self: &Rc<Self>, deadline: Instant) -> Sleep {
        Sleep::new(self.clone(), deadline)
    }

    /// All queues are one here: which of the ready tasks runs is the seed's choice, whatever their shares.
    pub(crate) fn spawn(
        self: &Rc<Self>,
        _queue: Queue,
        body: Pin<Box<dyn Future<Output = ()>>>,
    ) -> TaskHandle {
        let task = self.world.scheduler.add(self.clone(), body);
        TaskHandle::new(self.world.clone(), task)
    }

    pub(crate) async fn terminated(&self) {
        poll_fn(|cx| {
            self.world.with_host(self.host, |host| match host.process_of(self) {
                Some(process) if process.stopping => Poll::Ready(()),
                Some(process) => {
                    process.waiting_for_stop.push(cx.waker().clone());
                    Poll::Pending
                }
                None => Poll::Pending,
            })
        })
        .await;
    }

    /// Whether what this shard does still has an effect: its process is the host's last one, and not past its crash. (Once
    /// a process is over, the kernel has closed what its handles close once more.)
    pub(super) fn is_alive(&self) -> bool {
        self.world.with_host(self.host, |host| {
            host.incarnation == self.incarnation && !host.disk.is_cut()
        })
    }

    /// Goes on at once in a living process; in one past its crash, never.
    pub(super) async fn alive(&self) {
        if !self.is_alive() {
            pending::<()>().await;
        }
    }

    pub(super) async fn pause(self: &Rc<Self>, duration: Duration) {
        self.sleep_until(self.now() + duration).await;
    }
}
