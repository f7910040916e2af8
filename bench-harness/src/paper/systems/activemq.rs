//! Apache ActiveMQ ("Classic") with its default store, KahaDB, as in the paper; through AMQP 1.0, since no well-kept crate speaks
//! its own protocol. Messages are sent one by one; each is acknowledged.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::brokers::launch::{Launch, launch, pinned};
use crate::brokers::{Broker, check_java, free_ports};
use crate::workload::Durability;

const POM_PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/activemq/pom.xml");
const POM: &str = include_str!("../../../activemq/pom.xml");

/// As much as stock Kafka is given.
const HEAP: &str = "-Xmx1g";

/// The version in the list of jars.
fn version() -> &'static str {
    let value = POM.split_once("<activemq.version>").and_then(|(_, rest)| rest.split_once('<'));
    value.map_or("unknown", |(version, _)| version)
}

/// Where its jars are kept.
fn jars() -> PathBuf {
    let home = std::env::var_os("HOME").map_or_else(std::env::temp_dir, PathBuf::from);
    home.join(".cache/ringlane-bench").join(format!("activemq-{}", version()))
}

pub(super) fn prepare() -> Result<(), String> {
    check_java()?;
    let jars = jars();
    if jars.exists() {
        return Ok(());
    }
    eprintln!("fetching ActiveMQ {} with Maven ...", version());
    // Into a directory of its own first: an interrupted download leaves no half of it.
    let part = jars.with_extension("part");
    crate::brokers::remove(&part);
    let fetched = Command::new("mvn")
        .args(["-B", "-q", "-f", POM_PATH, "dependency:copy-dependencies"])
        .arg("-DincludeScope=runtime")
        .arg(format!("-DoutputDirectory={}", part.display()))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status();
    let is_fetched = fetched.is_ok_and(|status| status.success());
    if is_fetched && fs::rename(&part, &jars).is_ok() {
        return Ok(());
    }
    Err(format!(
        "ActiveMQ {} cannot be fetched: Maven (`mvn`) is needed, and a repository that it can reach; on Debian `apt-get install maven`",
        version()
    ))
}

pub(super) fn durability_means(durability: Durability) -> &'static str {
    match durability {
        Durability::Disk => "KahaDB, journalDiskSyncStrategy always; durable messages, AMQP 1.0",
        _ => "KahaDB, journalDiskSyncStrategy never; durable messages, AMQP 1.0",
    }
}

pub(super) fn start(
    directory: &Path,
    cpus: &[usize],
    durability: Durability,
) -> Result<Broker, String> {
    let port = free_ports(1)?;
    let name = format!("activemq {}", version());
    let config = directory.join("broker.xml");
    let text = configuration(directory, port, durability);
    fs::write(&config, text).map_err(|error| format!("{}: {error}", config.display()))?;
    let mut command = pinned("java", cpus);
    command
        .arg(HEAP)
        .arg("-cp")
        .arg(jars().join("*"))
        .args(["org.apache.activemq.console.command.ShellCommand", "start"])
        .arg(format!("xbean:file:{}", config.display()));
    launch(Launch { name, port, directory }, &mut command, None)
}

fn configuration(directory: &Path, port: u16, durability: Durability) -> String {
    let sync = if durability == Durability::Disk { "always" } else { "never" };
    let directory = directory.display();
    format!(
        r#"<beans xmlns="http://www.springframework.org/schema/beans" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
  xsi:schemaLocation="http://www.springframework.org/schema/beans http://www.springframework.org/schema/beans/spring-beans.xsd
    http://activemq.apache.org/schema/core http://activemq.apache.org/schema/core/activemq-core.xsd">
  <broker xmlns="http://activemq.apache.org/schema/core" brokerName="paper" dataDirectory="{directory}" useJmx="false">
    <persistenceAdapter>
      <kahaDB directory="{directory}/data" journalDiskSyncStrategy="{sync}"/>
    </persistenceAdapter>
    <transportConnectors>
      <transportConnector name="amqp" uri="amqp://127.0.0.1:{port}"/>
    </transportConnectors>
  </broker>
</beans>
"#
    )
}

#[cfg(feature = "paper")]
pub(super) mod client {
    //! Through the crate `fe2o3-amqp`, on one link.

    use std::collections::VecDeque;
    use std::time::{Duration, Instant};

