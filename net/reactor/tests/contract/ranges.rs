//! Ranges of files that streams send.

use std::time::Duration;

use bytes::Bytes;
use ringlane_reactor::{File, FileRange, OpenOptions, Part, Queue, Stream};

use crate::setting::{Setting, contract};
use crate::streams::pair;

contract!(on 1:
    ranges_arrive_between_bytes,
    a_range_outlives_its_file_and_its_name,
    what_is_not_there_is_no_range,
    peers_that_do_not_read_hold_up_nobody,
    a_peer_that_leaves_ends_the_write,
    what_follows_a_range_waits_for_its_reader_as_ever,
);

fn content(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at % 251) as u8 ^ (at >> 12) as u8).collect()
}

async fn create(setting: &Setting, content: &[u8]) -> File {
    let path = setting.path("file");
    let file = setting.disk().open(&path, OpenOptions::CREATE_NEW).await.expect("is created");
    file.write_at(content, 0).expect("is written");
    file
}

/// The range, asked for until the page cache has it.
async fn range(setting: &Setting, file: &File, offset: u64, len: usize) -> FileRange {
    for _ in 0..1000 {
        if let Some(range) = file.range(offset, len).expect("is asked for") {
            return range;
        }
        file.read_at(vec![0; len], offset).await.expect("is read");
        setting.reactor.yield_now().await;
    }
    panic!("what was just read is not in the page cache");
}

async fn read_to_the_end(stream: Stream) -> Vec<u8> {
    let mut received = Vec::new();
    loop {
        let chunk = stream.read().await.expect("reads");
        if chunk.is_empty() {
            return received;
        }
        received.extend_from_slice(&chunk);
    }
}

async fn ranges_arrive_between_bytes(setting: Setting) {
    let all = content(3 << 20);
    let file = create(&setting, &all).await;
    let (client, server) = pair(&setting).await;
    let reader = setting.reactor.spawn(Queue::Client, read_to_the_end(server));
    let mut expected = Vec::new();
    for (offset, len) in [(0, 1), (4095, 2), (77, 300_000), (1 << 20, 1 << 20), (0, 3 << 20)] {
        let mut range = range(&setting, &file, offset, len).await;
        let first = range.split_to(len / 3);
        assert_eq!((first.len(), range.len()), (len / 3, len - len / 3));
        let named = Bytes::from_static(b"name");
        let parts = [named.clone().into(), Part::File(first), Part::File(range), named.into()];
        client.write_parts(parts.into()).await.expect("writes");
        // Appending changes nothing of what was there.
        file.write_at(b"more", (3 << 20) + offset).expect("writes");
        let part = &all[offset as usize..offset as usize + len];
        expected.extend([b"name", part, b"name"].concat());
    }
    client.write_parts(vec![Part::Bytes(Bytes::from_static(b"end"))]).await.expect("writes");
    client.write_all(vec![Bytes::from_static(b"!")]).await.expect("writes as before");
    drop(client);
    expected.extend(b"end!");
    assert!(reader.await == expected);
}

async fn a_range_outlives_its_file_and_its_name(setting: Setting) {
    let all = content(200_000);
    let file = create(&setting, &all).await;
    let range = range(&setting, &file, 0, all.len()).await;
    drop(file);
    setting.disk().remove_file(&setting.path("file")).await.expect("is removed");
    let (client, server) = pair(&setting).await;
    let reader = setting.reactor.spawn(Queue::Client, read_to_the_end(server));
    client.write_parts(vec![Part::File(range)]).await.expect("writes");
    drop(client);
    assert!(reader.await == all);
}

async fn what_is_not_there_is_no_range(setting: Setting) {
    let file = create(&setting, &content(5000)).await;
    for (offset, len) in [(0, 0), (9000, 100), (1 << 40, 1)] {
        for _ in 0..20 {
            assert!(file.range(offset, len).expect("is asked for").is_none(), "{offset} {len}");
        }
    }
}

async fn peers_that_do_not_read_hold_up_nobody(setting: Setting) {
    let all = content(1 << 20);
    let file = create(&setting, &all).await;
    let whole = range(&setting, &file, 0, all.len()).await;
    let listener = setting.reactor.listen(&setting.reservation, 64).expect("listens");
    let mut waiting = Vec::new();
    let mut silent = Vec::new();
    // More of them than a shard has pipes.
    for _ in 0..12 {
        let client = setting.reactor.connect(setting.address()).await.expect("connects");
        silent.push(listener.accept().await.expect("accepts"));
        let parts = vec![Part::File(whole.clone()); 64];
        let write = async move { client.write_parts(parts).await };
        waiting.push(setting.reactor.spawn(Queue::Client, write));
    }
    let early = setting.reactor.timeout(Duration::from_millis(50), waiting.remove(0)).await;
    assert!(early.is_err(), "64 MiB fit nowhere");
    let client = setting.reactor.connect(setting.address()).await.expect("connects");
    let server = listener.accept().await.expect("accepts");
    let reader = setting.reactor.spawn(Queue::Client, read_to_the_end(server));
    client.write_parts(vec![Part::File(whole)]).await.expect("writes");
    drop(client);
    assert!(reader.await == all);
    let last = read_exactly_of(silent.pop().expect("twelve wait"), all.len()).await;
    assert!(last == all, "whoever reads at last gets all");
}

async fn read_exactly_of(stream: Stream, len: usize) -> Vec<u8> {
    let mut received = Vec::new();
    while received.len() < len {
        received.extend_from_slice(&stream.read().await.expect("reads"));
    }
    received.truncate(len);
    received
}

async fn a_peer_that_leaves_ends_the_write(setting: Setting) {
    let all = content(1 << 20);
    let file = create(&setting, &all).await;
    let whole = range(&setting, &file, 0, all.len()).await;
    for _ in 0..20 {
        let (client, server) = {
            let listener = setting.reactor.listen(&setting.reservation, 4).expect("listens");
            let client = setting.reactor.connect(setting.address()).await.expect("connects");
            (client, listener.accept().await.expect("accepts"))
        };
        let parts = vec![Part::File(whole.clone()); 64];
        let write =
            setting.reactor.spawn(Queue::Client, async move { client.write_parts(parts).await });
        read_exactly_of(server, 1000).await;
        write.await.expect_err("nobody reads the rest");
    }
}

async fn what_follows_a_range_waits_for_its_reader_as_ever(setting: Setting) {
    let all = content(3000);
    let file = create(&setting, &all).await;
    let (client, server) = pair(&setting).await;
    let range = range(&setting, &file, 0, all.len()).await;
    client.write_parts(vec![Part::File(range)]).await.expect("writes");
    let len = 64 << 20;
    let zeros = Bytes::from(vec![0; len]);
    let mut write = Box::pin(async { client.write_all(vec![zeros]).await });
    let early = setting.reactor.timeout(Duration::from_millis(50), &mut write).await;
    assert!(early.is_err(), "64 MiB fit nowhere");
    let reader = setting.reactor.spawn(Queue::Client, read_exactly_of(server, all.len() + len));
    write.await.expect("writes");
    assert!(reader.await[..all.len()] == all);
}
