//! Timers: never early, in order, and gone when dropped.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use ringlane_reactor::{Elapsed, Instant, Queue};

use crate::setting::{Setting, contract};

contract!(on 1:
    a_sleep_is_never_early,
    sleeps_end_in_the_order_of_their_deadlines,
    a_deadline_in_the_past_is_ready_at_once,
    a_timeout_ends_what_takes_too_long,
    a_timeout_gives_what_is_ready_in_time,
    a_dropped_sleep_wakes_nobody,
    many_sleeps_end,
    the_wall_clock_is_of_this_century,
);

async fn a_sleep_is_never_early(setting: Setting) {
    for millis in [0, 1, 3] {
        let before = setting.reactor.now();
        setting.reactor.sleep(Duration::from_millis(millis)).await;
        assert!(setting.reactor.now() - before >= Duration::from_millis(millis));
    }
}

async fn sleeps_end_in_the_order_of_their_deadlines(setting: Setting) {
    let order = Rc::new(RefCell::new(Vec::new()));
    let start = |millis: u64| {
        let (reactor, order) = (setting.reactor.clone(), order.clone());
        let deadline = reactor.now() + Duration::from_millis(millis);
        setting.reactor.spawn(Queue::Client, async move {
            reactor.sleep_until(deadline).await;
            order.borrow_mut().push(millis);
        })
    };
    for task in [90, 10, 50].map(start) {
        task.await;
    }
    assert_eq!(order.take(), [10, 50, 90]);
}

async fn a_deadline_in_the_past_is_ready_at_once(setting: Setting) {
    setting.reactor.sleep_until(Instant::default()).await;
}

async fn a_timeout_ends_what_takes_too_long(setting: Setting) {
    let limit = Duration::from_millis(2);
    let before = setting.reactor.now();
    let result = setting.reactor.timeout(limit, std::future::pending::<()>()).await;
    assert_eq!(result, Err(Elapsed));
    assert!(setting.reactor.now() - before >= limit);
}

async fn a_timeout_gives_what_is_ready_in_time(setting: Setting) {
    let hour = Duration::from_secs(3600);
    assert_eq!(setting.reactor.timeout(hour, async { 7 }).await, Ok(7));
    let short = setting.reactor.sleep(Duration::from_millis(1));
    assert_eq!(setting.reactor.timeout(hour, short).await, Ok(()));
}

async fn a_dropped_sleep_wakes_nobody(setting: Setting) {
    for _ in 0..100 {
        let far = setting.reactor.sleep(Duration::from_secs(1_000_000));
        let near = setting.reactor.timeout(Duration::ZERO, far).await;
        assert_eq!(near, Err(Elapsed));
    }
}

async fn many_sleeps_end(setting: Setting) {
    let start = |number: u64| {
        let reactor = setting.reactor.clone();
        setting.reactor.spawn(Queue::Client, async move {
            reactor.sleep(Duration::from_micros(number % 50 * 100)).await;
            number
        })
    };
    let tasks: Vec<_> = (0..1000).map(start).collect();
    for (number, task) in (0..).zip(tasks) {
        assert_eq!(task.await, number);
    }
}

async fn the_wall_clock_is_of_this_century(setting: Setting) {
    let now_ms = setting.reactor.wall_clock_ms();
    assert!((1_700_000_000_000..4_100_000_000_000).contains(&now_ms), "{now_ms}");
}
