//! A task may be dropped at any await; nothing that others rely on is lost with it.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use ringlane_reactor::{OpenOptions, Queue, ShardId};

use crate::setting::{Letter, Setting, contract};
use crate::streams::pair;

contract!(on 1:
    a_cancelled_read_of_a_stream_loses_no_byte,
    a_cancelled_accept_loses_no_connection,
    a_cancelled_receive_loses_no_message,
    cancelled_disk_operations_harm_nothing,
    a_cancelled_connect_leaves_the_listener_working,
    a_task_that_ends_cancels_those_it_holds,
);

/// Polls `future` once, then drops it; its value if it was ready.
async fn once<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

async fn a_cancelled_read_of_a_stream_loses_no_byte(setting: Setting) {
    let (client, server) = pair(&setting).await;
    let sent: Vec<u8> = (0..200_u8).collect();
    let bytes = sent.clone();
    let (reactor, writer) = (setting.reactor.clone(), client.clone());
    let write = setting.reactor.spawn(Queue::Client, async move {
        for byte in bytes {
            writer.write_all(vec![Bytes::copy_from_slice(&[byte])]).await.expect("writes");
            reactor.yield_now().await;
        }
    });
    let mut received = Vec::new();
    while received.len() < sent.len() {
        let chunk = match once(server.read()).await {
            Some(chunk) => chunk,
            None => {
                let tenth = Duration::from_micros(100);
                let Ok(chunk) = setting.reactor.timeout(tenth, server.read()).await else {
                    continue;
                };
                chunk
            }
        };
        received.extend_from_slice(&chunk.expect("reads"));
    }
    assert_eq!(received, sent);
    write.await;
}

async fn a_cancelled_accept_loses_no_connection(setting: Setting) {
    let listener = setting.reactor.listen(&setting.reservation, 16).expect("listens");
    for _ in 0..10 {
        assert!(once(listener.accept()).await.is_none(), "nobody has connected");
        let client = setting.reactor.connect(setting.address()).await.expect("connects");
        let server = match once(listener.accept()).await {
            Some(accepted) => accepted,
            None => listener.accept().await,
        };
        assert_eq!(server.expect("accepts").peer(), client.local());
    }
}

async fn a_cancelled_receive_loses_no_message(setting: Setting) {
    let (mailbox, sender) = (setting.mesh.mailbox(ShardId(0)), setting.mesh.sender(ShardId(0)));
    for round in 0..10 {
        assert!(once(mailbox.receive()).await.is_none());
        sender.send(Letter::Number(round)).await;
        assert!(matches!(mailbox.receive().await, Letter::Number(number) if number == round));
    }
}

async fn cancelled_disk_operations_harm_nothing(setting: Setting) {
    let (disk, path) = (setting.disk(), setting.path("file"));
    let file = disk.open(&path, OpenOptions::CREATE).await.expect("opens");
    file.write_at(&[7; 10_000], 0).expect("is written");
    for _ in 0..10 {
        let _ = once(file.sync_data()).await;
        let _ = once(file.read_at(vec![0; 10_000], 0)).await;
        let _ = once(disk.open(&path, OpenOptions::READ)).await;
        let _ = once(disk.list(&setting.directory)).await;
        let _ = once(disk.sync_dir(&setting.directory)).await;
    }
    assert_eq!(file.read_at(vec![0; 10_000], 0).await.expect("is read"), [7; 10_000]);
    file.sync_data().await.expect("is synced");
}

async fn a_cancelled_connect_leaves_the_listener_working(setting: Setting) {
    let listener = setting.reactor.listen(&setting.reservation, 64).expect("listens");
    for _ in 0..10 {
        let _ = once(setting.reactor.connect(setting.address())).await;
    }
    let client = setting.reactor.connect(setting.address()).await.expect("connects");
    client.write_all(vec![Bytes::from_static(b"real")]).await.expect("writes");
    loop {
        let stream = listener.accept().await.expect("accepts");
        if stream.peer() == client.local() {
            assert_eq!(*stream.read().await.expect("reads").first().expect("a byte"), b'r');
            break;
        }
    }
}

async fn a_task_that_ends_cancels_those_it_holds(setting: Setting) {
    let (sender, receiver) = ringlane_reactor::oneshot::<u8>();
    let reactor = setting.reactor.clone();
    let outer = setting.reactor.spawn(Queue::Client, async move {
        let _held = reactor.spawn(Queue::Client, async move {
            std::future::pending::<()>().await;
            let _ = sender.send(1);
        });
        reactor.yield_now().await;
    });
    outer.await;
    assert_eq!(receiver.await, None, "the inner task dropped its end");
}
