//! Direct writes, their buffers, and the sync of a whole file system.

use std::future::Future;
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

use ringlane_reactor::{DirectBuffer, DirectFile, File, OpenOptions, Queue};

use crate::setting::{Setting, contract};

contract!(on 1:
    a_durable_write_is_read_through_the_page_cache,
    a_direct_read_is_short_only_at_the_end,
    a_buffer_is_zeros_of_whole_blocks,
    what_is_not_whole_blocks_panics,
    more_buffers_than_the_ring_has_places_for_take_turns,
    a_dropped_write_leaves_its_file_and_the_ring_sound,
    a_lock_outlives_the_file_until_its_writes_are_over,
    many_writes_at_once_do_not_mix,
    an_allocated_file_has_its_length_in_zeros,
    a_file_tells_how_far_it_was_written,
    a_file_opened_to_read_refuses_direct_writes,
    each_mode_opens_a_direct_file_as_it_says,
    a_sync_of_the_file_system_lets_others_run,
    a_sync_of_what_is_no_directory_fails,
    a_hint_to_write_back_changes_nothing,
);

const BLOCK: usize = DirectFile::BLOCK_BYTES;

async fn create(setting: &Setting) -> DirectFile {
    let path = setting.path("file");
    setting.disk().open_direct(&path, OpenOptions::CREATE_NEW).await.expect("is created")
}

async fn reader(setting: &Setting) -> File {
    setting.disk().open(&setting.path("file"), OpenOptions::READ).await.expect("opens")
}

fn filled(setting: &Setting, len: usize, byte: u8) -> DirectBuffer {
    let mut buffer = setting.reactor.direct_buffer(len);
    buffer.fill(byte);
    buffer
}

async fn a_durable_write_is_read_through_the_page_cache(setting: Setting) {
    let (file, reader) = (create(&setting).await, async { reader(&setting).await });
    let reader = reader.await;
    let (written, buffer) = file.write_durable(filled(&setting, 4 * BLOCK, 1), 4 * BLOCK, 0).await;
    written.expect("is written");
    assert!(buffer.iter().all(|&byte| byte == 1), "the buffer comes back as it was");
    let content = reader.read_at(vec![0; 9 * BLOCK], 0).await.expect("is read");
    assert_eq!(content, [1; 4 * BLOCK]);
    // Over pages that the cache has now, from a part of the buffer, behind the end, and without the durability.
    let mut buffer = buffer;
    buffer.fill(2);
    let (written, buffer) = file.write_durable(buffer, BLOCK, 2 * BLOCK as u64).await;
    written.expect("is written");
    let (written, buffer) = file.write(buffer, 2 * BLOCK, 6 * BLOCK as u64).await;
    written.expect("is written");
    let (written, _) = file.write_durable(buffer, 0, 0).await;
    written.expect("nothing is written");
    file.clone().sync_data().await.expect("is synced");
    let content = reader.read_at(vec![9; 9 * BLOCK], 0).await.expect("is read");
    let firsts: Vec<u8> = content.chunks(BLOCK).map(|block| block[0]).collect();
    assert_eq!(firsts, [1, 1, 2, 1, 0, 0, 2, 2]);
    assert_eq!(file.len().expect("has a length"), 8 * BLOCK as u64);
}

async fn a_direct_read_is_short_only_at_the_end(setting: Setting) {
    let path = setting.path("file");
    let file = setting.disk().open(&path, OpenOptions::CREATE_NEW).await.expect("is created");
    let content: Vec<u8> = (0..3 * BLOCK + 100).map(|at| (at / 100) as u8).collect();
    file.write_at(&content, 0).expect("is written");
    let direct = setting.disk().open_direct(&path, OpenOptions::READ).await.expect("opens");
    let mut buffer = DirectBuffer::unregistered(4 * BLOCK);
    for (offset, len) in [(0, BLOCK), (BLOCK, 2 * BLOCK), (BLOCK, 3 * BLOCK), (4 * BLOCK, BLOCK)] {
        let (read, back) = direct.read(buffer, len, offset as u64).await;
        let end = content.len().min(offset + len);
        let wanted = content.get(offset..end).unwrap_or_default();
        assert_eq!(&back[..read.expect("is read")], wanted, "{len} bytes at {offset}");
        buffer = back;
    }
}

