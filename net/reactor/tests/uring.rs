//! What only the real side can show: threads, kernel buffers, CPU time. What both sides promise is in `contract/`.

use std::cell::Cell;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use ringlane_reactor::{
    AddressReservation, Mesh, OpenOptions, Part, Queue, Reactor, STALL_MIN, ShardConfig, ShardId,
    Stream, allowed_cpus, reserve_address, run_shards,
};

fn shards(count: usize) -> ShardConfig {
    ShardConfig::on(allowed_cpus().into_iter().cycle().take(count).collect())
}

fn run<F: Future<Output = ()> + 'static>(
    config: &ShardConfig,
    main: impl Fn(Reactor) -> F + Send + Clone + 'static,
) {
    let main = move |reactor| {
        let main = main(reactor);
        async move {
            main.await;
            Ok(())
        }
    };
    run_shards(config, main).unwrap();
}

fn loopback() -> Arc<AddressReservation> {
    Arc::new(reserve_address("127.0.0.1:0".parse().unwrap()).unwrap())
}

/// CPU time of the calling thread.
fn thread_cpu() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: clock_gettime(2) writes the one timespec.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// The CPUs that each kernel worker of a ring of the calling thread may run on, as status in proc_pid_status(5) says it.
fn cpus_of_workers() -> Vec<String> {
    // SAFETY: gettid(2) takes nothing.
    let name = format!("iou-wrk-{}", unsafe { libc::gettid() });
    let mut found = Vec::new();
    for task in std::fs::read_dir("/proc/self/task").unwrap() {
        // One that ends meanwhile is none.
        let status = std::fs::read_to_string(task.unwrap().path().join("status"));
        let status = status.unwrap_or_default();
        let line = |key: &str| status.lines().find_map(|line| line.strip_prefix(key));
        if line("Name:").is_some_and(|found| found.trim() == name) {
            found.push(line("Cpus_allowed_list:").unwrap().trim().to_string());
        }
    }
    found
}

#[test]
fn kernel_workers_stay_on_the_cpus_that_they_were_given() {
    let cpu = *allowed_cpus().last().unwrap();
    let config = ShardConfig { worker_cpus: vec![cpu], ..shards(1) };
    run(&config, move |reactor| async move {
        let path = std::env::temp_dir().join(format!("ringlane-workers-{}", std::process::id()));
        let file = reactor.disk().open(&path, OpenOptions::CREATE).await.unwrap();
        std::fs::remove_file(&path).unwrap();
        file.write_behind(Rc::new(vec![1; 4096]), 0).await.unwrap();
        let workers = cpus_of_workers();
        assert!(!workers.is_empty() && workers.iter().all(|cpus| *cpus == cpu.to_string()));
    });
}

#[test]
fn an_idle_shard_costs_no_cpu() {
    run(&shards(2), |reactor| async move {
        // A timer now and then and an open listener are what an idle broker has.
        let listener = reactor.listen(&loopback(), 8).unwrap();
        let accepting = reactor.spawn(Queue::Client, async move { listener.accept().await });
        reactor.sleep(Duration::from_millis(50)).await;
        let before = thread_cpu();
        for _ in 0..10 {
            reactor.sleep(Duration::from_millis(100)).await;
        }
        let spent = thread_cpu() - before;
        assert!(spent < Duration::from_millis(10), "1 % of a core, not {spent:?} in a second");
        drop(accepting);
    });
}

#[test]
fn a_shards_error_is_the_answer_and_a_start_is_quick() {
    let started = std::time::Instant::now();
    let failed = run_shards(&ShardConfig::single(), |_| async {
        Err(io::Error::new(io::ErrorKind::AddrInUse, "taken"))
    });
    assert_eq!(failed.unwrap_err().kind(), io::ErrorKind::AddrInUse);
    assert!(started.elapsed() < Duration::from_millis(500), "{:?}", started.elapsed());
}

#[test]
fn a_panic_in_a_task_ends_every_shard_and_reaches_the_caller() {
    let panic = std::panic::catch_unwind(|| {
        run(&shards(3), |reactor| async move {
            if reactor.shard() == ShardId(1) {
                let task = async { panic!("the story's end") };
                reactor.spawn::<()>(Queue::Background, task).detach();
            }
            std::future::pending::<()>().await;
        });
    });
    assert_eq!(panic.unwrap_err().downcast_ref(), Some(&"the story's end"));
}

