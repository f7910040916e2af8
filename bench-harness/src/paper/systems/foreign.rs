//! The clients of brokers that do not speak Kafka's protocol, each run to its end on a small runtime of one thread. A build
//! without the feature `paper` has none of them, and says how to get them.

use super::{Session, System};
use crate::paper::load::{Done, Load, Tally};

#[cfg(feature = "paper")]
pub(super) use with::{consume, create, produce};
#[cfg(not(feature = "paper"))]
pub(super) use without::{consume, create, produce};

/// A consumer waits so long for what was acknowledged.
#[cfg(feature = "paper")]
pub(super) const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);

/// How long to look for more than was expected.
#[cfg(feature = "paper")]
pub(super) const GRACE: std::time::Duration = std::time::Duration::from_millis(200);

/// What a build without clients says.
#[cfg(not(feature = "paper"))]
const NO_CLIENT: &str = "this build has no client for it: build with --features paper";

/// Whether this build has the clients.
///
/// # Errors
/// How to build one that has.
#[cfg(feature = "paper")]
pub(super) fn check() -> Result<(), String> {
    Ok(())
}

#[cfg(not(feature = "paper"))]
pub(super) fn check() -> Result<(), String> {
    Err(NO_CLIENT.to_owned())
}

#[cfg(feature = "paper")]
mod with {
    use super::super::{activemq, nats, rabbitmq, redis};
    use super::*;

    fn run<T, E: ToString>(work: impl Future<Output = Result<T, E>>) -> Result<T, String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| format!("the client cannot run: {error}"))?;
        runtime.block_on(work).map_err(|error| error.to_string())
    }

    /// The same for a producer, whose broker may stop answering.
    fn run_bounded<E: ToString>(
        load: &Load,
        work: impl Future<Output = Result<Done, E>>,
    ) -> Result<Done, String> {
        let limit = load.limit + PATIENCE;
        run(async {
            match tokio::time::timeout(limit, work).await {
                Ok(outcome) => outcome.map_err(|error| error.to_string()),
                Err(_) => Err(format!("messages were not acknowledged for {PATIENCE:?}")),
            }
        })
    }

    pub(in super::super) fn create(
        system: System,
        session: &Session<'_>,
        load: &Load,
    ) -> Result<(), String> {
        let address = &session.broker.address;
        match system {
            System::Rabbitmq => run(rabbitmq::client::create(address, load, session.durability)),
            System::Nats => run(nats::client::create(address, load)),
            // A first message makes them.
            System::Redis | System::Activemq => Ok(()),
            System::Ringlane | System::Kafka => unreachable!("they have a client of ours"),
        }
    }

    pub(in super::super) fn produce(
        system: System,
        session: &Session<'_>,
        load: &Load,
    ) -> Result<Done, String> {
        let address = &session.broker.address;
        match system {
            System::Activemq => run_bounded(load, activemq::client::produce(address, load)),
            System::Rabbitmq => run_bounded(load, rabbitmq::client::produce(address, load)),
            System::Nats => run_bounded(load, nats::client::produce(address, load)),
            System::Redis => run_bounded(load, redis::client::produce(address, load)),
            System::Ringlane | System::Kafka => unreachable!("they have a client of ours"),
        }
    }

    pub(in super::super) fn consume(
        system: System,
        session: &Session<'_>,
        load: &Load,
        tally: Tally,
    ) -> Result<(Done, Tally), String> {
        let address = &session.broker.address;
        match system {
            System::Activemq => run(activemq::client::consume(address, load, tally)),
            System::Rabbitmq => run(rabbitmq::client::consume(address, load, tally)),
            System::Nats => run(nats::client::consume(address, load, tally)),
            System::Redis => run(redis::client::consume(address, load, tally)),
            System::Ringlane | System::Kafka => unreachable!("they have a client of ours"),
        }
    }
}

#[cfg(not(feature = "paper"))]
mod without {
    use super::*;

    pub(in super::super) fn create(_: System, _: &Session<'_>, _: &Load) -> Result<(), String> {
        check()
    }

    pub(in super::super) fn produce(_: System, _: &Session<'_>, _: &Load) -> Result<Done, String> {
        Err(NO_CLIENT.to_owned())
    }

    pub(in super::super) fn consume(
        _: System,
        _: &Session<'_>,
        _: &Load,
        _: Tally,
    ) -> Result<(Done, Tally), String> {
        Err(NO_CLIENT.to_owned())
    }
}
