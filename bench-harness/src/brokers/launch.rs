//! Starts the process of a broker that somebody else installed, and waits until it listens.

use std::any::Any;
use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::guard::Guard;
use super::{Broker, Running, cpu_list, end_of, listening_pid};

/// How long a broker may take until it listens.
const START_MAX: Duration = Duration::from_secs(60);

const CONNECT_MAX: Duration = Duration::from_secs(1);

/// What is started.
pub(crate) struct Launch<'a> {
    /// The broker with its version.
    pub(crate) name: String,
    /// Where it will listen, on 127.0.0.1.
    pub(crate) port: u16,
    /// Its data directory; its output goes to `output.log` there.
    pub(crate) directory: &'a Path,
}

/// The command for `program`, pinned to `cpus`.
pub(crate) fn pinned(program: &str, cpus: &[usize]) -> Command {
    let mut command = Command::new("taskset");
    command.arg("-c").arg(cpu_list(cpus)).arg(program).stdin(Stdio::null());
    command
}

/// Starts `command` and waits until something listens. `beside` is held as long as the broker, and dropped after it.
///
/// # Errors
/// A sentence, with the end of the broker's log.
pub(crate) fn launch(
    launch: Launch<'_>,
    command: &mut Command,
    beside: Option<Running>,
) -> Result<Broker, String> {
    let Launch { name, port, directory } = launch;
    let log = directory.join("output.log");
    let failed = |reason: String| format!("{name} did not start: {reason}");
    let output = File::create(&log).map_err(|error| failed(error.to_string()))?;
    let errors = output.try_clone().map_err(|error| failed(error.to_string()))?;
    let began = Instant::now();
    // What is typed at the terminal ends the measurement first, and the broker with it.
    let child = command.process_group(0).stdout(output).stderr(errors).spawn();
    let child = child.map_err(|error| failed(format!("taskset cannot be run: {error}")))?;
    let mut running = Running::new(child);
    let here = Ipv4Addr::LOCALHOST;
    while TcpStream::connect_timeout(&SocketAddr::from((here, port)), CONNECT_MAX).is_err() {
        if running.has_ended() || began.elapsed() > START_MAX {
            drop(running);
            return Err(failed(end_of(&log)));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    // The one that listens does the work, where a script started it.
    if let Some(worker) = listening_pid(here.into(), port).filter(|pid| *pid != running.pid()) {
        running = running.worked_by(worker);
    }
    let (pid, start_s) = (running.pid(), began.elapsed().as_secs_f64());
    let mut ends = vec!["kill".to_owned(), pid.to_string()];
    ends.extend(beside.as_ref().map(|beside| beside.pid().to_string()));
    let ends: Vec<&str> = ends.iter().map(String::as_str).collect();
    let guard = Guard::new(&ends)?;
    let process: Box<dyn Any> = Box::new((running, beside, guard));
    Ok(Broker { name, address: format!("127.0.0.1:{port}"), pid, start_s, declared: None, process })
}

/// What `program` says when asked for its version, in one piece.
///
/// # Errors
/// When there is no such program: how to get it, in the words of `advice`.
pub(crate) fn told_version(program: &str, ask: &str, advice: &str) -> Result<String, String> {
    match Command::new(program).arg(ask).stdin(Stdio::null()).output() {
        Ok(output) => Ok(String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(format!("not installed: {advice}"))
        }
        Err(error) => Err(format!("{program} cannot be run: {error}")),
    }
}

/// The first word in `text` that is a version: digits and points, perhaps behind `v` or `v=`.
pub(crate) fn version_in(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c == '"' || c == '=');
    let mut words = words.map(|word| word.trim_start_matches('v'));
    let is_version =
        |word: &&str| word.contains('.') && word.chars().all(|c| c.is_ascii_digit() || c == '.');
    words.find(is_version).unwrap_or("unknown").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_in_what_brokers_say() {
        let redis = "Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64";
        assert_eq!(version_in(redis), "7.0.15");
        assert_eq!(version_in("nats-server: v2.9.10\n"), "2.9.10");
        assert_eq!(version_in("3.10.8\n"), "3.10.8");
        assert_eq!(version_in("nothing of it"), "unknown");
    }

    #[test]
    fn what_is_not_there_is_told_with_how_to_get_it() {
        let told = told_version("no-such-broker-anywhere", "--version", "apt-get install it");
        assert_eq!(told, Err("not installed: apt-get install it".to_owned()));
    }
}
