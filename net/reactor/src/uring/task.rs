//! A task: its future, and the shell around it that glommio runs. Ours rather than glommio's own because a shard that
//! ends must drop every future, also those that nobody will wake again.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::Shard;
use super::slab::Key;
use super::waker::TaskWaker;
use crate::Queue;

pub(super) type Body = Pin<Box<dyn Future<Output = ()>>>;

/// What a shard knows of a task.
pub(super) struct TaskCell {
    /// None while it is being polled, and after its end.
    future: RefCell<Option<Body>>,
    cancelled: Cell<bool>,
    /// Whether it counts among the shard's ready tasks.
    ready: Cell<bool>,
    state: Arc<TaskWaker>,
    /// `state` as what futures are given.
    waker: Waker,
    /// glommio's waker of the shell, from its first poll to its last.
    shell: RefCell<Option<Waker>>,
}

impl TaskCell {
    /// Hands the shell to its queue. Only for a task that is marked as scheduled.
    pub(super) fn schedule(&self) {
        if let Some(shell) = &*self.shell.borrow() {
            shell.wake_by_ref();
        }
    }

    /// Takes the future out, to be dropped.
    pub(super) fn cancel(&self) -> Option<Body> {
        self.cancelled.set(true);
        let future = self.future.borrow_mut().take();
        self.waker.wake_by_ref();
        future
    }
}

impl Shard {
    pub(crate) fn spawn(self: &Rc<Self>, queue: Queue, body: Body) -> TaskHandle {
        let key = self.tasks.borrow_mut().insert_with(|key| {
            let state = Arc::new(TaskWaker::new(self.inbox.clone(), key));
            let waker = Waker::from(state.clone());
            let (future, shell) = (RefCell::new(Some(body)), RefCell::new(None));
            let (cancelled, ready) = (Cell::new(false), Cell::new(true));
            Rc::new(TaskCell { future, cancelled, ready, state, waker, shell })
        });
        let cell = self.tasks.borrow().get(key).expect("just inserted").clone();
        self.loop_state.ready.set(self.loop_state.ready.get() + 1);
        let shell = Shell { shard: self.clone(), cell: cell.clone() };
        let spawned = glommio::spawn_local_into(shell, self.queues.handle(queue));
        drop(spawned.expect("the shard's queues live as long as it").detach());
        TaskHandle(Some(cell))
    }

    /// Marks a scheduled task as ready and puts it into its queue.
    pub(super) fn schedule(&self, key: Key) {
        let cell = self.tasks.borrow().get(key).cloned();
        // A task that has ended may still be woken: nothing is left to do then.
        if let Some(cell) = cell {
            assert!(!cell.ready.replace(true), "a task becomes ready once between two polls");
            self.loop_state.ready.set(self.loop_state.ready.get() + 1);
            cell.schedule();
        }
    }
}

/// The future that glommio sees.
struct Shell {
    shard: Rc<Shard>,
    cell: Rc<TaskCell>,
}

impl Shell {
    fn end(&self) -> Poll<()> {
        self.shard.tasks.borrow_mut().remove(self.cell.state.key());
        if self.cell.ready.replace(false) {
            // It was woken during its last poll, and will not be polled for that.
            self.shard.loop_state.ready.set(self.shard.loop_state.ready.get() - 1);
        }
        // glommio's waker keeps its task alive, the task keeps the cell alive: break the ring.
        drop(self.cell.shell.take());
        self.end_turn_if_over();
        Poll::Ready(())
    }

    fn end_turn_if_over(&self) {
        if self.shard.turn_is_over() {
            yield_queue();
        }
    }
}

impl Future for Shell {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let cell = &self.cell;
        cell.shell.borrow_mut().get_or_insert_with(|| cx.waker().clone());
        cell.state.begin_poll();
        cell.ready.set(false);
        self.shard.task_begins();
        let future = cell.future.borrow_mut().take();
        let Some(mut future) = future else { return self.end() };
        let polled = catch_unwind(AssertUnwindSafe(|| {
            let goes_on = !cell.cancelled.get()
                && future.as_mut().poll(&mut Context::from_waker(&cell.waker)).is_pending()
                && !cell.cancelled.get();
            // Dropped in here otherwise: its destructors may panic as well.
            goes_on.then_some(future)
        }));
        match polled {
            Ok(Some(future)) => *cell.future.borrow_mut() = Some(future),
            Ok(None) => return self.end(),
            Err(panic) => {
                self.shard.fail(panic);
                return self.end();
            }
        }
        self.end_turn_if_over();
        Poll::Pending
    }
}

/// Tells glommio to go on with another queue once this poll returns. Its way to say so is a future that does it when
/// first polled and would then wait a turn, which we do not.
fn yield_queue() {
    let executor = glommio::executor();
    let yielding = pin!(executor.yield_task_queue_now());
    let _ = yielding.poll(&mut Context::from_waker(Waker::noop()));
}

/// Cancels its task when dropped, unless detached.
pub(crate) struct TaskHandle(Option<Rc<TaskCell>>);

impl TaskHandle {
    pub(crate) fn detach(mut self) {
        self.0 = None;
    }
}

impl Drop for TaskHandle {
    fn drop(&mut self) {
        if let Some(cell) = self.0.take()
            && !cell.cancelled.replace(true)
        {
            // The shell drops the future when next polled: doing it here could meet a borrow that our caller holds.
            cell.waker.wake_by_ref();
        }
    }
}