    use fe2o3_amqp::connection::ConnectionHandle;
    use fe2o3_amqp::link::receiver::CreditMode;
    use fe2o3_amqp::sasl_profile::SaslProfile;
    use fe2o3_amqp::session::SessionHandle;
    use fe2o3_amqp::types::definitions::SenderSettleMode;
    use fe2o3_amqp::types::messaging::{Body, Data, Header, Message, Outcome as State};
    use fe2o3_amqp::types::primitives::{Binary, Value};
    use fe2o3_amqp::{Connection, Receiver, Sender, Session};
    use tokio::time::timeout;

    use crate::paper::load::{Done, Load, Messages, Tally, WINDOW};
    use crate::paper::systems::foreign::{GRACE, PATIENCE};

    type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

    async fn connect(address: &str) -> Outcome<(ConnectionHandle<()>, SessionHandle<()>)> {
        let url = format!("amqp://{address}");
        // It wants to know who asks, even if anybody may.
        let builder = Connection::builder().container_id("ringlane-bench-paper");
        let mut connection =
            builder.sasl_profile(SaslProfile::Anonymous).open(url.as_str()).await?;
        let session = Session::begin(&mut connection).await?;
        Ok((connection, session))
    }

    pub(in super::super) async fn produce(address: &str, load: &Load) -> Outcome<Done> {
        let (mut connection, mut session) = connect(address).await?;
        let mut sender = Sender::attach(&mut session, "producer", load.place.as_str()).await?;
        let (mut messages, mut waiting) = (Messages::new(load), VecDeque::new());
        let (began, mut sent) = (Instant::now(), 0);
        while let Some(count) = load.next_batch(sent, began.elapsed()) {
            for _ in 0..count {
                let data = Data(Binary::from(messages.next().to_vec()));
                let header = Header { durable: true, ..Header::default() };
                let message = Message::builder().header(header).data(data).build();
                waiting.push_back(sender.send_batchable(message).await?);
            }
            sent += count;
            while waiting.len() as u64 >= WINDOW {
                accepted(waiting.pop_front().expect("something waits").await?)?;
            }
        }
        for delivery in waiting {
            accepted(delivery.await?)?;
        }
        let elapsed = began.elapsed();
        sender.close().await?;
        session.end().await?;
        connection.close().await?;
        Ok(Done { messages: sent, elapsed })
    }

    fn accepted(state: State) -> Outcome<()> {
        match state {
            State::Accepted(_) => Ok(()),
            other => Err(format!("a message was not accepted: {other:?}").into()),
        }
    }

    /// The message as it was sent; nothing where the broker made something else of it.
    fn bytes(body: &Body<Value>) -> &[u8] {
        match body {
            Body::Data(sections) => sections.first().map_or(&[], |data| data.0.as_ref()),
            _ => &[],
        }
    }

    pub(in super::super) async fn consume(
        address: &str,
        load: &Load,
        mut tally: Tally,
    ) -> Outcome<(Done, Tally)> {
        let (mut connection, mut session) = connect(address).await?;
        let (began, mut elapsed) = (Instant::now(), Duration::ZERO);
        // As in the paper: acknowledged by being delivered.
        let mut receiver = Receiver::builder()
            .name("consumer")
            .source(load.place.as_str())
            .sender_settle_mode(SenderSettleMode::Settled)
            .credit_mode(CreditMode::Manual)
            .attach(&mut session)
            .await?;
        // The crate renews credit by itself only for what is settled by the receiver.
        const CREDIT: u32 = WINDOW as u32;
        receiver.set_credit(CREDIT).await?;
        loop {
            let patience = if tally.is_complete() { GRACE } else { PATIENCE };
            let next = receiver.recv::<Body<Value>>();
            let Ok(delivery) = timeout(patience, next).await else { break };
            tally.see(bytes(delivery?.body()));
            if tally.consumed().is_multiple_of(u64::from(CREDIT / 2)) {
                receiver.set_credit(CREDIT).await?;
            }
            if tally.is_complete() {
                elapsed = began.elapsed();
            }
        }
        receiver.close().await?;
        session.end().await?;
        connection.close().await?;
        Ok((Done { messages: tally.consumed(), elapsed }, tally))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_holds_what_was_asked_for() {
        let text = configuration(Path::new("/tmp/x"), 1234, Durability::Disk);
        assert!(text.contains("journalDiskSyncStrategy=\"always\""), "{text}");
        assert!(text.contains("amqp://127.0.0.1:1234\""), "{text}");
        let text = configuration(Path::new("/tmp/x"), 1234, Durability::PageCache);
        assert!(text.contains("directory=\"/tmp/x/data\" journalDiskSyncStrategy=\"never\""));
        assert!(version().starts_with(|c: char| c.is_ascii_digit()), "{}", version());
    }
}