async fn a_buffer_is_zeros_of_whole_blocks(setting: Setting) {
    for (asked, given) in [(0, 1), (1, 1), (BLOCK, 1), (BLOCK + 1, 2), (1 << 20, 256)] {
        let mut buffer = setting.reactor.direct_buffer(asked);
        assert_eq!(buffer.len(), given * BLOCK);
        assert!(buffer.as_ptr().addr().is_multiple_of(BLOCK));
        assert!(buffer.iter().all(|&byte| byte == 0));
        // Memory that is used again is zeros again.
        buffer.fill(0xee);
    }
}

/// Polls once, and says whether that panicked.
fn panics(future: impl Future) -> bool {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    catch_unwind(AssertUnwindSafe(|| drop(future.as_mut().poll(&mut context)))).is_err()
}

async fn what_is_not_whole_blocks_panics(setting: Setting) {
    let file = create(&setting).await;
    let buffer = || setting.reactor.direct_buffer(2 * BLOCK);
    assert!(panics(file.write_durable(buffer(), 100, 0)), "a length");
    assert!(panics(file.write_durable(buffer(), BLOCK, 512)), "an offset");
    assert!(panics(file.write(buffer(), 3 * BLOCK, 0)), "more than the buffer has");
    assert_eq!(file.len().expect("has a length"), 0);
}

async fn more_buffers_than_the_ring_has_places_for_take_turns(setting: Setting) {
    let (file, reader) = (create(&setting).await, reader(&setting).await);
    let buffers: Vec<_> = (0..200).map(|number| filled(&setting, BLOCK, number)).collect();
    for (number, buffer) in buffers.into_iter().enumerate() {
        let (written, _) = file.write_durable(buffer, BLOCK, (number * BLOCK) as u64).await;
        written.expect("is written, registered or not");
    }
    for round in 0..200 {
        let (written, _) = file.write(filled(&setting, 2 * BLOCK, round), 2 * BLOCK, 0).await;
        written.expect("is written");
        let content = reader.read_at(vec![0; 2 * BLOCK], 0).await.expect("is read");
        assert_eq!(content, [round; 2 * BLOCK], "of the buffer that has the place now");
    }
    let content = reader.read_at(vec![0; 300 * BLOCK], 0).await.expect("is read");
    let firsts: Vec<u8> = content.chunks(BLOCK).map(|block| block[0]).collect();
    assert_eq!(firsts[2..], (2..200).collect::<Vec<u8>>());
}

async fn a_dropped_write_leaves_its_file_and_the_ring_sound(setting: Setting) {
    let (file, reader) = (create(&setting).await, reader(&setting).await);
    for round in 0..50_u8 {
        let buffer = filled(&setting, 16 * BLOCK, 100 + round);
        let write = file.write_durable(buffer, 16 * BLOCK, 32 * BLOCK as u64);
        let _ = setting.reactor.timeout(Duration::ZERO, write).await;
        let (written, _) = file.write_durable(filled(&setting, BLOCK, round), BLOCK, 0).await;
        written.expect("is written");
        let content = reader.read_at(vec![0; BLOCK], 0).await.expect("is read");
        assert_eq!(content, [round; BLOCK]);
    }
    // Nothing but what was ever written, and nothing beside the range.
    let content = reader.read_at(vec![0; 64 * BLOCK], 0).await.expect("is read");
    assert!(content.len() <= 48 * BLOCK);
    let is_ours = |&byte: &u8| byte == 0 || (100..150).contains(&byte);
    assert!(content[BLOCK..].iter().all(is_ours));
    assert!(content[BLOCK..].iter().take(31 * BLOCK).all(|&byte| byte == 0));
}

