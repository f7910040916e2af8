//! One simulated task from its owner's side: the handle that cancels it, and the waker that makes it ready.

use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Wake;

use super::scheduler::{Ready, TaskId};
use super::world::World;

/// Cancels its task when dropped, unless told to detach. The future is dropped before the next step, not at once: the
/// owner may be in the middle of its own poll, or be the task itself.
pub(crate) struct TaskHandle {
    world: Rc<World>,
    task: TaskId,
    detached: bool,
}

impl TaskHandle {
    pub(super) fn new(world: Rc<World>, task: TaskId) -> Self {
        Self { world, task, detached: false }
    }

    pub(crate) fn detach(mut self) {
        self.detached = true;
    }
}

impl Drop for TaskHandle {
    fn drop(&mut self) {
        if !self.detached {
            self.world.scheduler.cancel(self.task);
        }
    }
}

/// Puts its task on the ready list, once until it is polled again. `Send`, as mailboxes and oneshots demand of a waker.
pub(super) struct TaskWaker {
    pub(super) task: TaskId,
    /// Host and shard, packed: a task that yields lets only its own shard's tasks go first.
    pub(super) shard: u64,
    pub(super) queued: AtomicBool,
    pub(super) ready: Arc<Mutex<Ready>>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.queued.swap(true, Ordering::Relaxed) {
            self.ready.lock().unwrap_or_else(PoisonError::into_inner).push(self.task, self.shard);
        }
    }
}
