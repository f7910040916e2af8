//! Tasks, time and the ends of processes.

use std::cell::{Cell, RefCell};
use std::io;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use super::{SEEDS, ip, one_host};
use crate::sim::{ClockFaults, CrashKind, Options, Simulation, Stopped};
use crate::{Mesh, Notify, Queue, Reactor, ShardId};

#[test]
fn time_leaps_to_the_next_timer_and_no_further() {
    let (mut simulation, host) = one_host(1);
    let hour = Duration::from_secs(3600);
    let (before, after) = simulation.block_on(host, move |reactor| async move {
        let before = reactor.now();
        reactor.sleep(hour - Duration::from_secs(1)).await;
        (before, reactor.now())
    });
    assert_eq!(after - before, hour - Duration::from_secs(1));
    simulation.run_for(hour);
    assert_eq!(simulation.now() - after, hour, "run_for lets idle time pass");
}

#[test]
fn the_order_of_ready_tasks_is_the_seeds() {
    let order = |seed| {
        let (mut simulation, host) = one_host(seed);
        simulation.block_on(host, |reactor| async move {
            let order = Rc::new(RefCell::new(Vec::new()));
            let tasks: Vec<_> = (0..6)
                .map(|number| {
                    let order = order.clone();
                    reactor.spawn(Queue::Client, async move { order.borrow_mut().push(number) })
                })
                .collect();
            for task in tasks {
                task.await;
            }
            order.take()
        })
    };
    let mut orders: Vec<_> = SEEDS.map(order).collect();
    orders.sort();
    orders.dedup();
    assert!(orders.len() > 20, "{} orders of 40", orders.len());
}

#[test]
fn a_deadlock_and_an_endless_wait_are_told_apart() {
    let (mut simulation, host) = one_host(1);
    let waits = |_| async { Notify::new().notified().await };
    assert_eq!(simulation.try_block_on(host, waits), Err(Stopped::Idle));
    let ticks = |reactor: Reactor| async move {
        loop {
            reactor.sleep(Duration::from_secs(1)).await;
        }
    };
    let stopped: Result<(), _> = simulation.try_block_on(host, ticks);
    assert_eq!(stopped, Err(Stopped::TimeLimit));
    assert!(simulation.run_until_idle(Duration::ZERO), "the stopped task is gone");
}

#[test]
#[should_panic(expected = "tasks spin")]
fn tasks_that_spin_are_found() {
    let mut simulation = Simulation::new(Options { step_limit: 1000, ..Options::default() });
    let host = simulation.host("one", ip(1), 1);
    simulation.block_on(host, |reactor| async move {
        loop {
            reactor.yield_now().await;
        }
    })
}

#[test]
#[should_panic(expected = "found by a task")]
fn a_panic_of_a_task_ends_the_run() {
    let (mut simulation, host) = one_host(1);
    simulation.block_on(host, |reactor| async move {
        reactor.spawn(Queue::Client, async { panic!("found by a task") }).detach();
        reactor.sleep(Duration::from_secs(1)).await;
    });
}

#[test]
fn a_process_ends_with_its_last_main_and_says_how() {
    let mut simulation = Simulation::new(Options::seed(3));
    let host = simulation.host("one", ip(1), 3);
    let main = |reactor: Reactor| async move {
        let forever = async move { std::future::pending::<()>().await };
        reactor.spawn(Queue::Background, forever).detach();
        reactor.terminated().await;
        match reactor.shard() {
            ShardId(1) => Err(io::Error::other("shard 1 failed")),
            _ => Ok(()),
        }
    };
    simulation.start(host, main);
    simulation.run_for(Duration::from_secs(1));
    assert_eq!(simulation.exit(host), None);
    assert!(simulation.is_running(host));
    simulation.stop(host);
    assert!(simulation.run_until_idle(Duration::from_secs(1)));
    assert_eq!(simulation.exit(host), Some(Err("shard 1 failed".to_string())));
    assert!(!simulation.is_running(host));
}

#[test]
fn a_crash_drops_every_task_at_its_await_and_frees_the_locks() {
    struct OnDrop(Rc<Cell<u32>>);
    impl Drop for OnDrop {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }
    let mut simulation = Simulation::new(Options::seed(3));
    let host = simulation.host("one", ip(1), 2);
    let dropped = Rc::new(Cell::new(0));
    let counter = dropped.clone();
    simulation.start(host, move |reactor| {
        let on_drop = OnDrop(counter.clone());
        async move {
            let _on_drop = on_drop;
            let _lock = match reactor.shard() {
                ShardId(0) => Some(reactor.disk().lock(Path::new("/lock")).await?),
                _ => None,
            };
            std::future::pending().await
        }
    });
    simulation.run_for(Duration::from_secs(1));
    assert_eq!(dropped.get(), 0);
    simulation.crash(host, CrashKind::Process);
    assert_eq!(dropped.get(), 2);
    let lock = simulation.block_on(host, |reactor| async move {
        let first = reactor.disk().lock(Path::new("/lock")).await;
        let second = reactor.disk().lock(Path::new("/lock")).await.map(|_| ());
        (first.is_ok(), second.map_err(|error| error.kind()))
    });
    assert_eq!(lock, (true, Err(io::ErrorKind::WouldBlock)));
}

#[test]
fn the_current_reactor_is_the_one_whose_task_runs() {
    for seed in SEEDS {
        let mut simulation = Simulation::new(Options::seed(seed));
        let host = simulation.host("one", ip(1), 3);
        let mesh = Mesh::new(3, 4);
        simulation.start(host, move |reactor| {
            let mesh = mesh.clone();
            async move {
                let own = reactor.shard();
                let next = ShardId((own.0 + 1) % reactor.shard_count());
                for round in 0..10_u64 {
                    mesh.sender(next).send(round).await;
                    assert_eq!(mesh.mailbox(own).receive().await, round);
                    assert_eq!(Reactor::current().shard(), own);
                }
                Ok(())
            }
        });
        assert!(simulation.run_until_idle(Duration::from_secs(1)));
        assert_eq!(simulation.exit(host), Some(Ok(())));
    }
}

#[test]
fn wall_clocks_jump_and_the_monotonic_one_does_not() {
    let clock = ClockFaults { skew_ms_max: 0, jump_one_in: 3, jump_ms_max: 10_000 };
    let mut simulation = Simulation::new(Options { clock, ..Options::seed(5) });
    let host = simulation.host("one", ip(1), 1);
    let (walls, passed) = simulation.block_on(host, |reactor| async move {
        let start = reactor.now();
        let mut walls = Vec::new();
        for _ in 0..50 {
            walls.push(reactor.wall_clock_ms());
            reactor.sleep(Duration::from_millis(1)).await;
        }
        (walls, reactor.now() - start)
    });
    assert_eq!(passed, Duration::from_millis(50));
    assert!(walls.windows(2).any(|pair| pair[1] < pair[0]), "it jumped back");
    assert!(walls.windows(2).any(|pair| pair[1] > pair[0] + 1), "it jumped forwards");
}
