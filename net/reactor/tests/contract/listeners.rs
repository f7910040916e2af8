//! Listening on every shard at once.

use std::io::ErrorKind;

use bytes::Bytes;
use ringlane_reactor::{Queue, ShardId};

use crate::setting::{Letter, Setting, contract};

mod alone {
    use super::*;

    contract!(on 1:
        connections_wait_until_they_are_accepted,
        a_dropped_listener_refuses,
        an_address_can_be_listened_on_again,
    );

    async fn connections_wait_until_they_are_accepted(setting: Setting) {
        let listener = setting.reactor.listen(&setting.reservation, 16).expect("listens");
        let mut clients = Vec::new();
        for number in 0..5 {
            let client = setting.reactor.connect(setting.address()).await.expect("connects");
            client.write_all(vec![Bytes::copy_from_slice(&[number])]).await.expect("writes");
            clients.push(client);
        }
        let mut seen = Vec::new();
        for _ in 0..5 {
            let stream = listener.accept().await.expect("accepts");
            assert_eq!(stream.local(), setting.address());
            seen.push(stream.read().await.expect("reads")[0]);
        }
        seen.sort_unstable();
        assert_eq!(seen, [0, 1, 2, 3, 4]);
    }

    async fn a_dropped_listener_refuses(setting: Setting) {
        let listener = setting.reactor.listen(&setting.reservation, 16).expect("listens");
        drop(setting.reactor.connect(setting.address()).await.expect("connects"));
        drop(listener);
        // The kernel may close the socket a moment after the drop.
        loop {
            match setting.reactor.connect(setting.address()).await {
                Ok(_) => setting.reactor.yield_now().await,
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
                    break;
                }
            }
        }
    }

    async fn an_address_can_be_listened_on_again(setting: Setting) {
        for _ in 0..3 {
            let listener = setting.reactor.listen(&setting.reservation, 16).expect("listens");
            let _client = setting.reactor.connect(setting.address()).await.expect("connects");
            listener.accept().await.expect("accepts");
        }
    }
}

mod together {
    use super::*;

    contract!(on 3: every_connection_reaches_one_of_the_shards);

    /// Connections to make: enough that each shard gets one, but for odds nobody will meet.
    const CONNECTIONS: u64 = 60;

    async fn every_connection_reaches_one_of_the_shards(setting: Setting) {
        let listener = setting.reactor.listen(&setting.reservation, 128).expect("listens");
        let own = setting.shard();
        let serve = async move {
            loop {
                let stream = listener.accept().await.expect("accepts");
                let name = Bytes::copy_from_slice(&[own.0 as u8]);
                stream.write_all(vec![name]).await.expect("writes");
            }
        };
        let serving = setting.reactor.spawn(Queue::Client, serve);
        let mailbox = setting.mesh.mailbox(own);
        if own != ShardId(0) {
            setting.mesh.sender(ShardId(0)).send(Letter::Number(0)).await;
            mailbox.receive().await;
            return;
        }
        for _ in 1..setting.reactor.shard_count() {
            mailbox.receive().await;
        }
        let mut counts = [0; 3];
        for _ in 0..CONNECTIONS {
            let stream = setting.reactor.connect(setting.address()).await.expect("connects");
            counts[usize::from(stream.read().await.expect("reads")[0])] += 1;
        }
        assert_eq!(counts.iter().sum::<u64>(), CONNECTIONS);
        assert!(counts.iter().all(|&count| count > 0), "{counts:?}");
        for shard in 1..setting.reactor.shard_count() {
            setting.mesh.sender(ShardId(shard)).send(Letter::Number(0)).await;
        }
        drop(serving);
    }
}
