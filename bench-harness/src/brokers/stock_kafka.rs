//! Stock Apache Kafka, through the script that fetches and starts it for the tests: one KRaft node, with stock settings but for
//! what its caller asks.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use super::guard::Guard;
use super::{Broker, cpu_list, end_of, free_ports};

const SCRIPT: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../broker/tests/clients/kafka-tools/stock-kafka");
const POM: &str = include_str!("../../../broker/tests/clients/kafka-tools/pom.xml");

/// The least Java that this Kafka runs on.
const JAVA_MIN: u32 = 17;

/// Ends the node in this directory when dropped.
pub(super) struct Running(PathBuf);

impl Drop for Running {
    fn drop(&mut self) {
        let mut down = script("down");
        down.arg("--dir").arg(&self.0).stdout(Stdio::null());
        let _ = down.status();
    }
}

fn script(subcommand: &str) -> Command {
    let mut command = Command::new(SCRIPT);
    command.arg(subcommand).stdin(Stdio::null());
    command
}

/// The version in the script's list of jars.
fn version() -> &'static str {
    let value = POM.split_once("<kafka.version>").and_then(|(_, rest)| rest.split_once('<'));
    value.map_or("unknown", |(version, _)| version)
}

pub(super) fn prepare() -> Result<(), String> {
    if script("have").status().is_ok_and(|status| status.success()) {
        return Ok(());
    }
    eprintln!("fetching Kafka {} with Maven ...", version());
    let fetched = script("fetch").status();
    let fetched = fetched.map_err(|error| format!("{SCRIPT} cannot be run: {error}"))?;
    match fetched.success() {
        true => Ok(()),
        false => Err(format!(
            "Kafka {} cannot be fetched: Maven (`mvn`) is needed, and a repository that it can reach; on Debian `apt-get install maven`",
            version()
        )),
    }
}

/// # Errors
/// A sentence: no Java, or one that is too old.
pub(crate) fn check_java() -> Result<(), String> {
    let advice = format!(
        "Java {JAVA_MIN} or newer is needed: on Debian `apt-get install openjdk-17-jre-headless`"
    );
    let output = Command::new("java").arg("-version").stdin(Stdio::null()).output();
    let output = output.map_err(|_| format!("there is no Java on this host; {advice}"))?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    match java_version(&text) {
        Some(found) if found >= JAVA_MIN => Ok(()),
        Some(found) => Err(format!("Java {found} is too old; {advice}")),
        None => Err(format!("Java does not tell its version; {advice}")),
    }
}

/// The major version in the first line of `java -version`: `openjdk version "17.0.1" ...`, or `"1.8.0"` of old.
fn java_version(text: &str) -> Option<u32> {
    let quoted = text.split('"').nth(1)?;
    let mut numbers = quoted.split(['.', '-', '_', '+']).map(|number| number.parse().ok());
    match numbers.next()?? {
        1 => numbers.next()?,
        major => Some(major),
    }
}

pub(super) fn start(directory: &Path, cpus: &[usize], settings: &[&str]) -> Result<Broker, String> {
    // The second port is the controller's.
    let port = free_ports(2)?;
    let began = Instant::now();
    let mut up = script("up");
    up.args(["--cpus", &cpu_list(cpus), "--port", &port.to_string(), "--dir"])
        .arg(directory)
        .args(settings);
    let guard = Guard::new(&[SCRIPT, "down", "--dir", &directory.display().to_string()])?;
    let running = Running(directory.to_owned());
    let output = up.output().map_err(|error| format!("{SCRIPT} cannot be run: {error}"))?;
    let pid = fs::read_to_string(directory.join("pid")).ok();
    let pid = pid.and_then(|text| text.trim().parse().ok());
    match (output.status.success(), pid) {
        (true, Some(pid)) => Ok(Broker {
            name: format!("kafka {}", version()),
            address: format!("127.0.0.1:{port}"),
            pid,
            start_s: began.elapsed().as_secs_f64(),
            declared: None,
            process: Box::new((running, guard)),
        }),
        _ => {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            let log = end_of(&directory.join("server.log"));
            Err(format!("Kafka did not start: {said}\n{log}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn java_versions_of_all_ages_are_read() {
        assert_eq!(java_version("openjdk version \"17.0.18\" 2026-01-20\n"), Some(17));
        assert_eq!(java_version("openjdk version \"21\" 2023-09-19\n"), Some(21));
        assert_eq!(java_version("java version \"1.8.0_292\"\n"), Some(8));
        assert_eq!(java_version("openjdk version \"22-ea\" 2024\n"), Some(22));
        assert_eq!(java_version("sh: java: not found"), None);
        assert!(version().starts_with(|c: char| c.is_ascii_digit()), "{}", version());
    }
}
