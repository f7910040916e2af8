//! A broker that cannot start says why in one sentence and exits with 1; one that starts says where.

use std::fs;
use std::net::TcpListener;

use crate::broker::{Broker, Directory, Launch, set};
use crate::raw::assert_serves;

/// The start must fail with exit code 1; the last line on stderr must hold all of these words.
fn assert_refuses(directory: &Directory, arguments: &[String], words: &[&str]) {
    let (status, log) = Launch::new(directory, arguments).ended();
    assert_eq!(status.code(), Some(1), "{log}");
    let last = log.trim_end().lines().last().unwrap_or_default();
    for word in words {
        assert!(last.contains(word), "expected {word:?} in the last line of:\n{log}");
    }
    assert!(!log.contains("panicked"), "{log}");
}

fn settings(directory: &Directory) -> Vec<String> {
    let data = format!("log.dirs={}", directory.path("data").display());
    set(&["listeners=PLAINTEXT://127.0.0.1:0", &data])
}

#[test]
fn a_data_directory_in_use_is_refused() {
    let broker = Broker::start(&[]);
    let data = broker.data_directory().display().to_string();
    let directory = Directory::new();
    let arguments = set(&["listeners=PLAINTEXT://127.0.0.1:0", &format!("log.dirs={data}")]);
    assert_refuses(&directory, &arguments, &[&data, "in use"]);
    assert_serves(&broker.address);
}

#[test]
fn a_data_directory_that_is_a_file_is_refused() {
    let directory = Directory::new();
    fs::write(directory.path("data"), "not a directory").expect("written");
    let data = directory.path("data").display().to_string();
    assert_refuses(&directory, &settings(&directory), &[&data]);
}

#[test]
fn a_taken_port_is_refused() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("bound").to_string();
    let directory = Directory::new();
    let listeners = set(&[&format!("listeners=PLAINTEXT://{address}")]);
    assert_refuses(&directory, &[settings(&directory), listeners].concat(), &[&address]);
}

#[test]
fn a_bad_value_is_refused_with_its_place() {
    let directory = Directory::new();
    let file = directory.path("server.properties");
    fs::write(&file, "# a comment\nnum.partitions=frog\n").expect("written");
    let place = format!("{}:2", file.display());
    let config = ["--config".to_string(), file.display().to_string()];
    let arguments = [settings(&directory), config.to_vec()].concat();
    assert_refuses(&directory, &arguments, &[&place, "num.partitions", "frog"]);
    let arguments = [settings(&directory), set(&["num.partitions=0"])].concat();
    assert_refuses(&directory, &arguments, &["num.partitions", "0"]);
}

#[test]
fn an_unknown_key_is_a_warning() {
    let broker = Broker::start(&["no.such.setting=1"]);
    assert!(broker.log().contains("no.such.setting"), "{}", broker.log());
    assert_serves(&broker.address);
}
