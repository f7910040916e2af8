//! openraft's own contract tests for a runtime, in the simulation.

use std::net::IpAddr;

use openraft::rt::testing::Suite;
use ringlane_reactor::sim::{Options, Simulation};

use super::Runtime;

/// Runs some of openraft's tests as a task of a simulated shard.
macro_rules! contract {
    ($($name:ident: $($test:ident)+;)+) => {$(
        #[test]
        fn $name() {
            let mut simulation = Simulation::new(Options::default());
            let host = simulation.host("host", IpAddr::from([10, 0, 0, 1]), 1);
            simulation.block_on(host, |_| async {
                $(Suite::<Runtime>::$test().await;)+
            });
        }
    )+};
}

contract! {
    tasks_and_randomness: test_spawn_join_handle test_thread_rng;
    time: test_sleep test_sleep_until test_timeout test_timeout_at test_instant test_instant_arithmetic
        test_instant_sub_instant test_instant_saturating_duration_since test_instant_ord;
    queues: test_mpsc_recv_empty test_mpsc_recv_channel_closed test_mpsc_weak_sender_wont_prevent_channel_close
        test_mpsc_weak_sender_upgrade test_mpsc_send test_mpsc_send_to_closed_channel test_mpsc_backpressure;
    watched_values: test_watch_init_value test_watch_overwrite_init_value test_watch_send_error_no_receiver
        test_watch_send_if_modified test_watch_wait_until_ge test_watch_wait_until
        test_watch_changed_marks_as_seen test_watch_borrow_and_update_marks_seen
        test_watch_changed_returns_immediately_when_unseen test_watch_multiple_borrow_then_changed
        test_watch_wait_loop_pattern test_watch_multiple_receivers test_watch_subscribe
        test_watch_send_if_different test_watch_send_if_greater;
    values_sent_once: test_oneshot_drop_tx test_oneshot test_oneshot_send_from_another_task
        test_oneshot_send_to_dropped_rx;
    mutexes: test_mutex_contention test_mutex test_mutex_lock_owned;
}