async fn a_lock_outlives_the_file_until_its_writes_are_over(setting: Setting) {
    const BLOCKS: usize = 256;
    let path = setting.path("file");
    for round in 1..20_u8 {
        let options = OpenOptions::CREATE;
        let file = setting.disk().open_direct(&path, options).await.expect("opens");
        let next = setting.disk().open_direct(&path, options).await.expect("opens");
        file.try_lock().expect("is free");
        file.clone().try_lock().expect("is already ours");
        assert_eq!(next.try_lock().map_err(|e| e.kind()), Err(ErrorKind::WouldBlock));
        let buffer = filled(&setting, BLOCKS * BLOCK, round);
        let write = file.write_durable(buffer, BLOCKS * BLOCK, 0);
        let _ = setting.reactor.timeout(Duration::ZERO, write).await;
        drop(file);
        while next.try_lock().is_err() {
            setting.reactor.sleep(Duration::from_millis(1)).await;
        }
        // A write that was dropped may have been left out, but not put off.
        let read = async || reader(&setting).await.read_at(vec![0; BLOCKS * BLOCK], 0).await;
        let content = read().await.expect("is read");
        setting.reactor.sleep(Duration::from_millis(20)).await;
        assert!(content == read().await.expect("is read"), "round {round}: a write came later");
    }
}

async fn many_writes_at_once_do_not_mix(setting: Setting) {
    let (file, reader) = (create(&setting).await, reader(&setting).await);
    let start = |number: u8| {
        let (file, buffer) = (file.clone(), filled(&setting, 3 * BLOCK, number));
        setting.reactor.spawn(Queue::Client, async move {
            let offset = u64::from(number) * 3 * BLOCK as u64;
            let (written, _) = file.write_durable(buffer, 3 * BLOCK, offset).await;
            written.expect("is written");
        })
    };
    let tasks: Vec<_> = (0..100).map(start).collect();
    for task in tasks {
        task.await;
    }
    let content = reader.read_at(vec![0; 400 * BLOCK], 0).await.expect("is read");
    assert_eq!(content.len(), 300 * BLOCK);
    for (number, part) in content.chunks(3 * BLOCK).enumerate() {
        assert!(part.iter().all(|&byte| usize::from(byte) == number), "part {number}");
    }
}

async fn an_allocated_file_has_its_length_in_zeros(setting: Setting) {
    let (file, reader) = (create(&setting).await, reader(&setting).await);
    file.allocate(8 * BLOCK as u64).await.expect("is allocated");
    assert_eq!(file.len().expect("has a length"), 8 * BLOCK as u64);
    let content = reader.read_at(vec![9; 9 * BLOCK], 0).await.expect("is read");
    assert_eq!(content, [0; 8 * BLOCK]);
    let (written, _) = file.write(filled(&setting, BLOCK, 1), BLOCK, BLOCK as u64).await;
    written.expect("is written");
    // Longer, the same, shorter, and to nothing.
    for blocks in [16, 16, 2, 0] {
        file.allocate(blocks * BLOCK as u64).await.expect("is allocated");
        let content = reader.read_at(vec![9; 20 * BLOCK], 0).await.expect("is read");
        let firsts: Vec<u8> = content.chunks(BLOCK).map(|block| block[0]).collect();
        let expected = [[0, 1].as_slice(), &[0; 14]].concat();
        assert_eq!(firsts, expected[..blocks as usize]);
    }
    file.allocate(u64::MAX).await.expect_err("no file is that long");
    assert_eq!(file.len().expect("has a length"), 0);
}

async fn a_file_tells_how_far_it_was_written(setting: Setting) {
    let file = create(&setting).await;
    let blocks = |file: &DirectFile| file.written_len().expect("is told") / BLOCK as u64;
    assert_eq!(blocks(&file), 0, "of nothing");
    file.allocate(8 * BLOCK as u64).await.expect("is allocated");
    assert_eq!(blocks(&file), 0, "reserved is not written");
    for (at, expected) in [(1, 0), (0, 2), (2, 3), (7, 3)] {
        let (written, _) = file.write(filled(&setting, BLOCK, 0), BLOCK, at * BLOCK as u64).await;
        written.expect("is written");
        assert_eq!(blocks(&file), expected, "zeros in block {at}");
    }
    file.sync_data().await.expect("is synced");
    let path = setting.path("file");
    let again = setting.disk().open_direct(&path, OpenOptions::READ).await.expect("opens");
    assert_eq!(blocks(&again), 3, "for whoever opens it, too");
    let (written, _) =
        file.write(filled(&setting, 4 * BLOCK, 1), 4 * BLOCK, 3 * BLOCK as u64).await;
    written.expect("is written");
    assert_eq!(blocks(&again), 8, "to its end");
}

