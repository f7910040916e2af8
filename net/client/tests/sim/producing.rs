//! What a producer promises: every record once, in order, and the truth about each.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use ringlane_batch::BatchView;
use ringlane_client::{Acks, Client, Error, Producer, ProducerConfig, ProducerRecord};
use ringlane_reactor::sim::CrashKind;
use ringlane_wire::ErrorCode;

use crate::fake::{Fake, PARTITIONS, Shared, TOPIC, start, world};

const RECORDS: usize = 300;

fn config() -> ProducerConfig {
    ProducerConfig { linger: Duration::from_millis(1), batch_bytes: 120, ..Default::default() }
}

/// Sends numbered records, in turn to each partition; what became of each.
async fn send_all(client: Client, config: ProducerConfig) -> Vec<Result<(usize, i64), Error>> {
    let producer = Producer::new(&client, config);
    let mut deliveries = Vec::new();
    for number in 0..RECORDS {
        let value = number.to_string();
        let record = ProducerRecord { value: Some(value.as_bytes()), ..Default::default() };
        let partition = Some((number % PARTITIONS) as i32);
        deliveries.push(producer.send(TOPIC, partition, &record).await.expect("a known topic"));
    }
    let _ = producer.flush().await;
    let mut ends = Vec::new();
    for delivery in deliveries {
        ends.push(delivery.await.map(|stored| (stored.partition as usize, stored.offset)));
    }
    ends
}

/// The numbers stored in a partition, with their offsets.
fn stored(fake: &Shared, partition: usize) -> Vec<(i64, usize)> {
    let mut numbers = Vec::new();
    for bytes in &fake.borrow().logs[partition] {
        let batch = BatchView::parse(bytes).expect("stored");
        for record in batch.records(1 << 20).expect("records").iter() {
            let record = record.expect("whole");
            let value = std::str::from_utf8(record.value.expect("a value")).expect("a number");
            numbers.push((record.offset.0, value.parse().expect("a number")));
        }
    }
    numbers
}

fn run(seed: u64, fake: &Shared, config: ProducerConfig) -> Vec<Result<(usize, i64), Error>> {
    let (mut simulation, _, host, client_config) = world(seed, fake);
    simulation.block_on(host, move |reactor| async move {
        let client = Client::connect(&reactor, client_config).await.expect("a broker");
        send_all(client, config).await
    })
}

#[test]
fn every_record_is_stored_once_and_in_order_whatever_fails() {
    for seed in 0..40 {
        let fake: Shared = Rc::new(RefCell::new(Fake {
            hangs_up_one_in: 9,
            refuses_one_in: 6,
            ..Default::default()
        }));
        let ends = run(seed, &fake, config());
        for partition in 0..PARTITIONS {
            let expected: Vec<usize> = (partition..RECORDS).step_by(PARTITIONS).collect();
            let stored = stored(&fake, partition);
            let numbers: Vec<usize> = stored.iter().map(|&(_, number)| number).collect();
            assert_eq!(numbers, expected, "seed {seed}");
            for (offset, number) in stored {
                assert_eq!(ends[number], Ok((partition, offset)), "seed {seed}");
            }
        }
    }
}

#[test]
fn without_idempotence_the_order_is_kept_too() {
    for seed in 0..20 {
        let fake: Shared = Rc::new(RefCell::new(Fake { refuses_one_in: 5, ..Default::default() }));
        let config = ProducerConfig { idempotent: false, acks: Acks::Leader, ..config() };
        let ends = run(seed, &fake, config);
        assert!(ends.iter().all(Result::is_ok), "seed {seed}");
        for partition in 0..PARTITIONS {
            let mut numbers: Vec<usize> = stored(&fake, partition).iter().map(|s| s.1).collect();
            // What was stored before an error is stored again by the retry.
            numbers.dedup();
            let mut batches = numbers.clone();
            batches.sort_unstable();
            batches.dedup();
            assert_eq!(batches.len(), RECORDS / PARTITIONS, "seed {seed}");
            let firsts: Vec<usize> = {
                let mut seen = std::collections::BTreeSet::new();
                numbers.into_iter().filter(|number| seen.insert(*number)).collect()
            };
            assert!(firsts.is_sorted(), "seed {seed}: {firsts:?}");
        }
    }
}

