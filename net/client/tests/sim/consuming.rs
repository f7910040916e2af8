//! What a consumer promises: every record of its partitions once, in order.

use std::cell::RefCell;
use std::rc::Rc;

use ringlane_client::{
    Client, Consumer, ConsumerConfig, Error, Position, Producer, ProducerConfig, ProducerRecord,
};
use ringlane_wire::ErrorCode;

use crate::fake::{Fake, PARTITIONS, Shared, TOPIC, world};

const RECORDS: usize = 200;

async fn fill(client: &Client) {
    let producer = Producer::new(client, ProducerConfig { batch_bytes: 120, ..Default::default() });
    for number in 0..RECORDS {
        let value = number.to_string();
        let record = ProducerRecord { value: Some(value.as_bytes()), ..Default::default() };
        let partition = Some((number % PARTITIONS) as i32);
        producer.send(TOPIC, partition, &record).await.expect("a known topic");
    }
    producer.flush().await.expect("all is stored");
}

#[test]
fn every_record_is_read_once_and_in_order_whatever_fails() {
    for seed in 0..40 {
        let fake: Shared = Rc::default();
        let (mut simulation, _, host, config) = world(seed, &fake);
        let faults = fake.clone();
        let read = simulation.block_on(host, move |reactor| async move {
            let client = Client::connect(&reactor, config).await.expect("a broker");
            fill(&client).await;
            {
                let mut fake = faults.borrow_mut();
                (fake.hangs_up_one_in, fake.refuses_one_in) = (8, 6);
            }
            let mut consumer = Consumer::new(&client, ConsumerConfig::default());
            consumer.assign((0..PARTITIONS as i32).map(|p| (TOPIC, p, Position::Earliest)));
            let mut read: [Vec<usize>; PARTITIONS] = Default::default();
            while read.iter().map(Vec::len).sum::<usize>() < RECORDS {
                let fetched = consumer.poll().await.expect("what fails passes");
                let numbers = &mut read[fetched.partition as usize];
                let from = numbers.len();
                fetched
                    .for_each(|record| {
                        let value = std::str::from_utf8(record.value.expect("a value"));
                        numbers.push(value.expect("text").parse().expect("a number"));
                    })
                    .expect("whole batches");
                assert!(numbers.len() > from, "a piece has records");
                let position = consumer.position(TOPIC, fetched.partition);
                assert_eq!(position, Some(numbers.len() as i64), "seed {seed}");
            }
            read
        });
        for (partition, numbers) in read.iter().enumerate() {
            let expected: Vec<usize> = (partition..RECORDS).step_by(PARTITIONS).collect();
            assert_eq!(*numbers, expected, "seed {seed}");
        }
    }
}

#[test]
fn it_starts_in_the_middle_of_a_batch() {
    let fake: Shared = Rc::default();
    let (mut simulation, _, host, config) = world(1, &fake);
    simulation.block_on(host, move |reactor| async move {
        let client = Client::connect(&reactor, config).await.expect("a broker");
        fill(&client).await;
        let mut consumer = Consumer::new(&client, ConsumerConfig::default());
        for start in 0..20 {
            consumer.assign([(TOPIC, 2, Position::Offset(start))]);
            let mut offsets = Vec::new();
            let fetched = consumer.poll().await.expect("records");
            fetched.for_each(|record| offsets.push(record.offset.0)).expect("whole batches");
            assert_eq!(offsets[0], start);
        }
    });
}

#[test]
fn an_offset_that_is_gone_is_told() {
    let fake: Shared = Rc::new(RefCell::new(Fake::default()));
    let (mut simulation, _, host, config) = world(2, &fake);
    let error = simulation.block_on(host, move |reactor| async move {
        let client = Client::connect(&reactor, config).await.expect("a broker");
        let mut consumer = Consumer::new(&client, ConsumerConfig::default());
        consumer.assign([(TOPIC, 0, Position::Offset(99))]);
        consumer.poll().await.expect_err("nothing is there")
    });
    assert_eq!(error.code(), Some(ErrorCode::OFFSET_OUT_OF_RANGE));
    assert!(matches!(&error, Error::Refused(refusal) if refusal.subject == "t-0"), "{error}");
}
