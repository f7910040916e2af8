//! `ringlane start`: from settings to a running broker.

use std::io::{self, IsTerminal};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use ringlane::config::{self, BrokerConfig, Endpoint, Loaded};
use ringlane::descriptors::Descriptors;
use ringlane::server::{Addresses, Broker};
use ringlane_reactor::{
    AddressReservation, Severity, ShardConfig, allowed_cpus, hostname, open_files_max, preflight,
    read_to_string, reserve_address, resolve, run_shards,
};
use tracing::{info, warn};
use tracing_subscriber::EnvFilter;

/// Run a broker, with its controller in it.
///
/// Without arguments it listens on 127.0.0.1:9092, keeps its data in ./ringlane-data and runs one shard on each core that
/// it may use. Settings have Kafka's names; ours begin with `ringlane.`.
#[derive(Args)]
#[command(after_help = "Examples:
  ringlane start
  ringlane start --config server.properties
  ringlane start --set listeners=PLAINTEXT://0.0.0.0:9092 --set log.dirs=/var/lib/ringlane
  ringlane start --list-settings")]
pub(crate) struct Start {
    /// Settings in Kafka's server.properties format.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// One setting; wins over the file. May be given more than once.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
    /// Show every setting with its default and meaning, and end.
    #[arg(long)]
    list_settings: bool,
}

impl Start {
    pub(crate) fn run(self) -> Result<(), String> {
        if self.list_settings {
            list_settings();
            return Ok(());
        }
        log_to_stderr();
        let config = self.load()?;
        let cpus = shard_cpus(&config)?;
        let shards = u16::try_from(cpus.len()).map_err(|_| "ringlane.shards: too many")?;
        check_host(shards)?;
        let addresses = reserve(&config, shards)?;
        let shard_config = ShardConfig {
            spin: Duration::from_micros(config.spin_us.unsigned_abs()),
            receive_buffer_bytes: config.receive_buffer_bytes as usize,
            ..ShardConfig::on(cpus)
        };
        let descriptors = Descriptors::within(open_files_max());
        let broker = Broker::new(config, addresses, shards, descriptors, move |address| {
            println!("ringlane ready on {address}");
        });
        let outcome = run_shards(&shard_config, move |reactor| broker.clone().run_shard(reactor));
        outcome.map_err(|error| error.to_string())
    }

    fn load(&self) -> Result<BrokerConfig, String> {
        let file = match &self.config {
            None => None,
            Some(path) => {
                let text = read_to_string(path)
                    .map_err(|error| format!("cannot read --config {}: {error}", path.display()))?;
                Some((path.display().to_string(), text))
            }
        };
        let file = file.as_ref().map(|(name, text)| (name.as_str(), text.as_str()));
        let mut loaded = config::load(file, &self.settings).map_err(|error| error.to_string())?;
        take_disk_profile(&mut loaded);
        for warning in &loaded.warnings {
            warn!("{warning}");
        }
        Ok(loaded.config)
    }
}

/// The journal sizes for the disks of the data directories, where they were measured (`ringlane tune disk`).
fn take_disk_profile(loaded: &mut Loaded) {
    let found = loaded.config.log_directories().into_iter().filter_map(|directory| {
        let path = directory.join(ringlane_tuning::disk::FILE);
        match read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            text => Some((path.display().to_string(), text.map_err(|error| error.to_string()))),
        }
    });
    let places = loaded.take_disk_profiles(found.collect());
    if !places.is_empty() {
        let config = &loaded.config;
        info!(
            file_bytes = config.journal_file_bytes,
            files = config.journal_files,
            "the journal of each shard has the sizes of {}",
            places.join(", "),
        );
    }
}

fn list_settings() {
    let defaults = BrokerConfig::defaults();
    for setting in BrokerConfig::SETTINGS {
        let default = defaults.show(setting.name).unwrap_or_default();
        println!("{}={default}\n    {}", setting.name, setting.doc);
    }
}

/// Logs go to standard error; `RINGLANE_LOG` says how much, as in `RINGLANE_LOG=debug`.
fn log_to_stderr() {
    let filter = EnvFilter::try_from_env("RINGLANE_LOG")
        .unwrap_or_else(|_| EnvFilter::new("info,openraft=error,glommio=warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .init();
}

fn check_host(shards: u16) -> Result<(), String> {
    for finding in preflight(shards) {
        match finding.severity {
            Severity::Prevents => return Err(finding.sentence),
            Severity::Limits => warn!("{}", finding.sentence),
        }
    }
    Ok(())
}

/// The CPU of each shard: the allowed ones in turn, more than once where there are more shards.
fn shard_cpus(config: &BrokerConfig) -> Result<Vec<usize>, String> {
    let allowed = allowed_cpus();
    if allowed.is_empty() {
        return Err("this process may not run on any CPU: check its affinity (taskset -p)".into());
    }
    let shards = match usize::try_from(config.shards).unwrap_or(0) {
        0 => allowed.len(),
        shards => shards,
    };
    Ok(allowed.iter().copied().cycle().take(shards).collect())
}

fn reserve(config: &BrokerConfig, shards: u16) -> Result<Addresses, String> {
    let default = Endpoint { name: "PLAINTEXT".into(), host: "127.0.0.1".into(), port: 9092 };
    let endpoint = config.listeners.0.first().unwrap_or(&default);
    let host = if endpoint.host.is_empty() { "0.0.0.0" } else { &endpoint.host };
    let address = resolve(host, endpoint.port)
        .map_err(|error| format!("listeners: the host {host} has no address: {error}"))?;
    let shared = reserve_one(address)?;
    let cores = match config.core_endpoints {
        true => reserve_cores(address, shards)?,
        false => Vec::new(),
    };
    let advertised = config.advertised_listeners.0.first();
    let advertised_port = match advertised.map_or(endpoint.port, |advertised| advertised.port) {
        0 => shared.address().port(),
        port => port,
    };
    let advertised_host = match advertised
        .map_or(endpoint.host.as_str(), |advertised| &advertised.host)
    {
        "" | "0.0.0.0" | "::" => hostname().map_err(|error| {
            format!("advertised.listeners is not set, and this host's name cannot be read: {error}")
        })?,
        host => host.to_owned(),
    };
    Ok(Addresses { shared, cores, advertised_host, advertised_port })
}

/// An address for each core: the ports after the listener's, or, as the listener's own, any free ones if that is 0.
fn reserve_cores(listener: SocketAddr, shards: u16) -> Result<Vec<AddressReservation>, String> {
    let mut cores = Vec::new();
    for shard in 0..shards {
        let port = match listener.port() {
            0 => 0,
            port => port
                .checked_add(1 + shard)
                .ok_or("ringlane.core.endpoints: no ports are left above the listener's")?,
        };
        cores.push(reserve_one(SocketAddr::new(listener.ip(), port))?);
    }
    Ok(cores)
}

fn reserve_one(address: SocketAddr) -> Result<AddressReservation, String> {
    reserve_address(address).map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => format!(
            "another process listens on {address}: stop it, or set listeners=PLAINTEXT://{}:PORT to a free port",
            address.ip()
        ),
        io::ErrorKind::PermissionDenied => format!(
            "no permission to listen on {address}: ports below 1024 need CAP_NET_BIND_SERVICE; set listeners to a higher port"
        ),
        _ => format!("cannot listen on {address}: {error}; check listeners"),
    })
}
