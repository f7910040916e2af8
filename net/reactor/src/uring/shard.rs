//! One shard: its ring, tasks, timers and queues, reached from everything that runs on it.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use glommio::{Latency, Shares, TaskQueueHandle};

use super::ShardConfig;
use super::file_system::FileSystems;
use super::pipes::Pipes;
use super::ring::Ring;
use super::slab::Slab;
use super::sleep::Timers;
use super::task::TaskCell;
use super::waker::Inbox;
use crate::{Instant, Queue, Rng, ShardId, Stalls};

/// The shard that the current thread runs.
pub(crate) struct Shard {
    id: ShardId,
    shard_count: u16,
    pub(super) config: Rc<ShardConfig>,
    pub(super) ring: Ring,
    pub(super) inbox: Arc<Inbox>,
    pub(super) tasks: RefCell<Slab<Rc<TaskCell>>>,
    pub(super) timers: Timers,
    pub(super) queues: Queues,
    pub(super) loop_state: LoopState,
    pub(super) file_systems: FileSystems,
    pub(super) pipes: Pipes,
    rng: RefCell<Rng>,
}

/// What the driver and the tasks tell each other.
#[derive(Default)]
pub(super) struct LoopState {
    /// Tasks that are scheduled and not yet polled.
    pub(super) ready: Cell<usize>,
    /// Polls that are left of this turn of the loop.
    pub(super) budget: Cell<usize>,
    /// When the turn that runs began.
    pub(super) turn_began: Cell<Option<Instant>>,
    pub(super) stalls: Cell<Stalls>,
    /// When the turn is over in any case.
    pub(super) turn_ends: Cell<Instant>,
    pub(super) driver: RefCell<Option<Waker>>,
    pub(super) driver_scheduled: Cell<bool>,
    pub(super) main_ended: Cell<bool>,
    pub(super) panic: RefCell<Option<Box<dyn Any + Send>>>,
}

/// The five task queues in glommio. While all have work, each gets its share of the shard's time out of the sum.
pub(super) struct Queues {
    client: TaskQueueHandle,
    journal: TaskQueueHandle,
    replication: TaskQueueHandle,
    background: TaskQueueHandle,
    controller: TaskQueueHandle,
}

impl Queues {
    /// Must be called within glommio's executor.
    pub(super) fn create() -> Self {
        let executor = glommio::executor();
        let create = |name, shares| {
            executor.create_task_queue(Shares::Static(shares), Latency::NotImportant, name)
        };
        Self {
            client: create("client", 1000),
            journal: create("journal", 1000),
            replication: create("replication", 800),
            background: create("background", 100),
            controller: create("controller", 800),
        }
    }

    pub(super) fn handle(&self, queue: Queue) -> TaskQueueHandle {
        match queue {
            Queue::Client => self.client,
            Queue::Journal => self.journal,
            Queue::Replication => self.replication,
            Queue::Background => self.background,
            Queue::Controller => self.controller,
        }
    }
}

thread_local! {
    static LOCAL: RefCell<Option<Rc<Shard>>> = const { RefCell::new(None) };
}

/// Makes `shard` the one that this thread runs.
pub(super) fn set_local(shard: Option<Rc<Shard>>) {
    let before = LOCAL.with(|local| local.replace(shard));
    drop(before);
}

/// Calls `f` with this thread's shard if `inbox` belongs to it, and says whether it did.
pub(super) fn with_local(inbox: &Arc<Inbox>, f: impl FnOnce(&Shard)) -> bool {
    // A waker may run in a destructor of the ending thread, when the thread-local is gone.
    let called = LOCAL.try_with(|local| {
        let local = local.borrow();
        let shard = local.as_ref().filter(|shard| Arc::ptr_eq(&shard.inbox, inbox));
        shard.map(|shard| f(shard)).is_some()
    });
    called.unwrap_or(false)
}

impl Shard {
    /// The shard of this thread, within glommio's executor.
    pub(super) fn new(
        id: ShardId,
        shard_count: u16,
        config: ShardConfig,
        inbox: Arc<Inbox>,
    ) -> io::Result<Rc<Self>> {
        let mut seed = [0; 8];
        // SAFETY: the buffer is ours and as long as we say. A short answer leaves zeros, which are a seed too.
        unsafe { libc::getrandom(seed.as_mut_ptr().cast(), seed.len(), 0) };
        Ok(Rc::new(Self {
            id,
            shard_count,
            ring: Ring::new(&config)?,
            config: Rc::new(config),
            inbox,
            tasks: RefCell::new(Slab::new()),
            timers: Timers::default(),
            queues: Queues::create(),
            loop_state: LoopState::default(),
            file_systems: FileSystems::default(),
            pipes: Pipes::default(),
            rng: RefCell::new(Rng::new(u64::from_ne_bytes(seed))),
        }))
    }

    pub(crate) fn id(&self) -> ShardId {
        self.id
    }

    pub(crate) fn shard_count(&self) -> u16 {
        self.shard_count
    }

    pub(crate) fn now(&self) -> Instant {
        let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: clock_gettime(2) writes the one timespec, and this clock always exists.
        unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
        Instant::from_nanos(now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64)
    }

    pub(crate) fn wall_clock_ms(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }

    pub(crate) fn stalls(&self) -> Stalls {
        self.loop_state.stalls.get()
    }

    pub(crate) fn random_u64(&self) -> u64 {
        self.rng.borrow_mut().next_u64()
    }

    /// Ends the shard because of a panic, which [`super::run_shards`] passes on to its caller. A task that panicked may have
    /// left shared state half changed, so nothing else of this process may go on either.
    pub(super) fn fail(&self, panic: Box<dyn Any + Send>) {
        tracing::error!(shard = self.id.0, "a task panicked: the process ends");
        self.loop_state.panic.borrow_mut().get_or_insert(panic);
        self.inbox.stop();
    }
}
