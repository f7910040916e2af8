//! Tasks: results, order, detaching, and the reactor that is current.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use ringlane_reactor::{Notify, Queue, Reactor};

use crate::setting::{Setting, contract};

contract!(on 1:
    a_task_gives_its_result,
    tasks_on_every_queue_run,
    a_yield_lets_every_other_ready_task_run_first,
    a_detached_task_runs_on,
    a_dropped_task_runs_no_more_and_drops_what_it_holds,
    a_task_that_was_dropped_before_its_first_poll_never_runs,
    a_task_woken_during_its_last_poll_holds_nobody_up,
    the_current_reactor_is_this_one,
    tasks_start_tasks,
    random_numbers_differ,
    work_for_many_is_done_some_at_a_time,
);

const QUEUES: [Queue; 4] =
    [Queue::Client, Queue::Replication, Queue::Background, Queue::Controller];

async fn a_task_gives_its_result(setting: Setting) {
    let task = setting.reactor.spawn(Queue::Client, async { 7 });
    assert_eq!(task.await, 7);
}

async fn tasks_on_every_queue_run(setting: Setting) {
    let start = |queue| setting.reactor.spawn(queue, async move { queue });
    let tasks = QUEUES.map(start);
    for (task, queue) in tasks.into_iter().zip(QUEUES) {
        assert_eq!(task.await, queue);
    }
}

async fn work_for_many_is_done_some_at_a_time(setting: Setting) {
    let (running, most) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    let (reactor, counts) = (setting.reactor.clone(), (running.clone(), most.clone()));
    let work = async move |item: u64| {
        let (running, most) = &counts;
        running.set(running.get() + 1);
        most.set(most.get().max(running.get()));
        // The later, the sooner.
        reactor.sleep(Duration::from_millis(20 - item)).await;
        running.set(running.get() - 1);
        item * 2
    };
    let results = setting.reactor.for_each(Queue::Client, 3, (0..10).collect(), work).await;
    assert_eq!(results, (0..10).map(|item| item * 2).collect::<Vec<_>>());
    assert_eq!((running.get(), most.get()), (0, 3));
}

async fn a_yield_lets_every_other_ready_task_run_first(setting: Setting) {
    let ran = Rc::new(Cell::new(0));
    let reactor = setting.reactor.clone();
    // On the same queue: between queues it is their shares that decide.
    let check = setting.reactor.spawn(Queue::Client, async move {
        let start = |_| {
            let ran = ran.clone();
            reactor.spawn(Queue::Client, async move { ran.set(ran.get() + 1) })
        };
        let tasks: Vec<_> = (0..10).map(start).collect();
        reactor.yield_now().await;
        assert_eq!(ran.get(), 10);
        drop(tasks);
    });
    check.await;
}

/// The shard must not take it for one that is still to run: it would then not sleep for others' sake.
async fn a_task_woken_during_its_last_poll_holds_nobody_up(setting: Setting) {
    let work = poll_fn(|cx| {
        cx.waker().wake_by_ref();
        Poll::Ready(())
    });
    setting.reactor.spawn(Queue::Client, work).await;
    setting.reactor.sleep(Duration::from_millis(1)).await;
}

async fn a_detached_task_runs_on(setting: Setting) {
    let (bell, done) = (Notify::new(), Rc::new(Cell::new(false)));
    let rung = bell.notified();
    let (own, flag) = (bell.clone(), done.clone());
    let work = async move {
        flag.set(true);
        own.notify_all();
    };
    setting.reactor.spawn(Queue::Background, work).detach();
    rung.await;
    assert!(done.get());
}

/// Counts its drops.
struct OnDrop(Rc<Cell<u32>>, Notify);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
        self.1.notify_all();
    }
}

async fn a_dropped_task_runs_no_more_and_drops_what_it_holds(setting: Setting) {
    let (dropped, bell) = (Rc::new(Cell::new(0)), Notify::new());
    let started = Notify::new();
    let (held, begun) = (OnDrop(dropped.clone(), bell.clone()), started.clone());
    let is_started = started.notified();
    let task = setting.reactor.spawn(Queue::Client, async move {
        begun.notify_all();
        std::future::pending::<()>().await;
        drop(held);
        unreachable!("it waits for ever");
    });
    is_started.await;
    assert_eq!(dropped.get(), 0);
    let is_dropped = bell.notified();
    drop(task);
    is_dropped.await;
    assert_eq!(dropped.get(), 1);
}

async fn a_task_that_was_dropped_before_its_first_poll_never_runs(setting: Setting) {
    let (dropped, bell) = (Rc::new(Cell::new(0)), Notify::new());
    let held = OnDrop(dropped.clone(), bell.clone());
    let is_dropped = bell.notified();
    let task = setting.reactor.spawn(Queue::Client, async move {
        drop(held);
        unreachable!("it was dropped");
    });
    drop(task);
    is_dropped.await;
    assert_eq!(dropped.get(), 1);
}

async fn the_current_reactor_is_this_one(setting: Setting) {
    assert_eq!(Reactor::current().shard(), setting.shard());
    let task = setting.reactor.spawn(Queue::Controller, async {
        let reactor = Reactor::current();
        reactor.yield_now().await;
        Reactor::current().spawn(Queue::Client, async { 3 }).await
    });
    assert_eq!(task.await, 3);
}

async fn tasks_start_tasks(setting: Setting) {
    fn descend(
        reactor: Reactor,
        depth: u32,
        order: Rc<RefCell<Vec<u32>>>,
    ) -> ringlane_reactor::Task<()> {
        reactor.clone().spawn(Queue::Client, async move {
            if depth > 0 {
                descend(reactor, depth - 1, order.clone()).await;
            }
            order.borrow_mut().push(depth);
        })
    }
    let order = Rc::new(RefCell::new(Vec::new()));
    descend(setting.reactor, 5, order.clone()).await;
    assert_eq!(order.take(), [0, 1, 2, 3, 4, 5]);
}

async fn random_numbers_differ(setting: Setting) {
    let mut numbers: Vec<_> = (0..100).map(|_| setting.reactor.random_u64()).collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), 100);
}
