//! NATS JetStream: a stream of one subject in a file store. Its protocol has no batch: messages are published one by one, and
//! each is acknowledged.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::brokers::launch::{Launch, launch, pinned, told_version, version_in};
use crate::brokers::{Broker, free_ports};
use crate::workload::Durability;

const PROGRAM: &str = "nats-server";

fn version() -> Result<String, String> {
    let told = told_version(PROGRAM, "--version", "apt-get install nats-server")?;
    Ok(version_in(&told))
}

pub(super) fn prepare(durability: Durability) -> Result<(), String> {
    let version = version()?;
    if durability != Durability::Disk || knows_sync_always() {
        return Ok(());
    }
    Err(format!(
        "nats-server {version} does not sync before it acknowledges; 2.10 and newer can \
         (sync_interval: always): go install github.com/nats-io/nats-server/v2@latest, and put it first on PATH"
    ))
}

/// Whether this server takes `sync_interval: always`, which came with 2.10.
fn knows_sync_always() -> bool {
    let path = std::env::temp_dir().join(format!("ringlane-paper-nats-{}", std::process::id()));
    let text = "jetstream { store_dir: /tmp, sync_interval: always }\n";
    let written = fs::write(&path, text).is_ok();
    let mut check = Command::new(PROGRAM);
    check.arg("-t").arg("-c").arg(&path).stdin(Stdio::null());
    check.stdout(Stdio::null()).stderr(Stdio::null());
    let known = written && check.status().is_ok_and(|status| status.success());
    let _ = fs::remove_file(&path);
    known
}

pub(super) fn durability_means(durability: Durability) -> &'static str {
    match durability {
        Durability::Disk => "file store, sync_interval: always",
        _ => "file store, synced every two minutes (the default)",
    }
}

pub(super) fn start(
    directory: &Path,
    cpus: &[usize],
    durability: Durability,
) -> Result<Broker, String> {
    let port = free_ports(1)?;
    let name = format!("nats {}", version()?);
    let sync = if durability == Durability::Disk { "sync_interval: always" } else { "" };
    let text = format!(
        "host: 127.0.0.1\nport: {port}\njetstream {{\n  store_dir: \"{}\"\n  max_file_store: 1TB\n  {sync}\n}}\n",
        directory.join("data").display()
    );
    let config = directory.join("nats.conf");
    fs::write(&config, text).map_err(|error| format!("{}: {error}", config.display()))?;
    let mut command = pinned(PROGRAM, cpus);
    command.arg("-c").arg(&config);
    launch(Launch { name, port, directory }, &mut command, None)
}

#[cfg(feature = "paper")]
pub(super) mod client {
    //! Through the crate `async-nats`.

    use std::collections::VecDeque;
    use std::time::{Duration, Instant};

    use async_nats::jetstream::consumer::{AckPolicy, pull};
    use async_nats::jetstream::{self, Context, stream};
    use futures_util::StreamExt;
    use tokio::time::timeout;

    use crate::paper::load::{Done, Load, Messages, Tally, WINDOW};
    use crate::paper::systems::foreign::{GRACE, PATIENCE};

    type Outcome<T> = Result<T, async_nats::Error>;

    async fn connect(address: &str) -> Outcome<Context> {
        Ok(jetstream::new(async_nats::connect(address).await?))
    }

    pub(in super::super) async fn create(address: &str, load: &Load) -> Outcome<()> {
        let config = stream::Config {
            name: load.place.clone(),
            subjects: vec![load.place.clone()],
            storage: stream::StorageType::File,
            ..stream::Config::default()
        };
        connect(address).await?.create_stream(config).await?;
        Ok(())
    }

    pub(in super::super) async fn produce(address: &str, load: &Load) -> Outcome<Done> {
        let context = connect(address).await?;
        let (mut messages, mut waiting) = (Messages::new(load), VecDeque::new());
        let (began, mut sent) = (Instant::now(), 0);
        while let Some(count) = load.next_batch(sent, began.elapsed()) {
            for _ in 0..count {
                let value = messages.next().to_vec();
                waiting.push_back(context.publish(load.place.clone(), value.into()).await?);
            }
            sent += count;
            while waiting.len() as u64 >= WINDOW {
                waiting.pop_front().expect("something waits").await?;
            }
        }
        for acknowledgement in waiting {
            acknowledgement.await?;
        }
        Ok(Done { messages: sent, elapsed: began.elapsed() })
    }

    pub(in super::super) async fn consume(
        address: &str,
        load: &Load,
        mut tally: Tally,
    ) -> Outcome<(Done, Tally)> {
        let stream = connect(address).await?.get_stream(&load.place).await?;
        let config = pull::Config { ack_policy: AckPolicy::None, ..pull::Config::default() };
        let consumer = stream.create_consumer(config).await?;
        let (began, mut elapsed) = (Instant::now(), Duration::ZERO);
        let pulls = consumer.stream().max_messages_per_batch(WINDOW as usize);
        let mut messages = pulls.messages().await?;
        loop {
            let patience = if tally.is_complete() { GRACE } else { PATIENCE };
            let Ok(Some(message)) = timeout(patience, messages.next()).await else { break };
            tally.see(&message?.payload);
            if tally.is_complete() {
                elapsed = began.elapsed();
            }
        }
        Ok((Done { messages: tally.consumed(), elapsed }, tally))
    }
}
