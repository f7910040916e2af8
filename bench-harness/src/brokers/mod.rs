//! Broker processes on this host. The one place of the load generator beside the reactor that touches the operating system:
//! brokers are started, pinned, looked at and ended here, while no shard of ours runs.
#![expect(clippy::disallowed_methods, reason = "processes are no business of a reactor")]

mod commit;
mod external;
mod guard;
pub(crate) mod launch;
mod listening;
mod page_cache;
mod ringlane;
mod running;
mod settle;
mod stock_kafka;
mod stopwatch;

use std::any::Any;
use std::fs;
use std::io::{self, Read};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::str::FromStr;

use crate::scenario::Scenario;
use crate::workload::Durability;

use settle::DELETE_SOON;

pub(crate) use commit::Commit;
pub(crate) use external::External;
pub(crate) use listening::listening_pid;
pub(crate) use page_cache::drop_from_page_cache;
pub(crate) use running::Running;
pub(crate) use settle::settle_disk;
pub(crate) use stock_kafka::check_java;
pub(crate) use stopwatch::Stopwatch;

/// The content of a file of at most `bytes_max`.
///
/// # Errors
/// As open(2) and read(2); `FileTooLarge` above the bound.
pub(crate) fn read_file(path: &Path, bytes_max: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(bytes_max as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > bytes_max { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes) }
}

/// A broker that can be started here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// This build's.
    Ringlane,
    /// Stock Apache Kafka.
    Kafka,
    /// Any other that speaks Kafka's protocol.
    External(External),
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "ringlane" => Ok(Self::Ringlane),
            "kafka" => Ok(Self::Kafka),
            _ => text.parse().map(Self::External),
        }
    }
}

impl Kind {
    /// Its name in file names.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Ringlane => "ringlane",
            Self::Kafka => "kafka",
            Self::External(external) => &external.name,
        }
    }

    /// The only durability at which it can be measured; none where it can be told which.
    pub(crate) fn declared(&self) -> Option<Durability> {
        match self {
            Self::Ringlane | Self::Kafka => None,
            Self::External(external) => Some(external.durability),
        }
    }

    /// Whether it offers what `scenario` is about, as far as that is known before it runs.
    ///
    /// # Errors
    /// A sentence that says what to do.
    pub(crate) fn check_offers(&self, scenario: &Scenario) -> Result<(), String> {
        match self {
            Self::Ringlane if scenario.has_transactions() => Err(
                "ringlane does not offer transactions; leave out --transaction-duration, or compare others, as in --target kafka"
                    .into(),
            ),
            _ => Ok(()),
        }
    }

    /// Looks for what nobody but the user can install. Quick: whoever lacks it learns so before anything is built.
    ///
    /// # Errors
    /// A sentence that says what is missing and how to get it.
    pub(crate) fn check(&self) -> Result<(), String> {
        match self {
            Self::Ringlane | Self::External(_) => Ok(()),
            Self::Kafka => stock_kafka::check_java(),
        }
    }

    /// Gets what it needs in order to start: builds or downloads it.
    ///
    /// # Errors
    /// A sentence that says what is missing and how to get it.
    pub(crate) fn prepare(&self) -> Result<(), String> {
        match self {
            Self::Ringlane => ringlane::prepare(),
            Self::Kafka => stock_kafka::prepare(),
            Self::External(_) => Ok(()),
        }
    }

    /// Starts it on 127.0.0.1 with its data in `directory`, pinned to `cpus`, with broker settings (`KEY=VALUE`) besides,
    /// and waits until it serves.
    ///
    /// # Errors
    /// A sentence, with the end of its log.
    pub(crate) fn start(
        &self,
        directory: &Path,
        cpus: &[usize],
        settings: &[&str],
    ) -> Result<Broker, String> {
        fs::create_dir_all(directory)
            .map_err(|error| format!("{} cannot be made: {error}", directory.display()))?;
        match self {
            Self::Ringlane => {
                ringlane::start(directory, cpus, &[settings, &[DELETE_SOON]].concat())
            }
            Self::Kafka => {
                stock_kafka::start(directory, cpus, &[settings, &[DELETE_SOON]].concat())
            }
            Self::External(external) => external.start(directory, cpus),
        }
    }

    /// The settings with which retention runs all the time: once a second, from the start.
    pub(crate) fn busy_retention(&self) -> &'static [&'static str] {
        match self {
            Self::Ringlane => &["log.retention.check.interval.ms=1000"],
            Self::Kafka => {
                &["log.retention.check.interval.ms=1000", "log.initial.task.delay.ms=1000"]
            }
            // Its user's command says what it does.
            Self::External(_) => &[],
        }
    }
}

/// A broker that was started here. Dropping it ends the process.
pub(crate) struct Broker {
    /// What it calls itself, with its version.
    pub(crate) name: String,
    /// `host:port`.
    pub(crate) address: String,
    /// Its process.
    pub(crate) pid: u32,
    /// How long it took from its start until it served, in seconds.
    pub(crate) start_s: f64,
    /// Where acknowledged records are, where its user says so and not the broker.
    pub(crate) declared: Option<Durability>,
    #[expect(dead_code, reason = "held for its drop")]
    pub(crate) process: Box<dyn Any>,
}

/// The wall clock, in ms since the epoch.
pub(crate) fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as i64)
}

/// Removes a directory and all in it, as far as that goes.
pub(crate) fn remove(directory: &Path) {
    let _ = fs::remove_dir_all(directory);
}

/// A list of CPUs as taskset(1) wants it.
pub(crate) fn cpu_list(cpus: &[usize]) -> String {
    cpus.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

/// The first of `count` ports in a row that nobody listens on, below those that the kernel gives to clients.
pub(crate) fn free_ports(count: u16) -> Result<u16, String> {
    let taken = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_err();
    let first = 20_000 + (std::process::id() % 1_000) as u16 * 10;
    let mut candidates = (first..32_000).step_by(10);
    let free = candidates.find(|port| !(*port..port + count).any(taken));
    free.ok_or_else(|| format!("no port between {first} and 32000 is free on 127.0.0.1"))
}

/// The end of a log, for a sentence about why its writer ended.
pub(crate) fn end_of(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().rev().take(5).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}
