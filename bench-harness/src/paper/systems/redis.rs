//! Redis Streams. A message is an entry of one stream; a batch is a pipeline of XADDs, sent in one piece. Redis keeps everything
//! in memory, and on disk in its append-only file, to which it writes before it answers.

use std::path::Path;

use crate::brokers::launch::{Launch, launch, pinned, told_version, version_in};
use crate::brokers::{Broker, free_ports};
use crate::workload::Durability;

const PROGRAM: &str = "redis-server";

/// What a batch is.
pub(super) const BATCH: &str = "a pipeline of XADDs, sent in one piece";

fn version() -> Result<String, String> {
    let told = told_version(PROGRAM, "--version", "apt-get install redis-server")?;
    Ok(version_in(&told))
}

pub(super) fn prepare() -> Result<(), String> {
    version().map(drop)
}

/// When the append-only file is synced.
fn appendfsync(durability: Durability) -> &'static str {
    if durability == Durability::Disk { "always" } else { "no" }
}

pub(super) fn durability_means(durability: Durability) -> &'static str {
    match durability {
        Durability::Disk => {
            "appendonly yes, appendfsync always: synced before each answer, for all that came together"
        }
        _ => {
            "appendonly yes, appendfsync no: written to the append-only file before the answer, never synced"
        }
    }
}

pub(super) fn start(
    directory: &Path,
    cpus: &[usize],
    durability: Durability,
) -> Result<Broker, String> {
    let port = free_ports(1)?;
    let name = format!("redis {}", version()?);
    let mut command = pinned(PROGRAM, cpus);
    command
        .args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--daemonize", "no"])
        .arg("--dir")
        .arg(directory)
        .args(["--appendonly", "yes", "--appendfsync", appendfsync(durability)])
        // No snapshots and no rewriting: the file is what was sent.
        .args(["--save", "", "--auto-aof-rewrite-percentage", "0"]);
    launch(Launch { name, port, directory }, &mut command, None)
}

#[cfg(feature = "paper")]
pub(super) mod client {
    //! Through the crate `redis`, on one multiplexed connection.

    use std::collections::VecDeque;
    use std::time::{Duration, Instant};

    use redis::aio::MultiplexedConnection;
    use redis::streams::{StreamReadOptions, StreamReadReply};
    use redis::{AsyncCommands, AsyncConnectionConfig, Client, RedisResult, Value};

    use crate::paper::load::{Done, Load, Messages, Tally, WINDOW};
    use crate::paper::systems::foreign::PATIENCE;

    const FIELD: &str = "m";

    async fn connect(address: &str) -> RedisResult<MultiplexedConnection> {
        let config = AsyncConnectionConfig::new()
            .set_response_timeout(Some(PATIENCE))
            .set_pipeline_buffer_size(WINDOW as usize);
        let client = Client::open(format!("redis://{address}/"))?;
        client.get_multiplexed_async_connection_with_config(&config).await
    }

    pub(in super::super) async fn produce(address: &str, load: &Load) -> RedisResult<Done> {
        let connection = connect(address).await?;
        let (mut messages, mut waiting) = (Messages::new(load), VecDeque::new());
        let (began, mut sent) = (Instant::now(), 0);
        while let Some(count) = load.next_batch(sent, began.elapsed()) {
            let mut pipeline = redis::Pipeline::with_capacity(count as usize);
            for _ in 0..count {
                pipeline.xadd(&load.place, "*", &[(FIELD, messages.next())]).ignore();
            }
            let mut connection = connection.clone();
            // Tasks begin in the order in which they are made, and what they send leaves in it.
            let send = async move { pipeline.query_async::<()>(&mut connection).await };
            waiting.push_back(tokio::spawn(send));
            sent += count;
            if waiting.len() >= load.batches_in_flight() {
                waiting.pop_front().expect("something waits").await.expect("it ends")?;
            }
        }
        for task in waiting {
            task.await.expect("it ends")?;
        }
        Ok(Done { messages: sent, elapsed: began.elapsed() })
    }

    pub(in super::super) async fn consume(
        address: &str,
        load: &Load,
        mut tally: Tally,
    ) -> RedisResult<(Done, Tally)> {
        let mut connection = connect(address).await?;
        let options = StreamReadOptions::default().count(WINDOW as usize);
        let (began, mut elapsed) = (Instant::now(), Duration::ZERO);
        let mut last = "0-0".to_owned();
        loop {
            let reply: Option<StreamReadReply> =
                connection.xread_options(&[&load.place], &[&last], &options).await?;
            let entries = reply.into_iter().flat_map(|reply| reply.keys).flat_map(|key| key.ids);
            let before = tally.consumed();
            for entry in entries {
                match entry.map.get(FIELD) {
                    Some(Value::BulkString(value)) => tally.see(value),
                    _ => tally.see(&[]),
                }
                last = entry.id;
            }
            // All that was acknowledged is there at once: nothing more means the end.
            if tally.consumed() == before {
                return Ok((Done { messages: before, elapsed }, tally));
            }
            elapsed = began.elapsed();
        }
    }
}
