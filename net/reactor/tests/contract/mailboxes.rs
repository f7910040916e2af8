//! Messages between shards: all arrive, in each sender's order, and a full mailbox makes its senders wait.

use std::cell::Cell;
use std::rc::Rc;

use ringlane_reactor::{Queue, ShardId};

use crate::setting::{Letter, MAILBOX_CAPACITY, Setting, contract};

fn number(letter: Letter) -> u64 {
    match letter {
        Letter::Number(number) => number,
        Letter::Question(..) => panic!("a number was sent"),
    }
}

mod alone {
    use super::*;

    contract!(on 1:
        a_full_mailbox_makes_its_sender_wait,
        a_sender_that_gives_up_keeps_no_other_waiting,
    );

    async fn a_full_mailbox_makes_its_sender_wait(setting: Setting) {
        let sent = Rc::new(Cell::new(0));
        let (mesh, counter) = (setting.mesh.clone(), sent.clone());
        let sender = setting.reactor.spawn(Queue::Client, async move {
            for number in 0..100 {
                mesh.sender(ShardId(0)).send(Letter::Number(number)).await;
                counter.set(number + 1);
            }
        });
        let mailbox = setting.mesh.mailbox(ShardId(0));
        for expected in 0..100 {
            setting.reactor.yield_now().await;
            assert!(sent.get() <= expected + MAILBOX_CAPACITY as u64, "bounded");
            assert_eq!(number(mailbox.receive().await), expected);
        }
        sender.await;
    }

    async fn a_sender_that_gives_up_keeps_no_other_waiting(setting: Setting) {
        for number in 0..MAILBOX_CAPACITY as u64 {
            setting.mesh.sender(ShardId(0)).send(Letter::Number(number)).await;
        }
        let start = |number| {
            let mesh = setting.mesh.clone();
            let send = async move { mesh.sender(ShardId(0)).send(Letter::Number(number)).await };
            setting.reactor.spawn(Queue::Client, send)
        };
        let first = start(100);
        setting.reactor.yield_now().await;
        let second = start(200);
        setting.reactor.yield_now().await;
        drop(first);
        let mailbox = setting.mesh.mailbox(ShardId(0));
        assert_eq!(number(mailbox.receive().await), 0);
        second.await;
        let mut rest = Vec::new();
        for _ in 0..MAILBOX_CAPACITY {
            rest.push(number(mailbox.receive().await));
        }
        assert_eq!(rest, [1, 2, 3, 200]);
    }
}

mod together {
    use super::*;

    contract!(on 2: a_message_goes_to_and_fro);

    async fn a_message_goes_to_and_fro(setting: Setting) {
        let own = setting.shard();
        let mailbox = setting.mesh.mailbox(own);
        let other = setting.mesh.sender(ShardId(1 - own.0));
        for round in 0..1000 {
            if own == ShardId(0) {
                other.send(Letter::Number(round)).await;
                assert_eq!(number(mailbox.receive().await), round + 1);
            } else {
                assert_eq!(number(mailbox.receive().await), round);
                other.send(Letter::Number(round + 1)).await;
            }
        }
    }
}

mod many {
    use super::*;

    contract!(on 4: every_sender_is_heard_in_its_order);

    const EACH: u64 = 500;

    async fn every_sender_is_heard_in_its_order(setting: Setting) {
        let own = setting.shard();
        let to_first = setting.mesh.sender(ShardId(0));
        if own != ShardId(0) {
            for round in 0..EACH {
                to_first.send(Letter::Number(u64::from(own.0) * EACH + round)).await;
            }
            return;
        }
        let mailbox = setting.mesh.mailbox(own);
        let mut next = [0; 4];
        for _ in 0..3 * EACH {
            let number = number(mailbox.receive().await);
            let sender = (number / EACH) as usize;
            assert_eq!(number % EACH, next[sender], "in order");
            next[sender] += 1;
        }
        assert_eq!(next, [0, EACH, EACH, EACH]);
    }
}
