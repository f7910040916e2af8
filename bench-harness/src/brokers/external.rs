//! Any other broker that speaks Kafka's protocol, started by a command of its user's. What it promises is the user's word: no
//! setting of such a broker is known here.

use std::path::Path;
use std::str::FromStr;
use std::{fs, io};

use super::launch::{Launch, launch, pinned};
use super::{Broker, free_ports};
use crate::workload::Durability;

/// A broker as its user describes it: `NAME:DURABILITY=COMMAND`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct External {
    /// What results call it.
    pub(crate) name: String,
    /// Where an acknowledged record is.
    pub(crate) durability: Durability,
    /// Run by the shell, with `$PORT`, where the broker is to listen on 127.0.0.1, and `$DIR`, an empty directory.
    command: String,
}

impl FromStr for External {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wanted = || {
            format!(
                "{text:?} is no broker: write ringlane, kafka, or NAME:DURABILITY=COMMAND for any other, with $PORT and $DIR in COMMAND"
            )
        };
        let (head, command) = text.split_once('=').ok_or_else(wanted)?;
        let (name, durability) = head.split_once(':').ok_or_else(wanted)?;
        let durability = durability.parse()?;
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if name.is_empty() || !name.chars().all(is_plain) || command.trim().is_empty() {
            return Err(wanted());
        }
        if durability == Durability::Target {
            return Err(format!(
                "{name}: say page-cache or disk, which this broker cannot be asked"
            ));
        }
        if !command.contains("$PORT") && !command.contains("${PORT}") {
            return Err(format!("{name}: its command does not say where $PORT goes"));
        }
        Ok(Self { name: name.to_owned(), durability, command: command.to_owned() })
    }
}

impl External {
    /// Starts it, and waits until something listens on its port.
    pub(super) fn start(&self, directory: &Path, cpus: &[usize]) -> Result<Broker, String> {
        let failed = |error: io::Error| format!("{} did not start: {error}", self.name);
        let directory = &fs::canonicalize(directory).map_err(failed)?;
        let data = directory.join("data");
        fs::create_dir_all(&data).map_err(failed)?;
        let port = free_ports(1)?;
        let mut command = pinned("sh", cpus);
        // In place of the shell, so that what is measured and ended is the broker.
        let script = format!("exec {}", self.command);
        command.args(["-c", &script]).env("PORT", port.to_string()).env("DIR", data);
        let name = self.name.clone();
        let broker = launch(Launch { name, port, directory }, &mut command, None)?;
        Ok(Broker { declared: Some(self.durability), ..broker })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_is_named_with_its_promise_and_command() {
        let tansu: External = "tansu:page-cache=tansu --port $PORT --store=x".parse().expect("one");
        assert_eq!((tansu.name.as_str(), tansu.durability), ("tansu", Durability::PageCache));
        assert_eq!(tansu.command, "tansu --port $PORT --store=x");
        for bad in [
            "kafk",
            "x=y $PORT",
            "x:ram=y $PORT",
            "x:disk=",
            "x:disk=y",
            "/:disk=y $PORT",
            "x:target=y $PORT",
        ] {
            assert!(bad.parse::<External>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_command_that_ends_is_told_with_what_it_said() {
        let directory =
            std::env::temp_dir().join(format!("ringlane-external-{}", std::process::id()));
        fs::create_dir_all(&directory).expect("a directory");
        let broken: External = "broken:disk=echo no such thing as $PORT".parse().expect("one");
        let told =
            broken.start(&directory, &ringlane_reactor::allowed_cpus()).map(|broker| broker.name);
        fs::remove_dir_all(&directory).expect("it goes");
        let sentence = told.expect_err("it ended");
        assert!(sentence.starts_with("broken did not start: no such thing as 2"), "{sentence}");
    }
}
