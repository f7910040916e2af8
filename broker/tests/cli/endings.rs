//! How commands end that do not do what they are asked: the exit code, and a sentence with what to do.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::process::{Command, Stdio};

use crate::broker::{Broker, wait_until};
use crate::command::{command, end, run, run_with};

#[test]
fn without_a_broker_the_address_and_the_remedy_are_named() {
    // A port that was free a moment ago.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    drop(listener);
    let output = Command::new(env!("CARGO_BIN_EXE_ringlane"))
        .args(["topic", "list", "--bootstrap-server", &address])
        .output()
        .expect("the binary runs");
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8(output.stderr).expect("text");
    assert!(
        stderr.starts_with(&format!("ringlane: no broker can be reached at {address}")),
        "{stderr}"
    );
    assert!(stderr.contains("`ringlane start`"), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
}

#[test]
fn who_cannot_be_told_why_learns_it_by_the_code() {
    let full = std::fs::File::options().write(true).open("/dev/full").expect("a device");
    let mut verify = Command::new(env!("CARGO_BIN_EXE_ringlane"));
    verify.args(["log", "verify", "/no/such/directory"]).stderr(full);
    assert_eq!(verify.status().expect("the binary runs").code(), Some(1));
}

#[test]
fn what_is_asked_wrongly_ends_with_2() {
    let broker = Broker::start(&[]);
    run(&broker, &["topic", "create", "t", "--partitions", "1"]);
    let wrong: [&[&str]; 6] = [
        &["topic", "alter", "t"],
        &["topic", "create", "t", "--config", "novalue"],
        &["consume", "t", "--from", "yesterday"],
        &["consume", "t", "--format", "%z"],
        &["consume", "t", "--partition", "9"],
        &["produce", "t", "--partition", "9", "--quiet"],
    ];
    for arguments in wrong {
        let ended = end(command(&broker, arguments), b"line\n");
        assert_eq!(ended.code, Some(2), "{arguments:?}: {}", ended.stderr);
        assert!(!ended.stderr.is_empty() && ended.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn what_the_broker_refuses_ends_with_1() {
    let broker = Broker::start(&["auto.create.topics.enable=false"]);
    run(&broker, &["topic", "create", "t", "--partitions", "1"]);
    let refused: [(&[&str], &str); 6] = [
        (&["topic", "create", "t"], "TOPIC_ALREADY_EXISTS"),
        (&["topic", "create", "a/b"], "INVALID_TOPIC_EXCEPTION"),
        (&["topic", "delete", "missing"], "UNKNOWN_TOPIC_OR_PARTITION"),
        (&["consume", "missing"], "`ringlane topic create"),
        (&["topic", "alter", "t", "--set", "no.such.key=1"], "no.such.key"),
        (&["topic", "alter", "t", "--partitions", "1"], "INVALID_PARTITIONS"),
    ];
    for (arguments, reason) in refused {
        let ended = end(command(&broker, arguments), b"");
        assert_eq!(ended.code, Some(1), "{arguments:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(reason), "{arguments:?}: {}", ended.stderr);
    }
}

#[test]
fn a_record_that_is_too_large_is_told_with_the_setting() {
    let broker = Broker::start(&[]);
    run(&broker, &["topic", "create", "t", "--config", "max.message.bytes=1000"]);
    let ended = end(command(&broker, &["produce", "t"]), &[b'x'; 5000]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("max.message.bytes"), "{}", ended.stderr);
}

/// `ringlane consume | head -1`.
#[test]
fn nobody_reading_is_a_quiet_end() {
    let broker = Broker::start(&[]);
    run(&broker, &["topic", "create", "t", "--partitions", "1"]);
    let lines: String = (0..50_000).map(|number| format!("{number}\n")).collect();
    run_with(&broker, &["produce", "t"], lines.as_bytes());
    let mut consume =
        command(&broker, &["consume", "t"]).stderr(Stdio::piped()).spawn().expect("a process");
    let mut first = String::new();
    let mut stdout = BufReader::new(consume.stdout.take().expect("a pipe"));
    stdout.read_line(&mut first).expect("a line");
    drop(stdout);
    assert_eq!(first, "0\n");
    let status = wait_until("it ends", || consume.try_wait().expect("a child"));
    assert_eq!(status.code(), Some(0));
    let mut stderr = String::new();
    consume.stderr.take().expect("a pipe").read_to_string(&mut stderr).expect("text");
    assert_eq!(stderr, "");
}
