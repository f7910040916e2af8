//! Direct writes as only the real side has them: the ring's table of buffers, and file systems without O_DIRECT.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};

use ringlane_reactor::{
    DirectBuffer, DirectFile, OpenOptions, Queue, Reactor, ShardConfig, run_shards,
};

const BLOCK: usize = DirectFile::BLOCK_BYTES;

/// Runs `main` on one shard with a path that nothing is at, before and after.
fn run<F: Future<Output = ()> + 'static>(name: &str, main: fn(Reactor, PathBuf) -> F) {
    let path = std::env::temp_dir().join(format!("ringlane-{name}-{}", std::process::id()));
    let own = path.clone();
    let ended = run_shards(&ShardConfig::single(), move |reactor| {
        let main = main(reactor, own.clone());
        async move {
            main.await;
            Ok(())
        }
    });
    let _ = std::fs::remove_file(path);
    ended.unwrap();
}

fn registered(buffers: &[DirectBuffer]) -> usize {
    buffers.iter().filter(|buffer| buffer.is_registered()).count()
}

#[test]
fn a_place_in_the_table_is_free_again_when_its_buffer_is_dropped() {
    run("places", |reactor, _| async move {
        let (mut rounds, mut attempts) = (0, 0);
        while rounds < 3 {
            let buffers: Vec<_> = (0..100).map(|_| reactor.direct_buffer(BLOCK)).collect();
            let count = registered(&buffers);
            assert!(count <= 64, "the first have a place, the others do without");
            rounds += usize::from(count == 64);
            // Where locked memory is limited, the other tests may have it for a while.
            attempts += 1;
            assert!(attempts < 1000, "only {count} places are free");
            drop(buffers);
            reactor.sleep(Duration::from_millis(if count < 64 { 10 } else { 0 })).await;
        }
    });
}

/// Memory of this process that the kernel has pinned, in KiB; other tests pin some too.
fn pinned_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmPin:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn the_memory_of_a_dropped_buffer_is_not_locked_any_more() {
    run("pinned", |reactor, _| async move {
        let buffers: Vec<_> = (0..60).map(|_| reactor.direct_buffer(1 << 20)).collect();
        assert!(pinned_kib() >= registered(&buffers) as u64 * 1024);
        drop(buffers);
        let mut attempts = 0;
        while pinned_kib() > 30 * 1024 {
            attempts += 1;
            assert!(attempts < 500, "{} KiB stay pinned", pinned_kib());
            reactor.sleep(Duration::from_millis(10)).await;
        }
    });
}

#[test]
fn a_dropped_write_keeps_its_place_until_the_kernel_is_done() {
    run("dropped", |reactor, path| async move {
        let file = reactor.disk().open_direct(&path, OpenOptions::CREATE_NEW).await.unwrap();
        for _ in 0..300 {
            let buffer = reactor.direct_buffer(1 << 20);
            let write = file.write_durable(buffer, 1 << 20, 0);
            let _ = reactor.timeout(Duration::ZERO, write).await;
        }
        let mut attempts = 0;
        loop {
            let buffers: Vec<_> = (0..64).map(|_| reactor.direct_buffer(BLOCK)).collect();
            if registered(&buffers) == 64 {
                break;
            }
            attempts += 1;
            assert!(attempts < 1000, "abandoned writes keep their places");
            reactor.sleep(Duration::from_millis(10)).await;
        }
    });
}

#[test]
fn writes_on_their_way_end_with_their_shard() {
    run("ending", |reactor, path| async move {
        let file = reactor.disk().open_direct(&path, OpenOptions::CREATE_NEW).await.unwrap();
        for number in 0..20 {
            let (file, buffer) = (file.clone(), reactor.direct_buffer(1 << 20));
            let write =
                async move { drop(file.write_durable(buffer, 1 << 20, number << 20).await) };
            reactor.spawn(Queue::Client, write).detach();
        }
        let disk = reactor.disk();
        let sync = async move { drop(disk.sync_file_system(Path::new("/")).await) };
        reactor.spawn(Queue::Client, sync).detach();
        reactor.yield_now().await;
        reactor.yield_now().await;
    });
}

#[test]
fn a_file_system_without_direct_writes_is_written_through_the_cache() {
    run("fallback", |reactor, path| async move {
        // procfs has no O_DIRECT; this file is the name of the thread.
        let comm = Path::new("/proc/thread-self/comm");
        let file = reactor.disk().open_direct(comm, OpenOptions::WRITE).await.unwrap();
        assert!(!file.is_direct());
        let direct = reactor.disk().open_direct(&path, OpenOptions::CREATE_NEW).await.unwrap();
        // Both are held to the same contract; which one it is decides the file system.
        let mut buffer = reactor.direct_buffer(BLOCK);
        buffer.fill(7);
        let (written, _) = direct.write_durable(buffer, BLOCK, 0).await;
        written.unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), [7; BLOCK]);
    });
}

#[test]
fn a_failed_allocation_leaves_the_length() {
    run("allocation", |reactor, path| async move {
        let file = reactor.disk().open_direct(&path, OpenOptions::CREATE_NEW).await.unwrap();
        file.allocate(3 * BLOCK as u64).await.unwrap();
        let blocks = || std::os::unix::fs::MetadataExt::blocks(&std::fs::metadata(&path).unwrap());
        assert!(blocks() * 512 >= 3 * BLOCK as u64, "its blocks are reserved");
        file.allocate(1 << 62).await.unwrap_err();
        assert_eq!(file.len().unwrap(), 3 * BLOCK as u64);
    });
}

/// Nothing but the first poll: the shard's loop gets no turn before the bytes are there.
#[test]
fn a_durable_write_is_on_its_way_when_its_first_poll_returns() {
    run("begun", |reactor, path| async move {
        let file = reactor.disk().open_direct(&path, OpenOptions::CREATE_NEW).await.unwrap();
        let mut buffer = reactor.direct_buffer(BLOCK);
        buffer.fill(b'x');
        let mut write = pin!(file.write_durable(buffer, BLOCK, 0));
        let begun = poll_fn(|cx| Poll::Ready(write.as_mut().poll(cx))).await;
        assert!(begun.is_pending());
        let found = (0..100_000).any(|_| std::fs::read(&path).unwrap() == [b'x'; BLOCK]);
        assert!(found, "it waits for the end of the turn");
        write.await.0.unwrap();
    });
}

/// A crowd of ready tasks does not keep a completed write waiting until the last of them has run.
#[test]
fn a_completed_write_is_noticed_before_a_crowd_has_run() {
    run("crowd", |reactor, path| async move {
        let file = reactor.disk().open_direct(&path, OpenOptions::CREATE_NEW).await.unwrap();
        let ran = Rc::new(Cell::new(0));
        let buffer = reactor.direct_buffer(BLOCK);
        let seen = ran.clone();
        let writer = reactor.spawn(Queue::Journal, async move {
            file.write_durable(buffer, BLOCK, 0).await.0.unwrap();
            seen.get()
        });
        reactor.yield_now().await;
        let crowd: Vec<_> = (0..2000)
            .map(|_| {
                let ran = ran.clone();
                reactor.spawn(Queue::Client, async move {
                    let until = Instant::now() + Duration::from_micros(100);
                    while Instant::now() < until {}
                    ran.set(ran.get() + 1);
                })
            })
            .collect();
        let ran_before = writer.await;
        assert!(ran_before < 1900, "{ran_before} of 2000 ran before");
        for task in crowd {
            task.await;
        }
    });
}
