//! Echo over loopback between two shards of one process: rate, latency and the server's CPU per request, beside the same
//! work with blocking sockets. Bounded: `cargo bench -p ringlane-reactor --bench echo`, some seconds in all; with
//! `-- 16x5`, that shape alone.

use std::cell::RefCell;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use ringlane_reactor::{
    Queue, Reactor, ShardConfig, ShardId, Stream, allowed_cpus, reserve_address, run_shards,
};

/// Connections × requests in flight on each, and the bytes of a request.
const SHAPES: [(usize, usize, usize); 5] =
    [(1, 1, 1024), (16, 1, 1024), (16, 5, 1024), (256, 1, 1024), (16, 1, 65536)];
const DURATION: Duration = Duration::from_secs(1);

fn main() {
    // cargo test runs benches too, to see that they compile.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let is_wanted = |shape: &str| wanted.as_deref().is_none_or(|wanted| wanted == shape);
    println!(
        "{:>12} {:>7} {:>10} {:>8} {:>8} {:>12}",
        "shape", "bytes", "req/s", "p50 µs", "p99 µs", "server µs/req"
    );
    for (connections, depth, size) in SHAPES {
        let shape = format!("{connections}x{depth}");
        if !is_wanted(&shape) {
            continue;
        }
        let report = Arc::new(Mutex::new(Report::default()));
        run(connections, depth, size, report.clone());
        report.lock().unwrap().print(&shape, size);
    }
    if is_wanted("blocking") {
        blocking(1024).print("blocking", 1024);
    }
}

#[derive(Default)]
struct Report {
    latencies_ns: Vec<u64>,
    requests: u64,
    server_cpu: Duration,
    elapsed: Duration,
}

impl Report {
    fn print(&mut self, shape: &str, size: usize) {
        self.latencies_ns.sort_unstable();
        let at = |q: f64| {
            let index = (self.latencies_ns.len() as f64 * q) as usize;
            self.latencies_ns.get(index).map_or(0.0, |ns| *ns as f64 / 1000.0)
        };
        let rate = self.requests as f64 / self.elapsed.as_secs_f64();
        let cpu = self.server_cpu.as_secs_f64() * 1e6 / self.requests.max(1) as f64;
        println!(
            "{shape:>12} {size:>7} {rate:>10.0} {:>8.1} {:>8.1} {cpu:>12.2}",
            at(0.5),
            at(0.99)
        );
    }
}

/// CPU time of the calling thread.
fn thread_cpu() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: clock_gettime(2) writes the one timespec.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn run(connections: usize, depth: usize, size: usize, report: Arc<Mutex<Report>>) {
    let address = Arc::new(reserve_address("127.0.0.1:0".parse().unwrap()).unwrap());
    let cpus = allowed_cpus();
    let config = ShardConfig::on(vec![cpus[0], cpus[1 % cpus.len()]]);
    let (listening, clients) = ringlane_reactor::oneshot::<()>();
    let (done, ended) = ringlane_reactor::oneshot::<()>();
    let server = Arc::new(Mutex::new(Some((listening, ended))));
    let client = Arc::new(Mutex::new(Some((clients, done))));
    run_shards(&config, move |reactor| {
        let (address, server, client, report) =
            (address.clone(), server.clone(), client.clone(), report.clone());
        async move {
            if reactor.shard() == ShardId(0) {
                let (listening, ended) = server.lock().unwrap().take().unwrap();
                let listener = reactor.listen(&address, 512)?;
                let _ = listening.send(());
                let before = thread_cpu();
                let of = reactor.clone();
                let accepting = reactor.spawn(Queue::Client, async move {
                    while let Ok(stream) = listener.accept().await {
                        of.spawn(Queue::Client, echo(stream)).detach();
                    }
                });
                ended.await;
                report.lock().unwrap().server_cpu = thread_cpu() - before;
                drop(accepting);
                return Ok(());
            }
            let (clients, done) = client.lock().unwrap().take().unwrap();
            clients.await;
            measure(&reactor, address.address(), (connections, depth, size), report).await;
            let _ = done.send(());
            Ok(())
        }
    })
    .unwrap();
}

async fn echo(stream: Stream) {
    while let Ok(chunk) = stream.read().await {
        if chunk.is_empty() || stream.write_all(vec![Bytes::copy_from_slice(&chunk)]).await.is_err()
        {
            break;
        }
    }
}

async fn measure(
    reactor: &Reactor,
    address: std::net::SocketAddr,
    (connections, depth, size): (usize, usize, usize),
    report: Arc<Mutex<Report>>,
) {
    let latencies = Rc::new(RefCell::new(Vec::with_capacity(1 << 20)));
    let started = Instant::now();
    let mut tasks = Vec::new();
    for _ in 0..connections {
        let stream = reactor.connect(address).await.unwrap();
        let latencies = latencies.clone();
        tasks.push(reactor.spawn(Queue::Client, async move {
            let request = Bytes::from(vec![7; size]);
            while started.elapsed() < DURATION {
                let sent = Instant::now();
                stream.write_all(vec![request.clone(); depth]).await.unwrap();
                let mut missing = size * depth;
                while missing > 0 {
                    missing -= stream.read().await.unwrap().len();
                }
                let mut latencies = latencies.borrow_mut();
                (0..depth).for_each(|_| latencies.push(sent.elapsed().as_nanos() as u64));
            }
        }));
    }
    for task in tasks {
        task.await;
    }
    let mut report = report.lock().unwrap();
    report.elapsed = started.elapsed();
    report.latencies_ns = latencies.take();
    report.requests = report.latencies_ns.len() as u64;
}

/// One connection, one request at a time, a blocking thread at each end, on the same CPUs as the shards.
fn blocking(size: usize) -> Report {
    let cores = core_affinity::get_core_ids().unwrap();
    let (one, other) = (cores[0], cores[1 % cores.len()]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        core_affinity::set_for_current(one);
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_nodelay(true).unwrap();
        let mut buffer = vec![0; 65536];
        while let Ok(read @ 1..) = stream.read(&mut buffer) {
            stream.write_all(&buffer[..read]).unwrap();
        }
        thread_cpu()
    });
    core_affinity::set_for_current(other);
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    let (mut report, started, mut buffer) = (Report::default(), Instant::now(), vec![7; size]);
    while started.elapsed() < DURATION {
        let sent = Instant::now();
        stream.write_all(&buffer).unwrap();
        stream.read_exact(&mut buffer).unwrap();
        report.latencies_ns.push(sent.elapsed().as_nanos() as u64);
    }
    report.elapsed = started.elapsed();
    report.requests = report.latencies_ns.len() as u64;
    drop(stream);
    report.server_cpu = server.join().unwrap();
    report
}
