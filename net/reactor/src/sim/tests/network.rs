//! The network: what is refused, held, reset and shared.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;

use super::{SEEDS, address, ip};
use crate::sim::{CrashKind, HostId, NetworkFaults, Options, Simulation};
use crate::{AddressReservation, Queue, Reactor};

/// Sends back what comes.
async fn echo(reactor: Reactor) -> io::Result<()> {
    let listener = reactor.listen(&AddressReservation::simulated(address(1)), 16)?;
    loop {
        let stream = listener.accept().await?;
        let serve = async move {
            while let Ok(chunk) = stream.read().await {
                let answer = Bytes::copy_from_slice(&chunk);
                if chunk.is_empty() || stream.write_all(vec![answer]).await.is_err() {
                    break;
                }
            }
        };
        reactor.spawn(Queue::Client, serve).detach();
    }
}

fn server_and_client(seed: u64, network: NetworkFaults) -> (Simulation, HostId, HostId) {
    let mut simulation = Simulation::new(Options { network, ..Options::seed(seed) });
    let server = simulation.host("server", ip(1), 1);
    let client = simulation.host("client", ip(2), 1);
    simulation.start(server, echo);
    simulation.run_for(Duration::from_millis(1));
    (simulation, server, client)
}

/// Sends `count` bytes and reads as many back.
async fn round_trip(reactor: Reactor, count: usize) -> io::Result<usize> {
    let stream = reactor.connect(address(1)).await?;
    let sent: Vec<u8> = (0..count).map(|number| (number % 251) as u8).collect();
    let (writer, bytes) = (stream.clone(), Bytes::from(sent.clone()));
    let write = reactor.spawn(Queue::Client, async move { writer.write_all(vec![bytes]).await });
    let mut received = Vec::new();
    let mut pieces = 0;
    while received.len() < count {
        let chunk = stream.read().await?;
        if chunk.is_empty() {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        received.extend_from_slice(&chunk);
        pieces += 1;
    }
    assert!(received == sent, "bytes arrive once, in order and as they were");
    write.await?;
    Ok(pieces)
}

#[test]
fn bytes_arrive_in_order_in_pieces_of_any_size() {
    let mut counts = BTreeSet::new();
    for seed in SEEDS {
        let (mut simulation, _, client) = server_and_client(seed, NetworkFaults::default());
        let pieces = simulation.block_on(client, |reactor| round_trip(reactor, 300_000));
        counts.insert(pieces.expect("no faults"));
    }
    assert!(counts.len() > 10, "{counts:?}");
}

#[test]
fn a_host_that_does_not_listen_refuses_and_one_without_power_is_silent() {
    let (mut simulation, server, client) = server_and_client(1, NetworkFaults::default());
    let kind = |simulation: &mut Simulation| {
        simulation
            .block_on(
                client,
                |reactor| async move { reactor.connect(address(1)).await.map(|_| ()) },
            )
            .map_err(|error| error.kind())
    };
    assert_eq!(kind(&mut simulation), Ok(()));
    simulation.crash(server, CrashKind::Process);
    assert_eq!(kind(&mut simulation), Err(ErrorKind::ConnectionRefused));
    simulation.crash(server, CrashKind::Power);
    assert_eq!(kind(&mut simulation), Err(ErrorKind::TimedOut));
    simulation.start(server, echo);
    simulation.run_for(Duration::from_millis(1));
    assert_eq!(kind(&mut simulation), Ok(()));
    simulation.partition(server, client);
    assert_eq!(kind(&mut simulation), Err(ErrorKind::TimedOut));
    simulation.heal(server, client);
    assert_eq!(kind(&mut simulation), Ok(()));
}

#[test]
fn a_crash_resets_the_connections_of_its_process() {
    for kind in [CrashKind::Process, CrashKind::Power] {
        let (mut simulation, server, client) = server_and_client(1, NetworkFaults::default());
        let connected = Rc::new(Cell::new(false));
        let (flag, error) = (connected.clone(), Rc::new(Cell::new(None)));
        let slot = error.clone();
        simulation.start(client, move |reactor| {
            let (flag, slot) = (flag.clone(), slot.clone());
            async move {
                let stream = reactor.connect(address(1)).await?;
                flag.set(true);
                slot.set(stream.read().await.err().map(|error| error.kind()));
                Ok(())
            }
        });
        assert!(simulation.run_until(|_| connected.get(), Duration::from_secs(1)));
        simulation.crash(server, kind);
        simulation.run_until_idle(Duration::from_secs(60));
        assert_eq!(error.get(), Some(ErrorKind::ConnectionReset));
    }
}

/// The result of a round trip that a partition of `length` falls into.
fn through_a_partition(seed: u64, length: Duration) -> Result<(), ErrorKind> {
    let (mut simulation, server, client) = server_and_client(seed, NetworkFaults::default());
    let result = Rc::new(RefCell::new(None));
    let slot = result.clone();
    simulation.start(client, move |reactor| {
        let slot = slot.clone();
        async move {
            let done = round_trip(reactor, 1_000_000).await;
            *slot.borrow_mut() = Some(done);
            Ok(())
        }
    });
    simulation.run_for(Duration::from_millis(5));
    assert!(result.borrow().is_none(), "the bytes are still on their way");
    simulation.partition(server, client);
    simulation.run_for(length);
    simulation.heal(server, client);
    simulation.run_for(Duration::from_secs(120));
    let result = result.take().expect("an end, one way or the other");
    result.map(|_| ()).map_err(|error| error.kind())
}

#[test]
fn a_short_partition_delays_and_a_long_one_resets() {
    for seed in 0..10 {
        assert_eq!(through_a_partition(seed, Duration::from_secs(10)), Ok(()), "seed {seed}");
        let long = through_a_partition(seed, Duration::from_secs(40));
        assert_eq!(long, Err(ErrorKind::TimedOut), "seed {seed}");
    }
}

#[test]
fn faults_reset_a_connection_and_never_change_its_bytes() {
    let faults = NetworkFaults {
        slow_one_in: 10,
        stall_one_in: 200,
        reset_one_in: 200,
        ..NetworkFaults::default()
    };
    let mut outcomes = BTreeSet::new();
    for seed in SEEDS {
        let (mut simulation, _, client) = server_and_client(seed, faults);
        let result = simulation.block_on(client, |reactor| round_trip(reactor, 100_000));
        outcomes.insert(result.map(|_| ()).map_err(|error| error.kind()));
    }
    let all = [Ok(()), Err(ErrorKind::ConnectionReset), Err(ErrorKind::TimedOut)];
    assert_eq!(outcomes, BTreeSet::from(all));
}

#[test]
fn a_writer_waits_for_a_reader_that_does_not_read() {
    let window_bytes = 10_000;
    let faults = NetworkFaults { window_bytes, ..NetworkFaults::default() };
    let mut simulation = Simulation::new(Options { network: faults, ..Options::seed(1) });
    let server = simulation.host("server", ip(1), 1);
    let client = simulation.host("client", ip(2), 1);
    simulation.start(server, |reactor| async move {
        let listener = reactor.listen(&AddressReservation::simulated(address(1)), 1)?;
        let _unread = listener.accept().await?;
        reactor.terminated().await;
        Ok(())
    });
    let written = Rc::new(Cell::new(0));
    let counter = written.clone();
    simulation.start(client, move |reactor| {
        let counter = counter.clone();
        async move {
            let stream = reactor.connect(address(1)).await?;
            loop {
                stream.write_all(vec![Bytes::from_static(&[0; 100])]).await?;
                counter.set(counter.get() + 100);
            }
        }
    });
    simulation.run_for(Duration::from_secs(60));
    assert_eq!(written.get(), window_bytes);
    simulation.stop(server);
    simulation.run_for(Duration::from_secs(60));
    let exit = simulation.exit(client).expect("the client ends").expect_err("with the reset");
    assert!(exit.contains("reset") || exit.contains("abort"), "{exit}");
}

#[test]
fn shards_on_one_address_share_its_connections() {
    let mut simulation = Simulation::new(Options::seed(1));
    let server = simulation.host("server", ip(1), 3);
    let client = simulation.host("client", ip(2), 1);
    simulation.start(server, |reactor| async move {
        let listener = reactor.listen(&AddressReservation::simulated(address(1)), 16)?;
        loop {
            let stream = listener.accept().await?;
            let name = Bytes::copy_from_slice(&[reactor.shard().0 as u8]);
            stream.write_all(vec![name]).await?;
        }
    });
    simulation.run_for(Duration::from_millis(1));
    let shards = simulation.block_on(client, |reactor| async move {
        let mut shards = BTreeSet::new();
        for _ in 0..30 {
            let stream = reactor.connect(address(1)).await.expect("connects");
            shards.insert(stream.read().await.expect("reads")[0]);
        }
        shards
    });
    assert_eq!(shards, BTreeSet::from([0, 1, 2]));
}

#[test]
fn each_host_has_a_loopback_of_its_own() {
    let (mut simulation, _, client) = server_and_client(1, NetworkFaults::default());
    let loopback = "127.0.0.1:9092".parse().expect("an address");
    let refused = simulation.block_on(client, move |reactor| async move {
        let refused = reactor.connect(loopback).await.map(|_| ()).map_err(|error| error.kind());
        let _listener = reactor.listen(&AddressReservation::simulated(loopback), 1);
        let stream = reactor.connect(loopback).await.expect("connects to itself");
        assert_eq!(stream.peer(), loopback);
        assert!(stream.local().ip().is_loopback());
        let other = reactor.listen(&AddressReservation::simulated(address(1)), 1).map(|_| ());
        assert_eq!(other.map_err(|e| e.kind()), Err(ErrorKind::AddrNotAvailable));
        refused
    });
    assert_eq!(refused, Err(ErrorKind::ConnectionRefused));
}

#[test]
fn a_side_that_leaves_bytes_unread_resets() {
    let mut simulation = Simulation::new(Options::seed(1));
    let server = simulation.host("server", ip(1), 1);
    let client = simulation.host("client", ip(2), 1);
    simulation.start(server, |reactor| async move {
        let listener = reactor.listen(&AddressReservation::simulated(address(1)), 1)?;
        let stream = listener.accept().await?;
        reactor.sleep(Duration::from_secs(1)).await;
        drop(stream);
        reactor.terminated().await;
        Ok(())
    });
    simulation.run_for(Duration::from_millis(1));
    let seen = simulation.block_on(client, |reactor| async move {
        let stream = reactor.connect(address(1)).await.expect("connects");
        stream.write_all(vec![Bytes::from_static(b"never read")]).await.expect("writes");
        stream.read().await.map(|chunk| chunk.len()).map_err(|error| error.kind())
    });
    assert_eq!(seen, Err(ErrorKind::ConnectionReset));
}