#[test]
fn the_end_of_main_drops_what_still_runs() {
    struct Counts(Arc<AtomicUsize>);
    impl Drop for Counts {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let dropped = Arc::new(AtomicUsize::new(0));
    let (counter, started) = (dropped.clone(), std::time::Instant::now());
    run(&shards(2), move |reactor| {
        let counter = counter.clone();
        async move {
            let address = loopback();
            let listener = Rc::new(reactor.listen(&address, 8).unwrap());
            let stream = reactor.connect(address.address()).await.unwrap();
            let accepted = listener.accept().await.unwrap();
            for of in 0..4 {
                let guard = Counts(counter.clone());
                let (stream, listener) = (stream.clone(), listener.clone());
                let (sleep, accepted) =
                    (reactor.sleep(Duration::from_secs(3600)), accepted.clone());
                let waits = async move {
                    let _guard = guard;
                    match of {
                        0 => std::future::pending().await,
                        1 => drop(stream.read().await),
                        2 => drop(listener.accept().await),
                        _ => {
                            let _peer = accepted;
                            sleep.await;
                        }
                    }
                };
                reactor.spawn(Queue::Client, waits).detach();
            }
            for _ in 0..3 {
                reactor.yield_now().await;
            }
        }
    });
    assert_eq!(dropped.load(Ordering::SeqCst), 8);
    let took = started.elapsed();
    assert!(
        took < Duration::from_secs(4),
        "the kernel let go of every operation at once: {took:?}"
    );
}

#[test]
fn sixteen_shards_on_the_cpus_there_are_talk_to_each_other() {
    const COUNT: u16 = 16;
    const ROUNDS: u16 = 50;
    let mesh = Mesh::<(ShardId, u16)>::new(COUNT, 8);
    run(&shards(usize::from(COUNT)), move |reactor| {
        let mesh = mesh.clone();
        async move {
            let mailbox = mesh.mailbox(reactor.shard());
            let me = reactor.shard();
            let sending = reactor.spawn(Queue::Client, async move {
                for round in 0..ROUNDS {
                    for other in 0..COUNT {
                        mesh.sender(ShardId(other)).send((me, round)).await;
                    }
                }
            });
            let mut next = [0; COUNT as usize];
            for _ in 0..COUNT * ROUNDS {
                let (from, round) = mailbox.receive().await;
                assert_eq!(round, next[usize::from(from.0)], "in the order in which it was sent");
                next[usize::from(from.0)] += 1;
            }
            sending.await;
        }
    });
}

#[test]
fn a_sleeping_shard_is_woken_by_each_message() {
    // Ping-pong: whoever waits is asleep, so that a lost wake-up would hang.
    let mesh = Mesh::<u32>::new(2, 1);
    run(&shards(2), move |reactor| {
        let mesh = mesh.clone();
        async move {
            let (mailbox, other) =
                (mesh.mailbox(reactor.shard()), mesh.sender(ShardId(1 - reactor.shard().0)));
            for round in 0..5_000 {
                if reactor.shard() == ShardId(0) {
                    other.send(round).await;
                }
                assert_eq!(mailbox.receive().await, round);
                if reactor.shard() == ShardId(1) {
                    other.send(round).await;
                }
            }
        }
    });
}

#[test]
fn foreign_threads_wake_tasks_and_may_outlive_them() {
    let (sender, receiver) = ringlane_reactor::oneshot::<u8>();
    let (late, never) = ringlane_reactor::oneshot::<u8>();
    let (receiver, never) = (Cell::new(Some(receiver)), Cell::new(Some(never)));
    let receivers = Arc::new(std::sync::Mutex::new((receiver, never)));
    let (told, asleep) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || {
        asleep.recv().unwrap();
        sender.send(7).unwrap();
        asleep.recv().unwrap_err();
        let _ = late.send(8);
    });
    run(&ShardConfig::single(), move |reactor| {
        let receivers = receivers.lock().unwrap();
        let (receiver, never) = (receivers.0.take().unwrap(), receivers.1.take().unwrap());
        let told = told.clone();
        async move {
            reactor.spawn(Queue::Client, never).detach();
            told.send(()).unwrap();
            assert_eq!(receiver.await, Some(7));
        }
    });
    thread.join().unwrap();
}

