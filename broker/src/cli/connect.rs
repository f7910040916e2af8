//! What every client command has: which cluster it talks to, and the shard that it runs on.

use std::io;
use std::time::Duration;

use clap::Args;
use ringlane_client::{Client, ClientConfig};
use ringlane_reactor::{Reactor, ShardConfig, run_shards};

use super::failure::Failure;

/// Which cluster to talk to.
#[derive(Args, Clone)]
pub(crate) struct Connect {
    /// A broker of the cluster; more than one separated by commas.
    // The alias is what Kafka's tools call it.
    #[arg(
        long,
        visible_alias = "bootstrap-server",
        value_name = "HOST:PORT",
        default_value = "127.0.0.1:9092",
        value_delimiter = ','
    )]
    bootstrap: Vec<String>,
    /// How long the cluster may take before the command gives up, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    timeout: u64,
}

impl Connect {
    /// The settings of a client for this command.
    pub(crate) fn config(&self) -> ClientConfig {
        let timeout = Duration::from_secs(self.timeout);
        let defaults = ClientConfig::new(self.bootstrap.iter().cloned());
        ClientConfig {
            connect_timeout: defaults.connect_timeout.min(timeout),
            request_timeout: defaults.request_timeout.min(timeout),
            retry_timeout: timeout,
            ..defaults
        }
    }

    /// How long the cluster may take.
    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout)
    }

    /// Runs `command` with a client of the cluster, on a shard of its own.
    pub(crate) fn run<F>(
        &self,
        command: impl Fn(Client) -> F + Send + Clone + 'static,
    ) -> Result<(), Failure>
    where
        F: Future<Output = Result<(), Failure>> + 'static,
    {
        self.run_with(|_| {}, command)
    }

    /// [`Self::run`] with other settings of the client.
    pub(crate) fn run_with<F>(
        &self,
        change: impl FnOnce(&mut ClientConfig),
        command: impl Fn(Client) -> F + Send + Clone + 'static,
    ) -> Result<(), Failure>
    where
        F: Future<Output = Result<(), Failure>> + 'static,
    {
        let mut config = self.config();
        change(&mut config);
        let main = move |reactor: Reactor| {
            let (config, command) = (config.clone(), command.clone());
            async move {
                let client = Client::connect(&reactor, config).await.map_err(Failure::from);
                let outcome = match client {
                    Ok(client) => command(client).await,
                    Err(failure) => Err(failure),
                };
                outcome.map_err(io::Error::other)
            }
        };
        run_shards(&ShardConfig::single(), main).map_err(|error| {
            match error.downcast::<Failure>() {
                Ok(failure) => failure,
                Err(error) => Failure::Failed(format!("the client cannot run: {error}")),
            }
        })
    }
}
