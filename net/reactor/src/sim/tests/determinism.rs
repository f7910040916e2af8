//! One seed is one run.

use std::io;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;

use super::{address, ip};
use crate::sim::{ClockFaults, CrashKind, DiskFaults, NetworkFaults, Options, Simulation};
use crate::{AddressReservation, OpenOptions, Queue, Reactor};

/// Stores what each connection sends and answers with what it has.
async fn server(reactor: Reactor) -> io::Result<()> {
    let listener = reactor.listen(&AddressReservation::simulated(address(1)), 16)?;
    let path = format!("/log-{}", reactor.shard().0);
    let file = reactor.disk().open(Path::new(&path), OpenOptions::CREATE).await?;
    reactor.spawn(Queue::Background, write_blocks(reactor.clone())).detach();
    loop {
        let Ok(stream) = listener.accept().await else { continue };
        let (file, own) = (file.clone(), reactor.clone());
        let serve = async move {
            while let Ok(chunk) = stream.read().await {
                if chunk.is_empty() || file.write_at(&chunk, file.len().unwrap_or(0)).is_err() {
                    break;
                }
                let synced = file.sync_data().await.is_ok();
                let answer = Bytes::from(format!("{synced} {}", own.wall_clock_ms()));
                if stream.write_all(vec![answer]).await.is_err() {
                    break;
                }
            }
        };
        reactor.spawn(Queue::Client, serve).detach();
    }
}

/// Writes blocks past the page cache, waits for some of them, and syncs everything now and then.
async fn write_blocks(reactor: Reactor) {
    let path = format!("/blocks-{}", reactor.shard().0);
    let Ok(file) = reactor.disk().open_direct(Path::new(&path), OpenOptions::CREATE).await else {
        return;
    };
    loop {
        let random = reactor.random_u64();
        let buffer = reactor.direct_buffer(4096);
        let write = file.write_durable(buffer, 4096, random % 16 * 4096);
        let _ = reactor.timeout(Duration::from_micros(random % 300), write).await;
        if random.is_multiple_of(10) {
            let _ = reactor.disk().sync_file_system(Path::new("/")).await;
        }
        reactor.sleep(Duration::from_millis(random % 20)).await;
    }
}

async fn client(reactor: Reactor) -> io::Result<()> {
    loop {
        if let Ok(stream) = reactor.connect(address(1)).await {
            for _ in 0..4 {
                let len = reactor.random_u64() % 20_000;
                if stream.write_all(vec![Bytes::from(vec![7; len as usize])]).await.is_err() {
                    break;
                }
                let _ = reactor.timeout(Duration::from_secs(1), stream.read()).await;
            }
        }
        reactor.sleep(Duration::from_millis(reactor.random_u64() % 50)).await;
    }
}

/// A busy run with every kind of fault: its hash and what is on the disk after it.
fn run(seed: u64) -> (u64, Vec<Vec<u8>>) {
    let disk = DiskFaults { write_error_one_in: 50, sync_error_one_in: 50, ..Default::default() };
    let network = NetworkFaults {
        slow_one_in: 20,
        stall_one_in: 100,
        reset_one_in: 100,
        accept_error_one_in: 10,
        ..NetworkFaults::default()
    };
    let clock = ClockFaults { skew_ms_max: 1000, jump_one_in: 10, jump_ms_max: 60_000 };
    let mut simulation = Simulation::new(Options { disk, network, clock, ..Options::seed(seed) });
    let broker = simulation.host("broker", ip(1), 2);
    let clients = simulation.host("clients", ip(2), 3);
    simulation.start(broker, server);
    simulation.start(clients, client);
    simulation.run_for(Duration::from_secs(2));
    simulation.crash_at(broker, 5, CrashKind::Power);
    simulation.run_until(|simulation| !simulation.is_running(broker), Duration::from_secs(60));
    simulation.start(broker, server);
    simulation.partition(broker, clients);
    simulation.run_for(Duration::from_secs(3));
    simulation.heal(broker, clients);
    simulation.run_for(Duration::from_secs(3));
    let files = simulation.files(broker);
    let read = |path: &String| simulation.read_file(broker, path).expect("a listed file");
    (simulation.trace_hash(), files.iter().map(read).collect())
}

#[test]
fn the_same_seed_is_the_same_run() {
    for seed in 0..5 {
        assert_eq!(run(seed), run(seed), "seed {seed}");
    }
}

#[test]
fn another_seed_is_another_run() {
    let mut hashes: Vec<_> = (0..10).map(|seed| run(seed).0).collect();
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(hashes.len(), 10);
}
