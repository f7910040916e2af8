//! RabbitMQ: a durable queue, persistent messages, publisher confirms. AMQP 0.9.1 has no batch: messages are published one by
//! one, and the broker confirms any number at once.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::brokers::launch::{Launch, launch, pinned, told_version};
use crate::brokers::{Broker, Running, free_ports};
use crate::workload::Durability;

/// What the package's own script runs once it has changed to the package's user: we stay who we are.
const PROGRAM: &str = "/usr/lib/rabbitmq/bin/rabbitmq-server";
/// The folder that carries the version in its name.
const LIBRARY: &str = "/usr/lib/rabbitmq/lib";
/// Erlang's register of names, which a node asks for its own.
const EPMD: &str = "epmd";
const ADVICE: &str = "apt-get install rabbitmq-server";

fn version() -> Result<String, String> {
    let folders = fs::read_dir(LIBRARY).map_err(|_| format!("not installed: {ADVICE}"))?;
    let names = folders.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut versions =
        names.filter_map(|name| name.strip_prefix("rabbitmq_server-").map(str::to_owned));
    versions.next().ok_or_else(|| format!("not installed: {ADVICE}"))
}

pub(super) fn prepare() -> Result<(), String> {
    version()?;
    told_version(EPMD, "-help", ADVICE).map(drop)
}

pub(super) fn durability_means(durability: Durability) -> &'static str {
    match durability {
        Durability::Disk => "quorum queue: confirmed once its log is synced",
        _ => "classic durable queue, persistent messages: confirmed once they are written",
    }
}

pub(super) fn start(directory: &Path, cpus: &[usize]) -> Result<Broker, String> {
    // For clients, for other nodes, and for the register of names.
    let port = free_ports(3)?;
    let name = format!("rabbitmq {}", version()?);
    let failed = |error: std::io::Error| format!("{name} did not start: {error}");
    let config = directory.join("rabbitmq.conf");
    let text = format!("listeners.tcp.1 = 127.0.0.1:{port}\nlog.file.level = warning\n");
    fs::write(&config, text).map_err(failed)?;
    fs::write(directory.join("enabled_plugins"), "[].\n").map_err(failed)?;
    let register = (port + 2).to_string();
    let epmd = Command::new(EPMD)
        .args(["-address", "127.0.0.1", "-port", &register])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(failed)?;
    let epmd = Running::new(epmd);
    let mut command = pinned(PROGRAM, cpus);
    command
        // The node's secret for other nodes is kept in the home directory.
        .env("HOME", directory)
        .env("ERL_EPMD_ADDRESS", "127.0.0.1")
        .env("ERL_EPMD_PORT", register)
        .env("RABBITMQ_NODENAME", "paper@localhost")
        .env("RABBITMQ_DIST_PORT", (port + 1).to_string())
        .env("RABBITMQ_CONFIG_FILE", config)
        .env("RABBITMQ_ENABLED_PLUGINS_FILE", directory.join("enabled_plugins"))
        .env("RABBITMQ_MNESIA_BASE", directory.join("data"))
        .env("RABBITMQ_LOG_BASE", directory.join("log"))
        .env("RABBITMQ_PID_FILE", directory.join("pid"))
        .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "-kernel inet_dist_use_interface {127,0,0,1}");
    launch(Launch { name: name.clone(), port, directory }, &mut command, Some(epmd))
}

#[cfg(feature = "paper")]
pub(super) mod client {
    //! Through the crate `lapin`, on one channel.

    use std::collections::VecDeque;
    use std::time::{Duration, Instant};

    use futures_util::StreamExt;
    use lapin::options::{
        BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions,
    };
    use lapin::types::{AMQPValue, FieldTable};
    use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties};
    use tokio::time::timeout;

    use crate::paper::load::{Done, Load, Messages, Tally, WINDOW};
    use crate::paper::systems::foreign::{GRACE, PATIENCE};
    use crate::workload::Durability;

    /// What keeps a message through a restart of the broker.
    const PERSISTENT: u8 = 2;

    type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

    async fn connect(address: &str) -> Outcome<(Connection, Channel)> {
        let uri = format!("amqp://guest:guest@{address}/%2f");
        let connection = Connection::connect(&uri, ConnectionProperties::default()).await?;
        let channel = connection.create_channel().await?;
        Ok((connection, channel))
    }

    pub(in super::super) async fn create(
        address: &str,
        load: &Load,
        durability: Durability,
    ) -> Outcome<()> {
        let (_connection, channel) = connect(address).await?;
        let kind = if durability == Durability::Disk { "quorum" } else { "classic" };
        let mut arguments = FieldTable::default();
        arguments.insert("x-queue-type".into(), AMQPValue::LongString(kind.into()));
        let options = QueueDeclareOptions::durable();
        channel.queue_declare(load.place.as_str().into(), options, arguments).await?;
        Ok(())
    }

    pub(in super::super) async fn produce(address: &str, load: &Load) -> Outcome<Done> {
        let (_connection, channel) = connect(address).await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        let properties = BasicProperties::default().with_delivery_mode(PERSISTENT);
        let (mut messages, mut waiting) = (Messages::new(load), VecDeque::new());
        let (began, mut sent) = (Instant::now(), 0);
        while let Some(count) = load.next_batch(sent, began.elapsed()) {
            for _ in 0..count {
                let options = BasicPublishOptions::default();
                let (value, queue) = (messages.next(), load.place.as_str().into());
                let properties = properties.clone();
                let confirm =
                    channel.basic_publish("".into(), queue, options, value, properties).await?;
                waiting.push_back(confirm);
            }
            sent += count;
            while waiting.len() as u64 >= WINDOW {
                confirmed(waiting.pop_front().expect("something waits").await?)?;
            }
        }
        for confirm in waiting {
            confirmed(confirm.await?)?;
        }
        Ok(Done { messages: sent, elapsed: began.elapsed() })
    }

    fn confirmed(confirmation: Confirmation) -> Outcome<()> {
        match confirmation {
            Confirmation::Ack(None) => Ok(()),
            other => Err(format!("a message was not confirmed: {other:?}").into()),
        }
    }

    pub(in super::super) async fn consume(
        address: &str,
        load: &Load,
        mut tally: Tally,
    ) -> Outcome<(Done, Tally)> {
        let (_connection, channel) = connect(address).await?;
        let (began, mut elapsed) = (Instant::now(), Duration::ZERO);
        // As in the paper: acknowledged by being delivered.
        let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
        let (queue, arguments) = (load.place.as_str().into(), FieldTable::default());
        let mut consumer = channel.basic_consume(queue, "paper".into(), options, arguments).await?;
        loop {
            let patience = if tally.is_complete() { GRACE } else { PATIENCE };
            let Ok(Some(delivery)) = timeout(patience, consumer.next()).await else { break };
            tally.see(&delivery?.data);
            if tally.is_complete() {
                elapsed = began.elapsed();
            }
        }
        Ok((Done { messages: tally.consumed(), elapsed }, tally))
    }
}
