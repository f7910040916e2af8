//! Connected streams: order, ends, back pressure.

use std::io::ErrorKind;
use std::time::Duration;

use bytes::Bytes;
use ringlane_reactor::{Queue, Stream};

use crate::setting::{Setting, contract};

contract!(on 1:
    bytes_arrive_in_order_whatever_their_pieces,
    both_directions_flow_at_once,
    the_end_of_the_peer_is_an_empty_chunk,
    what_was_written_before_the_end_arrives,
    a_shutdown_ends_a_waiting_read,
    a_stream_that_was_shut_down_is_of_no_further_use,
    a_write_to_a_peer_that_is_gone_fails_in_the_end,
    a_writer_waits_for_a_reader_that_does_not_read,
    the_ends_name_each_other,
    nobody_listening_refuses,
    an_idle_stream_does_not_stop_the_others,
);

/// The two ends of a connection: connected, accepted.
pub(crate) async fn pair(setting: &Setting) -> (Stream, Stream) {
    let listener = setting.reactor.listen(&setting.reservation, 16).expect("listens");
    let accept = setting.reactor.spawn(Queue::Client, async move { listener.accept().await });
    let connected = setting.reactor.connect(setting.address()).await.expect("connects");
    (connected, accept.await.expect("accepts"))
}

async fn read_exactly(stream: &Stream, count: usize) -> Vec<u8> {
    let mut received = Vec::new();
    while received.len() < count {
        let chunk = stream.read().await.expect("reads");
        assert!(!chunk.is_empty(), "ended after {} of {count} bytes", received.len());
        received.extend_from_slice(&chunk);
    }
    assert_eq!(received.len(), count, "and no byte more");
    received
}

fn numbers(count: u32) -> Bytes {
    (0..count).map(|number| (number % 251) as u8).collect()
}

async fn bytes_arrive_in_order_whatever_their_pieces(setting: Setting) {
    let (client, server) = pair(&setting).await;
    let sent = numbers(1_000_000);
    let mut rest = sent.clone();
    let mut parts = Vec::new();
    for len in (0..).map(|round| round * 37 % 10_007) {
        let len = len.min(rest.len());
        parts.push(rest.split_to(len));
        if rest.is_empty() {
            break;
        }
    }
    assert!(parts.len() > 100 && parts[0].is_empty(), "more parts than one vectored send takes");
    let writer = setting.reactor.spawn(Queue::Client, async move {
        client.write_all(Vec::new()).await.expect("writes nothing");
        client.write_all(parts).await.expect("writes");
        client
    });
    assert!(read_exactly(&server, sent.len()).await == sent);
    drop(writer.await);
}

async fn both_directions_flow_at_once(setting: Setting) {
    let (client, server) = pair(&setting).await;
    let start = |stream: Stream| {
        let reactor = setting.reactor.clone();
        setting.reactor.spawn(Queue::Client, async move {
            let writer = stream.clone();
            let write = async move { writer.write_all(vec![numbers(500_000)]).await };
            let write = reactor.spawn(Queue::Client, write);
            let received = read_exactly(&stream, 500_000).await;
            write.await.expect("writes");
            assert!(received == numbers(500_000));
            stream
        })
    };
    let tasks = [client, server].map(start);
    let mut streams = Vec::new();
    for task in tasks {
        streams.push(task.await);
    }
}

async fn the_end_of_the_peer_is_an_empty_chunk(setting: Setting) {
    let (client, server) = pair(&setting).await;
    let clone = client.clone();
    drop(client);
    clone.write_all(vec![Bytes::from_static(b"x")]).await.expect("the clone keeps it open");
    assert_eq!(*server.read().await.expect("reads"), *b"x");
    drop(clone);
    for _ in 0..2 {
        assert!(server.read().await.expect("the end is no error").is_empty());
    }
}

async fn what_was_written_before_the_end_arrives(setting: Setting) {
    for drops in [true, false] {
        let (client, server) = pair(&setting).await;
        client.write_all(vec![numbers(10_000)]).await.expect("writes");
        if drops {
            drop(client);
        } else {
            client.shutdown();
        }
        assert!(read_exactly(&server, 10_000).await == numbers(10_000));
        assert!(server.read().await.expect("the end is no error").is_empty());
    }
}

async fn a_shutdown_ends_a_waiting_read(setting: Setting) {
    let (client, _server) = pair(&setting).await;
    let reader = client.clone();
    let read = async move { reader.read().await.map(|chunk| chunk.len()) };
    let read = setting.reactor.spawn(Queue::Client, read);
    setting.reactor.yield_now().await;
    client.shutdown();
    assert_eq!(read.await.expect_err("fails").kind(), ErrorKind::ConnectionAborted);
}

async fn a_stream_that_was_shut_down_is_of_no_further_use(setting: Setting) {
    let (client, server) = pair(&setting).await;
    client.shutdown();
    client.shutdown();
    let read = client.read().await.err().expect("fails");
    assert_eq!(read.kind(), ErrorKind::ConnectionAborted);
    client.write_all(vec![Bytes::from_static(b"x")]).await.expect_err("fails");
    assert!(server.read().await.expect("the end is no error").is_empty());
}

async fn a_write_to_a_peer_that_is_gone_fails_in_the_end(setting: Setting) {
    let (client, server) = pair(&setting).await;
    drop(server);
    // The first bytes may still leave; the answer to them is a reset.
    while client.write_all(vec![numbers(1000)]).await.is_ok() {
        setting.reactor.yield_now().await;
    }
}

async fn a_writer_waits_for_a_reader_that_does_not_read(setting: Setting) {
    let (client, server) = pair(&setting).await;
    let len = 64 << 20;
    let zeros = Bytes::from(vec![0; len]);
    let mut write = Box::pin(async { client.write_all(vec![zeros]).await });
    let early = setting.reactor.timeout(Duration::from_millis(50), &mut write).await;
    assert!(early.is_err(), "64 MiB fit nowhere");
    let reader = setting.reactor.spawn(Queue::Client, async move {
        let mut received = 0;
        while received < len {
            received += server.read().await.expect("reads").len();
        }
        received
    });
    write.await.expect("writes");
    assert_eq!(reader.await, len);
}

async fn the_ends_name_each_other(setting: Setting) {
    let (client, server) = pair(&setting).await;
    assert_eq!(client.peer(), setting.address());
    assert_eq!(server.local(), setting.address());
    assert_eq!(client.local(), server.peer());
    assert_ne!(client.local(), client.peer());
}

async fn nobody_listening_refuses(setting: Setting) {
    let error = setting.reactor.connect(setting.address()).await.err().expect("fails");
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
}

async fn an_idle_stream_does_not_stop_the_others(setting: Setting) {
    let listener = setting.reactor.listen(&setting.reservation, 64).expect("listens");
    let mut streams = Vec::new();
    for _ in 0..20 {
        let connected = setting.reactor.connect(setting.address()).await.expect("connects");
        streams.push((connected, listener.accept().await.expect("accepts")));
    }
    // Unread bytes on all but one take their room and no more.
    for (client, _) in &streams[1..] {
        client.write_all(vec![numbers(30_000)]).await.expect("writes");
    }
    let (client, server) = &streams[0];
    for _ in 0..20 {
        client.write_all(vec![numbers(1000)]).await.expect("writes");
        assert!(read_exactly(server, 1000).await == numbers(1000));
    }
    for (_, server) in &streams[1..] {
        assert!(read_exactly(server, 30_000).await == numbers(30_000));
    }
}
