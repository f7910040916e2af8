//! Which task runs next: any of the ready ones, by the seed, one at a time, the tasks of all hosts interleaved. Starvation
//! has probability zero; an order that only luck protects does not survive a few seeds.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use super::host::HostId;
use super::shard::Shard;
use super::task::TaskWaker;
use crate::Rng;

/// Never used twice in a simulation.
pub(super) type TaskId = u64;
pub(super) type Body = Pin<Box<dyn Future<Output = ()>>>;

/// The tasks that may run now.
#[derive(Default)]
pub(super) struct Ready {
    entries: Vec<Entry>,
    /// The task that is being polled: one that wakes itself yields.
    running: Option<TaskId>,
    next_ticket: u64,
}

#[derive(Clone, Copy)]
struct Entry {
    task: TaskId,
    shard: u64,
    /// In order of becoming ready.
    ticket: u64,
    /// Every task of its shard that was ready before it goes first (the promise of `Reactor::yield_now`).
    yielded: bool,
}

impl Ready {
    pub(super) fn push(&mut self, task: TaskId, shard: u64) {
        let yielded = self.running == Some(task);
        self.entries.push(Entry { task, shard, ticket: self.next_ticket, yielded });
        self.next_ticket += 1;
    }

    fn take(&mut self, rng: &mut Rng) -> Option<TaskId> {
        let mut index = rng.below(self.entries.len() as u64) as usize;
        let chosen = *self.entries.get(index)?;
        if chosen.yielded {
            let older =
                |entry: &Entry| entry.shard == chosen.shard && entry.ticket <= chosen.ticket;
            index = (0..self.entries.len())
                .filter(|&index| older(&self.entries[index]))
                .min_by_key(|&index| self.entries[index].ticket)
                .expect("the chosen entry itself is one of them");
        }
        Some(self.entries.swap_remove(index).task)
    }
}

/// A task at rest. Its future is away while it is being polled.
pub(super) struct Slot {
    pub(super) shard: Rc<Shard>,
    pub(super) future: Option<Body>,
    pub(super) waker: Waker,
    flag: Arc<TaskWaker>,
}

pub(super) struct Scheduler {
    tasks: RefCell<BTreeMap<TaskId, Slot>>,
    ready: Arc<Mutex<Ready>>,
    cancelled: RefCell<Vec<TaskId>>,
    next_task: Cell<TaskId>,
    rng: RefCell<Rng>,
}

impl Scheduler {
    pub(super) fn new(rng: Rng) -> Self {
        Self {
            tasks: RefCell::default(),
            ready: Arc::default(),
            cancelled: RefCell::default(),
            next_task: Cell::new(0),
            rng: RefCell::new(rng),
        }
    }

    fn ready(&self) -> MutexGuard<'_, Ready> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a task, ready to run.
    pub(super) fn add(&self, shard: Rc<Shard>, future: Body) -> TaskId {
        let task = self.next_task.get();
        self.next_task.set(task + 1);
        let flag = Arc::new(TaskWaker {
            task,
            shard: shard.key(),
            queued: AtomicBool::new(false),
            ready: self.ready.clone(),
        });
        let waker = Waker::from(flag.clone());
        waker.wake_by_ref();
        let slot = Slot { shard, future: Some(future), waker, flag };
        self.tasks.borrow_mut().insert(task, slot);
        task
    }

    /// Marks a task to be dropped before the next step. One that has ended already is no matter.
    pub(super) fn cancel(&self, task: TaskId) {
        self.cancelled.borrow_mut().push(task);
    }

    /// Marks the tasks that `doomed` picks by their shard.
    pub(super) fn cancel_where(&self, doomed: impl Fn(&Shard) -> bool) {
        let tasks = self.tasks.borrow();
        let picked = tasks.iter().filter(|(_, slot)| doomed(&slot.shard)).map(|(&task, _)| task);
        self.cancelled.borrow_mut().extend(picked);
    }

    /// The next task that was cancelled and still exists, taken out: the caller drops it, which may cancel more.
    pub(super) fn take_cancelled(&self) -> Option<Slot> {
        loop {
            let task = self.cancelled.borrow_mut().pop()?;
            if let Some(slot) = self.tasks.borrow_mut().remove(&task) {
                return Some(slot);
            }
        }
    }

    /// Chooses a ready task and takes its future for a poll; [`Scheduler::put_back`] or [`Scheduler::ended`] follows.
    pub(super) fn start_step(&self) -> Option<(TaskId, Rc<Shard>, Waker, Body)> {
        loop {
            let mut ready = self.ready();
            let task = ready.take(&mut self.rng.borrow_mut())?;
            // A wake may outlive its task.
            let mut tasks = self.tasks.borrow_mut();
            let Some(slot) = tasks.get_mut(&task) else { continue };
            assert!(
                slot.flag.queued.swap(false, Ordering::Relaxed),
                "a ready task is marked queued"
            );
            ready.running = Some(task);
            let future = slot.future.take().expect("a task is polled by one step at a time");
            return Some((task, slot.shard.clone(), slot.waker.clone(), future));
        }
    }

    /// The polled task waits.
    pub(super) fn put_back(&self, task: TaskId, future: Body) {
        self.ready().running = None;
        let mut tasks = self.tasks.borrow_mut();
        let slot = tasks.get_mut(&task).expect("a task is removed between steps only");
        assert!(slot.future.replace(future).is_none(), "a polled task left its slot empty");
    }

    /// The polled task is done.
    pub(super) fn ended(&self, task: TaskId) {
        self.ready().running = None;
        drop(self.tasks.borrow_mut().remove(&task));
    }

    /// Whether `host` has any task of the process `incarnation`.
    pub(super) fn has_tasks(&self, host: HostId, incarnation: u64) -> bool {
        let of = |slot: &Slot| slot.shard.host() == host && slot.shard.incarnation() == incarnation;
        self.tasks.borrow().values().any(of)
    }

    /// Gives up every task without running its destructors: for a simulation that is unwinding from a panic, where one
    /// more panic would end the process and hide the first.
    pub(super) fn forget_all(&self) {
        std::mem::forget(std::mem::take(&mut *self.tasks.borrow_mut()));
    }
}
