//! Transactions against a broker that has them, held against what readers see: committed, aborted in several ways, fenced.
//!
//! ```sh
//! cargo run -p ringlane-client --example transactions -- 127.0.0.1:9092
//! ```

use std::process::ExitCode;
use std::time::Duration;

use ringlane_client::{
    Admin, Client, ClientConfig, Consumer, ConsumerConfig, Error, Isolation, NewTopic, Position,
    Producer, ProducerConfig, ProducerRecord,
};
use ringlane_reactor::{Reactor, ShardConfig, run_shards};

const PARTITIONS: i32 = 3;

fn main() -> ExitCode {
    let Some(target) = std::env::args().nth(1) else {
        eprintln!("usage: transactions HOST:PORT");
        return ExitCode::from(2);
    };
    let run = move |reactor: Reactor| {
        let target = target.clone();
        async move {
            let outcome = story(&reactor, &target).await;
            outcome.map_err(|error| std::io::Error::other(error.to_string()))
        }
    };
    match run_shards(&ShardConfig::single(), run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn story(reactor: &Reactor, target: &str) -> Result<(), Error> {
    let client = Client::connect(reactor, ClientConfig::new([target])).await?;
    let name = format!("transactions-{:08x}", reactor.random_u64() as u32);
    let admin = Admin::new(&client);
    admin.create_topic(&NewTopic::new(&name, PARTITIONS)).await?;
    let outcome = tell(&client, &name).await;
    admin.delete_topic(&name).await?;
    outcome
}

async fn tell(client: &Client, name: &str) -> Result<(), Error> {
    let producer = transactional(client, name);
    producer.init_transactions().await?;

    send(&producer, name, 0..100).await?;
    producer.commit_transaction().await?;

    send(&producer, name, 100..200).await?;
    producer.flush().await?;
    producer.abort_transaction().await?;

    // Aborted before most of it was sent.
    send(&producer, name, 200..300).await?;
    producer.abort_transaction().await?;

    send(&producer, name, 300..400).await?;
    producer.commit_transaction().await?;

    // One record that the broker refuses fails them all.
    send(&producer, name, 450..460).await?;
    let too_large = vec![b'0'; 2 << 20];
    let record = ProducerRecord { value: Some(&too_large), ..Default::default() };
    drop(producer.send(name, Some(0), &record).await?);
    let refused = producer.commit_transaction().await.expect_err("the record is too large");
    println!("refused: {refused}");
    producer.abort_transaction().await?;

    // Nothing in it, and many in a row.
    producer.begin_transaction()?;
    producer.commit_transaction().await?;
    for number in 400..420 {
        send(&producer, name, number..number + 1).await?;
        producer.commit_transaction().await?;
    }

    let plain = Producer::new(client, ProducerConfig::default());
    send_plain(&plain, name, 420..430).await?;

    // Left open, and ended by the next producer with the same id.
    send(&producer, name, 500..510).await?;
    producer.flush().await?;
    let next = transactional(client, name);
    next.init_transactions().await?;
    let fenced = producer.commit_transaction().await.expect_err("the producer is fenced");
    println!("fenced: {fenced}");
    assert_eq!(producer.begin_transaction(), Err(fenced), "it can do nothing any more");
    send(&next, name, 600..700).await?;
    next.commit_transaction().await?;

    let committed: Vec<u32> = (0..100).chain(300..430).chain(600..700).collect();
    let read = read(client, name, Isolation::ReadCommitted, committed.len()).await?;
    assert_eq!(read, committed, "committed records, each once");
    println!("read committed: {} records", read.len());
    let all = read_all(client, name).await?;
    assert!(committed.iter().all(|number| all.contains(number)));
    assert!((100..200).chain(500..510).all(|number| all.contains(&number)), "aborted ones, too");
    println!("read uncommitted: {} records", all.len());
    Ok(())
}

fn transactional(client: &Client, id: &str) -> Producer {
    let transactional_id = Some(id.to_owned());
    Producer::new(client, ProducerConfig { transactional_id, ..ProducerConfig::default() })
}

/// Begins a transaction with these records.
async fn send(
    producer: &Producer,
    topic: &str,
    numbers: std::ops::Range<u32>,
) -> Result<(), Error> {
    producer.begin_transaction()?;
    send_plain(producer, topic, numbers).await
}

async fn send_plain(
    producer: &Producer,
    topic: &str,
    numbers: std::ops::Range<u32>,
) -> Result<(), Error> {
    for number in numbers {
        let value = number.to_string();
        let record = ProducerRecord { value: Some(value.as_bytes()), ..Default::default() };
        drop(producer.send(topic, Some(number as i32 % PARTITIONS), &record).await?);
    }
    Ok(())
}

/// So many records, sorted.
async fn read(
    client: &Client,
    topic: &str,
    isolation: Isolation,
    count: usize,
) -> Result<Vec<u32>, Error> {
    let mut consumer = reader(client, topic, isolation);
    let mut numbers = Vec::new();
    while numbers.len() < count {
        take(&consumer.poll().await?, &mut numbers)?;
    }
    // More than expected would come now.
    let more = client.reactor().timeout(Duration::from_millis(700), consumer.poll()).await;
    if let Ok(more) = more {
        take(&more?, &mut numbers)?;
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// Everything up to the end, sorted.
async fn read_all(client: &Client, topic: &str) -> Result<Vec<u32>, Error> {
    let ends: Vec<(i32, Position)> = (0..PARTITIONS).map(|p| (p, Position::Latest)).collect();
    let ends = client.list_offsets(topic, &ends).await?;
    let mut consumer = reader(client, topic, Isolation::ReadUncommitted);
    let mut numbers = Vec::new();
    let is_there = |consumer: &Consumer| {
        let mut ends = ends.iter();
        ends.all(|end| consumer.position(topic, end.partition).is_some_and(|at| at >= end.offset))
    };
    while !is_there(&consumer) {
        take(&consumer.poll().await?, &mut numbers)?;
    }
    numbers.sort_unstable();
    Ok(numbers)
}

fn reader(client: &Client, topic: &str, isolation: Isolation) -> Consumer {
    let mut consumer = Consumer::new(client, ConsumerConfig { isolation, ..Default::default() });
    consumer.assign((0..PARTITIONS).map(|partition| (topic, partition, Position::Earliest)));
    consumer
}

fn take(fetched: &ringlane_client::Fetched, numbers: &mut Vec<u32>) -> Result<(), Error> {
    fetched.for_each(|record| {
        let value = std::str::from_utf8(record.value.expect("a value")).expect("a text");
        numbers.push(value.parse().expect("a number"));
    })
}
