//! The loop of a shard, as the root future of its executor. A turn: the tasks that are ready run, then the driver submits
//! everything they produced with one system call, takes the completions, and wakes who waits for them. With nothing
//! ready, that one call also waits.
//!
//! The driver is polled by glommio like a task and thus competes by its runtime, in which its sleep counts. It therefore
//! never asks for its own next poll: the first task of a turn does, and glommio places whoever becomes active anew.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use super::Shard;

/// How long an ending shard waits for operations that the kernel was asked to cancel.
const WIND_UP_MAX: Duration = Duration::from_secs(5);

/// So many tasks run before the ring is looked at again.
const TASKS_PER_TURN: usize = 64;
/// So long they run at most, the last one's poll not counted.
const TURN_MAX: Duration = Duration::from_micros(250);

/// Drives its shard until its main task ends or the shard is stopped.
pub(super) struct Driver(pub(super) Rc<Shard>);

impl Future for Driver {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let shard = &self.0;
        let state = &shard.loop_state;
        state.driver.borrow_mut().get_or_insert_with(|| cx.waker().clone());
        state.driver_scheduled.set(false);
        if let Some(began) = state.turn_began.take() {
            state.stalls.set(state.stalls.get().and(shard.now() - began));
        }
        loop {
            shard.take_foreign_wakes();
            shard.timers.fire(shard);
            if state.main_ended.get() || shard.inbox.is_stopped() {
                shard.wind_up();
                // Its waker holds the executor's task, which holds us.
                drop(state.driver.take());
                return Poll::Ready(());
            }
            if state.ready.get() > 0 {
                break;
            }
            shard.sleep();
        }
        shard.ring.submit();
        shard.reap();
        let ready = state.ready.get();
        // Everyone who is ready runs, and whoever they wake in turn, but neither a chain of wakes nor a crowd keeps the
        // ring waiting: what completes meanwhile, such as the journal's write, has its own next operation to start.
        state.budget.set((2 * ready + 16).min(TASKS_PER_TURN));
        let now = shard.now();
        state.turn_began.set(Some(now));
        state.turn_ends.set(now + TURN_MAX);
        Poll::Pending
    }
}

impl Shard {
    /// A task is being polled.
    pub(super) fn task_begins(&self) {
        let state = &self.loop_state;
        let ready = state.ready.get();
        assert!(ready > 0, "a task that runs was ready");
        state.ready.set(ready - 1);
        state.budget.set(state.budget.get().saturating_sub(1));
        if !state.driver_scheduled.replace(true)
            && let Some(driver) = &*state.driver.borrow()
        {
            driver.wake_by_ref();
        }
    }

    /// Whether the driver should run before further tasks.
    pub(super) fn turn_is_over(&self) -> bool {
        self.loop_state.budget.get() == 0 || self.now() >= self.loop_state.turn_ends.get()
    }

    fn take_foreign_wakes(&self) {
        while let Some(key) = self.inbox.next_woken() {
            self.schedule(key);
        }
    }

    /// Submits, waits for a completion, a timer or a bell, and takes the completions.
    fn sleep(self: &Rc<Self>) {
        if !self.config.spin.is_zero() {
            self.ring.submit();
            let until = self.now() + self.config.spin;
            while !self.ring.has_completions() && !self.inbox.has_work() && self.now() < until {
                std::hint::spin_loop();
            }
        }
        if self.ring.has_taken() {
            self.ring.submit();
        } else if self.inbox.prepare_to_sleep() {
            let timeout = self.timers.next().map(|deadline| deadline - self.now());
            self.ring.submit_and_wait(timeout);
            self.inbox.awake();
        }
        self.reap();
    }

    /// Takes every completion there is.
    fn reap(self: &Rc<Self>) {
        while let Some(completion) = self.ring.next_completion() {
            self.ring.complete(self, completion);
        }
        self.ring.rearm_starved(self);
    }

    /// Drops every task and waits until the kernel has let go of every buffer.
    fn wind_up(self: &Rc<Self>) {
        loop {
            let keys = self.tasks.borrow().keys();
            let futures: Vec<_> = keys
                .into_iter()
                .filter_map(|key| self.tasks.borrow().get(key).cloned()?.cancel())
                .collect();
            // Dropping them may start tasks, which go the same way.
            if futures.is_empty() {
                break;
            }
        }
        self.ring.cancel_all();
        let until = self.now() + WIND_UP_MAX;
        while self.ring.in_flight() > 0 && self.now() < until {
            self.ring.submit_and_wait(Some(Duration::from_millis(100)));
            self.reap();
        }
    }
}
