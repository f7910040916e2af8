//! Waiting for each other: oneshots, also between shards, and bells.

use std::cell::Cell;
use std::rc::Rc;

use ringlane_reactor::{Notify, Queue, ShardId, oneshot};

use crate::setting::{Letter, Setting, contract};

mod alone {
    use super::*;

    contract!(on 1:
        a_oneshot_wakes_its_receiver,
        a_dropped_sender_wakes_its_receiver,
        a_sender_knows_when_nobody_waits,
        a_bell_wakes_everyone_who_waits,
        a_ring_between_looking_and_waiting_is_not_missed,
    );

    async fn a_oneshot_wakes_its_receiver(setting: Setting) {
        let (sender, receiver) = oneshot();
        let task = setting.reactor.spawn(Queue::Client, receiver);
        setting.reactor.yield_now().await;
        sender.send(7).expect("somebody waits");
        assert_eq!(task.await, Some(7));
    }

    async fn a_dropped_sender_wakes_its_receiver(setting: Setting) {
        let (sender, receiver) = oneshot::<u8>();
        let task = setting.reactor.spawn(Queue::Client, receiver);
        setting.reactor.yield_now().await;
        drop(sender);
        assert_eq!(task.await, None);
    }

    async fn a_sender_knows_when_nobody_waits(setting: Setting) {
        let (sender, receiver) = oneshot::<u8>();
        let task = setting.reactor.spawn(Queue::Client, receiver);
        assert!(!sender.is_closed());
        drop(task);
        while !sender.is_closed() {
            setting.reactor.yield_now().await;
        }
        assert_eq!(sender.send(7), Err(7));
    }

    async fn a_bell_wakes_everyone_who_waits(setting: Setting) {
        let (bell, woken) = (Notify::new(), Rc::new(Cell::new(0)));
        let start = |_| {
            let (rung, woken) = (bell.notified(), woken.clone());
            setting.reactor.spawn(Queue::Client, async move {
                rung.await;
                woken.set(woken.get() + 1);
            })
        };
        let tasks: Vec<_> = (0..10).map(start).collect();
        setting.reactor.yield_now().await;
        assert_eq!(woken.get(), 0);
        bell.notify_all();
        for task in tasks {
            task.await;
        }
        assert_eq!(woken.get(), 10);
    }

    async fn a_ring_between_looking_and_waiting_is_not_missed(_: Setting) {
        let bell = Notify::new();
        let rung = bell.notified();
        bell.notify_all();
        rung.await;
    }
}

mod together {
    use super::*;

    contract!(on 2: an_answer_comes_back_from_the_other_shard);

    async fn an_answer_comes_back_from_the_other_shard(setting: Setting) {
        let own = setting.shard();
        for round in 0..200 {
            if own == ShardId(0) {
                let (sender, receiver) = oneshot();
                let question = Letter::Question(round, sender);
                setting.mesh.sender(ShardId(1)).send(question).await;
                assert_eq!(receiver.await, Some(round + 1));
            } else {
                match setting.mesh.mailbox(own).receive().await {
                    Letter::Question(number, answer) => answer.send(number + 1).expect("waits"),
                    Letter::Number(_) => panic!("a question was sent"),
                }
            }
        }
    }
}