#[test]
fn a_rejected_batch_does_not_stop_the_others() {
    let fake: Shared =
        Rc::new(RefCell::new(Fake { rejects_partition: Some(1), ..Default::default() }));
    let ends = run(1, &fake, config());
    for (number, end) in ends.iter().enumerate() {
        let code = end.as_ref().err().and_then(Error::code);
        let expected = (number % PARTITIONS == 1).then_some(ErrorCode::INVALID_RECORD);
        assert_eq!(code, expected, "record {number}: {end:?}");
    }
}

/// A partition whose first batches were refused for good goes on under a new identity.
#[test]
fn what_follows_a_rejected_batch_is_stored() {
    let fake: Shared =
        Rc::new(RefCell::new(Fake { rejects_partition: Some(0), ..Default::default() }));
    let (mut simulation, _, host, client_config) = world(3, &fake);
    let own = fake.clone();
    simulation.block_on(host, move |reactor| async move {
        let client = Client::connect(&reactor, client_config).await.expect("a broker");
        let producer = Producer::new(&client, config());
        let record = ProducerRecord { value: Some(b"1"), ..Default::default() };
        let refused = producer.send(TOPIC, Some(0), &record).await.expect("a topic").await;
        assert_eq!(refused.expect_err("refused").code(), Some(ErrorCode::INVALID_RECORD));
        own.borrow_mut().rejects_partition = None;
        for _ in 0..5 {
            let stored = producer.send(TOPIC, Some(0), &record).await.expect("a topic").await;
            stored.expect("stored");
        }
    });
    assert_eq!(stored(&fake, 0).len(), 5);
}

#[test]
fn a_broker_that_dies_and_comes_back_is_found_again() {
    let fake: Shared = Rc::new(RefCell::new(Fake { refuses_one_in: 20, ..Default::default() }));
    let (mut simulation, broker, host, client_config) = world(5, &fake);
    simulation.block_on(host, {
        let client_config = client_config.clone();
        move |reactor| async move {
            let client = Client::connect(&reactor, client_config).await.expect("a broker");
            let sending = reactor.clone();
            let send = async move { drop(send_all(client, config()).await) };
            sending.spawn(ringlane_reactor::Queue::Client, send).detach();
        }
    });
    simulation.run_for(Duration::from_millis(3));
    simulation.crash(broker, CrashKind::Process);
    simulation.run_for(Duration::from_secs(5));
    start(&mut simulation, broker, &fake);
    simulation.run_for(Duration::from_secs(30));
    let total: usize = (0..PARTITIONS).map(|partition| stored(&fake, partition).len()).sum();
    assert_eq!(total, RECORDS);
}

#[test]
fn what_cannot_be_delivered_is_given_up_in_time() {
    let fake = Shared::default();
    let (mut simulation, broker, host, client_config) = world(7, &fake);
    let client = simulation.block_on(host, move |reactor| async move {
        let client = Client::connect(&reactor, client_config).await.expect("a broker");
        client.topic(TOPIC).await.expect("a topic");
        client
    });
    simulation.crash(broker, CrashKind::Process);
    let delivery_timeout = Duration::from_secs(5);
    let (error, took) = simulation.block_on(host, move |reactor| async move {
        let began = reactor.now();
        let producer = Producer::new(&client, ProducerConfig { delivery_timeout, ..config() });
        let record = ProducerRecord { value: Some(b"1"), ..Default::default() };
        let delivery = producer.send(TOPIC, Some(0), &record).await.expect("a known topic");
        (delivery.await.expect_err("nobody is there"), reactor.now() - began)
    });
    assert!(matches!(error, Error::NotDelivered { .. }), "{error}");
    assert!(took < delivery_timeout + Duration::from_secs(1), "{took:?}");
}