/// Accepts and echoes for as long as its task lives.
fn serve_echo(reactor: &Reactor, address: &AddressReservation) {
    let listener = reactor.listen(address, 64).unwrap();
    let of = reactor.clone();
    let accepting = async move {
        while let Ok(stream) = listener.accept().await {
            let echo = async move {
                while let Ok(chunk) = stream.read().await
                    && !chunk.is_empty()
                {
                    stream.write_all(vec![Bytes::copy_from_slice(&chunk)]).await.unwrap();
                }
            };
            of.spawn(Queue::Client, echo).detach();
        }
    };
    reactor.spawn(Queue::Client, accepting).detach();
}

async fn echoes(reactor: &Reactor, address: SocketAddr, parts: Vec<Bytes>) {
    let stream = reactor.connect(address).await.unwrap();
    let expected = parts.concat();
    let of = stream.clone();
    let writing = reactor.spawn(Queue::Client, async move { of.write_all(parts).await.unwrap() });
    let mut received = Vec::new();
    while received.len() < expected.len() {
        received.extend_from_slice(&stream.read().await.unwrap());
    }
    writing.await;
    assert!(received == expected, "the echo is what was sent");
}

#[test]
fn large_and_many_parts_arrive_as_they_were_sent() {
    run(&shards(1), |reactor| async move {
        let address = loopback();
        serve_echo(&reactor, &address);
        let numbered = |count: usize, len: usize| -> Vec<Bytes> {
            (0..count).map(|n| Bytes::from(vec![n as u8; len])).collect()
        };
        // More parts than one sendmsg takes; more bytes than the sockets and the receive buffers hold.
        echoes(&reactor, address.address(), numbered(3000, 7)).await;
        echoes(&reactor, address.address(), numbered(9, 1 << 20)).await;
        echoes(&reactor, address.address(), numbered(1, 8 << 20)).await;
    });
}

#[test]
fn streams_that_nobody_reads_are_bounded_and_do_not_starve_the_others() {
    let mut config = shards(1);
    (config.receive_chunk_bytes, config.receive_buffer_bytes) = (4096, 4 * 4096);
    config.unread_bytes_max = 32 << 10;
    run(&config, |reactor| async move {
        let address = loopback();
        let listener = reactor.listen(&address, 64).unwrap();
        let mut held: Vec<(Stream, Stream)> = Vec::new();
        for _ in 0..12 {
            let client = reactor.connect(address.address()).await.unwrap();
            held.push((client, listener.accept().await.unwrap()));
        }
        let sent = Rc::new(Cell::new(0));
        for (client, server) in &held {
            // The reader asks once, so that its receive runs, and then never again.
            let (server, client, sent) = (server.clone(), client.clone(), sent.clone());
            reactor.spawn(Queue::Client, async move { drop(server.read().await) }).detach();
            let flood = async move {
                loop {
                    client.write_all(vec![Bytes::from(vec![1; 64 << 10])]).await.unwrap();
                    sent.set(sent.get() + 1);
                }
            };
            reactor.spawn(Queue::Background, flood).detach();
        }
        // The floods stop at the bounds of the streams and the sockets.
        let mut before = usize::MAX;
        while before != sent.get() {
            before = sent.get();
            reactor.sleep(Duration::from_millis(100)).await;
        }
        let address = loopback();
        serve_echo(&reactor, &address);
        let echoed = echoes(&reactor, address.address(), vec![Bytes::from(vec![9; 1 << 20])]);
        reactor.timeout(Duration::from_secs(20), echoed).await.unwrap();
        // Nothing of a stream that was not read is lost.
        let (_, server) = &held[0];
        let mut read = 0;
        while read < 1 << 20 {
            let chunk = server.read().await.unwrap();
            assert!(!chunk.is_empty() && chunk.iter().all(|byte| *byte == 1));
            read += chunk.len();
        }
    });
}

