//! Runs the binary with arguments, and gives what it wrote and how it ended.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::broker::Broker;

/// How a command ended.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

/// `ringlane` with these arguments, ready to be started.
pub(crate) fn command(broker: &Broker, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringlane"));
    command.args(arguments).args(["--bootstrap", &broker.address]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs `command` with `input` as its standard input to its end.
pub(crate) fn end(mut command: Command, input: &[u8]) -> Ended {
    let mut process = command.spawn().expect("the binary starts");
    let mut stdin = process.stdin.take().expect("a pipe");
    // A command that does not read it may be gone already.
    let _ = stdin.write_all(input);
    drop(stdin);
    let output = process.wait_with_output().expect("a child");
    let stderr = String::from_utf8(output.stderr).expect("text");
    Ended { code: output.status.code(), stdout: output.stdout, stderr }
}

/// Runs a command that does what it is asked; what it printed.
pub(crate) fn run_with(broker: &Broker, arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let ended = end(command(broker, arguments), input);
    assert_eq!(ended.code, Some(0), "{arguments:?}: {}", ended.stderr);
    ended.stdout
}

/// [`run_with`] without input; the output as text.
pub(crate) fn run(broker: &Broker, arguments: &[&str]) -> String {
    String::from_utf8(run_with(broker, arguments, b"")).expect("text")
}

/// What a command with `--json` printed.
pub(crate) fn json(broker: &Broker, arguments: &[&str]) -> serde_json::Value {
    let text = run(broker, &[arguments, &["--json"]].concat());
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}
