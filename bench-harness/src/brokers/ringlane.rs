//! `ringlane` of this build: the binary beside our own, built when it is not there.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use super::guard::Guard;
use super::{Broker, Running, cpu_list, end_of, free_ports};

/// Where the binary of this build is.
fn binary() -> Result<PathBuf, String> {
    let own = std::env::current_exe()
        .map_err(|error| format!("this program's own path is not known: {error}"))?;
    Ok(own.with_file_name("ringlane"))
}

pub(super) fn prepare() -> Result<(), String> {
    let binary = binary()?;
    // Under `cargo run` the binary may be older than the sources: cargo knows.
    let is_cargo = std::env::var_os("CARGO");
    if is_cargo.is_none() && binary.exists() {
        return Ok(());
    }
    let cargo = is_cargo.unwrap_or_else(|| "cargo".into());
    let folder = binary.parent().unwrap_or(Path::new("."));
    let is_release = folder.ends_with("release");
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
    eprintln!("building ringlane{} ...", if is_release { " (release)" } else { "" });
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--package", "ringlane", "--bin", "ringlane"]);
    command.args(["--manifest-path", manifest]);
    if is_release {
        command.arg("--release");
    }
    if let Some(target) = folder.parent() {
        command.arg("--target-dir").arg(target);
    }
    match command.status() {
        Ok(status) if status.success() && binary.exists() => Ok(()),
        Ok(_) => Err("ringlane does not build: see above".into()),
        Err(_) => Err(format!(
            "there is no {} and no cargo to build it: run `cargo build --release` first",
            binary.display()
        )),
    }
}

pub(super) fn start(directory: &Path, cpus: &[usize], settings: &[&str]) -> Result<Broker, String> {
    let (log, port) = (directory.join("ringlane.log"), free_ports(1)?);
    let failed = |reason: String| format!("ringlane did not start: {reason}");
    let output = File::create(&log).map_err(|error| failed(error.to_string()))?;
    let began = Instant::now();
    let mut child = Command::new("taskset")
        .arg("-c")
        .arg(cpu_list(cpus))
        .arg(binary()?)
        .args(["start", "--set", &format!("listeners=PLAINTEXT://127.0.0.1:{port}")])
        .args(["--set", &format!("log.dirs={}", directory.join("data").display())])
        .args(settings.iter().flat_map(|setting| ["--set", setting]))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(output)
        // What is typed at the terminal ends the measurement first, and the broker with it.
        .process_group(0)
        .spawn()
        .map_err(|error| failed(format!("taskset (util-linux) cannot be run: {error}")))?;
    let mut line = String::new();
    let stdout = child.stdout.take().expect("a pipe");
    let read = BufReader::new(stdout).read_line(&mut line);
    let running = Running::new(child);
    let guard = Guard::new(&["kill", &running.pid().to_string()]).map_err(failed)?;
    let address = line.trim().strip_prefix("ringlane ready on ");
    match (read, address) {
        (Ok(_), Some(address)) => Ok(Broker {
            name: format!("ringlane {}", env!("CARGO_PKG_VERSION")),
            address: address.to_owned(),
            pid: running.pid(),
            start_s: began.elapsed().as_secs_f64(),
            declared: None,
            process: Box::new((running, guard)),
        }),
        _ => {
            drop(running);
            Err(failed(end_of(&log)))
        }
    }
}
