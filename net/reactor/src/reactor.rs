//! The handle of a shard's reactor: what every other crate is given instead of the operating system.

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use crate::direct::DirectBuffer;
use crate::executor::{Queue, Task};
use crate::file::Disk;
use crate::listener::{AddressReservation, Listener};
use crate::stream::Stream;
use crate::timer::{Elapsed, Sleep};
use crate::{Instant, Stalls, sim, uring};

/// The number of a shard within its broker, dense from 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ShardId(pub u16);

/// A shard's reactor. Cheap to clone; stays on its shard (not `Send`).
#[derive(Clone)]
pub struct Reactor(pub(crate) Side);

#[derive(Clone)]
pub(crate) enum Side {
    Uring(Rc<uring::Shard>),
    Sim(Rc<sim::Shard>),
}

thread_local! {
    static CURRENT: RefCell<Option<Reactor>> = const { RefCell::new(None) };
}

/// Makes `reactor` the one that [`Reactor::current`] answers; gives back the one before it.
pub(crate) fn set_current(reactor: Option<Reactor>) -> Option<Reactor> {
    CURRENT.with(|current| current.replace(reactor))
}

impl Reactor {
    /// The reactor whose task is being polled. For code whose interface has no room for a handle (openraft's runtime);
    /// everything else passes the handle on.
    ///
    /// # Panics
    /// Outside a task of a reactor.
    pub fn current() -> Self {
        CURRENT
            .with(|current| current.borrow().clone())
            .expect("called from within a reactor's task")
    }

    /// This shard's number.
    pub fn shard(&self) -> ShardId {
        match &self.0 {
            Side::Uring(shard) => shard.id(),
            Side::Sim(shard) => shard.id(),
        }
    }

    /// How many shards this broker runs.
    pub fn shard_count(&self) -> u16 {
        match &self.0 {
            Side::Uring(shard) => shard.shard_count(),
            Side::Sim(shard) => shard.shard_count(),
        }
    }

    /// Starts `future` on this shard. Dropping the task cancels it; see [`Task`].
    pub fn spawn<T: 'static>(
        &self,
        queue: Queue,
        future: impl Future<Output = T> + 'static,
    ) -> Task<T> {
        Task::start(self, queue, future)
    }

    /// The monotonic clock.
    pub fn now(&self) -> Instant {
        match &self.0 {
            Side::Uring(shard) => shard.now(),
            Side::Sim(shard) => shard.now(),
        }
    }

    /// The wall clock, in milliseconds since the Unix epoch. It may jump, also backwards.
    pub fn wall_clock_ms(&self) -> i64 {
        match &self.0 {
            Side::Uring(shard) => shard.wall_clock_ms(),
            Side::Sim(shard) => shard.wall_clock_ms(),
        }
    }

    /// Ready after `duration`.
    pub fn sleep(&self, duration: Duration) -> Sleep {
        self.sleep_until(self.now() + duration)
    }

    /// Ready at `deadline`.
    pub fn sleep_until(&self, deadline: Instant) -> Sleep {
        Sleep::new(self, deadline)
    }

    /// `future`, or [`Elapsed`] when it takes longer than `duration`.
    pub async fn timeout<T>(
        &self,
        duration: Duration,
        future: impl Future<Output = T>,
    ) -> Result<T, Elapsed> {
        crate::timer::timeout(self.sleep(duration), future).await
    }

    /// Lets every other ready task of this shard run first.
    pub async fn yield_now(&self) {
        crate::timer::yield_now().await;
    }

    /// A random number; a function of the seed in the simulation.
    pub fn random_u64(&self) -> u64 {
        match &self.0 {
            Side::Uring(shard) => shard.random_u64(),
            Side::Sim(shard) => shard.random_u64(),
        }
    }

    /// What the shard's stall detector has counted since the start; nothing in the simulation, whose tasks take no time.
    pub fn stalls(&self) -> Stalls {
        match &self.0 {
            Side::Uring(shard) => shard.stalls(),
            Side::Sim(_) => Stalls::default(),
        }
    }

    /// The file systems that this shard sees.
    pub fn disk(&self) -> Disk {
        Disk::new(self)
    }

    /// An aligned buffer of zeros for direct writes: `len` bytes, rounded up to whole blocks and to one at least.
    /// Registered with the shard's ring as long as its table has room and the host lets that much memory be locked.
    pub fn direct_buffer(&self, len: usize) -> DirectBuffer {
        DirectBuffer::new(self, len)
    }

    /// Listens on a reserved address, together with every other shard that does (SO_REUSEPORT: the kernel deals the
    /// connections).
    ///
    /// # Errors
    /// As listen(2).
    pub fn listen(&self, address: &AddressReservation, backlog: u32) -> io::Result<Listener> {
        Listener::open(self, address, backlog)
    }

    /// Connects to `address`.
    ///
    /// # Errors
    /// As connect(2).
    pub async fn connect(&self, address: SocketAddr) -> io::Result<Stream> {
        Stream::connect(self, address).await
    }

    /// Ready once the process is asked to end (SIGTERM or SIGINT; in the simulation, a clean stop of the host).
    pub async fn terminated(&self) {
        match &self.0 {
            Side::Uring(shard) => shard.terminated().await,
            Side::Sim(shard) => shard.terminated().await,
        }
    }
}