async fn a_file_opened_to_read_refuses_direct_writes(setting: Setting) {
    create(&setting).await;
    let path = setting.path("file");
    let file = setting.disk().open_direct(&path, OpenOptions::READ).await.expect("opens");
    let (written, _) = file.write_durable(filled(&setting, BLOCK, 1), BLOCK, 0).await;
    written.expect_err("is refused");
    file.allocate(BLOCK as u64).await.expect_err("is refused");
    assert_eq!(file.len().expect("has a length"), 0);
}

async fn each_mode_opens_a_direct_file_as_it_says(setting: Setting) {
    let (disk, path) = (setting.disk(), setting.path("file"));
    let error = disk.open_direct(&path, OpenOptions::WRITE).await.err().expect("nothing there");
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let file = create(&setting).await;
    file.allocate(BLOCK as u64).await.expect("is allocated");
    let error = disk.open_direct(&path, OpenOptions::CREATE_NEW).await.err().expect("it exists");
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    let again = disk.open_direct(&path, OpenOptions::CREATE).await.expect("opens");
    assert_eq!(again.is_direct(), file.is_direct());
    assert_eq!(again.len().expect("has a length"), BLOCK as u64);
    let empty = disk.open_direct(&path, OpenOptions::CREATE_EMPTY).await.expect("opens");
    assert_eq!(empty.len().expect("has a length"), 0);
}

async fn a_sync_of_the_file_system_lets_others_run(setting: Setting) {
    let file = create(&setting).await;
    let (written, _) = file.write(filled(&setting, BLOCK, 1), BLOCK, 0).await;
    written.expect("is written");
    let start = |number: u32| {
        let (disk, reactor) = (setting.disk(), setting.reactor.clone());
        let directory = setting.directory.clone();
        setting.reactor.spawn(Queue::Background, async move {
            for _ in 0..3 {
                let sync = disk.sync_file_system(&directory);
                if number == 0 {
                    // Whoever stops waiting disturbs nobody.
                    let _ = reactor.timeout(Duration::ZERO, sync).await;
                } else {
                    sync.await.expect("is synced");
                }
            }
        })
    };
    let syncs: Vec<_> = (0..4).map(start).collect();
    // A chain of timers goes on meanwhile.
    for _ in 0..5 {
        setting.reactor.sleep(Duration::from_micros(50)).await;
    }
    for sync in syncs {
        sync.await;
    }
}

async fn a_sync_of_what_is_no_directory_fails(setting: Setting) {
    create(&setting).await;
    let disk = setting.disk();
    for (path, kind) in [("missing", ErrorKind::NotFound), ("file", ErrorKind::NotADirectory)] {
        let error = disk.sync_file_system(&setting.path(path)).await.expect_err("fails");
        assert_eq!(error.kind(), kind);
    }
    let error = disk.watch_file_system(&setting.path("missing")).await.expect_err("fails");
    assert_eq!(error.kind(), ErrorKind::NotFound);
    disk.watch_file_system(&setting.path("")).await.expect("is there");
}

async fn a_hint_to_write_back_changes_nothing(setting: Setting) {
    let path = setting.path("file");
    let file = setting.disk().open(&path, OpenOptions::CREATE_NEW).await.expect("is created");
    file.write_at(&[1; 100_000], 0).expect("is written");
    for (offset, len) in [(0, 50_000), (5, 1), (0, 0), (90_000, 1 << 33), (u64::MAX, u64::MAX)] {
        file.start_write_back(offset, len);
    }
    file.write_at(&[2; 10], 0).expect("is written");
    let content = file.read_at(vec![0; 200_000], 0).await.expect("is read");
    assert_eq!(content[..10], [2; 10]);
    assert_eq!(content[10..], [1; 99_990]);
    file.sync_data().await.expect("is synced");
}
