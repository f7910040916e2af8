//! The paper's experiment against the fake broker: each batch goes alone and full, no more is on its way than may be, and what
//! the broker does wrong is found.

use std::net::Ipv4Addr;
use std::sync::mpsc;
use std::time::Duration;

use ringlane_bench::paper::kafka_protocol::{consume, create, produce};
use ringlane_bench::paper::load::{Done, Load, Tally};
use ringlane_bench::verify::Faults;
use ringlane_client::Error;
use ringlane_reactor::Reactor;
use ringlane_reactor::sim::{NetworkFaults, Options, Simulation};

use crate::fake::{self, Fake, Shared, Tamper, serve};

fn load(messages: u64, batch: u64) -> Load {
    let limit = Duration::from_secs(60);
    Load { place: "paper".into(), run: 3, messages, batch, limit }
}

async fn experiment(reactor: Reactor, load: Load) -> Result<(Done, Done, Tally), Error> {
    create(&reactor, fake::ADDRESS, &load, Vec::new()).await?;
    let sent = produce(&reactor, fake::ADDRESS, &load).await?;
    let tally = Tally::new(&load, sent.messages);
    let (read, tally) = consume(&reactor, fake::ADDRESS, &load, tally).await?;
    Ok((sent, read, tally))
}

/// Runs it; also how many produce requests the broker was sent.
fn run(load: Load, fake: Fake) -> (Done, Done, Tally, usize) {
    let network = NetworkFaults { delay_max: Duration::ZERO, ..NetworkFaults::default() };
    let mut simulation = Simulation::new(Options { network, ..Options::seed(7) });
    let broker = simulation.host("broker", Ipv4Addr::new(10, 0, 0, 1).into(), 1);
    let bench = simulation.host("bench", Ipv4Addr::new(10, 0, 0, 2).into(), 1);
    let fake = Shared::new(fake.into());
    let served = fake.clone();
    simulation.start(broker, move |reactor| serve(reactor, served.clone()));
    simulation.run_for(Duration::from_millis(1));
    let (sender, outcome) = mpsc::channel();
    simulation.start(bench, move |reactor| {
        let (sender, load) = (sender.clone(), load.clone());
        async move {
            let _ = sender.send(experiment(reactor, load).await.map_err(|error| error.to_string()));
            Ok(())
        }
    });
    assert!(
        simulation.run_until(|sim| !sim.is_running(bench), Duration::from_secs(600)),
        "it ends"
    );
    let (sent, read, tally) = outcome.try_recv().expect("an outcome").expect("a measurement");
    let requests = fake.borrow().requests;
    (sent, read, tally, requests)
}

#[test]
fn every_batch_is_a_request_of_its_own() {
    for (messages, batch, requests) in [(120, 1, 120), (120, 50, 3), (100, 50, 2)] {
        let (sent, read, tally, seen) = run(load(messages, batch), Fake::default());
        assert_eq!((sent.messages, read.messages, seen), (messages, messages, requests));
        assert!(tally.is_complete() && tally.corrupted() == 0);
        assert_eq!(tally.faults(), Faults::default());
    }
}

#[test]
fn no_more_than_the_window_is_unacknowledged() {
    // Answers take 10 ms: 2,000 messages one by one, of which 1,000 may be on their way, need 20 ms, not 2,000 times 10 ms.
    let delays = vec![Duration::from_millis(10)];
    let (sent, ..) = run(load(2_000, 1), Fake { delays: delays.clone(), ..Fake::default() });
    assert_eq!(sent.elapsed.as_millis(), 20);
    let (sent, ..) = run(load(3_000, 50), Fake { delays, ..Fake::default() });
    assert_eq!(sent.elapsed.as_millis(), 30);
}

#[test]
fn a_run_ends_with_its_time() {
    let delays = vec![Duration::from_millis(10)];
    let limit = Duration::from_millis(25);
    let load = Load { limit, ..load(1_000_000, 1) };
    let (sent, read, tally, _) = run(load, Fake { delays, ..Fake::default() });
    assert_eq!((sent.messages, read.messages), (3_000, 3_000));
    assert_eq!((sent.elapsed.as_millis(), tally.faults()), (30, Faults::default()));
}

#[test]
fn what_the_broker_does_wrong_is_found() {
    let none = Faults::default();
    let with = |tamper| {
        let fake = Fake { tamper: Some(tamper), ..Fake::default() };
        let (.., tally, _) = run(load(400, 1), fake);
        (tally.faults(), tally.corrupted())
    };
    assert_eq!(with(Tamper::Lose(100)), (Faults { lost: 1, ..none }, 0));
    assert_eq!(with(Tamper::Duplicate(399)), (Faults { duplicated: 1, ..none }, 0));
    assert_eq!(with(Tamper::Swap(100)), (Faults { reordered: 1, ..none }, 0));
    assert_eq!(with(Tamper::Corrupt(100)), (Faults { lost: 1, ..none }, 1));
}