#[test]
fn operations_dropped_half_way_leave_memory_and_descriptors_alone() {
    let path = std::env::temp_dir().join(format!("ringlane-uring-{}", std::process::id()));
    let name = path.clone();
    run(&shards(1), move |reactor| {
        let path = name.clone();
        async move {
            let disk = reactor.disk();
            let file = disk.open(&path, OpenOptions::CREATE_EMPTY).await.unwrap();
            file.write_at(&[5; 8192], 0).unwrap();
            let descriptors = || std::fs::read_dir("/proc/self/fd").unwrap().count();
            let before = descriptors();
            for _ in 0..200 {
                // Polled once, so started; then dropped.
                let _ = reactor.timeout(Duration::ZERO, file.sync_data()).await;
                let _ = reactor.timeout(Duration::ZERO, disk.open(&path, OpenOptions::READ)).await;
                let _ = reactor.timeout(Duration::ZERO, disk.metadata(&path)).await;
            }
            let read = file.read_at(vec![0; 10_000], 0).await.unwrap();
            assert_eq!(read, [5; 8192]);
            // Other tests share the process, so exactly as many cannot be asked for.
            let mut attempts = 0;
            while descriptors() > before + 64 {
                attempts += 1;
                assert!(attempts < 100, "abandoned opens leave their descriptors behind");
                reactor.sleep(Duration::from_millis(10)).await;
            }
        }
    });
    std::fs::remove_file(path).unwrap();
}

#[test]
fn more_operations_than_the_ring_holds_all_complete() {
    let mut config = shards(1);
    config.ring_entries = 4;
    run(&config, |reactor| async move {
        let path = std::env::current_exe().unwrap();
        let reads = (0..500).map(|_| {
            let (disk, path) = (reactor.disk(), path.clone());
            reactor.spawn(Queue::Client, async move { disk.metadata(&path).await.unwrap().len })
        });
        let reads: Vec<_> = reads.collect();
        for read in reads {
            assert!(read.await > 0);
        }
    });
}

#[test]
fn queues_share_the_time_and_none_starves_the_ring() {
    run(&shards(1), |reactor| async move {
        let counts = [Queue::Client, Queue::Background].map(|queue| {
            let count = Rc::new(Cell::new(0u64));
            let (counter, of) = (count.clone(), reactor.clone());
            let busy = async move {
                loop {
                    counter.set(counter.get() + 1);
                    of.yield_now().await;
                }
            };
            reactor.spawn(queue, busy).detach();
            count
        });
        reactor.sleep(Duration::from_millis(100)).await;
        let [client, background] = counts.map(|count| count.get());
        assert!(background > 100, "background work goes on: {background}");
        assert!(client > 2 * background, "clients come first: {client} to {background}");
    });
}

#[test]
fn a_turn_that_keeps_others_waiting_is_counted() {
    run(&shards(1), |reactor| async move {
        reactor.sleep(3 * STALL_MIN).await;
        let before = reactor.stalls();
        let began = reactor.now();
        while reactor.now() - began < 5 * STALL_MIN {}
        reactor.yield_now().await;
        reactor.sleep(STALL_MIN).await;
        let after = reactor.stalls();
        assert!(after.turns > before.turns, "{before:?} {after:?}");
        assert!(after.time - before.time >= 5 * STALL_MIN, "{before:?} {after:?}");
    });
}

/// Pages that left the page cache after they were found there: a kernel worker reads them, the bytes arrive all the same.
#[test]
fn what_leaves_the_page_cache_before_it_is_sent_arrives() {
    run(&shards(1), |reactor| async move {
        let path = std::env::temp_dir().join(format!("ringlane-evicted-{}", std::process::id()));
        let file = reactor.disk().open(&path, OpenOptions::CREATE_EMPTY).await.unwrap();
        let bytes: Vec<u8> = (0..1 << 20).map(|at: u32| (at % 249) as u8).collect();
        file.write_at(&bytes, 0).unwrap();
        file.sync_data().await.unwrap();
        let range = file.range(0, bytes.len()).unwrap().expect("it was just written");
        evict(&path);
        let address = loopback();
        let listener = reactor.listen(&address, 4).unwrap();
        let client = reactor.connect(address.address()).await.unwrap();
        let server = listener.accept().await.unwrap();
        let send = async move { client.write_parts(vec![Part::File(range)]).await };
        let sent = reactor.spawn(Queue::Client, send);
        let mut received = Vec::new();
        while received.len() < bytes.len() {
            received.extend_from_slice(&server.read().await.unwrap());
        }
        sent.await.unwrap();
        assert!(received == bytes);
        std::fs::remove_file(&path).unwrap();
    });
}

/// Has the kernel drop what it has of a file that is on the disk.
fn evict(path: &std::path::Path) {
    let file = std::fs::File::open(path).unwrap();
    // SAFETY: posix_fadvise(2) has no memory to violate.
    let error = unsafe { libc::posix_fadvise(file.as_raw_fd(), 0, 0, libc::POSIX_FADV_DONTNEED) };
    assert_eq!(error, 0);
}
